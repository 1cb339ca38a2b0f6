import SQLite

/// One line of a genealogy tree.
package struct TraceNode: Codable, Sendable, Equatable {
    package let kind: TraceKind
    package let id: String
    /// 0 for the thing asked about; a node belongs to the nearest earlier one of the depth before.
    package let depth: Int
    /// Whether it stands further up already; what follows from it is not repeated.
    package let isRepeated: Bool
    /// What the plant knows of it; example "supplier": "ACME".
    package let facts: [String: String]
}

/// A genealogy in both directions, with what it cannot prove (TRC-10, TRC-11, I12).
package struct Trace: Codable, Sendable, Equatable {
    package let id: String
    package let kind: TraceKind
    /// Other kinds of things with the same id.
    package let alsoKinds: [TraceKind]
    /// What it was made from, depth first.
    package let madeFrom: [TraceNode]
    /// Where it went, depth first.
    package let wentTo: [TraceNode]
    /// The parts that it is, contains or is in: at most `partLimit`, oldest trigger first in each session.
    package let parts: [PartInfo]
    package let partCount: Int64
    package let counts: Counts
    /// Hashes of the recipes that judged those parts.
    package let recipes: [String]
    package let holds: [HoldInfo]
    /// Legal holds on it, its parts, or what it was made from or went into, newest first.
    package let legalHolds: [LegalHoldInfo]
    package let deliveries: [DeliveryInfo]
    package let customers: [String]
    /// What the trace cannot prove, one sentence each; empty means that it is complete as far as the log goes.
    package let unproven: [String]

    package static let partLimit = 200
    package static let nodeLimit = 10_000
}

extension Queries {
    /// Traces a part, batch, order, material lot, supplier lot, purchase order, shipment, customer or hold; nil when
    /// nothing has this id. Where several kinds share it, `kind` chooses.
    package func trace(_ id: String, as kind: TraceKind? = nil, partLimit: Int = Trace.partLimit) throws -> Trace? {
        try snapshot {
            let graph = TraceGraph(self)
            let kinds = try graph.kinds(of: id)
            guard let kind = kinds.first(where: { kind == nil || $0 == kind }) else { return nil }
            return try trace(TraceItem(kind: kind, id: id), graph, kinds.filter { $0 != kind }, partLimit)
        }
    }

    private func trace(_ item: TraceItem, _ graph: TraceGraph, _ also: [TraceKind], _ limit: Int) throws -> Trace {
        var doubts: [String] = []
        let madeFrom = try walk(item, graph.backward, &doubts)
        let wentTo = try walk(item, graph.forward, &doubts)
        var contexts = Set(try graph.contextsOfParts(item))
        for node in wentTo where node.depth == 0 || node.kind == .materialLot {
            contexts.formUnion(try graph.contextsOfParts(TraceItem(kind: node.kind, id: node.id)))
        }
        if item.kind == .hold {
            for node in wentTo where node.depth == 1 {
                contexts.formUnion(try graph.contextsOfParts(TraceItem(kind: node.kind, id: node.id)))
            }
        }
        let own = ([TraceItem(kind: item.kind, id: item.id)] + wentTo.map { TraceItem(kind: $0.kind, id: $0.id) })
            .filter { $0.kind == .part }
        let set = PartSet(contexts: contexts.sorted(), keys: try own.flatMap { try partKeys($0.id) })
        let listed = try parts(Array(try keys(of: set).prefix(limit)))
        let holds = try holds(touching: Set([item] + (madeFrom + wentTo).map { TraceItem(kind: $0.kind, id: $0.id) }))
        let named = (madeFrom + wentTo).map(\.id) + listed.flatMap { [$0.partID, $0.trigger] } + (try places(of: set))
        doubts += try unproven(set, listed, madeFrom + wentTo, holds)
        let counts = try counts(of: set)
        return Trace(
            id: item.id,
            kind: item.kind,
            alsoKinds: also,
            madeFrom: madeFrom,
            wentTo: wentTo,
            parts: listed,
            partCount: counts.inspected + counts.missed,
            counts: counts,
            recipes: try recipes(of: set),
            holds: holds,
            legalHolds: try legalHolds(naming: Set(named)),
            deliveries: holds.flatMap(\.deliveries)
                + (try wentTo.filter { $0.kind == .order }.flatMap { try deliveries(about: $0.id) }),
            customers: Set(wentTo.filter { $0.kind == .customer }.map(\.id)).sorted(),
            unproven: doubts
        )
    }

