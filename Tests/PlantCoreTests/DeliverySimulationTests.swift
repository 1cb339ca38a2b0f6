import PlantCore
import PlantEvents
import SeededRandom
import SwiftProtobuf
import Testing

/// A bridge between a plant that goes on and a peer that refuses, vanishes and returns, with a person who re-drives and
/// skips; checked against what the plant did and what the peer took, kept here on their own.
private struct Exchange {
    let dialect: DeliveryDialect
    var live: Live<DeliveryCore>
    var random: SplitMix64

    /// The plant.
    var truth: [String: Counts] = [:]
    var completed: Set<String> = []
    var holds: [(id: String, hasOrder: Bool)] = []
    var parts = 0
    var messages = 0

    /// Open intents of each key, in log order, and the refused ones among them.
    var open: [String: [DeliveryIntended]] = [:]
    var refused: Set<String> = []
    var isLost = false
    /// What the peer took, and what a person gave up.
    var taken: [DeliveryIntended] = []
    var skipped: Set<String> = []
    var completedWhenIntended: [String: Bool] = [:]

    init(_ dialect: DeliveryDialect, seed: UInt64) {
        self.dialect = dialect
        live = Live(DeliveryCore(dialect: dialect))
        random = SplitMix64(seed: seed)
    }

    mutating func step() {
        switch Int.random(in: 0..<20, using: &random) {
        case 0..<8: inspect()
        case 8: complete()
        case 9: loseOrRestore()
        case 10: attend(skips: random.once(in: 2))
        default: exchange()
        }
        checkDue()
    }

    mutating func inspect() {
        parts += 1
        let order = random.once(in: 10) ? "" : "WO-\(Int.random(in: 1...4, using: &random))"
        let verdict = random.pick([Verdict.pass, .pass, .fail, .uncertain, .unspecified])
        var record = Arriving.gap(parts, order: order)
        if verdict != .unspecified {
            let rules =
                verdict == .fail ? ["category-short", "failures-3-in-20"].filter { _ in random.once(in: 3) } : []
            let placed = rules.map { "hold:vision-1/1/\(parts):\($0)" }
            holds += placed.map { ($0, !order.isEmpty) }
            record = Arriving.part(
                parts,
                verdict,
                order: order,
                batch: random.pick(["B-1", "B-2", "B-3"]),
                holds: placed
            )
        }
        if !order.isEmpty { truth[order, default: Counts()].add(verdict) }
        note(live.submit(.inspections(record)))
    }

    mutating func complete() {
        messages += 1
        let order = "WO-\(Int.random(in: 1...4, using: &random))"
        completed.insert(order)
        note(live.submit(.production(Arriving.completion(order, message: messages))))
    }

    mutating func loseOrRestore() {
        let record = live.submit(isLost ? .peerRestored : .peerLost(reason: "connection refused"))
        #expect(record?.events.count == 1)
        isLost.toggle()
        #expect(live.submit(isLost ? .peerLost(reason: "again") : .peerRestored) == nil, "it is known already")
    }

    /// A person looks at what the peer refused.
    mutating func attend(skips: Bool) {
        guard let id = refused.sorted().randomElement(using: &random) else { return }
        refused.remove(id)
        if skips {
            skipped.insert(id)
            for key in open.keys { open[key]?.removeAll { $0.intentID == id } }
        }
        note(live.submit(skips ? .skipped(intentID: id, reason: "posted by hand") : .redriven(intentID: id)))
    }

    /// The peer answers to any one of the deliveries that are due.
    mutating func exchange() {
        guard let intent = live.core.due(limit: 8).randomElement(using: &random) else { return }
        if random.once(in: 6) {
            refused.insert(intent.intentID)
            note(live.refuse(intent))
        } else {
            taken.append(intent)
            open[intent.businessKey]?.removeFirst()
            note(live.confirm(intent))
            #expect(live.confirm(intent) == nil, "an outcome twice is no news")
        }
    }

    mutating func note(_ record: DeliveryRecord?) {
        for kind in record?.kinds ?? [] {
            guard case .deliveryIntended(let intent) = kind else { continue }
            open[intent.businessKey, default: []].append(intent)
            if let report = intent.report {
                completedWhenIntended[intent.intentID] = completed.contains(report.order)
            }
        }
    }

