import EventLog
import PlantEvents
import SwiftProtobuf

/// Carries out what `WriterState` and `TakeoverState` decide, a step at a time, as `PartitionWriter` does.
final class SimWriter<Record: TopicRecord> {
    private(set) var state: WriterState<Record>
    private unowned let world: World
    private let service: String
    private let host: Int
    private var takeover: TakeoverState<Record>
    private var bid: (epoch: UInt64, offset: Int64)?
    private var hasRead = false
    private(set) var isOwner = false

    var place: TopicPartition { state.place }
    private var instance: String { state.producer.instance }

    init(_ world: World, topic: TopicName, partition: Int32, service: String, instance: String, host: Int) {
        self.world = world
        self.service = service
        self.host = host
        state = WriterState(
            site: SimPlant.site,
            topic: topic,
            partition: partition,
            producer: world.producer(service, instance),
            maximumRecordBytes: LogLimits.recordBytes
        )
        takeover = TakeoverState(place: state.place, instance: instance, from: 0, fence: Fence())
    }

    func begin(from offset: Int64, fence: Fence) {
        takeover = TakeoverState(place: place, instance: instance, from: offset, fence: fence)
        bid = nil
        hasRead = false
        isOwner = false
    }

    /// One step of the takeover: read, bid, read again; others act between the steps.
    func stepTakeover(_ history: (Record) -> Void) throws(LogFailure) {
        guard hasRead else {
            try read(until: world.log.end(of: place), history)
            hasRead = true
            return
        }
        guard let bid else {
            let epoch = takeover.bid
            let opening = try state.opening(epoch: epoch, nowUs: world.wallUs(host))
            self.bid = (epoch, try world.append([opening], to: place, by: instance))
            return
        }
        try read(until: bid.offset, history)
        try read(until: bid.offset + 1) { _ in }
        guard takeover.isWon(epoch: bid.epoch) else {
            world.note(instance, "lost the race for epoch \(bid.epoch) of \(place)")
            self.bid = nil
            return
        }
        state.own(epoch: bid.epoch, nextOffset: takeover.next, fence: takeover.fence)
        isOwner = true
        world.note(instance, "owns epoch \(bid.epoch) of \(place)")
    }

    private func read(until end: Int64, _ history: (Record) -> Void) throws(LogFailure) {
        world.isReplaying = true
        defer { world.isReplaying = false }
        while takeover.next < end {
            let batch = try world.read(place, from: takeover.next, max: Int(end - takeover.next))
            for stored in batch {
                guard let record = takeover.read(stored).record else { continue }
                if stored.damage != nil {
                    world.report(.damageIsNamed, "\(place)", "a damaged record was taken for sound")
                }
                history(record)
            }
        }
    }

    /// Appends the drafts, after what waits; see `PartitionWriter.append`.
    func append(_ drafts: [Record], keys: [[UInt8]]) throws(LogFailure) {
        if !state.waits(drafts, keys) { try appendWaiting() }
        let stamped = try state.add(drafts, keys: keys, nowUs: world.wallUs(host))
        try appendWaiting()
        for record in stamped { world.acknowledge(record, at: place) }
    }

    private func appendWaiting() throws(LogFailure) {
        while true {
            switch try state.move() {
            case .append(let records):
                state.landed(at: try world.append(records, to: place, by: instance))
            case .review(var review):
                while !review.isComplete, world.mutation != .zombieNotDeposed {
                    for stored in try world.read(place, from: review.next, max: Int(review.end - review.next)) {
                        review.read(stored)
                    }
                }
                do throws(LogFailure) {
                    try state.reviewed(review)
                } catch {
                    world.note(instance, "is deposed: \(error)")
                    throw error
                }
            case .rest: return
            }
        }
    }
}
