import SQLite

/// The parts that a trace is about: all of some contexts, and some by key.
struct PartSet {
    let contexts: [Int64]
    let keys: [Int64]

    /// SQL that gives their keys.
    var sql: String {
        """
        SELECT key FROM part WHERE context IN (\(contexts.map(String.init).joined(separator: ", ")))
        UNION SELECT key FROM part WHERE key IN (\(keys.map(String.init).joined(separator: ", ")))
        """
    }
}

extension Queries {
    func keys(of set: PartSet) throws -> [Int64] {
        try rows(set.sql + " ORDER BY key") { $0.int(0) }
    }

    func recipes(of set: PartSet) throws -> [String] {
        try texts(
            """
            SELECT text FROM term WHERE id IN (SELECT DISTINCT recipe FROM part WHERE key IN (\(set.sql))) ORDER BY text
            """
        )
    }

    func counts(of set: PartSet) throws -> Counts {
        var counts = Counts()
        let outcomes = try rows("SELECT outcome, count(*) FROM part WHERE key IN (\(set.sql)) GROUP BY outcome") {
            (outcome: $0.int(0), parts: $0.int(1))
        }
        for (outcome, parts) in outcomes {
            switch outcome {
            case Outcome.missed: counts.missed += parts
            case Outcome.pass: counts.accepted += parts
            case Outcome.fail: counts.rejected += parts
            default: counts.uncertain += parts
            }
        }
        return counts
    }

    /// What the log does not show about these parts and things (I12, M07).
    func unproven(
        _ set: PartSet,
        _ listed: [PartInfo],
        _ nodes: [TraceNode],
        _ holds: [HoldInfo]
    ) throws -> [String] {
        try partDoubts(set) + uninspected(set) + contextDoubts(set) + nodeDoubts(nodes) + holdDoubts(holds)
            + gapTexts().map { "the log has a gap: \($0)" }
    }

    /// Names the parts to which a condition applies: how many, and the first.
    private func partDoubts(_ set: PartSet) throws -> [String] {
        let checks: [(sentence: String, condition: String)] = [
            ("no verdict", "p.outcome = 0"),
            ("a verdict that this build does not know", "p.outcome = 9"),
            ("no frame record", "t.key IS NULL"),
            ("no record of its picture being kept", "p.outcome <> 0 AND e.key IS NULL"),
            ("picture not kept", "e.stored = 0"),
            ("picture deleted by the keeping policy", "e.stored = 1 AND x.policy IS NOT NULL"),
            ("kept picture cannot be judged again (lossy)", "e.stored = 1 AND e.lossless = 0 AND x.policy IS NULL"),
            ("judged pixels are not those of the frame", "p.outcome <> 0 AND t.pixels_sha256 <> p.pixels_sha256"),
            ("kept picture is not of the judged pixels", "p.outcome <> 0 AND e.pixels_sha256 <> p.pixels_sha256"),
            (
                "judged by another recipe than its order asks for",
                "p.outcome <> 0 AND c.recipe_sha256 <> '' AND coalesce(m.text, '') <> c.recipe_sha256"
            ),
            ("clock doubt: decided before it was triggered", "p.outcome <> 0 AND p.decided_at_us < p.triggered_at_us"),
        ]
        let cases = checks.map { "sum(\($0.condition)), min(CASE WHEN \($0.condition) THEN p.key END)" }
        let counts =
            try rows(
                """
                SELECT \(cases.joined(separator: ", ")) FROM part p JOIN context c ON c.id = p.context
                LEFT JOIN term m ON m.id = p.recipe LEFT JOIN trigger t ON t.key = p.key
                LEFT JOIN evidence e ON e.key = p.key LEFT JOIN evidence_expired x ON \(Schema.expiryOfEvidence) WHERE p.key IN (\(set.sql))
                """
            ) { row in
                checks.indices.map { (count: row.int(Int32(2 * $0)), first: row.int(Int32(2 * $0 + 1))) }
            }.first ?? []
        return try zip(checks, counts).compactMap { check, found in
            guard found.count > 0, let first = try parts([found.first]).first else { return nil }
            let why = found.count == 1 && !first.reason.isEmpty && first.verdict == "missed" ? ": \(first.reason)" : ""
            return found.count == 1
                ? "part \(first.partID): \(check.sentence)\(why)"
                : "\(found.count) parts: \(check.sentence); the first is \(first.partID)"
        }
    }