    /// I6, and the bound while the peer is away.
    func checkDue() {
        let due = live.core.due(limit: 8)
        let heads = open.values.compactMap(\.first).map(\.intentID).filter { !refused.contains($0) }
        #expect(Set(due.map(\.intentID)).isSubset(of: heads), "only the oldest of a key, and not behind a refused one")
        #expect(due.count == min(heads.count, isLost ? 1 : 8))
        #expect(due.map(\.businessKey).hasNoRepeats)
        for queue in open.values { #expect(queue.compactMap(\.report?.order).hasNoRepeats, "one report under way") }
        let waiting = open.values.reduce(0) { $0 + $1.count }
        #expect(live.core.open.refused == refused.count)
        #expect(live.core.open.waiting == waiting - refused.count)
        #expect(Set(live.core.openIntentIDs) == Set(open.values.flatMap { $0 }.map(\.intentID)))
    }

    /// The peer is well again and everything refused is tried again.
    mutating func quiesce() {
        if isLost { loseOrRestore() }
        while !live.core.openIntentIDs.isEmpty {
            while !refused.isEmpty { attend(skips: false) }
            guard let intent = live.core.due(limit: 1).first else { break }
            taken.append(intent)
            open[intent.businessKey]?.removeFirst()
            note(live.confirm(intent))
        }
    }

    static func run(_ dialect: DeliveryDialect, seed: UInt64) -> Exchange {
        var exchange = Exchange(dialect, seed: seed)
        for _ in 0..<250 { exchange.step() }
        exchange.quiesce()
        return exchange
    }
}

private let seeds = UInt64(1)...30

@Suite struct DeliverySimulationTests {
    @Test(
        "I4, I6: every intent ends, and those of one key are taken in log order",
        arguments: [DeliveryDialect.mes, .erp],
        seeds
    )
    func endsInOrder(dialect: DeliveryDialect, seed: UInt64) {
        let exchange = Exchange.run(dialect, seed: seed)
        #expect(exchange.live.core.open == (0, 0))
        #expect(exchange.live.core.due(limit: 8).isEmpty)
        let intents = exchange.live.intents
        #expect(intents.map(\.intentID).hasNoRepeats, "the peer's idempotency key")
        for key in Set(intents.map(\.businessKey)) {
            let intended = intents.filter { $0.businessKey == key && !exchange.skipped.contains($0.intentID) }
            #expect(exchange.taken.filter { $0.businessKey == key } == intended)
        }
        #expect(intents.allSatisfy { $0.peer == dialect.peer })
        #expect(exchange.live.records.map(\.meta.recordID).hasNoRepeats)
    }

    @Test(
        "MES-01, MES-02, ERP-01, ERP-02: every hold is told once, by each of its effects",
        arguments: [DeliveryDialect.mes, .erp],
        seeds
    )
    func holdsAreToldOnce(dialect: DeliveryDialect, seed: UInt64) {
        let exchange = Exchange.run(dialect, seed: seed)
        let intents = exchange.live.intents
        #expect(Set(intents.compactMap(\.hold)) == Set(exchange.holds.map(\.id)))
        for hold in exchange.holds {
            let effects = intents.filter { $0.hold == hold.id }.map { intent in
                switch intent.effect {
                case .lotHold: "lot hold"
                case .orderQualityStatus: "order status"
                case .qualityNotification: "notification"
                case .stockBlock: "stock block"
                case .orderYield, .orderConfirmation, nil: "report"
                }
            }
            switch dialect {
            case .mes: #expect(effects == (hold.hasOrder ? ["lot hold", "order status"] : ["lot hold"]))
            case .erp: #expect(effects == ["notification", "stock block"])
            }
        }
    }

    @Test("MES-04, MES-05: once all is quiet, the last yield of each order is its true count", arguments: seeds)
    func yieldsAreTrue(seed: UInt64) {
        let exchange = Exchange.run(.mes, seed: seed)
        let reports = exchange.live.intents.compactMap(\.report)
        #expect(Set(reports.map(\.order)) == Set(exchange.truth.keys))
        for (order, counts) in exchange.truth {
            #expect(reports.last { $0.order == order }?.counts == counts, "seed \(seed), order \(order)")
        }
    }

    @Test("ERP-08 .. ERP-10: an order is confirmed when completed, and again when parts come late", arguments: seeds)
    func confirmationsAreTrue(seed: UInt64) {
        let exchange = Exchange.run(.erp, seed: seed)
        let reports = exchange.live.intents.compactMap(\.report)
        #expect(Set(reports.map(\.order)) == exchange.completed)
        #expect(exchange.completedWhenIntended.values.allSatisfy { $0 }, "never before completion")
        for order in exchange.completed {
            let counts = exchange.truth[order] ?? Counts()
            #expect(reports.last { $0.order == order }?.counts == counts, "seed \(seed), order \(order)")
        }
    }

    @Test(
        "Own history alone gives the state back, however inspections, completions and outcomes interleave",
        arguments: [DeliveryDialect.mes, .erp],
        seeds
    )
    func historyGivesState(dialect: DeliveryDialect, seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        var exchange = Exchange(dialect, seed: seed)
        for _ in 0..<200 { exchange.step() }
        try expectHistoryGivesState(exchange.live, fresh: DeliveryCore(dialect: dialect), &random)
    }
}
