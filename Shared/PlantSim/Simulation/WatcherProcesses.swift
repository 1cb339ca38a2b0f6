import EventLog
import PlantCore
import PlantEvents
import ReadModel
import SeededRandom
import SwiftProtobuf

/// alerting: `AlarmWatch` with its store on the host's disk.
final class AlertingProcess: SimProcess {
    /// What one transaction of the store keeps.
    private struct Store: Sendable {
        var fold = AlarmFold()
        var positions = IntakePositions()
        var outbox: [(number: Int, draft: AlarmFold.Draft)] = []
        var nextNumber = 0
    }

    static let limits = AlarmFold.Limits(burstFailures: 4, burstWindow: 6, silentAfterUs: 60_000_000)
    private static let diskName = "alerting-store"

    let role = Role.alerting
    let instance: String
    let host: Int
    private unowned let world: World
    private let writer: SimWriter<AlarmRecord>
    private var intake: SimIntake?
    private var fold = AlarmFold()
    private var history = AlarmHistory()
    private var unresumed: [AlarmRaised] = []

    init(_ world: World, instance: String, host: Int) {
        self.world = world
        self.instance = instance
        self.host = host
        if world.strikes(.snapshotLost, in: 3) {
            world.disks[host][Self.diskName] = nil
            world.note(instance, "its store is gone")
        }
        writer = SimWriter(
            world,
            topic: TopicName(site: SimPlant.site, topic: .alarms),
            partition: 0,
            service: role.service,
            instance: instance,
            host: host
        )
        writer.begin(from: 0, fence: Fence())
    }

    private var store: Store {
        get { world.disks[host][Self.diskName] as? Store ?? Store() }
        set { world.disks[host][Self.diskName] = newValue }
    }

    func step() throws {
        guard writer.isOwner else {
            return try writer.stepTakeover { record in
                history.take(record)
            }
        }
        guard let intake else {
            let kept = store
            fold = kept.fold
            unresumed = history.openTimers(unknownTo: fold, besides: kept.outbox.map(\.draft))
            intake = SimIntake(world, role, instance: instance, host: host, from: kept.positions)
            return
        }
        guard store.outbox.isEmpty else { return try appendOutbox() }
        let records = try intake.next(max: 1 + world.random.below(20))
        var drafts = records.flatMap(take)
        if records.isEmpty, intake.isAtEnd {
            drafts += fold.resume(unresumed, nowUs: world.wallUs(host), Self.limits)
            unresumed = []
            drafts += fold.tick(nowUs: world.wallUs(host), Self.limits)
        }
        var next = store
        next.fold = fold
        next.positions = intake.positions
        for draft in drafts where !isAppended(draft) {
            next.outbox.append((next.nextNumber, draft))
            world.note(instance, "drafts \(draft.recordID)")
            next.nextNumber += 1
        }
        if world.mutation == .alarmOutboxForgotten, world.random.once(in: 4) { next.outbox = [] }
        store = next
    }

    private func take(_ record: AnyRecord) -> [AlarmFold.Draft] {
        let drafts: [AlarmFold.Draft] =
            switch record {
            case .frames(let record): fold.fold(record, Self.limits)
            case .inspections(let record): fold.fold(record, Self.limits)
            case .deliveries(let record): fold.fold(record, Self.limits)
            case .production, .materials, .alarms, .decisions, .parked: []
            }
        if world.mutation == .cameraAlarmDropped { return drafts.filter { !$0.recordID.contains("camera-lost") } }
        guard world.mutation == .alarmNotCleared else { return drafts }
        return drafts.filter {
            if case .alarmReturnedToNormal? = $0.kind.message.kind { false } else { true }
        }
    }

    private func isAppended(_ draft: AlarmFold.Draft) -> Bool {
        if world.mutation == .alarmAppendedTwice { return false }
        return history.contains(draft)
    }