    /// Depth first; what was seen before is named but not followed, so that loops end.
    private func walk(
        _ root: TraceItem,
        _ next: (TraceItem) throws -> [TraceItem],
        _ doubts: inout [String]
    ) throws -> [TraceNode] {
        var nodes: [TraceNode] = []
        var seen: Set<TraceItem> = []
        var stack: [(item: TraceItem, depth: Int)] = [(root, 0)]
        while let (item, depth) = stack.popLast() {
            guard nodes.count < Trace.nodeLimit else {
                doubts.append("the genealogy goes on beyond \(Trace.nodeLimit) nodes; ask about a part of it")
                break
            }
            let isNew = seen.insert(item).inserted
            nodes.append(
                TraceNode(
                    kind: item.kind,
                    id: item.id,
                    depth: depth,
                    isRepeated: !isNew,
                    facts: isNew ? try facts(item) : [:]
                )
            )
            if isNew { stack += try next(item).reversed().map { ($0, depth + 1) } }
        }
        return nodes
    }

    /// Stations, lines, orders, customer orders and batches of these parts.
    private func places(of set: PartSet) throws -> [String] {
        try texts(
            """
            WITH own AS (SELECT key, context FROM part WHERE key IN (\(set.sql))),
                contexts AS (SELECT * FROM context WHERE id IN (SELECT context FROM own))
            SELECT station FROM source WHERE id IN (SELECT key >> \(Schema.sequenceBits) FROM own)
            UNION SELECT line FROM contexts UNION SELECT order_id FROM contexts UNION SELECT batch_id FROM contexts
            UNION SELECT customer_order FROM contexts
            """
        )
    }

    private func holds(touching items: Set<TraceItem>) throws -> [HoldInfo] {
        var found: [String: HoldInfo] = [:]
        for item in items {
            let holds =
                item.kind == .hold
                ? try holdList("h.hold_id = ?", .text(item.id)) : try holdList("h.subject_id = ?", .text(item.id))
            for hold in holds where item.kind == .hold || hold.subjectKind == item.kind.rawValue {
                found[hold.holdID] = hold
            }
        }
        return found.values.sorted { ($0.placedAtUs, $0.holdID) < ($1.placedAtUs, $1.holdID) }
    }

    private func facts(_ item: TraceItem) throws -> [String: String] {
        switch item.kind {
        case .materialLot:
            try facts(
                """
                SELECT sku, supplier_id AS supplier, supplier_lot, purchase_order, material_document,
                    quantity || ' ' || unit AS quantity
                FROM material_lot WHERE material_lot_id = ?
                """,
                item
            )
        case .shipment:
            try facts(
                """
                SELECT customer_id AS customer, customer_order, shipping_document FROM shipment WHERE shipment_id = ?
                """,
                item
            )
        case .order:
            try facts(
                """
                SELECT max(sku) AS sku, max(customer_order) AS customer_order, max(recipe_id) AS recipe_id,
                    max(recipe_sha256) AS recipe_sha256
                FROM context WHERE order_id = ?
                """,
                item
            )
        case .batch:
            try facts(
                """
                SELECT max(sku) AS sku, max(line) AS line, (SELECT at_us FROM batch_closed b WHERE b.batch_id = ?1)
                    AS closed_at_us
                FROM context WHERE batch_id = ?1
                """,
                item
            )
        case .supplierLot:
            try facts(
                "SELECT DISTINCT supplier_id AS supplier FROM material_lot WHERE supplier_lot = ? ORDER BY 1",
                item
            )
        case .purchaseOrder:
            try facts(
                "SELECT DISTINCT supplier_id AS supplier FROM material_lot WHERE purchase_order = ? ORDER BY 1",
                item
            )
        case .part, .hold, .customer: [:]
        }
    }

    private func facts(_ sql: String, _ item: TraceItem) throws -> [String: String] {
        try rows(sql, .text(item.id)) { row in
            var facts: [String: String] = [:]
            for column in 0..<row.columnCount where !row.text(column).isEmpty {
                facts[row.columnName(column)] = row.text(column)
            }
            return facts
        }.first ?? [:]
    }
}
