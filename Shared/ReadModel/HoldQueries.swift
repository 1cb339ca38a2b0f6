import PlantEvents
import SQLite

extension Queries {
    /// All holds, newest first; subjects of records that could not be understood stand among them.
    package func holds() throws -> [HoldInfo] {
        try snapshot { try holdList() }
    }

    func holdList(_ condition: String = "1", _ cells: Cell...) throws -> [HoldInfo] {
        try rows(
            """
            SELECT h.hold_id, h.subject_kind, h.subject_id, h.reason, h.defect_category, h.part_id, h.rule, c.order_id,
                h.at_us
            FROM hold h JOIN context c ON c.id = h.context WHERE \(condition) ORDER BY h.at_us DESC, h.hold_id
            """,
            cells
        ) { row in
            let kind = SubjectKind(rawValue: Int(row.int(1))) ?? .unspecified
            return HoldInfo(
                holdID: row.text(0),
                subjectKind: kind.word,
                subjectID: row.text(2),
                reason: row.text(3),
                defectCategory: row.text(4),
                partID: row.text(5),
                rule: row.text(6),
                orderID: row.text(7),
                placedAtUs: row.int(8),
                isOpen: true,
                deliveries: try deliveries(about: row.text(0))
            )
        }
    }

    /// Every intent of a channel's peer with its outcome, in order of intent id.
    package func intents() throws -> [DeliveryInfo] {
        try rows(
            """
            SELECT intent_id, peer, effect, business_key, subject, state, answer, intended_at_us, outcome_at_us
            FROM delivery ORDER BY channel, intent_id
            """,
            map: deliveryInfo
        )
    }

    /// What was told to other systems about a hold or order, yields and order states left out.
    func deliveries(about subject: String) throws -> [DeliveryInfo] {
        try rows(
            """
            SELECT intent_id, peer, effect, business_key, subject, state, answer, intended_at_us, outcome_at_us
            FROM delivery WHERE subject = ? AND effect NOT IN (5, 6) ORDER BY channel, intended_at_us, intent_id
            """,
            .text(subject),
            map: deliveryInfo
        )
    }

    private func deliveryInfo(_ row: Statement) -> DeliveryInfo {
        DeliveryInfo(
            intentID: row.text(0),
            peer: row.text(1),
            effect: Effect(rawValue: row.int(2))?.name ?? "unknown",
            businessKey: row.text(3),
            subject: row.text(4),
            state: DeliveryState.name(row.int(5)),
            answer: row.text(6),
            intendedAtUs: row.optionalInt(7),
            outcomeAtUs: row.optionalInt(8)
        )
    }

    /// Latencies from stored times: verdicts from the newest parts of each station, holds from all.
    func latencies(_ sources: [Int64]) throws -> Latencies {
        let verdicts = try sources.flatMap { source in
            try rows(
                """
                SELECT decided_at_us - triggered_at_us FROM part
                WHERE key BETWEEN ? AND ? AND outcome <> 0 ORDER BY key DESC LIMIT 10000
                """,
                .int(source << Schema.sequenceBits),
                .int(source << Schema.sequenceBits | Schema.sequenceMask)
            ) { $0.int(0) }
        }
        return Latencies(
            triggerToVerdict: Latency.of(verdicts),
            verdictToMesHold: Latency.of(try holdLatencies(1, .lotHold)),
            verdictToErpBlock: Latency.of(try holdLatencies(2, .stockBlock)),
            verdictToProjected: try projectionLatency()
        )
    }

    /// From the verdict that led to a hold until the peer had confirmed it.
    private func holdLatencies(_ channel: Int64, _ effect: Effect) throws -> [Int64] {
        let holds = try rows(
            """
            SELECT h.part_id, d.outcome_at_us FROM hold h JOIN delivery d ON d.subject = h.hold_id
            WHERE d.effect NOT IN (5, 6) AND d.channel = ? AND d.effect = ? AND d.state = 1
            ORDER BY h.at_us DESC LIMIT 10000
            """,
            .int(channel),
            .int(effect.rawValue)
        ) { (part: $0.text(0), confirmedAtUs: $0.int(1)) }
        return try holds.compactMap { hold in
            guard let key = try partKeys(hold.part).last else { return nil }
            let decided = try rows("SELECT decided_at_us FROM part WHERE key = ? AND outcome <> 0", .int(key)) {
                $0.int(0)
            }
            return decided.first.map { hold.confirmedAtUs - $0 }
        }
    }

    private func projectionLatency() throws -> Latency? {
        let buckets = try rows("SELECT bucket, parts FROM lag ORDER BY bucket") {
            (bucket: $0.int(0), parts: $0.int(1))
        }
        let total = buckets.reduce(0) { $0 + $1.parts }
        guard let last = buckets.last else { return nil }
        func rank(_ percent: Int64) -> Int64 {
            var left = (total * percent + 99) / 100
            for bucket in buckets {
                left -= bucket.parts
                if left <= 0 { return LagRows.middleUs(of: bucket.bucket) }
            }
            return LagRows.middleUs(of: last.bucket)
        }
        return Latency(count: total, p50Us: rank(50), p99Us: rank(99), maxUs: LagRows.middleUs(of: last.bucket))
    }
}

extension SubjectKind {
    var word: String {
        switch self {
        case .part: "part"
        case .batch: "batch"
        case .materialLot: "material_lot"
        case .order: "order"
        case .line: "line"
        case .station: "station"
        case .unspecified, .UNRECOGNIZED: "unknown"
        }
    }
}
