import PlantCore
import PlantEvents
import SeededRandom
import SwiftProtobuf
import Testing

private typealias Kind = ProductionRecord.Event.OneOf_Kind

/// One message of the MES; the cursor is its number.
private func message(_ number: Int, _ kinds: [Kind], peer: String = "mes") -> ProductionCore.Input {
    ProductionCore.Input(
        adopted: .with {
            $0.peer = peer
            $0.messageID = "\(number)"
            $0.cursor = "\(number)"
        },
        kinds: kinds,
        subject: "message \(number)",
        occurredAtUs: Int64(number)
    )
}

private func released(_ order: String, line: String = "line-1") -> Kind {
    .orderReleased(
        .with {
            $0.line = line
            $0.context.orderID = order
            $0.context.sku = "sku of \(order)"
            $0.context.batchID = "batch of \(order)"
        }
    )
}

private func started(_ order: String, line: String = "line-1") -> Kind {
    .orderStarted(
        .with {
            $0.line = line
            $0.orderID = order
        }
    )
}

private func completed(_ order: String, line: String = "line-1") -> Kind {
    .orderCompleted(
        .with {
            $0.line = line
            $0.orderID = order
        }
    )
}

private func loaded(_ lot: String, line: String = "line-1") -> Kind {
    .materialLotLoaded(
        .with {
            $0.line = line
            $0.materialLotID = lot
        }
    )
}

private func shift(_ name: String, line: String = "line-1") -> Kind {
    .shiftStarted(
        .with {
            $0.line = line
            $0.shift = name
        }
    )
}

private func random(_ random: inout SplitMix64) -> Kind {
    let line = random.pick(["line-1", "line-2"])
    let order = "WO-\(Int.random(in: 1...6, using: &random))"
    return switch Int.random(in: 0..<9, using: &random) {
    case 0: shift(random.pick(["early", "late"]), line: line)
    case 1, 2: released(order, line: line)
    case 3, 4: started(order, line: line)
    case 5: completed(order, line: line)
    case 6: .changeoverStarted(.with { $0.line = line })
    case 7: .changeoverCompleted(.with { $0.line = line })
    default: loaded("ML-\(Int.random(in: 1...20, using: &random))", line: line)
    }
}

private func changes(_ record: ProductionRecord?) -> [ContextChanged] {
    record?.kinds.compactMap { if case .contextChanged(let changed) = $0 { changed } else { nil } } ?? []
}

@Suite struct ProductionCoreTests {
    @Test("CTX-01 .. CTX-10, CTX-12 .. CTX-14, CTX-17: the running order's context says all the MES said")
    func contextCarriesEverything() throws {
        // Given an order released with everything that an order can say
        let order = ProductionContext.with {
            $0.orderID = "WO-1"
            $0.sku = "PCB-7"
            $0.batchID = "B-117"
            $0.variant = "A"
            $0.customerOrder = "C-4"
            $0.recipeID = "pcb-7"
            $0.recipeSha256 = "3a7b"
            $0.targetQuantity = 600
            $0.materialLots = ["ML-1"]
            $0.controlPlanRevision = "CP-7/4"
            $0.conditions = [.with { $0.name = "oven_temperature" }]
            $0.customerRequirements = ["no rework"]
        }
        var live = Live(ProductionCore())
        live.submit(message(1, [shift("2024-05-17/early"), loaded("ML-9")]))
        let release = live.submit(
            message(
                2,
                [
                    .orderReleased(
                        .with {
                            $0.line = "line-1"
                            $0.context = order
                        }
                    )
                ]
            )
        )
        #expect(changes(release).isEmpty, "a released order is not yet made")
        // When the line begins to make it
        let start = live.submit(message(3, [started("WO-1")]))
        // Then its context is the order's, with the line's own shift, state and lots
        let changed = try #require(changes(start).first)
        let expected = ProductionContext.with {
            $0 = order
            $0.line = "line-1"
            $0.shift = "2024-05-17/early"
            $0.changeover = .inProduction
            $0.materialLots = ["ML-1", "ML-9"]
        }
        #expect(changed.line == "line-1")
        #expect(changed.context == expected)
        #expect(live.core.context(of: "line-1") == expected)
        // CTX-10
        let changeover = live.submit(message(4, [.changeoverStarted(.with { $0.line = "line-1" })]))
        #expect(changes(changeover).first?.context.changeover == .inChangeover)
        let ready = live.submit(message(5, [.changeoverCompleted(.with { $0.line = "line-1" })]))
        #expect(changes(ready).first?.context == expected)
    }

    @Test("CTX-08, I2: an order nobody released runs without the last one's recipe, until its release comes")
    func unknownOrder() throws {
        var live = Live(ProductionCore())
        live.submit(message(1, [released("WO-1"), started("WO-1")]))
        let start = live.submit(message(2, [started("WO-9")]))
        let context = try #require(changes(start).first?.context)
        #expect(context.orderID == "WO-9")
        #expect(context.sku.isEmpty && context.batchID.isEmpty && context.recipeID.isEmpty)
        let release = live.submit(message(3, [released("WO-9")]))
        #expect(changes(release).first?.context.sku == "sku of WO-9")
    }

