import EventLog
import PlantCore
import PlantEvents
import SeededRandom
import SwiftProtobuf

/// mes-bridge or erp-bridge: adopts the peer's messages, keeps intents, carries them out.
final class BridgeProcess<Inbound: Core>: SimProcess {
    /// How long a call may take before nobody waits for it any more.
    private static var timeoutUs: Int64 { 1_000_000 }

    private struct Call {
        enum Phase {
            case next
            case asked(request: Int, untilUs: Int64)
            case sent(request: Int, untilUs: Int64)
            case pausing(untilUs: Int64)
        }
        let intent: DeliveryIntended
        var phase = Phase.next
    }

    let role: Role
    let instance: String
    let host: Int
    private unowned let world: World
    private let inbound: SimHost<Inbound>
    private let deliveries: SimHost<DeliveryCore>
    private let cursor: (Inbound) -> String
    private let input: (SimPeer.Message) -> Inbound.Input
    private let isMes: Bool
    private var intake: SimIntake?
    private var dispatch: DeliveryDispatch?
    private var unread: [SimPeer.Message] = []
    /// As `AdoptionLoop` has it: where a message ended that was taken on before, while the core's place stays behind it.
    private var passed: (from: String, to: Int)?
    private var calls: [Call] = []
    /// Picked, not yet known to be durable.
    private var picked: [DeliveryIntended] = []
    /// What the bridge's own records say is refused and waits for a person.
    private(set) var refused: [String] = []
    private var open: [DeliveryIntended] = []

    init(
        _ world: World,
        _ role: Role,
        instance: String,
        host: Int,
        core: Inbound,
        topic: Topic,
        cursor: @escaping (Inbound) -> String,
        input: @escaping (SimPeer.Message) -> Inbound.Input
    ) {
        self.world = world
        self.role = role
        self.instance = instance
        self.host = host
        self.cursor = cursor
        self.input = input
        isMes = role == .mesBridge
        inbound = SimHost(
            core,
            world,
            topic: topic,
            partition: 0,
            service: role.service,
            instance: instance,
            host: host
        )
        deliveries = SimHost(
            DeliveryCore(dialect: isMes ? .mes : .erp),
            world,
            topic: isMes ? .mesDeliveries : .erpDeliveries,
            partition: 0,
            service: role.service,
            instance: instance,
            host: host
        )
        deliveries.onRecord = { [unowned self] in self.follow($0) }
    }

    private func follow(_ record: DeliveryRecord) {
        for event in record.events {
            switch event.kind {
            case .deliveryRefused(let event): refused.append(event.intentID)
            case .deliveryRedriven(let event): refused.removeAll { $0 == event.intentID }
            case .deliverySkipped(let event):
                refused.removeAll { $0 == event.intentID }
                open.removeAll { $0.intentID == event.intentID }
            case .deliveryIntended(let intent): open.append(intent)
            case .deliveryConfirmed(let event): open.removeAll { $0.intentID == event.intentID }
            default: break
            }
        }
    }

    func step() throws {
        guard inbound.isReady else { return try inbound.stepTakeover() }
        guard deliveries.isReady else { return try deliveries.stepTakeover() }
        guard let intake, dispatch != nil else {
            intake = SimIntake(world, role, instance: instance, host: host, from: deliveries.inputs)
            readOpen()
            dispatch = DeliveryDispatch(
                open: deliveries.core.openIntentIDs,
                settlingUs: world.peer(isMes).isForgetful ? SimNetwork.settlingUs : 0,
                nowUs: world.elapsedUs
            )
            return
        }
        switch world.random.below(12) {
        case 0, 1: try inbound.flush()
        case 2, 3: try deliveries.flush()
        case 4: adoptNext()
        case 5 where world.random.once(in: 6):
            inbound.takeSnapshot()
            deliveries.takeSnapshot()
        case 5, 6: try read(intake)
        default: deliver()
        }
    }

