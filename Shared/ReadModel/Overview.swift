import PlantEvents
import SQLite

/// A production context as it was adopted or changed.
package struct ContextInfo: Codable, Sendable, Equatable {
    package let orderID: String
    package let sku: String
    package let batchID: String
    package let variant: String
    package let customerOrder: String
    package let line: String
    package let shift: String
    package let recipeID: String
    package let recipeSha256: String
    package let targetQuantity: Int64
    package let inChangeover: Bool
    package let controlPlanRevision: String
    package let materialLots: [String]
}

/// What a line is doing.
package struct LineInfo: Codable, Sendable, Equatable {
    package let line: String
    /// running, changeover, ready, idle; empty while nothing is known.
    package let state: String
    package let orderID: String
    package let sinceUs: Int64
    package let shift: String
    package let context: ContextInfo?
}

/// What a station is doing.
package struct StationInfo: Codable, Sendable, Equatable {
    package let station: String
    /// Newest trigger session.
    package let session: Int64
    package let adapter: String
    package let context: ContextInfo?
    package let counts: Counts
    /// Whether its finite source has delivered its last picture, and whether all of them are inspected.
    package let sourceExhausted: Bool
    package let sourceInspected: Bool
}

/// First-pass yield of one station in one shift.
package struct ShiftYield: Codable, Sendable, Equatable {
    package let station: String
    package let shift: String
    package let counts: Counts
}

/// A production order.
package struct OrderInfo: Codable, Sendable, Equatable {
    package let orderID: String
    /// unreleased (known from parts only), released, running or completed.
    package let state: String
    package let line: String
    package let sku: String
    package let batchIds: [String]
    package let targetQuantity: Int64
    package let priority: Int64
    package let releasedAtUs: Int64?
    package let startedAtUs: Int64?
    package let completedAtUs: Int64?
    package let counts: Counts
}

/// One effect on another system.
package struct DeliveryInfo: Codable, Sendable, Equatable {
    package let intentID: String
    package let peer: String
    package let effect: String
    package let businessKey: String
    package let subject: String
    /// pending, confirmed, refused or skipped.
    package let state: String
    /// The peer's document number, or its reason to refuse.
    package let answer: String
    package let intendedAtUs: Int64?
    package let outcomeAtUs: Int64?
}

/// A hold, and what the other systems know of it.
package struct HoldInfo: Codable, Sendable, Equatable {
    package let holdID: String
    /// part, batch, material_lot, order, line, station or unknown.
    package let subjectKind: String
    package let subjectID: String
    package let reason: String
    package let defectCategory: String
    package let partID: String
    package let rule: String
    package let orderID: String
    package let placedAtUs: Int64
    /// True until a recorded decision closes it.
    package let isOpen: Bool
    package let deliveries: [DeliveryInfo]
}

/// An alarm that has not returned to normal, or one that has.
package struct AlarmInfo: Codable, Sendable, Equatable {
    package let alarmID: String
    package let kind: String
    package let subject: String
    /// low, medium, high or unspecified.
    package let priority: String
    package let text: String
    package let response: String
    package let raisedAtUs: Int64?
    package let returnedAtUs: Int64?
}

/// Deliveries to one side of the plant: mes or erp.
package struct PeerDeliveries: Codable, Sendable, Equatable {
    package let peer: String
    package let intended: Int64
    package let confirmed: Int64
    package let pending: Int64
    package let refused: Int64
    package let skipped: Int64
    /// Systems that cannot be reached just now, with what was seen.
    package let lost: [String]
}

/// A latency, microseconds, by nearest rank.
package struct Latency: Codable, Sendable, Equatable {
    package let count: Int64
    package let p50Us: Int64
    package let p99Us: Int64
    package let maxUs: Int64

    /// Sorts what it is given.
    static func of(_ values: [Int64]) -> Latency? {
        guard let last = values.max() else { return nil }
        let sorted = values.sorted()
        func rank(_ percent: Int) -> Int64 { sorted[(sorted.count * percent + 99) / 100 - 1] }
        return Latency(count: Int64(sorted.count), p50Us: rank(50), p99Us: rank(99), maxUs: last)
    }
}

