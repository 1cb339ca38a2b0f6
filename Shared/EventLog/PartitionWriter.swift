package import PlantEvents
import SwiftProtobuf

/// Numbers, stamps and appends the records of one writer run in one partition.
///
/// Take over first, then append. Sequence numbers have no holes: records of a failed append stay waiting with the
/// numbers they got, and nothing passes them.
package actor PartitionWriter<Record: TopicRecord> {
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

    nonisolated let log: any EventLog
    nonisolated let place: TopicPartition
    nonisolated let producer: Producer
    private let site: String
    private let topic: TopicName
    /// What the last append could not finish.
    private var waiting: [Chunk] = []
    private var deposedBy: String?
    private var isAppending = false
    private var line: [CheckedContinuation<Void, Never>] = []

    /// - Parameter producer: its `instance` must be unique to this run; two runs of one epoch are told apart by it.
    package init(log: any EventLog, site: String, topic: TopicName, partition: Int32, producer: Producer) {
        self.log = log
        self.site = site
        self.topic = topic
        self.producer = producer
        place = TopicPartition(topic.description, partition)
    }

    /// Stamps the drafts (origin, producer, time of recording), appends them and returns them as recorded.
    ///
    /// After a retriable failure call again with the same drafts, more at their end or not: those that wait are
    /// recognised and go again with their numbers. Other drafts go after those that wait. One caller at a time.
    @discardableResult
    package func append(_ drafts: [Record], keys: [[UInt8]], nowUs: Int64) async throws(LogFailure) -> [Record] {
        precondition(drafts.count == keys.count, "one key a draft")
        await enterLine()
        defer { leaveLine() }
        precondition(position.epoch > 0, "take \(place) over before appending to it")
        if !waits(drafts, keys) { try await appendWaiting() }
        let entries = waiting.flatMap(\.entries)
        var sequence = position.nextSequence
        if let last = entries.last { sequence = last.stamped.meta.origin.sequence + 1 }
        var fresh: [Entry] = []
        for (draft, key) in zip(drafts, keys).dropFirst(entries.count) {
            fresh.append(try entry(draft, key, epoch: position.epoch, sequence: sequence, nowUs: nowUs))
            sequence += 1
        }
        waiting += Self.chunks(fresh)
        try await appendWaiting()
        return (entries + fresh).prefix(drafts.count).map(\.stamped)
    }

    /// Appends again what waits after a failed append; does nothing when nothing does.
    package func retry() async throws(LogFailure) {
        await enterLine()
        defer { leaveLine() }
        try await appendWaiting()
    }

    /// Appends the record that opens an epoch; returns its offset.
    func announce(epoch: UInt64, nowUs: Int64) async throws(LogFailure) -> Int64 {
        await enterLine()
        defer { leaveLine() }
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
        let opening = try entry(draft, Array(place.description.utf8), epoch: epoch, sequence: 0, nowUs: nowUs)
        return try await log.append([opening.stored], to: place)
    }

    /// The epoch is this run's; what an earlier ownership left waiting is void and dropped.
    func own(epoch: UInt64, nextOffset: Int64, fence: Fence) {
        position = Position(nextOffset: nextOffset, fence: fence, epoch: epoch, nextSequence: 1)
        waiting = []
        deposedBy = nil
    }

    /// Whether the drafts begin with what waits, or wait all of them.
    private func waits(_ drafts: [Record], _ keys: [[UInt8]]) -> Bool {
        var index = 0
        for entry in waiting.lazy.flatMap(\.entries) {
            guard index < drafts.count else { break }
            guard entry.draft.isEqualTo(message: drafts[index]), entry.key == keys[index] else { return false }
            index += 1
        }
        return index > 0
    }

    private func appendWaiting() async throws(LogFailure) {
        if let deposedBy { throw .writerExists(deposedBy) }
        for index in waiting.indices where waiting[index].progress != .admitted {
            let entries = waiting[index].entries
            let first: Int64
            if case .landed(let offset) = waiting[index].progress {
                first = offset
            } else {
                first = try await log.append(entries.map(\.stored), to: place)
                waiting[index].progress = .landed(first: first)
            }
            try await admit(upTo: first)
            for entry in entries { _ = position.fence.admit(entry.stamped.meta) }
            position.nextOffset = first + Int64(entries.count)
            position.nextSequence += UInt64(entries.count)
            waiting[index].progress = .admitted
        }
        waiting = []
    }

    /// Looks at what others, or an earlier try of ours, put before our newest records. A takeover there means that
    /// ours are void.
    private func admit(upTo first: Int64) async throws(LogFailure) {
        guard first > position.nextOffset else { return }
        let reader = try await log.reader(from: [place: position.nextOffset])
        var gate = RecordGate<Record>(fences: [place: position.fence])
        var next = position.nextOffset
        var failure: LogFailure?
        do throws(LogFailure) {
            while next < first {
                let limit = min(512, Int(first - next))
                for stored in try await reader.next(max: limit, wait: .seconds(1)) where stored.offset < first {
                    _ = gate.read(stored)
                    next = stored.offset + 1
                }
            }
        } catch {
            failure = error
        }
        await reader.close()
        if let failure { throw failure }
        let fence = gate.fences[place] ?? position.fence
        if fence.currentEpoch > position.epoch || fence.currentInstance != producer.instance {
            let reason =
                "\(place): epoch \(fence.currentEpoch) belongs to \(fence.currentInstance), which took over from "
                + "\(producer.instance); stop one of the two"
            deposedBy = reason
            throw .writerExists(reason)
        }
        position.fence = fence
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
        guard stored.byteCount <= log.maximumRecordBytes else {
            throw .recordTooLarge(bytes: stored.byteCount, limit: log.maximumRecordBytes)
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

    private func enterLine() async {
        guard isAppending else {
            isAppending = true
            return
        }
        await withCheckedContinuation { line.append($0) }
    }

    private func leaveLine() {
        if line.isEmpty { isAppending = false } else { line.removeFirst().resume() }
    }
}
