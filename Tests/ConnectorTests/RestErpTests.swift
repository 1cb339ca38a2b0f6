import ErpRest
import PlantEvents
import PlantSim
import ServiceRuntime
import SwiftProtobuf
import Testing

/// The REST connector of an ERP against the simulated ERP, over loopback.
@Suite struct RestErpTests {
    private static let scenario = ErpScenario(
        materialLots: [
            .init(
                materialLotID: "L-1",
                sku: "FR4",
                supplierID: "S-7",
                supplierLot: "SL-99",
                purchaseOrder: "PO-4",
                materialDocument: "5000001",
                quantity: 250,
                unit: "C62"
            )
        ],
        customerOrders: [
            .init(orderID: "O-1", customerOrder: "CO-1", customerID: "C-1"),
            .init(orderID: "O-2", customerOrder: "CO-2", customerID: "C-2"),
        ]
    )

    private func withErp<Result: Sendable>(
        books: BooksFile = BooksFile(),
        _ body: @Sendable (PeerDesk, RestErp) async throws -> Result
    ) async throws -> Result {
        try await withPeer({ SimulatedErp(Self.scenario, $0) }, books: books) { desk in
            try await body(desk, RestErp(baseURL: desk.url, token: nil, timeout: .seconds(120)))
        }
    }

    private func confirmation(_ order: String, batch: String, accepted: UInt64) -> DeliveryIntended {
        .with {
            $0.intentID = "erp:confirmation:\(order):\(accepted)"
            $0.peer = "erp"
            $0.businessKey = "order/\(order)"
            $0.orderConfirmation = .with {
                $0.orderID = order
                $0.sku = "PCB"
                $0.batchID = batch
                $0.accepted = accepted
            }
        }
    }

    private func block(_ batch: String) -> DeliveryIntended {
        .with {
            $0.intentID = "erp:block/\(batch)"
            $0.peer = "erp"
            $0.businessKey = "batch/\(batch)"
            $0.stockBlock = .with {
                $0.holdID = "H-1"
                $0.batchID = batch
                $0.reason = "opens"
            }
        }
    }

    @Test func receiptsComeInThePlantsWords() async throws {
        try await withErp { _, erp in
            let messages = try await erp.messages(after: "", limit: 10)
            let expected = MaterialLotReceived.with {
                $0.materialLotID = "L-1"
                $0.sku = "FR4"
                $0.supplierID = "S-7"
                $0.supplierLot = "SL-99"
                $0.purchaseOrder = "PO-4"
                $0.materialDocument = "5000001"
                $0.quantity = 250
                $0.unit = "C62"
            }
            #expect(messages.map(\.kinds) == [[.materialLotReceived(expected)]])
        }
    }

    @Test func aConfirmedOrderShipsOnceUnlessItsBatchIsBlocked() async throws {
        try await withErp { desk, erp in
            #expect(try await erp.deliver(block("B-2")).reference == "MD-000001")
            #expect(try await erp.deliver(confirmation("O-2", batch: "B-2", accepted: 9)).reference == "CNF-000002")
            #expect(try await erp.messages(after: "1", limit: 10).isEmpty)
            _ = try await erp.deliver(confirmation("O-1", batch: "B-1", accepted: 9))
            _ = try await erp.deliver(confirmation("O-1", batch: "B-1", accepted: 10))
            let expected = ShipmentDispatched.with {
                $0.shipmentID = "SHP-1"
                $0.customerID = "C-1"
                $0.customerOrder = "CO-1"
                $0.batchIds = ["B-1"]
                $0.shippingDocument = "DN-1"
            }
            let messages = try await erp.messages(after: "1", limit: 10)
            #expect(messages.map(\.kinds) == [[.shipmentDispatched(expected)]])
            #expect(try await desk.books().effects == ["order-confirmation": 3, "stock-block": 1])
        }
    }

    @Test func aLyingErpOpensOneNotification() async throws {
        try await withErp { desk, erp in
            try await desk.faults(#"{"lie_every": 1}"#)
            let intent = DeliveryIntended.with {
                $0.intentID = "erp:notification/H-1"
                $0.peer = "erp"
                $0.businessKey = "batch/B-1"
                $0.qualityNotification = .with {
                    $0.holdID = "H-1"
                    $0.batchID = "B-1"
                    $0.text = "opens"
                }
            }
            let found = await failure { () async throws(PeerFailure) in try await erp.deliver(intent) }
            #expect(found?.kind == "inDoubt")
            #expect(try await erp.lookUp(intent)?.reference == "QN-000001")
            #expect(try await desk.books().intents.map(\.times) == [1])
        }
    }
}
