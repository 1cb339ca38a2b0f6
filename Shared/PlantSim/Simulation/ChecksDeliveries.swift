import EventLog
import PlantEvents
import SwiftProtobuf

extension Checks {
    /// What a peer was to be told, was told and did (I4, I6), worked out again from the inspections.
    func checkDeliveries(isMes: Bool) throws {
        var walk = DeliveryWalk(isMes: isMes, peer: world.peer(isMes))
        for partition in [Int32(0), 1] {
            for entry in ledger[.inspections, partition] {
                if case .inspections(let record) = entry.content { walk.inputs[entry.meta.origin.text] = .left(record) }
            }
        }
        for entry in ledger[.production] {
            if case .production(let record) = entry.content { walk.inputs[entry.meta.origin.text] = .right(record) }
        }
        for entry in ledger[isMes ? .mesDeliveries : .erpDeliveries] {
            guard case .deliveries(let record) = entry.content else { continue }
            try walk.take(record)
        }
        try walk.finish()
        try checkBooks(walk)
    }

    private func checkBooks(_ walk: DeliveryWalk) throws {
        let peer = walk.peer
        var times: [String: Int] = [:]
        var done: [String: [String]] = [:]
        for effect in peer.effects {
            let id = effect.intent.intentID
            times[id, default: 0] += 1
            try require(
                walk.intents[id] == effect.intent,
                .oneEffect,
                id,
                "\(peer.name) did \(id), which the log does not intend"
            )
            if !effect.isStray { done[effect.intent.businessKey, default: []].append(id) }
        }
        for (id, _) in walk.intents.sorted(by: { $0.key < $1.key }) {
            let count = times[id] ?? 0
            let isSkipped = walk.skipped.contains(id)
            try require(
                count == 1 || isSkipped && count == 0,
                .oneEffect,
                id,
                "\(peer.name) did \(id) \(count) times; expected once"
            )
            guard let reference = walk.confirmed[id] else { continue }
            try require(
                peer.effects.contains { $0.intent.intentID == id && $0.reference == reference },
                .oneEffect,
                id,
                "\(id) is confirmed with \(reference), which \(peer.name) never gave for it"
            )
        }
        for (key, intended) in walk.byKey.sorted(by: { $0.key < $1.key }) {
            let found = done[key] ?? []
            let inOrder = Set(found)
            try require(
                found == intended.filter { inOrder.contains($0) },
                .inOrder,
                key,
                "\(peer.name) did \(found) for \(key); intended in the order \(intended)"
            )
        }
    }
}

/// A bridge's deliveries once more, one record after the other.
struct DeliveryWalk {
    enum Input {
        case left(InspectionRecord)
        case right(ProductionRecord)
    }

    private struct Tally: Equatable {
        var accepted: UInt64 = 0
        var rejected: UInt64 = 0
        var uncertain: UInt64 = 0
        var missed: UInt64 = 0

        var total: UInt64 { accepted + rejected + uncertain + missed }

        init() {}

        init(_ counted: PartsCounted) {
            (accepted, rejected, uncertain, missed) =
                (counted.accepted, counted.rejected, counted.uncertain, counted.missed)
        }

        mutating func add(_ verdict: Verdict?) {
            switch verdict {
            case .pass?: accepted += 1
            case .fail?: rejected += 1
            case .uncertain?: uncertain += 1
            default: missed += 1
            }
        }
    }

    let isMes: Bool
    let peer: SimPeer
    /// Records that may lead to deliveries, by origin.
    var inputs: [String: Input] = [:]
    private(set) var intents: [String: DeliveryIntended] = [:]
    private(set) var byKey: [String: [String]] = [:]
    private(set) var confirmed: [String: String] = [:]
    private(set) var skipped: Set<String> = []
    private var refused: Set<String> = []
    private var causes: Set<String> = []
    private var tallies: [String: Tally] = [:]
    private var completed: Set<String> = []
    /// The order's report that has no outcome yet, and what the last one said.
    private var reportOpen: [String: String] = [:]
    private var lastReported: [String: UInt64] = [:]
    private var isLost = false
    private var marks: [String: (UInt64, UInt64)] = [:]

    init(isMes: Bool, peer: SimPeer) {
        self.isMes = isMes
        self.peer = peer
    }