    @Test("A message read again is ignored; the same number of another peer is not")
    func repeatIsIgnored() {
        var live = Live(ProductionCore())
        #expect(live.core.cursor(of: "mes").isEmpty)
        #expect(live.submit(message(1, [shift("early")])) != nil)
        #expect(live.submit(message(1, [shift("early")])) == nil)
        #expect(live.submit(message(1, [shift("late")], peer: "console")) != nil)
        #expect(live.submit(message(2, [])) != nil, "a message that means nothing here still moves the cursor")
        #expect(live.core.cursor(of: "mes") == "2")
        #expect(live.core.cursor(of: "console") == "1")
    }

    @Test("The same message gives the same record id, whenever it is decided")
    func sameCauseSameID() throws {
        var live = Live(ProductionCore())
        let first = try #require(live.core.decide(message(1, [shift("early")]), nowUs: 1))
        #expect(live.core.decide(message(1, [shift("early")]), nowUs: 2)?.recordID == first.recordID)
        #expect(live.submit(message(1, [shift("early")]))?.meta.recordID == first.recordID)
        #expect(live.submit(message(2, [shift("late")]))?.meta.recordID != first.recordID)
    }

    @Test("CTX-06: a line's message leaves the other line as it is")
    func linesAreIndependent() {
        var live = Live(ProductionCore())
        live.submit(message(1, [released("WO-1"), started("WO-1"), shift("early", line: "line-2")]))
        let other = live.core.context(of: "line-2")
        let record = live.submit(message(2, [loaded("ML-9"), shift("late")]))
        #expect(changes(record).map(\.line) == ["line-1"])
        #expect(live.core.context(of: "line-2") == other)
        #expect(live.core.context(of: "line-3") == nil)
    }

    @Test("CTX-12, I11: the newest loaded lots are kept, each once")
    func lotsAreBounded() {
        var live = Live(ProductionCore())
        for number in 1...100 { live.submit(message(number, [loaded("ML-\(number)")])) }
        live.submit(message(101, [loaded("ML-95")]))
        let expected = ["ML-93", "ML-94", "ML-96", "ML-97", "ML-98", "ML-99", "ML-100", "ML-95"]
        #expect(live.core.context(of: "line-1")?.materialLots == expected)
    }

    @Test("A completed order's context stays for parts under way, until the next order starts")
    func completedOrderStays() {
        var live = Live(ProductionCore())
        live.submit(message(1, [released("WO-1"), released("WO-2"), started("WO-1")]))
        let record = live.submit(message(2, [completed("WO-1")]))
        #expect(changes(record).isEmpty)
        #expect(live.core.context(of: "line-1")?.sku == "sku of WO-1")
        live.submit(message(3, [started("WO-2")]))
        #expect(live.core.context(of: "line-1")?.sku == "sku of WO-2")
    }

    @Test("I11: completed orders are forgotten, so that state does not grow with history", arguments: [true, false])
    func completedOrdersAreForgotten(completesBeforeNext: Bool) throws {
        var live = Live(ProductionCore())
        var sizes: [Int] = []
        for number in 0..<200 {
            let order = "WO-\(1_000 + number)"
            let before = "WO-\(999 + number)"
            let kinds =
                completesBeforeNext
                ? [completed(before), released(order), started(order)]
                : [released(order), started(order), completed(before)]
            live.submit(message(1_000 + number, kinds))
            sizes.append(try text(live.core.state).utf8.count)
        }
        // The newest messages' ids are remembered, as many as bounds allow.
        #expect(sizes[199] == sizes[150])
    }

    @Test(
        "CHG-01: a context is told exactly when something in it changed, and then as it stands",
        arguments: UInt64(1)...80
    )
    func contextChangedOnlyOnChange(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        var live = Live(ProductionCore())
        var told: [String: ProductionContext] = [:]
        for number in 1...120 {
            let kinds = (0..<Int.random(in: 0...3, using: &generator)).map { _ in random(&generator) }
            let changed = changes(live.submit(message(number, kinds)))
            #expect(changed.map(\.line).hasNoRepeats)
            for change in changed {
                #expect(told[change.line] != change.context)
                told[change.line] = change.context
            }
            for line in ["line-1", "line-2"] { #expect(told[line] == live.core.context(of: line)) }
        }
        #expect(live.records.map(\.meta.recordID).hasNoRepeats)
        try expectHistoryGivesState(live, fresh: ProductionCore(), &generator)
    }
}

@Suite struct MaterialsCoreTests {
    private func message(_ number: Int, _ kinds: [MaterialRecord.Event.OneOf_Kind]) -> MaterialsCore.Input {
        MaterialsCore.Input(
            adopted: .with {
                $0.peer = "erp"
                $0.messageID = "\(number)"
                $0.cursor = "\(number)"
            },
            kinds: kinds,
            subject: "ML-\(number)",
            occurredAtUs: Int64(number)
        )
    }

    @Test("CTX-12, CTX-16, TRC-09: the ERP's lots and shipments are taken on once, in its order")
    func takesOnOnce() throws {
        var random = SplitMix64(seed: 1)
        var live = Live(MaterialsCore())
        let lot = MaterialLotReceived.with { $0.materialLotID = "ML-1" }
        let record = live.submit(message(1, [.materialLotReceived(lot)]))
        #expect(record?.kinds.last == .materialLotReceived(lot))
        #expect(record?.meta.subject == "ML-1")
        #expect(live.submit(message(1, [.materialLotReceived(lot)])) == nil)
        #expect(live.submit(message(2, [.shipmentDispatched(.init())])) != nil)
        #expect(live.core.cursor(of: "erp") == "2")
        #expect(live.records.map(\.meta.recordID).hasNoRepeats)
        try expectHistoryGivesState(live, fresh: MaterialsCore(), &random)
    }
}
