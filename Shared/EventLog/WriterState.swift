package import PlantEvents
import SwiftProtobuf

/// What one writer run of one partition knows and decides: numbers, what waits for the log, and whether the partition is
/// still its own. Pure: `PartitionWriter` and the simulator carry its moves out.
///
/// Sequence numbers have no holes: records of a failed append stay waiting with the numbers they got, and nothing passes
/// them.
package struct WriterState<Record: TopicRecord>: Sendable {
    /// Where the writer stands; a snapshot of the state after its last append keeps `nextOffset` and `fence`.
    package struct Position: Sendable, Equatable {
        /// The offset after this writer's last record.
        package var nextOffset: Int64 = 0
        /// What has been admitted up to there.
        package var fence = Fence()
        /// The epoch owned; 0 before the takeover.
        package var epoch: UInt64 = 0
        /// The number that the next record gets.
        package var nextSequence: UInt64 = 0
    }

    /// What is to be done next for the records that wait.
    package enum Move {
        /// Append these in one call, and the same again where it fails; then say where they landed.
        case append([LogRecord])
        /// Read what others, or an earlier try, put before the newest records, and hand the review back.
        case review(Review)
        /// Nothing waits.
        case rest
    }

    /// A look at the partition from the writer's last own record up to `end`, one record after the other.
    package struct Review: Sendable {
        /// The next offset to read.
        package private(set) var next: Int64
        /// Reading ends before this offset.
        package let end: Int64
        private let place: TopicPartition
        private var gate: RecordGate<Record>

        fileprivate init(_ place: TopicPartition, from position: Position, to end: Int64) {
            self.place = place
            self.end = end
            next = position.nextOffset
            gate = RecordGate(fences: [place: position.fence])
        }

        package var isComplete: Bool { next >= end }
        fileprivate var fence: Fence { gate.fences[place] ?? Fence() }

        package mutating func read(_ stored: StoredRecord) {
            guard stored.offset < end else { return }
            _ = gate.read(stored)
            next = stored.offset + 1
        }
    }

    private struct Entry {
        let draft: Record
        let key: [UInt8]
        let stamped: Record
        let stored: LogRecord
    }

    /// Entries that go to the log in one call and, where that fails, again in one call, exactly the same.
    private struct Chunk {
        enum Progress: Equatable { case waiting, landed(first: Int64), admitted }

        let entries: [Entry]
        var progress = Progress.waiting
    }

    package private(set) var position = Position()
    package let place: TopicPartition
    package let producer: Producer
    private let site: String
    private let topic: TopicName
    private let maximumRecordBytes: Int
    /// What the last append could not finish.
    private var waiting: [Chunk] = []
    private var deposedBy: String?

    /// - Parameter producer: its `instance` must be unique to this run; two runs of one epoch are told apart by it.
    package init(site: String, topic: TopicName, partition: Int32, producer: Producer, maximumRecordBytes: Int) {
        self.site = site
        self.topic = topic
        self.producer = producer
        self.maximumRecordBytes = maximumRecordBytes
        place = TopicPartition(topic.description, partition)
    }

    /// How many records wait for the log.
    package var waitingCount: Int { waiting.reduce(0) { $0 + $1.entries.count } }

    /// The epoch is this run's; what an earlier ownership left waiting is void and dropped.
    package mutating func own(epoch: UInt64, nextOffset: Int64, fence: Fence) {
        position = Position(nextOffset: nextOffset, fence: fence, epoch: epoch, nextSequence: 1)
        waiting = []
        deposedBy = nil
    }

    /// The record that opens an epoch.
    package func opening(epoch: UInt64, nowUs: Int64) throws(LogFailure) -> LogRecord {
        var draft = Record()
        draft.meta = .with {
            $0.recordID = "takeover:\(place)/\(epoch)/\(producer.instance)"
            $0.occurredAtUs = nowUs
            $0.place.site = site
            $0.subject = place.description
            $0.correlationID = place.description
            $0.actor = producer.service
        }
        let takeover = WriterTookOver.with {
            $0.epoch = epoch
            $0.instance = producer.instance
        }
        draft.events = [.takeover(takeover)]
        return try entry(draft, Array(place.description.utf8), epoch: epoch, sequence: 0, nowUs: nowUs).stored
    }

    /// Whether the drafts begin with what waits, or wait all of them. Other drafts may be added only once nothing waits.
    package func waits(_ drafts: [Record], _ keys: [[UInt8]]) -> Bool {
        var index = 0
        for entry in waiting.lazy.flatMap({ $0.entries }) {
            guard index < drafts.count else { break }
            guard entry.draft.isEqualTo(message: drafts[index]), entry.key == keys[index] else { return false }
            index += 1
        }
        return index > 0
    }

    /// Numbers and stamps the drafts that do not wait yet; returns all of them as they will be recorded.
    package mutating func add(_ drafts: [Record], keys: [[UInt8]], nowUs: Int64) throws(LogFailure) -> [Record] {
        precondition(drafts.count == keys.count, "one key a draft")
        precondition(position.epoch > 0, "take \(place) over before appending to it")
        let entries = waiting.flatMap { $0.entries }
        var sequence = position.nextSequence
        if let last = entries.last { sequence = last.stamped.meta.origin.sequence + 1 }
        var fresh: [Entry] = []
        for (draft, key) in zip(drafts, keys).dropFirst(entries.count) {
            fresh.append(try entry(draft, key, epoch: position.epoch, sequence: sequence, nowUs: nowUs))
            sequence += 1
        }
        waiting += Self.chunks(fresh)
        return (entries + fresh).prefix(drafts.count).map { $0.stamped }
    }

    /// What to do next; throws when another run owns the partition.
    package mutating func move() throws(LogFailure) -> Move {
        if let deposedBy { throw .writerExists(deposedBy) }
        guard let index = waiting.firstIndex(where: { $0.progress != .admitted }) else {
            waiting = []
            return .rest
        }
        guard case .landed(let first) = waiting[index].progress else {
            return .append(waiting[index].entries.map { $0.stored })
        }
        return .review(Review(place, from: position, to: first))
    }

    /// The records of the last `.append` are in the log from offset `first` on; `.review` follows.
    package mutating func landed(at first: Int64) {
        guard let index = waiting.firstIndex(where: { $0.progress != .admitted }) else { return }
        waiting[index].progress = .landed(first: first)
    }

    /// Takes a complete review in: a takeover before our newest records means that ours are void.
    package mutating func reviewed(_ review: Review) throws(LogFailure) {
        guard let index = waiting.firstIndex(where: { $0.progress == .landed(first: review.end) }) else { return }
        let fence = review.fence
        guard fence.currentEpoch == position.epoch, fence.currentInstance == producer.instance else {
            let reason =
                "\(place): epoch \(fence.currentEpoch) belongs to \(fence.currentInstance), which took over from "
                + "\(producer.instance); stop one of the two"
            deposedBy = reason
            throw .writerExists(reason)
        }
        let entries = waiting[index].entries
        position.fence = fence
        for entry in entries { _ = position.fence.admit(entry.stamped.meta) }
        position.nextOffset = review.end + Int64(entries.count)
        position.nextSequence += UInt64(entries.count)
        waiting[index].progress = .admitted
    }

    private func entry(
        _ draft: Record,
        _ key: [UInt8],
        epoch: UInt64,
        sequence: UInt64,
        nowUs: Int64
    ) throws(LogFailure) -> Entry {
        var stamped = draft
        stamped.meta.origin = .with {
            $0.site = site
            $0.topic = topic.topic
            $0.partition = UInt32(place.partition)
            $0.epoch = epoch
            $0.sequence = sequence
        }
        stamped.meta.producer = producer
        stamped.meta.recordedAtUs = nowUs
        let value: [UInt8]
        do {
            value = try Codec.encode(stamped)
        } catch {
            preconditionFailure("proto3 messages always encode: \(error)")
        }
        let stored = LogRecord(
            key: key,
            value: value,
            headers: CloudEventHeaders.of(stamped, site: site, topic: topic)
        )
        guard stored.byteCount <= maximumRecordBytes else {
            throw .recordTooLarge(bytes: stored.byteCount, limit: maximumRecordBytes)
        }
        return Entry(draft: draft, key: key, stamped: stamped, stored: stored)
    }

    private static func chunks(_ entries: [Entry]) -> [Chunk] {
        var chunks: [Chunk] = []
        var current: [Entry] = []
        var bytes = 0
        for entry in entries {
            let isFull = current.count == LogLimits.batchRecords
            if isFull || bytes + entry.stored.byteCount > LogLimits.batchBytes {
                chunks.append(Chunk(entries: current))
                (current, bytes) = ([], 0)
            }
            current.append(entry)
            bytes += entry.stored.byteCount
        }
        return current.isEmpty ? chunks : chunks + [Chunk(entries: current)]
    }
}

/// The steps of one takeover: read own history, bid for the next epoch, read until the bid comes back. Pure, as
/// `WriterState` is.
package struct TakeoverState<Record: TopicRecord>: Sendable {
    /// The next offset to read.
    package private(set) var next: Int64
    private let place: TopicPartition
    private let instance: String
    private var gate: RecordGate<Record>

    package init(place: TopicPartition, instance: String, from offset: Int64, fence: Fence) {
        self.place = place
        self.instance = instance
        next = offset
        gate = RecordGate(fences: [place: fence])
    }

    /// What has been admitted so far.
    package var fence: Fence { gate.fences[place] ?? Fence() }
    /// The epoch to bid for.
    package var bid: UInt64 { fence.currentEpoch + 1 }

    package mutating func read(_ stored: StoredRecord) -> RecordGate<Record>.Reading {
        next = stored.offset + 1
        return gate.read(stored)
    }

    /// Whether the partition is this run's, once its own bid for `epoch` was read.
    package func isWon(epoch: UInt64) -> Bool {
        fence.currentEpoch == epoch && fence.currentInstance == instance
    }
}
