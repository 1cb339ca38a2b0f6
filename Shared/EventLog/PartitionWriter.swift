package import PlantEvents
import SwiftProtobuf

/// Appends the records of one writer run in one partition: carries out what `WriterState` decides.
///
/// Take over first, then append.
package actor PartitionWriter<Record: TopicRecord> {
    package typealias Position = WriterState<Record>.Position

    nonisolated let log: any EventLog
    nonisolated let place: TopicPartition
    nonisolated let producer: Producer
    private var state: WriterState<Record>
    private var isAppending = false
    private var line: [CheckedContinuation<Void, Never>] = []

    /// - Parameter producer: its `instance` must be unique to this run; two runs of one epoch are told apart by it.
    package init(log: any EventLog, site: String, topic: TopicName, partition: Int32, producer: Producer) {
        self.log = log
        self.producer = producer
        state = WriterState(
            site: site,
            topic: topic,
            partition: partition,
            producer: producer,
            maximumRecordBytes: log.maximumRecordBytes
        )
        place = state.place
    }

    package var position: Position { state.position }

    /// Stamps the drafts (origin, producer, time of recording), appends them and returns them as recorded.
    ///
    /// After a retriable failure call again with the same drafts, more at their end or not: those that wait are
    /// recognised and go again with their numbers. Other drafts go after those that wait. One caller at a time.
    @discardableResult
    package func append(_ drafts: [Record], keys: [[UInt8]], nowUs: Int64) async throws(LogFailure) -> [Record] {
        await enterLine()
        defer { leaveLine() }
        if !state.waits(drafts, keys) { try await appendWaiting() }
        let stamped = try state.add(drafts, keys: keys, nowUs: nowUs)
        try await appendWaiting()
        return stamped
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
        return try await log.append([try state.opening(epoch: epoch, nowUs: nowUs)], to: place)
    }

    /// The epoch is this run's.
    func own(epoch: UInt64, nextOffset: Int64, fence: Fence) {
        state.own(epoch: epoch, nextOffset: nextOffset, fence: fence)
    }

    private func appendWaiting() async throws(LogFailure) {
        while true {
            switch try state.move() {
            case .append(let records): state.landed(at: try await log.append(records, to: place))
            case .review(let review): try state.reviewed(try await complete(review))
            case .rest: return
            }
        }
    }

    private func complete(_ review: WriterState<Record>.Review) async throws(LogFailure) -> WriterState<Record>.Review {
        guard !review.isComplete else { return review }
        var review = review
        let reader = try await log.reader(from: [place: review.next])
        var failure: LogFailure?
        do throws(LogFailure) {
            while !review.isComplete {
                let limit = min(512, Int(review.end - review.next))
                for stored in try await reader.next(max: limit, wait: .seconds(1)) { review.read(stored) }
            }
        } catch {
            failure = error
        }
        await reader.close()
        if let failure { throw failure }
        return review
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