/// Latencies from stored times; nil before the first.
package struct Latencies: Codable, Sendable, Equatable {
    /// Over the newest parts of each station.
    package let triggerToVerdict: Latency?
    package let verdictToMesHold: Latency?
    package let verdictToErpBlock: Latency?
    /// Within a tenth, from a histogram; parts folded live only.
    package let verdictToProjected: Latency?
}

/// The line's state in one answer.
package struct Overview: Codable, Sendable, Equatable {
    package let site: String
    package let appliedAtUs: Int64
    package let lines: [LineInfo]
    package let stations: [StationInfo]
    package let orders: [OrderInfo]
    package let shifts: [ShiftYield]
    package let lastParts: [PartInfo]
    package let holds: [HoldInfo]
    /// Legal holds that stand.
    package let legalHolds: [LegalHoldInfo]
    package let alarms: [AlarmInfo]
    package let deliveries: [PeerDeliveries]
    package let balance: Balance
    package let latencies: Latencies
    /// Subjects of records that must be understood and are not: held until this build is upgraded.
    package let notUnderstood: [String]
    /// Missing records of the log, named.
    package let gaps: [String]
    package let inputs: [InputState]

    package static let lastPartsLimit = 50
    /// Orders, holds and alarms in it, newest first; `orders()` and `holds()` have them all.
    package static let listLimit = 100
}

extension Queries {
    package func overview() throws -> Overview {
        try snapshot {
            let counted = try countedContexts()
            let recent = try recentSources()
            let applied = try rows("SELECT applied_at_us FROM model") { $0.int(0) }
            return Overview(
                site: site,
                appliedAtUs: applied.first ?? 0,
                lines: try lines(),
                stations: try stations(counted),
                orders: Array(try orderList(counted).prefix(Overview.listLimit)),
                shifts: shiftYields(counted),
                lastParts: try lastParts(recent),
                holds: Array(try holdList().prefix(Overview.listLimit)),
                legalHolds: Array(try standingLegalHolds().prefix(Overview.listLimit)),
                alarms: try activeAlarms(),
                deliveries: try peerDeliveries(),
                balance: try computeBalance(),
                latencies: try latencies(recent),
                notUnderstood: try texts(
                    "SELECT DISTINCT subject FROM not_understood ORDER BY subject LIMIT \(Overview.listLimit)"
                ),
                gaps: try gapTexts(),
                inputs: try inputs()
            )
        }
    }

    /// Missing records of the log.
    func gapTexts() throws -> [String] {
        try texts(
            """
            SELECT topic || '/' || partition || ' epoch ' || epoch || ': records ' || expected || ' to ' || (found - 1)
                || ' are missing'
            FROM gap ORDER BY topic, partition, epoch, expected LIMIT \(Overview.listLimit)
            """
        )
    }

    /// The two newest trigger sessions of each station.
    private func recentSources() throws -> [Int64] {
        try rows(
            """
            SELECT id FROM (
                SELECT id, row_number() OVER (PARTITION BY station ORDER BY session DESC) AS age FROM source)
            WHERE age <= 2
            """
        ) { $0.int(0) }
    }

    private func lastParts(_ sources: [Int64]) throws -> [PartInfo] {
        let newest = try sources.flatMap { source in
            try rows(
                """
                SELECT key, triggered_at_us FROM part WHERE key BETWEEN ? AND ? ORDER BY key DESC
                LIMIT \(Overview.lastPartsLimit)
                """,
                .int(source << Schema.sequenceBits),
                .int(source << Schema.sequenceBits | Schema.sequenceMask)
            ) { (key: $0.int(0), atUs: $0.int(1)) }
        }
        let last = newest.sorted { ($0.atUs, $0.key) > ($1.atUs, $1.key) }.prefix(Overview.lastPartsLimit)
        return try parts(last.map(\.key))
    }

