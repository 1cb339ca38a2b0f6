import EventLog
import PlantCore
import PlantEvents
import SeededRandom
import SwiftProtobuf

/// One decider on its partition: what `DeciderHost` does, a step at a time.
final class SimHost<Base: Core> {
    typealias Snapshot = Decider<Mutant<Base>>.Snapshot<IntakePositions>

    /// Decided records that may wait for the log.
    static var pendingLimit: Int { 64 }
    private static var batchLimit: Int { 16 }

    private unowned let world: World
    private let host: Int
    private let service: String
    let instance: String
    private let topic: Topic
    private let partition: Int32
    private let writer: SimWriter<Base.Record>
    private(set) var decider: Decider<Mutant<Base>>
    private var pending: [Decider<Mutant<Base>>.Draft] = []
    /// Inputs were handled up to here.
    var inputs = IntakePositions()
    private var unknownKinds = 0
    /// Told of every own record, replayed or decided.
    var onRecord: (Base.Record) -> Void = { _ in }

    init(_ core: Base, _ world: World, topic: Topic, partition: Int32, service: String, instance: String, host: Int) {
        self.world = world
        self.topic = topic
        self.partition = partition
        self.service = service
        self.instance = instance
        self.host = host
        decider = Decider(Mutant(core, world.mutation), actor: service, place: SimPlant.place)
        let name = TopicName(site: SimPlant.site, topic: topic)
        writer = SimWriter(
            world,
            topic: name,
            partition: partition,
            service: service,
            instance: instance,
            host: host
        )
        restoreSnapshot()
    }

    var core: Base { decider.core.base }
    var isReady: Bool { writer.isOwner }
    var isDurable: Bool { pending.isEmpty || world.mutation == .sentBeforeDurable }
    var hasRoom: Bool { pending.count < Self.pendingLimit }
    var pendingCount: Int { pending.count }
    var waitingCount: Int { writer.state.waitingCount }
    private var diskName: String { "\(service)-\(topic.rawValue)-\(partition)" }

    private func restoreSnapshot() {
        guard let kept = world.disks[host][diskName] as? [Snapshot], let newest = kept.last else {
            writer.begin(from: 0, fence: Fence())
            return
        }
        if world.strikes(.snapshotLost, in: 3) {
            world.note(instance, "snapshot is torn: not used")
            writer.begin(from: 0, fence: Fence())
            return
        }
        let snapshot = world.strikes(.snapshotOld, in: 3) ? world.random.pick(kept) : newest
        decider.restore(
            snapshot.state,
            handled: world.mutation == .highWaterNotKept ? HighWater() : snapshot.handled
        )
        inputs = snapshot.inputs
        writer.begin(from: snapshot.ownOffset, fence: snapshot.ownFence)
        world.note(instance, "snapshot at offset \(snapshot.ownOffset) of \(writer.place)")
    }

    func stepTakeover() throws(LogFailure) {
        try writer.stepTakeover { record in
            guard world.mutation != .historyNotReplayed else { return }
            if world.mutation == .highWaterNotKept {
                var record = record
                record.meta.clearCause()
                decider.replay(record)
            } else {
                decider.replay(record)
            }
            onRecord(record)
        }
    }

    @discardableResult
    func submit(_ input: Base.Input, cause: Origin? = nil) -> Base.Record? {
        guard let draft = decider.take(input, cause: cause, nowUs: world.wallUs(host)) else { return nil }
        pending.append(draft)
        onRecord(draft.record)
        world.note(instance, "decides \(draft.record.meta.recordID): \(draft.record.kinds)")
        return draft.record
    }

    /// One attempt to append what is decided.
    func flush() throws(LogFailure) {
        if world.strikes(.unknownKind, in: 60) { draftUnknown() }
        let batch = Array(pending.prefix(Self.batchLimit))
        guard !batch.isEmpty else { return }
        if world.mutation == .acknowledgedBeforeAppend { pending.removeFirst(batch.count) }
        do throws(LogFailure) {
            try writer.append(batch.map { $0.record }, keys: batch.map { $0.key })
        } catch {
            guard error.isRetriable else { throw error }
            return
        }
        if world.mutation != .acknowledgedBeforeAppend { pending.removeFirst(batch.count) }
    }

    func takeSnapshot() {
        guard isReady, pending.isEmpty || world.mutation == .snapshotAheadOfLog else { return }
        let position = writer.state.position
        let snapshot = decider.snapshot(ownOffset: position.nextOffset, ownFence: position.fence, inputs: inputs)
        let kept = world.disks[host][diskName] as? [Snapshot] ?? []
        world.disks[host][diskName] = Array((kept + [snapshot]).suffix(3))
        world.note(instance, "keeps a snapshot at offset \(position.nextOffset) of \(writer.place)")
    }

    /// A record of a kind that this build does not know, as a newer build of the same service would write it.
    private func draftUnknown() {
        unknownKinds += 1
        var record = Base.Record()
        record.meta = .with {
            $0.recordID = "unknown:\(instance)/\(unknownKinds)"
            $0.occurredAtUs = world.wallUs(host)
            $0.place = SimPlant.place
            $0.subject = "unknown-\(instance)"
            $0.correlationID = "unknown-\(instance)"
            $0.actor = service
            $0.mustUnderstand = unknownKinds.isMultiple(of: 2)
        }
        // Field 900 of Event, length-delimited, empty: a kind from the future.
        guard let event = try? Base.Record.Event(serializedBytes: [0xA2, 0x38, 0x00] as [UInt8]) else { return }
        record.events = [event]
        pending.append(.init(record: record, key: Array(service.utf8)))
    }
}

extension TopicRecord {
    var kinds: String { events.map(\.kindName).joined(separator: "+") }
}