    private func appendOutbox() throws {
        let waiting = store.outbox.prefix(8)
        guard let last = waiting.last else { return }
        let fresh = waiting.map(\.draft).filter {
            world.mutation == .alarmAppendedTwice || !history.contains($0.recordID)
        }
        do throws(LogFailure) {
            if !fresh.isEmpty { try writer.append(fresh.map(record), keys: fresh.map { Array($0.subject.utf8) }) }
        } catch {
            guard error.isRetriable else { throw error }
            return
        }
        var next = store
        next.outbox.removeAll { $0.number <= last.number }
        // A crash may come between the append and this.
        if world.strikes(.crash, in: 10) { throw LogFailure.unavailable("simulated: killed after an append") }
        store = next
    }

    private func record(_ draft: AlarmFold.Draft) -> AlarmRecord {
        .with {
            $0.meta.recordID = draft.recordID
            if let cause = draft.cause?.message { $0.meta.cause = cause }
            $0.meta.occurredAtUs = draft.occurredAtUs
            $0.meta.place = SimPlant.place
            $0.meta.place.workCenter = draft.line
            $0.meta.place.workUnit = draft.station
            $0.meta.subject = draft.subject
            $0.meta.correlationID = draft.subject
            $0.meta.actor = role.service
            $0.events = [draft.kind.message]
        }
    }

    func stop() {}

    var isQuiet: Bool { intake?.isAtEnd == true && store.outbox.isEmpty && unresumed.isEmpty }

    func checkBounds() throws {
        try require(store.outbox.count <= 256, .bounded, instance, "\(store.outbox.count) alarms wait")
    }
}

/// traceability-projector: `ProjectionLoop` on a model in a file of its own.
final class ProjectorProcess: SimProcess {
    let role = Role.projector
    let instance: String
    let host: Int
    private unowned let world: World
    let model: ReadModel
    let path: String
    private let parker: SimParker
    private let places: [TopicPartition]
    private let topics = Dictionary(uniqueKeysWithValues: Topic.written.map { (SimPlant.topic($0), $0) })
    /// Where this run reads next; ahead of the model's own positions only by mistake.
    private var positions: [TopicPartition: Int64]

    init(_ world: World, instance: String, host: Int, path: String) throws {
        self.world = world
        self.instance = instance
        self.host = host
        self.path = path
        places = role.places(in: world.plant)
        model = try ReadModel(path: path, site: SimPlant.site)
        parker = SimParker(world, role, instance: instance, host: host)
        positions = model.positions
    }

    func step() throws {
        var batch: [StoredRecord] = []
        for place in places where !world.random.once(in: 3) {
            var from = positions[place] ?? 0
            if from > 0, world.strikes(.redelivery, in: 30) { from = max(0, from - 1 - world.random.below(us: 5)) }
            do throws(LogFailure) {
                let records = try world.read(place, from: from, max: 1 + world.random.below(30))
                batch += records
                positions[place] = max(from + Int64(records.count), positions[place] ?? 0)
            } catch {
                guard error.isRetriable else { throw error }
            }
        }
        guard !batch.isEmpty else { return }
        if world.mutation == .projectorSkipsRecord, batch.count > 5 { batch.remove(at: batch.count / 2) }
        // A position moves beyond an unreadable record only once its copy is durable.
        if world.mutation != .parkedSilentlyDropped {
            for stored in batch {
                guard stored.offset >= model.positions[stored.place] ?? 0, let reason = unreadable(stored) else {
                    continue
                }
                do throws(LogFailure) {
                    try parker.park(stored, reason: reason)
                } catch {
                    guard error.isRetriable else { throw error }
                    positions = model.positions
                    return
                }
            }
        }
        let applied = try model.apply(batch, nowUs: world.wallUs(host))
        world.note(instance, "projects \(applied.applied) of \(batch.count) records")
    }

    private func unreadable(_ stored: StoredRecord) -> String? {
        guard let topic = topics[stored.place.topic] else { return nil }
        var position = IntakePositions.Partition()
        guard case .unreadable(let reason) = position.read(stored, as: topic) else { return nil }
        return reason
    }

    func stop() {}

    var isQuiet: Bool {
        places.allSatisfy { model.positions[$0] ?? 0 >= world.log.end(of: $0) }
    }

    func checkBounds() throws {}
}
