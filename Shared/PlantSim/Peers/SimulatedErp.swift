import ServiceLifecycle

/// What a simulated ERP has in its books at the start: JSON and YAML spell it like the API's messages.
package struct ErpScenario: Codable, Equatable, Sendable {
    /// A material lot that was received, spelt like the content of `material-lot-received`.
    package struct MaterialLot: Codable, Equatable, Sendable {
        package var materialLotID: String
        package var sku: String
        package var supplierID: String
        package var supplierLot: String
        package var purchaseOrder: String
        package var materialDocument: String
        package var quantity: Double
        /// By UN/ECE Recommendation 20; example "C62".
        package var unit: String

        package init(
            materialLotID: String,
            sku: String,
            supplierID: String,
            supplierLot: String,
            purchaseOrder: String,
            materialDocument: String,
            quantity: Double,
            unit: String
        ) {
            self.materialLotID = materialLotID
            self.sku = sku
            self.supplierID = supplierID
            self.supplierLot = supplierLot
            self.purchaseOrder = purchaseOrder
            self.materialDocument = materialDocument
            self.quantity = quantity
            self.unit = unit
        }

        private enum CodingKeys: String, CodingKey {
            case sku, quantity, unit
            case materialLotID = "material_lot_id"
            case supplierID = "supplier_id"
            case supplierLot = "supplier_lot"
            case purchaseOrder = "purchase_order"
            case materialDocument = "material_document"
        }
    }

    /// For whom a production order is made.
    package struct CustomerOrder: Codable, Equatable, Sendable {
        package var orderID: String
        package var customerOrder: String
        package var customerID: String

        package init(orderID: String, customerOrder: String, customerID: String) {
            self.orderID = orderID
            self.customerOrder = customerOrder
            self.customerID = customerID
        }

        private enum CodingKeys: String, CodingKey {
            case orderID = "order_id"
            case customerOrder = "customer_order"
            case customerID = "customer_id"
        }
    }

    package var materialLots: [MaterialLot]
    package var customerOrders: [CustomerOrder]

    package init(materialLots: [MaterialLot], customerOrders: [CustomerOrder]) {
        self.materialLots = materialLots
        self.customerOrders = customerOrders
    }

    private enum CodingKeys: String, CodingKey {
        case materialLots = "material_lots"
        case customerOrders = "customer_orders"
    }
}

/// A simulated ERP, as a process of its own: it tells which material lots came in, and ships the batch of an order that
/// is confirmed with good parts to its customer, once, unless the batch is blocked. It is no real ERP, and says so on
/// every answer.
package struct SimulatedErp: Service {
    private let server: PeerServer

    package init(_ scenario: ErpScenario, _ settings: SimulatedPeerSettings) {
        server = PeerServer(rules: ErpRules(scenario: scenario), settings: settings)
    }

    package func run() async throws {
        try await server.run()
    }
}

struct ErpRules: PeerRules {
    let scenario: ErpScenario

    var peer: String { "erp" }

    func series(of kind: String) -> String {
        switch kind {
        case "quality-notification": "QN"
        case "stock-block": "MD"
        default: "CNF"
        }
    }

    func opening(_ facts: inout PeerFacts) -> [PeerNote] {
        var notes: [PeerNote] = []
        for lot in scenario.materialLots where facts["received/\(lot.materialLotID)"] == nil {
            facts["received/\(lot.materialLotID)"] = lot.materialDocument
            notes.append(PeerNote(kind: "material-lot-received", subject: lot.materialLotID, content: lot))
        }
        return notes
    }

    func carryOut(_ effect: PeerEffect, _ facts: inout PeerFacts) throws(PeerRefusal) -> [PeerNote] {
        switch effect.kind {
        case "quality-notification":
            let notification = try effect.content(Notification.self)
            guard !notification.holdID.isEmpty else {
                throw PeerRefusal(words: "quality-notification without hold_id")
            }
            return []
        case "stock-block":
            let block = try effect.content(Block.self)
            guard !block.batchID.isEmpty else { throw PeerRefusal(words: "stock-block without batch_id") }
            facts["blocked/\(block.batchID)"] = block.holdID
            return []
        case "order-confirmation":
            return ship(try effect.content(Confirmation.self), &facts)
        default:
            throw PeerRefusal(
                words: "effect '\(effect.kind)' is unknown; expected quality-notification, stock-block or "
                    + "order-confirmation"
            )
        }
    }

    private func ship(_ confirmation: Confirmation, _ facts: inout PeerFacts) -> [PeerNote] {
        let batch = confirmation.batchID
        guard
            let customer = scenario.customerOrders.first(where: { $0.orderID == confirmation.orderID }),
            confirmation.accepted > 0, facts["blocked/\(batch)"] == nil, facts["shipped/\(batch)"] == nil
        else { return [] }
        let number = (facts["shipments"].flatMap { Int($0) } ?? 0) + 1
        facts["shipments"] = String(number)
        facts["shipped/\(batch)"] = "SHP-\(number)"
        let content = Shipment(
            shipmentID: "SHP-\(number)",
            customerID: customer.customerID,
            customerOrder: customer.customerOrder,
            batchIDs: [batch],
            shippingDocument: "DN-\(number)"
        )
        return [PeerNote(kind: "shipment-dispatched", subject: content.shipmentID, content: content)]
    }
}

private struct Notification: Decodable {
    let holdID: String
    let text: String

    private enum CodingKeys: String, CodingKey {
        case text
        case holdID = "hold_id"
    }
}

private struct Block: Decodable {
    let holdID: String
    let batchID: String

    private enum CodingKeys: String, CodingKey {
        case holdID = "hold_id"
        case batchID = "batch_id"
    }
}

private struct Confirmation: Decodable {
    let orderID: String
    let batchID: String
    let accepted: UInt64

    private enum CodingKeys: String, CodingKey {
        case accepted
        case orderID = "order_id"
        case batchID = "batch_id"
    }
}

private struct Shipment: Encodable, Sendable {
    let shipmentID: String
    let customerID: String
    let customerOrder: String
    let batchIDs: [String]
    let shippingDocument: String

    private enum CodingKeys: String, CodingKey {
        case shipmentID = "shipment_id"
        case customerID = "customer_id"
        case customerOrder = "customer_order"
        case batchIDs = "batch_ids"
        case shippingDocument = "shipping_document"
    }
}