    mutating func take(_ record: DeliveryRecord) throws {
        let id = record.meta.recordID
        var found: [DeliveryIntended] = []
        var counted: [String: PartsCounted] = [:]
        for event in record.events {
            switch event.kind {
            case .deliveryIntended(let intent): found.append(intent)
            case .partsCounted(let counts): counted[counts.orderID] = counts
            case .deliveryConfirmed(let event):
                try close(event.intentID)
                confirmed[event.intentID] = event.peerReference
            case .deliverySkipped(let event):
                try require(
                    refused.contains(event.intentID),
                    .oneEffect,
                    event.intentID,
                    "\(event.intentID) was skipped and not refused"
                )
                try close(event.intentID)
                skipped.insert(event.intentID)
                try require(!event.reason.isEmpty, .oneEffect, event.intentID, "skipped without a reason")
            case .deliveryRefused(let event):
                try require(
                    isOpen(event.intentID) && refused.insert(event.intentID).inserted,
                    .oneEffect,
                    event.intentID,
                    "\(event.intentID) was refused and is not open, or was refused before"
                )
            case .deliveryRedriven(let event):
                try require(
                    refused.remove(event.intentID) != nil,
                    .oneEffect,
                    event.intentID,
                    "\(event.intentID) was re-driven and not refused"
                )
            case .peerLost, .peerRestored:
                let becomesLost = if case .peerLost? = event.kind { true } else { false }
                try require(becomesLost != isLost, .truth, peer.name, "\(peer.name) was lost or restored twice")
                isLost = becomesLost
            case .writerTookOver, nil: break
            }
        }
        if record.meta.hasCause {
            try follow(record, found, counted)
        } else {
            try require(counted.isEmpty, .truth, id, "\(id) counts parts without a cause")
            for intent in found { try report(intent) }
        }
    }

    private func isOpen(_ id: String) -> Bool {
        intents[id] != nil && confirmed[id] == nil && !skipped.contains(id)
    }

    private mutating func close(_ id: String) throws {
        try require(isOpen(id), .oneEffect, id, "\(id) has an outcome and is not open")
        refused.remove(id)
        if let order = intents[id]?.order, reportOpen[order] == id { reportOpen[order] = nil }
    }

    /// What one inspection or production record leads to.
    private mutating func follow(
        _ record: DeliveryRecord,
        _ found: [DeliveryIntended],
        _ counted: [String: PartsCounted]
    ) throws {
        let cause = record.meta.cause
        let id = record.meta.recordID
        let stream = "\(cause.topic)/\(cause.partition)"
        try require(
            causes.insert(cause.text).inserted && (marks[stream].map { $0 < (cause.epoch, cause.sequence) } ?? true),
            .oneEffect,
            id,
            "\(id) follows from \(cause.text), which was handled before"
        )
        marks[stream] = (cause.epoch, cause.sequence)
        var touched: Set<String> = []
        var holds: [HoldPlaced] = []
        var finished: [String] = []
        switch inputs[cause.text] {
        case .left(let record): count(record, &touched, &holds)
        case .right(let record): finished = complete(record, &touched)
        case nil: throw Violation(.truth, id, "\(id) follows from \(cause.text), which does not count")
        }
        for order in touched {
            try require(
                counted[order].map(Tally.init) == tallies[order]
                    && counted[order]?.isCompleted == completed.contains(order),
                .truth,
                "order/\(order)",
                "order \(order) counted as \(counted[order]?.textFormatString() ?? "nothing"); true is \(tallies[order] as Any)"
            )
        }
        try require(
            Set(counted.keys) == touched,
            .truth,
            id,
            "\(id) counts \(counted.keys.sorted()); expected \(touched.sorted()) (completed \(finished))"
        )
        let expected = holds.flatMap(effects)
        try require(
            found.filter { $0.order == nil } == expected,
            .oneEffect,
            id,
            "\(id) intends \(found.filter { $0.order == nil }.map(\.intentID)); the holds ask for "
                + "\(expected.map(\.intentID))"
        )
        for intent in found { try report(intent) }
        for order in touched.sorted() where isDue(order) {
            throw Violation(.truth, "order/\(order)", "\(id) should have led to a report of order \(order)")
        }
    }

    private mutating func count(_ record: InspectionRecord, _ touched: inout Set<String>, _ holds: inout [HoldPlaced]) {
        for event in record.events {
            switch event.kind {
            case .partInspected(let part) where !part.context.orderID.isEmpty:
                tallies[part.context.orderID, default: Tally()].add(part.verdict)
                touched.insert(part.context.orderID)
            case .inspectionMissed(let missed) where !missed.context.orderID.isEmpty:
                tallies[missed.context.orderID, default: Tally()].add(nil)
                touched.insert(missed.context.orderID)
            case .holdPlaced(let hold): holds.append(hold)
            default: break
            }
        }
    }

    private mutating func complete(_ record: ProductionRecord, _ touched: inout Set<String>) -> [String] {
        var finished: [String] = []
        for event in record.events {
            guard case .orderCompleted(let done)? = event.kind, completed.insert(done.orderID).inserted else {
                continue
            }
            tallies[done.orderID] = tallies[done.orderID] ?? Tally()
            touched.insert(done.orderID)
            finished.append(done.orderID)
        }
        return finished
    }

    /// Whether the order's counts differ from the last report, and none is under way that will be followed by another.
    private func isDue(_ order: String) -> Bool {
        guard reportOpen[order] == nil, let tally = tallies[order], lastReported[order] != tally.total else {
            return false
        }
        return isMes ? tally.total > 0 : completed.contains(order)
    }

