import PlantEvents
import ServiceRuntime
import SwiftProtobuf

// How the REST API of an ERP spells the plant's events and effects (openapi.yaml). One struct a shape, both ways in one
// file.

/// Content of the messages that an ERP sends.
enum ErpContent: RestContent {
    static func kinds(of kind: String, from content: any Swift.Decoder) throws -> [MaterialRecord.Event.OneOf_Kind] {
        switch kind {
        case "material-lot-received": [.materialLotReceived(try ErpMaterialLot(from: content).event)]
        case "shipment-dispatched": [.shipmentDispatched(try ErpShipment(from: content).event)]
        default: []
        }
    }
}

private struct ErpMaterialLot: Decodable {
    let materialLotID: String
    let sku: String
    let supplierID: String
    let supplierLot: String
    let purchaseOrder: String?
    let materialDocument: String?
    let quantity: Double
    let unit: String

    private enum CodingKeys: String, CodingKey {
        case sku, quantity, unit
        case materialLotID = "material_lot_id"
        case supplierID = "supplier_id"
        case supplierLot = "supplier_lot"
        case purchaseOrder = "purchase_order"
        case materialDocument = "material_document"
    }

    var event: MaterialLotReceived {
        .with {
            $0.materialLotID = materialLotID
            $0.sku = sku
            $0.supplierID = supplierID
            $0.supplierLot = supplierLot
            $0.purchaseOrder = purchaseOrder ?? ""
            $0.materialDocument = materialDocument ?? ""
            $0.quantity = quantity
            $0.unit = unit
        }
    }
}

private struct ErpShipment: Decodable {
    let shipmentID: String
    let customerID: String
    let customerOrder: String?
    let batchIDs: [String]
    let shippingDocument: String?

    private enum CodingKeys: String, CodingKey {
        case shipmentID = "shipment_id"
        case customerID = "customer_id"
        case customerOrder = "customer_order"
        case batchIDs = "batch_ids"
        case shippingDocument = "shipping_document"
    }

    var event: ShipmentDispatched {
        .with {
            $0.shipmentID = shipmentID
            $0.customerID = customerID
            $0.customerOrder = customerOrder ?? ""
            $0.batchIds = batchIDs
            $0.shippingDocument = shippingDocument ?? ""
        }
    }
}

/// Content of the effect `quality-notification`.
struct ErpQualityNotification: Encodable, Sendable {
    let holdID: String
    let sku: String
    let batchID: String
    let orderID: String
    let defectCategory: String
    let text: String

    private enum CodingKeys: String, CodingKey {
        case sku, text
        case holdID = "hold_id"
        case batchID = "batch_id"
        case orderID = "order_id"
        case defectCategory = "defect_category"
    }

    init(_ notification: QualityNotification) {
        holdID = notification.holdID
        sku = notification.sku
        batchID = notification.batchID
        orderID = notification.orderID
        defectCategory = notification.defectCategory
        text = notification.text
    }
}

/// Content of the effect `stock-block`.
struct ErpStockBlock: Encodable, Sendable {
    let holdID: String
    let sku: String
    let batchID: String
    let reason: String

    private enum CodingKeys: String, CodingKey {
        case sku, reason
        case holdID = "hold_id"
        case batchID = "batch_id"
    }

    init(_ block: StockBlock) {
        holdID = block.holdID
        sku = block.sku
        batchID = block.batchID
        reason = block.reason
    }
}

/// Content of the effect `order-confirmation`.
struct ErpOrderConfirmation: Encodable, Sendable {
    let orderID: String
    let sku: String
    let batchID: String
    let accepted: UInt64
    let rejected: UInt64
    let uncertain: UInt64
    let missed: UInt64

    private enum CodingKeys: String, CodingKey {
        case sku, accepted, rejected, uncertain, missed
        case orderID = "order_id"
        case batchID = "batch_id"
    }

    init(_ confirmation: OrderConfirmation) {
        orderID = confirmation.orderID
        sku = confirmation.sku
        batchID = confirmation.batchID
        accepted = confirmation.accepted
        rejected = confirmation.rejected
        uncertain = confirmation.uncertain
        missed = confirmation.missed
    }
}
