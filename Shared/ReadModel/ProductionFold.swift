import PlantEvents
import SQLite

/// Folds topic `production`: orders, batches, shifts and changeovers.
final class ProductionFold {
    private let interning: Interning
    private let released, step, lineOrder, lineContext, shift, batchClosed, loaded: LatestRow

    private static let started: Int64 = 1
    private static let completed: Int64 = 2

    init(_ database: Database, _ interning: Interning) throws(SQLiteError) {
        self.interning = interning
        released = try LatestRow(
            database,
            "order_released",
            key: ["order_id"],
            values: ["line", "context", "priority"]
        )
        step = try LatestRow(database, "order_step", key: ["order_id", "step", "line"], values: [])
        lineOrder = try LatestRow(database, "line_order", key: ["line"], values: ["state", "order_id"])
        lineContext = try LatestRow(database, "line_context", key: ["line"], values: ["context"])
        shift = try LatestRow(database, "shift", key: ["line", "shift"], values: [])
        batchClosed = try LatestRow(database, "batch_closed", key: ["batch_id"], values: ["line"])
        loaded = try LatestRow(database, "material_loaded", key: ["material_lot_id", "line"], values: ["sku"])
    }

    func fold(_ kind: ProductionRecord.Event.Kind, _ mark: Mark) throws {
        switch kind {
        case .writerTookOver, .peerMessageAdopted: break
        case .shiftStarted(let event): try shift.put(mark, .text(event.line), .text(event.shift))
        case .orderReleased(let event):
            try released.put(
                mark,
                .text(event.context.orderID),
                .text(event.line),
                .int(try interning.context(event.context)),
                .int(Int64(event.priority))
            )
        case .orderStarted(let event):
            try step.put(mark, .text(event.orderID), .int(Self.started), .text(event.line))
            try lineOrder.put(mark, .text(event.line), .text("running"), .text(event.orderID))
        case .orderCompleted(let event):
            try step.put(mark, .text(event.orderID), .int(Self.completed), .text(event.line))
            try lineOrder.put(mark, .text(event.line), .text("idle"), .text(event.orderID))
        case .changeoverStarted(let event):
            try lineOrder.put(mark, .text(event.line), .text("changeover"), .text(event.toOrderID))
        case .changeoverCompleted(let event):
            try lineOrder.put(mark, .text(event.line), .text("ready"), .text(event.orderID))
        case .batchClosed(let event): try batchClosed.put(mark, .text(event.batchID), .text(event.line))
        case .contextChanged(let event):
            try lineContext.put(mark, .text(event.line), .int(try interning.context(event.context)))
        case .materialLotLoaded(let event):
            try loaded.put(mark, .text(event.materialLotID), .text(event.line), .text(event.sku))
        }
    }
}