    /// Notes an intent; reports say what is counted, one at a time for each order.
    private mutating func report(_ intent: DeliveryIntended) throws {
        let id = intent.intentID
        try require(
            intents.updateValue(intent, forKey: id) == nil && intent.peer == peer.name,
            .oneEffect,
            id,
            "\(id) is intended twice, or for another peer"
        )
        byKey[intent.businessKey, default: []].append(id)
        guard let order = intent.order else { return }
        try require(reportOpen[order] == nil, .inOrder, id, "\(id) while \(reportOpen[order] ?? "") is under way")
        var said = Tally()
        switch intent.effect {
        case .orderYield(let yield):
            (said.accepted, said.rejected, said.uncertain, said.missed) =
                (yield.accepted, yield.rejected, yield.uncertain, yield.missed)
        case .orderConfirmation(let yield):
            (said.accepted, said.rejected, said.uncertain, said.missed) =
                (yield.accepted, yield.rejected, yield.uncertain, yield.missed)
        default: break
        }
        let kind = isMes ? "yield" : "confirmation"
        try require(
            said == tallies[order] && id == "\(peer.name):\(kind):\(order):\(said.total)"
                && intent.businessKey == "order/\(order)" && (isMes || completed.contains(order))
                && lastReported[order] != said.total,
            .truth,
            id,
            "\(id) says \(said); the order stands at \(tallies[order] as Any)"
        )
        reportOpen[order] = id
        lastReported[order] = said.total
    }

    /// What a hold asks of the peer (MES-01, MES-02, ERP-01, ERP-02).
    private func effects(of hold: HoldPlaced) -> [DeliveryIntended] {
        let key = hold.subjectKind == .batch ? "batch/\(hold.subjectID)" : "station/\(hold.subjectID)"
        func intent(_ what: String, _ key: String, _ fill: (inout DeliveryIntended) -> Void) -> DeliveryIntended {
            .with {
                $0.intentID = "\(peer.name):\(what):\(hold.holdID)"
                $0.peer = peer.name
                $0.businessKey = key
                fill(&$0)
            }
        }
        guard isMes else {
            return [
                intent("notification", key) {
                    $0.qualityNotification = .with {
                        $0.holdID = hold.holdID
                        $0.sku = hold.context.sku
                        $0.batchID = hold.context.batchID
                        $0.orderID = hold.context.orderID
                        $0.defectCategory = hold.defectCategory
                        $0.text = hold.reason
                    }
                },
                intent("block", key) {
                    $0.stockBlock = .with {
                        $0.holdID = hold.holdID
                        $0.sku = hold.context.sku
                        $0.batchID = hold.context.batchID
                        $0.reason = hold.reason
                    }
                },
            ]
        }
        let lot = intent("hold", key) {
            $0.lotHold = .with {
                $0.holdID = hold.holdID
                $0.subjectKind = hold.subjectKind
                $0.subjectID = hold.subjectID
                $0.orderID = hold.context.orderID
                $0.defectCategory = hold.defectCategory
                $0.reason = hold.reason
                $0.partID = hold.partID
            }
        }
        guard !hold.context.orderID.isEmpty else { return [lot] }
        let status = intent("quality", "order/\(hold.context.orderID)") {
            $0.orderQualityStatus = .with {
                $0.orderID = hold.context.orderID
                $0.status = "on-hold"
                $0.openHoldIds = [hold.holdID]
            }
        }
        return [lot, status]
    }

    /// At rest everything was told, and all of it is true.
    mutating func finish() throws {
        for (origin, input) in inputs.sorted(by: { $0.key < $1.key }) where !causes.contains(origin) {
            var touched: Set<String> = []
            var holds: [HoldPlaced] = []
            switch input {
            case .left(let record): count(record, &touched, &holds)
            case .right(let record): _ = complete(record, &touched)
            }
            try require(
                touched.isEmpty && holds.isEmpty,
                .oneEffect,
                origin,
                "\(origin) led to no delivery at \(peer.name)"
            )
        }
        for id in intents.keys.sorted() where isOpen(id) {
            throw Violation(.oneEffect, id, "\(id) has no outcome")
        }
        for (order, tally) in tallies.sorted(by: { $0.key < $1.key }) {
            let isTold = lastReported[order] == tally.total || (isMes ? tally.total == 0 : !completed.contains(order))
            try require(
                isTold,
                .truth,
                "order/\(order)",
                "\(peer.name) last heard \(lastReported[order] ?? 0) of \(tally)"
            )
        }
        try require(!isLost, .truth, peer.name, "\(peer.name) answers and is still said to be lost")
    }
}

extension DeliveryIntended {
    /// The order that a yield or confirmation reports.
    fileprivate var order: String? {
        switch effect {
        case .orderYield(let report): report.orderID
        case .orderConfirmation(let report): report.orderID
        default: nil
        }
    }
}
