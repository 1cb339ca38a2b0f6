import Foundation
import PlantCore
import PlantEvents
import SeededRandom
import SwiftProtobuf
import Testing

@Suite struct DeliveryCoreTests {
    @Test("MES-01, MES-02: a hold blocks the lot and marks its order, each on its own key")
    func holdInMes() throws {
        var live = Live(DeliveryCore(dialect: .mes))
        live.submit(.inspections(Arriving.part(9, .fail, order: "WO-1", batch: "B-7", holds: ["hold-1"])))
        let intents = live.intents
        #expect(intents.map(\.businessKey) == ["batch/B-7", "order/WO-1", "order/WO-1"])
        #expect(intents.first?.intentID == "mes:hold:hold-1")
        let lot = LotHold.with {
            $0.holdID = "hold-1"
            $0.subjectKind = .batch
            $0.subjectID = "B-7"
            $0.orderID = "WO-1"
            $0.defectCategory = "short"
            $0.reason = "3 of 20 parts failed"
            $0.partID = "vision-1/1/9"
        }
        let status = OrderQualityStatus.with {
            $0.orderID = "WO-1"
            $0.status = "on-hold"
            $0.openHoldIds = ["hold-1"]
        }
        let yield = OrderYield.with {
            $0.orderID = "WO-1"
            $0.rejected = 1
        }
        #expect(intents.map(\.effect) == [.lotHold(lot), .orderQualityStatus(status), .orderYield(yield)])
        // A batch and its order are told at the same time, but the order's yield waits for its status
        #expect(live.core.due(limit: 8) == Array(intents.prefix(2)))
    }

    @Test("ERP-01, ERP-02: a hold opens a notification, then blocks the stock")
    func holdInErp() {
        var live = Live(DeliveryCore(dialect: .erp))
        live.submit(.inspections(Arriving.part(9, .fail, order: "WO-1", batch: "B-7", holds: ["hold-1"])))
        let notification = QualityNotification.with {
            $0.holdID = "hold-1"
            $0.sku = "PCB-7"
            $0.batchID = "B-7"
            $0.orderID = "WO-1"
            $0.defectCategory = "short"
            $0.text = "3 of 20 parts failed"
        }
        let block = StockBlock.with {
            $0.holdID = "hold-1"
            $0.sku = "PCB-7"
            $0.batchID = "B-7"
            $0.reason = "3 of 20 parts failed"
        }
        #expect(live.intents.map(\.effect) == [.qualityNotification(notification), .stockBlock(block)])
        #expect(live.core.due(limit: 8).map(\.intentID) == ["erp:notification:hold-1"])
    }