    func context(_ id: Int64) throws -> ContextInfo? {
        let lots = try texts("SELECT material_lot_id FROM context_lot WHERE context = ? ORDER BY 1", .int(id))
        return try rows(
            """
            SELECT order_id, sku, batch_id, variant, customer_order, line, shift, recipe_id, recipe_sha256,
                target_quantity, changeover, control_plan_revision
            FROM context WHERE id = ?
            """,
            .int(id)
        ) { row in
            ContextInfo(
                orderID: row.text(0),
                sku: row.text(1),
                batchID: row.text(2),
                variant: row.text(3),
                customerOrder: row.text(4),
                line: row.text(5),
                shift: row.text(6),
                recipeID: row.text(7),
                recipeSha256: row.text(8),
                targetQuantity: row.int(9),
                inChangeover: row.int(10) == 2,
                controlPlanRevision: row.text(11),
                materialLots: lots
            )
        }.first
    }

    private func lines() throws -> [LineInfo] {
        let names = try texts(
            "SELECT line FROM line_order UNION SELECT line FROM line_context UNION SELECT line FROM shift ORDER BY 1"
        )
        return try names.map { line in
            let order = try rows("SELECT state, order_id, at_us FROM line_order WHERE line = ?", .text(line)) {
                (state: $0.text(0), order: $0.text(1), atUs: $0.int(2))
            }.first
            let shift = try texts(
                "SELECT shift FROM shift WHERE line = ? ORDER BY epoch DESC, sequence DESC LIMIT 1",
                .text(line)
            )
            let context = try rows("SELECT context FROM line_context WHERE line = ?", .text(line)) { $0.int(0) }
            return LineInfo(
                line: line,
                state: order?.state ?? "",
                orderID: order?.order ?? "",
                sinceUs: order?.atUs ?? 0,
                shift: shift.first ?? "",
                context: try context.first.flatMap { try self.context($0) }
            )
        }
    }

    private func stations(_ counted: [CountedContext]) throws -> [StationInfo] {
        let counts = Dictionary(grouping: counted, by: \.station)
        return try rows(
            """
            SELECT s.station, max(s.session), coalesce(t.adapter, ''), a.context, x.station IS NOT NULL,
                i.station IS NOT NULL
            FROM source s LEFT JOIN trigger_session t ON t.source = s.id
            LEFT JOIN adopted_context a ON a.station = s.station
            LEFT JOIN source_exhausted x ON x.station = s.station
            LEFT JOIN source_inspected i ON i.station = s.station
            GROUP BY s.station ORDER BY s.station
            """
        ) { row in
            StationInfo(
                station: row.text(0),
                session: row.int(1),
                adapter: row.text(2),
                context: row.isNull(3) ? nil : try context(row.int(3)),
                counts: total(counts[row.text(0)] ?? []),
                sourceExhausted: row.int(4) == 1,
                sourceInspected: row.int(5) == 1
            )
        }
    }

    private func shiftYields(_ counted: [CountedContext]) -> [ShiftYield] {
        Dictionary(grouping: counted) { [$0.station, $0.shift] }
            .map { ShiftYield(station: $0.key[0], shift: $0.key[1], counts: total($0.value)) }
            .sorted { ($0.shift, $0.station) < ($1.shift, $1.station) }
    }

    private func total(_ counted: [CountedContext]) -> Counts {
        counted.reduce(into: Counts()) { $0.add($1.counts) }
    }

    /// All orders, the newest release first.
    package func orders() throws -> [OrderInfo] {
        try snapshot { try orderList(try countedContexts()) }
    }