    /// What is open and refused, as the log has it: a snapshot does not tell the people outside.
    private func readOpen() {
        (open, refused) = ([], [])
        let topic = isMes ? Topic.mesDeliveries : .erpDeliveries
        world.ledger.advance(TopicPartition(SimPlant.topic(topic)), in: world.log)
        for entry in world.ledger[topic] {
            if case .deliveries(let record) = entry.content { follow(record) }
        }
    }

    // MARK: In

    private func adoptNext() {
        guard inbound.hasRoom else { return }
        if unread.isEmpty {
            let peer = world.peer(isMes)
            guard !world.strikes(.peerDown, in: 8) else { return }
            var after = readTo
            if after > 0, world.strikes(.peerRepeats, in: 3) { after = max(0, after - 1 - world.random.below(6)) }
            unread = Array(peer.messages.dropFirst(after).prefix(1 + world.random.below(6)))
            return
        }
        let message = unread.removeFirst()
        let before = cursor(inbound.core)
        inbound.submit(input(message))
        if cursor(inbound.core) == before { passed = (before, message.number) }
    }

    private var readTo: Int {
        let from = cursor(inbound.core)
        guard let passed, passed.from == from else { return Int(from) ?? 0 }
        return passed.to
    }

    private func read(_ intake: SimIntake) throws {
        guard deliveries.hasRoom else { return }
        for record in try intake.next(max: 1 + world.random.below(24)) {
            let cause = record.meta.origin
            switch record {
            case .inspections(let record): deliveries.submit(.inspections(record), cause: cause)
            case .production(let record): deliveries.submit(.production(record), cause: cause)
            case .frames, .materials, .deliveries, .alarms, .decisions, .parked: break
            }
        }
        deliveries.inputs = intake.positions
    }

    // MARK: Out

    private func deliver() {
        if picked.isEmpty {
            if world.mutation == .keyOrderReversed {
                picked = open.reversed().filter { intent in
                    !refused.contains(intent.intentID) && !calls.contains { $0.intent.intentID == intent.intentID }
                }.prefix(8 - min(8, calls.count)).map { $0 }
            } else {
                picked = dispatch?.start(deliveries.core) ?? []
            }
        }
        if deliveries.isDurable {
            calls += picked.map { Call(intent: $0) }
            picked = []
        }
        guard !calls.isEmpty else { return }
        let index = world.random.below(calls.count)
        let intentID = calls[index].intent.intentID
        switch calls[index].phase {
        case .next: begin(index)
        case .asked(let request, let untilUs):
            switch world.network.answer(to: request, nowUs: world.elapsedUs) {
            case .done(let reference)?:
                end(index, .carriedOut(reference: reference, foundByLookUp: true))
            case .unknown?: send(index)
            case .refused(let reason)?: end(index, .refused(reason: reason))
            case nil:
                if world.elapsedUs >= untilUs { end(index, .unanswered(reason: "look-up timed out")) }
            }
        case .sent(let request, let untilUs):
            switch world.network.answer(to: request, nowUs: world.elapsedUs) {
            case .done(let reference)?:
                end(index, .carriedOut(reference: reference, foundByLookUp: false))
            case .refused(let reason)?: end(index, .refused(reason: reason))
            case .unknown?, nil:
                if world.elapsedUs >= untilUs {
                    world.network.abandon(request)
                    end(index, .unanswered(reason: "timed out"))
                }
            }
        case .pausing(let untilUs):
            guard world.elapsedUs >= untilUs else { return }
            dispatch?.finish(intentID)
            calls.remove(at: index)
        }
    }

    private func begin(_ index: Int) {
        let intent = calls[index].intent
        switch dispatch?.call(for: intent.intentID, nowUs: world.elapsedUs) {
        case .wait?, nil: break
        case .lookUp? where world.mutation != .sentWithoutAsking:
            guard !isDown(index) else { return }
            let request = world.network.send(intent, isMes: isMes, isLookUp: true, from: instance, world)
            calls[index].phase = .asked(request: request, untilUs: world.elapsedUs + Self.timeoutUs)
        case .lookUp?, .send?: send(index)
        }
    }

