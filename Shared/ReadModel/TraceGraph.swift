import SQLite

/// Kinds of things that a trace passes through.
package enum TraceKind: String, Codable, Sendable, CaseIterable {
    case part
    case hold
    case batch
    case order
    case materialLot = "material_lot"
    case shipment
    case supplierLot = "supplier_lot"
    case purchaseOrder = "purchase_order"
    case customer
}

/// A thing in the genealogy.
struct TraceItem: Hashable {
    let kind: TraceKind
    let id: String
}

/// The edges of the genealogy, read as they are asked for.
///
/// A batch made here and loaded as a material lot under the same id is one thing: the trace goes through, to any depth.
struct TraceGraph {
    private let queries: Queries

    init(_ queries: Queries) {
        self.queries = queries
    }

    /// The kinds of which something has this id.
    func kinds(of id: String) throws -> [TraceKind] {
        try TraceKind.allCases.filter { try exists(TraceItem(kind: $0, id: id)) }
    }

    private func exists(_ item: TraceItem) throws -> Bool {
        let id = Cell.text(item.id)
        return switch item.kind {
        case .part: try !queries.partKeys(item.id).isEmpty
        case .hold: try queries.exists("SELECT 1 FROM hold WHERE hold_id = ?", id)
        case .batch:
            try !item.id.isEmpty
                && queries.exists(
                    """
                    SELECT 1 FROM context WHERE batch_id = ?1 UNION ALL
                    SELECT 1 FROM shipment_batch WHERE batch_id = ?1
                    """,
                    id
                )
        case .order:
            try !item.id.isEmpty
                && queries.exists(
                    """
                    SELECT 1 FROM context WHERE order_id = ?1 UNION ALL
                    SELECT 1 FROM order_step WHERE order_id = ?1
                    """,
                    id
                )
        case .materialLot:
            try queries.exists(
                """
                SELECT 1 FROM material_lot WHERE material_lot_id = ?1 UNION ALL
                SELECT 1 FROM context_lot WHERE material_lot_id = ?1 UNION ALL
                SELECT 1 FROM material_loaded WHERE material_lot_id = ?1
                """,
                id
            )
        case .shipment: try queries.exists("SELECT 1 FROM shipment WHERE shipment_id = ?", id)
        case .supplierLot:
            try !item.id.isEmpty && queries.exists("SELECT 1 FROM material_lot WHERE supplier_lot = ?", id)
        case .purchaseOrder:
            try !item.id.isEmpty && queries.exists("SELECT 1 FROM material_lot WHERE purchase_order = ?", id)
        case .customer: try !item.id.isEmpty && queries.exists("SELECT 1 FROM shipment WHERE customer_id = ?", id)
        }
    }

    /// What it was made from.
    func backward(_ item: TraceItem) throws -> [TraceItem] {
        switch item.kind {
        case .part:
            try ofContexts("SELECT batch_id, order_id FROM context WHERE id IN (\(try contexts(of: item)))")
                + lots("context IN (\(try contexts(of: item)))")
        case .hold: try subject(of: item)
        case .batch:
            try items(.order, "SELECT DISTINCT order_id FROM context WHERE batch_id = ? ORDER BY 1", item)
                + lots("context IN (SELECT id FROM context WHERE batch_id = ?)", .text(item.id))
        case .order: try lots("context IN (SELECT id FROM context WHERE order_id = ?)", .text(item.id))
        case .materialLot:
            try items(.batch, "SELECT DISTINCT batch_id FROM context WHERE batch_id = ?", item)
                + items(.supplierLot, "SELECT supplier_lot FROM material_lot WHERE material_lot_id = ?", item)
                + items(.purchaseOrder, "SELECT purchase_order FROM material_lot WHERE material_lot_id = ?", item)
        case .shipment:
            try items(.batch, "SELECT batch_id FROM shipment_batch WHERE shipment_id = ? ORDER BY 1", item)
        case .customer:
            try items(.shipment, "SELECT shipment_id FROM shipment WHERE customer_id = ? ORDER BY 1", item)
        case .supplierLot, .purchaseOrder: []
        }
    }