    private func orderList(_ counted: [CountedContext]) throws -> [OrderInfo] {
        let counts = Dictionary(grouping: counted, by: \.order)
        return try rows(
            """
            SELECT o.order_id, coalesce(r.line, ''), coalesce(r.priority, 0), r.at_us,
                (SELECT min(at_us) FROM order_step WHERE order_id = o.order_id AND step = 1),
                (SELECT max(at_us) FROM order_step WHERE order_id = o.order_id AND step = 2),
                (SELECT group_concat(batch_id, char(10)) FROM (
                    SELECT DISTINCT batch_id FROM context WHERE order_id = o.order_id AND batch_id <> '' ORDER BY 1)),
                coalesce((SELECT max(sku) FROM context WHERE order_id = o.order_id), ''),
                coalesce((SELECT max(target_quantity) FROM context WHERE id = r.context), 0),
                (SELECT step FROM order_step WHERE order_id = o.order_id ORDER BY epoch DESC, sequence DESC LIMIT 1)
            FROM (SELECT order_id FROM context UNION SELECT order_id FROM order_released
                UNION SELECT order_id FROM order_step) o
            LEFT JOIN order_released r ON r.order_id = o.order_id
            WHERE o.order_id <> '' ORDER BY r.at_us DESC, o.order_id
            """
        ) { row in
            let state = row.int(9) == 2 ? "completed" : row.int(9) == 1 ? "running" : row.isNull(3) ? "" : "released"
            return OrderInfo(
                orderID: row.text(0),
                state: state.isEmpty ? "unreleased" : state,
                line: row.text(1),
                sku: row.text(7),
                batchIds: row.text(6).split(separator: "\n").map(String.init),
                targetQuantity: row.int(8),
                priority: row.int(2),
                releasedAtUs: row.optionalInt(3),
                startedAtUs: row.optionalInt(4),
                completedAtUs: row.optionalInt(5),
                counts: total(counts[row.text(0)] ?? [])
            )
        }
    }

    private func activeAlarms() throws -> [AlarmInfo] {
        try rows(
            """
            SELECT alarm_id, kind, subject, priority, text, response, raised_at_us, returned_at_us FROM alarm
            WHERE returned_at_us IS NULL ORDER BY raised_at_us DESC, alarm_id LIMIT \(Overview.listLimit)
            """
        ) { row in
            let priority = AlarmPriority(rawValue: Int(row.int(3))) ?? .unspecified
            return AlarmInfo(
                alarmID: row.text(0),
                kind: row.text(1),
                subject: row.text(2),
                priority: priority.word,
                text: row.text(4),
                response: row.text(5),
                raisedAtUs: row.optionalInt(6),
                returnedAtUs: row.optionalInt(7)
            )
        }
    }

    private func peerDeliveries() throws -> [PeerDeliveries] {
        let lost = try rows(
            "SELECT channel, peer || ': ' || reason FROM peer_state WHERE lost = 1 ORDER BY channel, peer"
        ) { (channel: $0.int(0), text: $0.text(1)) }
        return try rows(
            """
            SELECT c.channel, coalesce(t.intended, 0), coalesce(t.confirmed, 0), coalesce(t.refused, 0),
                coalesce(t.skipped, 0)
            FROM (SELECT 1 AS channel UNION SELECT 2) c LEFT JOIN delivery_tally t ON t.channel = c.channel
            ORDER BY c.channel
            """
        ) { row in
            PeerDeliveries(
                peer: Topic.name(ofChannel: row.int(0)),
                intended: row.int(1),
                confirmed: row.int(2),
                pending: row.int(1) - row.int(2) - row.int(3) - row.int(4),
                refused: row.int(3),
                skipped: row.int(4),
                lost: lost.filter { $0.channel == row.int(0) }.map(\.text)
            )
        }
    }
}

extension AlarmPriority {
    fileprivate var word: String {
        switch self {
        case .low: "low"
        case .medium: "medium"
        case .high: "high"
        case .unspecified, .UNRECOGNIZED: "unspecified"
        }
    }
}

extension Statement {
    func optionalInt(_ index: Int32) -> Int64? { isNull(index) ? nil : int(index) }
}