    /// Triggers between the first and the last of these parts, at each source, that ended in nothing.
    private func uninspected(_ set: PartSet) throws -> [String] {
        guard set.keys.isEmpty else { return [] }
        let intervals = try rows(
            """
            SELECT s.station, s.session, min(p.key), max(p.key) FROM part p
            JOIN source s ON s.id = p.key >> \(Schema.sequenceBits)
            WHERE p.key IN (\(set.sql)) GROUP BY s.id ORDER BY s.station, s.session
            """
        ) { (source: "\($0.text(0))/\($0.int(1))", first: $0.int(2), last: $0.int(3)) }
        return try intervals.flatMap { interval in
            let present = try rows(
                "SELECT count(*) FROM part WHERE key BETWEEN ? AND ?",
                .int(interval.first),
                .int(interval.last)
            ) { $0.int(0) }
            guard let present = present.first, present < interval.last - interval.first + 1 else { return [String]() }
            return try holes(interval.source, interval.first, interval.last)
        }
    }

    private func holes(_ source: String, _ first: Int64, _ last: Int64) throws -> [String] {
        let pairs = try rows(
            """
            SELECT key, next FROM (
                SELECT key, lead(key) OVER (ORDER BY key) AS next FROM part WHERE key BETWEEN ? AND ?)
            WHERE next > key + 1 ORDER BY key LIMIT \(Balance.namedLimit)
            """,
            .int(first),
            .int(last)
        ) { (before: $0.int(0) & Schema.sequenceMask, after: $0.int(1) & Schema.sequenceMask) }
        return pairs.map { hole in
            let first = hole.before + 1
            let last = hole.after - 1
            return first == last
                ? "uninspected: trigger \(source)/\(first) has no verdict and no named gap"
                : "uninspected interval: triggers \(source)/\(first) to \(last) have no verdict and no named gap"
        }
    }

    private func contextDoubts(_ set: PartSet) throws -> [String] {
        let used = "SELECT DISTINCT context FROM part WHERE key IN (\(set.sql))"
        let orders = try texts(
            """
            SELECT DISTINCT order_id FROM context WHERE id IN (\(used)) AND order_id <> ''
                AND order_id NOT IN (SELECT order_id FROM order_released) ORDER BY 1
            """
        )
        let withoutLots = try texts(
            """
            SELECT DISTINCT CASE WHEN batch_id <> '' THEN 'batch ' || batch_id ELSE 'order ' || order_id END
            FROM context
            WHERE id IN (\(used)) AND id NOT IN (SELECT context FROM context_lot) ORDER BY 1
            """
        )
        let withoutOrder = try exists("SELECT 1 FROM context WHERE id IN (\(used)) AND order_id = ''")
        return orders.map { "order \($0): no release was recorded" }
            + withoutLots.map { "\($0): parts whose material lots are not known" }
            + (withoutOrder ? ["parts that were made under no order"] : [])
    }

    private func nodeDoubts(_ nodes: [TraceNode]) throws -> [String] {
        var seen: Set<TraceItem> = []
        var doubts: [String] = []
        for node in nodes where seen.insert(TraceItem(kind: node.kind, id: node.id)).inserted {
            let held = try exists("SELECT 1 FROM not_understood WHERE subject = ?", .text(node.id))
            if held { doubts.append("\(node.kind.rawValue) \(node.id): a record about it is not understood; upgrade") }
            if node.kind == .materialLot { doubts += try lotDoubts(node) }
            if node.kind == .batch, try !exists("SELECT 1 FROM context WHERE batch_id = ?", .text(node.id)) {
                doubts.append("batch \(node.id): shipped, but no part of it was seen")
            }
        }
        return doubts
    }

    private func lotDoubts(_ node: TraceNode) throws -> [String] {
        let lot = try rows(
            "SELECT supplier_lot, purchase_order FROM material_lot WHERE material_lot_id = ?",
            .text(node.id)
        ) { (supplierLot: $0.text(0), purchaseOrder: $0.text(1)) }
        guard let lot = lot.first else {
            let madeHere = try exists("SELECT 1 FROM context WHERE batch_id = ?", .text(node.id))
            return madeHere ? [] : ["material lot \(node.id): no goods receipt was recorded"]
        }
        return (lot.supplierLot.isEmpty ? ["material lot \(node.id): the supplier's lot is not known"] : [])
            + (lot.purchaseOrder.isEmpty ? ["material lot \(node.id): the purchase order is not known"] : [])
    }

    private func holdDoubts(_ holds: [HoldInfo]) -> [String] {
        holds.flatMap { hold in
            hold.deliveries.filter { $0.state != "confirmed" }.map {
                "hold \(hold.holdID): \($0.effect) at \($0.peer) is \($0.state)"
            }
        }
    }
}
