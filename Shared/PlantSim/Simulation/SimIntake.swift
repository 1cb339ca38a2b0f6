import EventLog
import Foundation
import PlantEvents
import SeededRandom
import SwiftProtobuf

/// Reads a service's inputs as `Intake` does: what counts is handed on, what cannot be read is parked first.
final class SimIntake {
    private unowned let world: World
    private let role: Role
    private let places: [TopicPartition]
    private let topics: [String: Topic]
    private(set) var positions: IntakePositions
    private let parker: SimParker

    init(_ world: World, _ role: Role, instance: String, host: Int, from positions: IntakePositions) {
        self.world = world
        self.role = role
        self.positions = positions
        places = role.places(in: world.plant)
        topics = Dictionary(uniqueKeysWithValues: role.inputs.map { (SimPlant.topic($0), $0) })
        parker = SimParker(world, role, instance: instance, host: host)
    }

    var isAtEnd: Bool {
        places.allSatisfy { (positions.partitions[$0]?.nextOffset ?? 0) >= world.log.end(of: $0) }
    }

    /// Some admitted records of one place.
    func next(max: Int) throws(LogFailure) -> [AnyRecord] {
        let behind = places.filter { (positions.partitions[$0]?.nextOffset ?? 0) < world.log.end(of: $0) }
        guard !behind.isEmpty else { return [] }
        let place = world.random.pick(behind)
        guard let topic = topics[place.topic] else { return [] }
        var admitted: [AnyRecord] = []
        do throws(LogFailure) {
            let from = positions.partitions[place]?.nextOffset ?? 0
            for stored in try world.read(place, from: from, max: max) {
                var position = positions.partitions[place] ?? .init()
                switch position.read(stored, as: topic) {
                case .accepted(let record), .acceptedAfterGap(let record, _):
                    admitted.append(record)
                    guard stored.damage != nil else { break }
                    world.report(.damageIsNamed, "\(place)", "a damaged record was taken for sound")
                case .void:
                    if world.mutation == .fenceIgnored,
                        let record = try? AnyRecord(topic: topic, value: stored.record.value)
                    {
                        admitted.append(record)
                    }
                case .unreadable(let reason):
                    if world.mutation != .parkedSilentlyDropped { try parker.park(stored, reason: reason) }
                }
                positions.partitions[place] = position
            }
        } catch {
            guard error.isRetriable else { throw error }
        }
        return admitted
    }
}

/// Sets unreadable records aside, each once, as `Parker` does.
final class SimParker {
    private unowned let world: World
    private let writer: SimWriter<ParkedRecord>
    private var parked: [TopicPartition: Int64] = [:]
    private let service: String
    private var unfinished: (record: ParkedRecord, place: TopicPartition, offset: Int64)?

    init(_ world: World, _ role: Role, instance: String, host: Int) {
        self.world = world
        service = role.service
        writer = SimWriter(
            world,
            topic: TopicName(site: SimPlant.site, parkedBy: role.service),
            partition: role.partition,
            service: role.service,
            instance: instance,
            host: host
        )
    }

    func park(_ stored: StoredRecord, reason: String) throws(LogFailure) {
        if !writer.isOwner {
            parked = [:]
            unfinished = nil
            writer.begin(from: 0, fence: Fence())
            for _ in 0..<60 where !writer.isOwner {
                try writer.stepTakeover { record in
                    for event in record.events {
                        guard case .recordParked(let parked)? = event.kind else { continue }
                        let place = TopicPartition(parked.sourceTopic, Int32(parked.sourcePartition))
                        self.parked[place] = max(self.parked[place] ?? -1, parked.sourceOffset)
                    }
                }
            }
        }
        guard writer.isOwner else { throw .unavailable("simulated: another takes the parked topic over") }
        try finish()
        if let newest = parked[stored.place], stored.offset <= newest { return }
        let event = RecordParked.with {
            $0.sourceTopic = stored.place.topic
            $0.sourcePartition = UInt32(stored.place.partition)
            $0.sourceOffset = stored.offset
            $0.reason = reason
            $0.key = Data(stored.record.key)
            $0.value = Data(stored.record.value)
        }
        let place = "\(stored.place)/\(stored.offset)"
        let record = ParkedRecord.with {
            $0.meta.recordID = "parked:\(place)"
            $0.meta.occurredAtUs = stored.appendedAtUs
            $0.meta.place = SimPlant.place
            $0.meta.subject = place
            $0.meta.correlationID = place
            $0.meta.actor = service
            $0.events = [ParkedRecord.Event(.recordParked(event))]
        }
        unfinished = (record, stored.place, stored.offset)
        try finish()
        world.note(service, "parks \(place): \(reason)")
    }

    /// What a failed append left waiting is the next to be parked, whatever is asked for.
    private func finish() throws(LogFailure) {
        guard let (record, place, offset) = unfinished else { return }
        do throws(LogFailure) {
            try writer.append([record], keys: [Array(place.topic.utf8)])
        } catch {
            guard case .writerExists = error else { throw error }
            // Another instance of the service has parked meanwhile: its records are read before ours go on.
            writer.begin(from: 0, fence: Fence())
            throw .unavailable("simulated: parked topic lost, to be taken over again")
        }
        parked[place] = offset
        unfinished = nil
    }
}