    /// Where it went.
    func forward(_ item: TraceItem) throws -> [TraceItem] {
        switch item.kind {
        case .part: try ofContexts("SELECT batch_id, '' FROM context WHERE id IN (\(try contexts(of: item)))")
        case .hold: try subject(of: item)
        case .batch:
            try items(.shipment, "SELECT shipment_id FROM shipment_batch WHERE batch_id = ? ORDER BY 1", item)
                + items(
                    .materialLot,
                    "SELECT DISTINCT material_lot_id FROM context_lot WHERE material_lot_id = ?",
                    item
                )
        case .order:
            try items(.batch, "SELECT DISTINCT batch_id FROM context WHERE order_id = ? ORDER BY 1", item)
        case .materialLot:
            try items(
                .batch,
                """
                SELECT DISTINCT c.batch_id FROM context_lot l JOIN context c ON c.id = l.context
                WHERE l.material_lot_id = ? ORDER BY 1
                """,
                item
            )
        case .shipment: try items(.customer, "SELECT customer_id FROM shipment WHERE shipment_id = ?", item)
        case .supplierLot:
            try items(
                .materialLot,
                "SELECT material_lot_id FROM material_lot WHERE supplier_lot = ? ORDER BY 1",
                item
            )
        case .purchaseOrder:
            try items(
                .materialLot,
                "SELECT material_lot_id FROM material_lot WHERE purchase_order = ? ORDER BY 1",
                item
            )
        case .customer: []
        }
    }

    /// Contexts whose parts the item is, contains or is in; nothing for what is only reached through others.
    func contextsOfParts(_ item: TraceItem) throws -> [Int64] {
        let id = Cell.text(item.id)
        func ids(_ sql: String) throws -> [Int64] { try queries.rows(sql, id) { $0.int(0) } }
        return switch item.kind {
        case .batch: try ids("SELECT id FROM context WHERE batch_id = ?")
        case .order: try ids("SELECT id FROM context WHERE order_id = ?")
        case .materialLot: try ids("SELECT context FROM context_lot WHERE material_lot_id = ?")
        case .shipment:
            try ids(
                """
                SELECT c.id FROM shipment_batch s JOIN context c ON c.batch_id = s.batch_id WHERE s.shipment_id = ?
                """
            )
        case .customer:
            try ids(
                """
                SELECT DISTINCT c.id FROM shipment h JOIN shipment_batch s ON s.shipment_id = h.shipment_id
                JOIN context c ON c.batch_id = s.batch_id WHERE h.customer_id = ?
                """
            )
        case .part, .hold, .supplierLot, .purchaseOrder: []
        }
    }

    private func contexts(of part: TraceItem) throws -> String {
        let ids = try queries.partKeys(part.id).flatMap { key in
            try queries.rows("SELECT context FROM part WHERE key = ?", .int(key)) { $0.int(0) }
        }
        return Set(ids).sorted().map(String.init).joined(separator: ", ")
    }

    /// The batches and orders of some contexts.
    private func ofContexts(_ sql: String) throws -> [TraceItem] {
        let pairs = try queries.rows(sql) { (batch: $0.text(0), order: $0.text(1)) }
        let batches = Set(pairs.map(\.batch)).sorted().map { TraceItem(kind: .batch, id: $0) }
        let orders = Set(pairs.map(\.order)).sorted().map { TraceItem(kind: .order, id: $0) }
        return (batches + orders).filter { !$0.id.isEmpty }
    }

    private func lots(_ condition: String, _ cells: Cell...) throws -> [TraceItem] {
        try queries.rows("SELECT DISTINCT material_lot_id FROM context_lot WHERE \(condition) ORDER BY 1", cells) {
            TraceItem(kind: .materialLot, id: $0.text(0))
        }
    }

    private func items(_ kind: TraceKind, _ sql: String, _ item: TraceItem) throws -> [TraceItem] {
        try queries.rows(sql, .text(item.id)) { TraceItem(kind: kind, id: $0.text(0)) }.filter { !$0.id.isEmpty }
    }

    /// What a hold blocks.
    private func subject(of hold: TraceItem) throws -> [TraceItem] {
        try queries.holdList("h.hold_id = ?", .text(hold.id)).compactMap { info in
            TraceKind(rawValue: info.subjectKind).map { TraceItem(kind: $0, id: info.subjectID) }
        }
    }
}