    private func send(_ index: Int) {
        let intent = calls[index].intent
        dispatch?.sending(intent.intentID, nowUs: world.elapsedUs)
        guard !isDown(index) else { return }
        let request = world.network.send(intent, isMes: isMes, isLookUp: false, from: instance, world)
        calls[index].phase = .sent(request: request, untilUs: world.elapsedUs + Self.timeoutUs)
        world.note(instance, "sends \(intent.intentID)")
    }

    private func isDown(_ index: Int) -> Bool {
        guard world.strikes(.peerDown, in: 6) else { return false }
        end(index, .unanswered(reason: "connection refused"))
        return true
    }

    private func end(_ index: Int, _ answer: DeliveryDispatch.Answer) {
        let intentID = calls[index].intent.intentID
        world.note(instance, "hears of \(intentID): \(answer)")
        guard let (inputs, pauseUs) = dispatch?.settle(intentID, answer) else { return }
        for input in inputs { deliveries.submit(input) }
        calls[index].phase = .pausing(untilUs: world.elapsedUs + pauseUs)
    }

    // MARK: People

    /// A person re-drives or skips what the peer refused, or makes a mistake.
    func attend(skips: Bool) throws {
        guard deliveries.isReady, dispatch != nil, deliveries.hasRoom else { return }
        if world.strikes(.operatorMistake, in: 3) {
            let wrong = open.first?.intentID ?? "mes:no-such-intent"
            guard !refused.contains(wrong) else { return }
            let record = deliveries.submit(
                skips ? .skipped(intentID: wrong, reason: "by mistake") : .redriven(intentID: wrong)
            )
            try require(record == nil, .truth, wrong, "a person re-drove or skipped \(wrong), which is not refused")
            return
        }
        guard world.damaged.isEmpty else {
            // Where a disk lost records, people try whatever is open.
            let ids = deliveries.core.openIntentIDs.sorted()
            if !ids.isEmpty { deliveries.submit(.redriven(intentID: world.random.pick(ids))) }
            return
        }
        guard !refused.isEmpty else { return }
        let id = world.random.pick(refused)
        let isTwice = world.random.once(in: 3)
        let input =
            skips
            ? DeliveryCore.Input.skipped(intentID: id, reason: "posted by hand") : .redriven(intentID: id)
        let record = deliveries.submit(input)
        try require(record != nil, .oneEffect, id, "a person's decision about \(id), which is refused, left no record")
        if isTwice {
            try require(deliveries.submit(input) == nil, .truth, id, "the same decision about \(id) was recorded twice")
        }
    }

    func stop() {
        inbound.takeSnapshot()
        deliveries.takeSnapshot()
    }

    var isQuiet: Bool {
        intake?.isAtEnd == true && inbound.pendingCount == 0 && deliveries.pendingCount == 0 && calls.isEmpty
            && deliveries.core.openIntentIDs.isEmpty && unread.isEmpty
            && readTo >= world.peer(isMes).messages.count
    }

    func checkBounds() throws {
        try inbound.checkBounds(role)
        try deliveries.checkBounds(role)
        guard let dispatch, world.mutation == nil else { return }
        try require(
            dispatch.inFlight.count <= DeliveryDispatch.concurrentCalls,
            .bounded,
            instance,
            "\(dispatch.inFlight.count) calls at once"
        )
        let doubts = dispatch.doubtfulSinceUs.count
        try require(
            doubts <= deliveries.core.openIntentIDs.count + dispatch.inFlight.count + 2,
            .bounded,
            instance,
            "\(doubts) doubts are kept about \(deliveries.core.openIntentIDs.count) open deliveries"
        )
    }
}