    @Test("MES-04: while one yield is under way no other is intended; its outcome brings everything since")
    func yieldsCoalesce() throws {
        var live = Live(DeliveryCore(dialect: .mes))
        for number in 0..<5 { live.submit(.inspections(Arriving.part(number, .pass, order: "WO-1"))) }
        #expect(live.intents.compactMap(\.report?.counts.of) == [[1, 0, 0, 0]])
        live.confirm(try #require(live.intents.last))
        #expect(live.intents.compactMap(\.report?.counts.of) == [[1, 0, 0, 0], [5, 0, 0, 0]])
        live.confirm(try #require(live.intents.last))
        #expect(live.intents.count == 2)
        #expect(live.core.open == (0, 0))
    }

    @Test("MES-04: a yield that a person gave up is followed by the next, with no part to wait for")
    func skippedYieldIsFollowed() throws {
        var live = Live(DeliveryCore(dialect: .mes))
        live.submit(.inspections(Arriving.part(0, .pass, order: "WO-1")))
        let first = try #require(live.intents.last)
        live.refuse(first)
        live.submit(.inspections(Arriving.part(1, .fail, order: "WO-1")))
        #expect(live.core.due(limit: 8).isEmpty, "I6: the refused one blocks its key")
        live.submit(.skipped(intentID: first.intentID, reason: "posted by hand"))
        #expect(live.core.due(limit: 8).compactMap(\.report?.counts.of) == [[1, 1, 0, 0]])
        // The newest counts given up are not sent again
        let second = try #require(live.intents.last)
        live.refuse(second)
        live.submit(.skipped(intentID: second.intentID, reason: "posted by hand"))
        #expect(live.core.open == (0, 0))
    }

    @Test("I4: only a refused intent is re-driven or skipped, and only an open one has an outcome")
    func nothingOutOfTurn() throws {
        var live = Live(DeliveryCore(dialect: .mes))
        live.submit(.inspections(Arriving.part(0, .pass, order: "WO-1")))
        let intent = try #require(live.intents.last)
        #expect(live.core.decide(.redriven(intentID: intent.intentID), nowUs: 1) == nil)
        #expect(live.core.decide(.skipped(intentID: intent.intentID, reason: ""), nowUs: 1) == nil)
        live.refuse(intent)
        #expect(live.confirm(intent) == nil, "a refused intent waits for a person")
        live.submit(.redriven(intentID: intent.intentID))
        #expect(live.core.due(limit: 8) == [intent])
        live.confirm(intent)
        #expect(live.refuse(intent) == nil)
        #expect(live.submit(.outcome(intentID: "mes:unknown", .refused(reason: "404"))) == nil)
    }

    @Test("The same record gives the same record and intent ids, whenever it is decided")
    func sameCauseSameID() throws {
        let core = DeliveryCore(dialect: .mes)
        let input = DeliveryCore.Input.inspections(
            Arriving.part(0, .fail, order: "WO-1", batch: "B-1", holds: ["hold-1"])
        )
        let first = try #require(core.decide(input, nowUs: 1))
        let again = try #require(core.decide(input, nowUs: 2))
        #expect(first.recordID == again.recordID && first.kinds == again.kinds)
        #expect(first.line == "line-1")
    }

    @Test("Parts without an order are nobody's yield")
    func partsWithoutOrder() {
        var live = Live(DeliveryCore(dialect: .mes))
        #expect(live.submit(.inspections(Arriving.part(0, .pass, order: ""))) == nil)
        #expect(live.submit(.inspections(Arriving.gap(1, order: ""))) == nil)
    }

    @Test("ERP-08: an order completed twice is confirmed once")
    func completedTwice() {
        var live = Live(DeliveryCore(dialect: .erp))
        live.submit(.inspections(Arriving.part(0, .pass, order: "WO-1")))
        #expect(live.intents.isEmpty)
        live.submit(.production(Arriving.completion("WO-1", message: 1)))
        #expect(live.submit(.production(Arriving.completion("WO-1", message: 2))) == nil)
        live.settle()
        #expect(live.intents.compactMap(\.report?.counts.of) == [[1, 0, 0, 0]])
        live.submit(.inspections(Arriving.gap(1, order: "WO-1")))
        #expect(live.intents.compactMap(\.report?.counts.of) == [[1, 0, 0, 0], [1, 0, 0, 1]])
    }
}

@Suite struct DeliveryBoundTests {
    private struct Kept: Decodable {
        struct Anything: Decodable {}
        var orders: [String: Anything]
        var intents: [String: Anything]
        var queues: [String: Anything]
    }

    private func kept(_ live: Live<DeliveryCore>) throws -> Kept {
        try JSONDecoder().decode(Kept.self, from: Data(text(live.core.state).utf8))
    }

    @Test(
        "I11: counts of the newest thousand orders are kept, and replay keeps the same ones",
        arguments: [DeliveryDialect.mes, .erp]
    )
    func ordersAreBounded(dialect: DeliveryDialect) throws {
        var random = SplitMix64(seed: 7)
        var live = Live(DeliveryCore(dialect: dialect))
        for number in 0..<1_100 {
            live.submit(.inspections(Arriving.part(number, .pass, order: "WO-\(number)")))
            live.settle()
        }
        let kept = try kept(live)
        #expect(Set(kept.orders.keys) == Set((100..<1_100).map { "WO-\($0)" }))
        #expect(kept.intents.isEmpty && kept.queues.isEmpty)
        try expectHistoryGivesState(live, fresh: DeliveryCore(dialect: dialect), &random)
    }

    @Test("MES-04: an order whose last counts the MES has not heard is not forgotten for newer ones")
    func owedOrderIsKept() throws {
        // Given an order with a part that its report under way does not say yet
        var live = Live(DeliveryCore(dialect: .mes))
        for number in 0..<2 { live.submit(.inspections(Arriving.part(number, .pass, order: "WO-slow"))) }
        let slow = try #require(live.intents.first)
        // When far more orders than are kept come and go
        for number in 2..<1_102 {
            live.submit(.inspections(Arriving.part(number, .pass, order: "WO-\(number)")))
            for intent in live.core.due(limit: 2) where intent != slow { live.confirm(intent) }
        }
        // Then the answer to the first report still brings the rest
        live.confirm(slow)
        #expect(live.core.due(limit: 1).first?.report == Report(order: "WO-slow", counts: Counts(of: [2, 0, 0, 0])))
    }
}
