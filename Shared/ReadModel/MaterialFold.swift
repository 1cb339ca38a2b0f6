import PlantEvents
import SQLite

/// Folds topic `materials`: received lots and shipments.
final class MaterialFold {
    private let lot, shipment: LatestRow
    private let addBatch: Statement

    init(_ database: Database) throws(SQLiteError) {
        lot = try LatestRow(
            database,
            "material_lot",
            key: ["material_lot_id"],
            values: ["sku", "supplier_id", "supplier_lot", "purchase_order", "material_document", "quantity", "unit"]
        )
        shipment = try LatestRow(
            database,
            "shipment",
            key: ["shipment_id"],
            values: ["customer_id", "customer_order", "shipping_document"]
        )
        addBatch = try database.prepare("INSERT OR IGNORE INTO shipment_batch(shipment_id, batch_id) VALUES (?, ?)")
    }

    func fold(_ kind: MaterialRecord.Event.Kind, _ mark: Mark) throws {
        switch kind {
        case .writerTookOver, .peerMessageAdopted: break
        case .materialLotReceived(let event):
            try lot.put(
                mark,
                .text(event.materialLotID),
                .text(event.sku),
                .text(event.supplierID),
                .text(event.supplierLot),
                .text(event.purchaseOrder),
                .text(event.materialDocument),
                .real(event.quantity),
                .text(event.unit)
            )
        case .shipmentDispatched(let event):
            try shipment.put(
                mark,
                .text(event.shipmentID),
                .text(event.customerID),
                .text(event.customerOrder),
                .text(event.shippingDocument)
            )
            // A batch that was ever told to be in the shipment stays in it: a recall rather asks once too often.
            for batch in event.batchIds { try addBatch.run([.text(event.shipmentID), .text(batch)]) }
        }
    }
}
