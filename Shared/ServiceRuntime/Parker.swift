package import EventLog
import Foundation
import Logging
import Metrics
package import PlantEvents
import SwiftProtobuf

/// Sets records aside in `<service>-parked`, each once, and notes what became of them (M19).
package actor Parker {
    /// A record to set aside.
    package struct Finding: Sendable {
        package let stored: StoredRecord
        package let cause: ParkingCause
        package let reason: String
        /// Where it can be read.
        package let subject: String
        /// Of its partition, before it; where the reader says.
        package let fence: Fence?

        package init(
            _ stored: StoredRecord,
            cause: ParkingCause,
            reason: String,
            subject: String = "",
            fence: Fence? = nil
        ) {
            self.stored = stored
            self.cause = cause
            self.reason = reason
            self.subject = subject
            self.fence = fence
        }
    }

    /// Longest reason that is kept, characters.
    private static let reasonLimit = 1_000
    private static let takeoversTried = 3

    private let context: ServiceContext
    private let topic: TopicName
    private let writer: PartitionWriter<ParkedRecord>
    private var opening: Task<Void, any Error>?
    private(set) var book = ParkedBook()
    private var allowance = ParkingAllowance()
    private let openGauge: Gauge
    private let heldGauge: Gauge

    package init(_ context: ServiceContext) {
        self.context = context
        topic = TopicName(site: context.plant.site, parkedBy: context.service)
        writer = PartitionWriter(
            log: context.log,
            site: context.plant.site,
            topic: topic,
            partition: 0,
            producer: context.producer
        )
        openGauge = Gauge(label: "lineledger_parked_open")
        heldGauge = Gauge(label: "lineledger_subjects_held")
        context.desk.register(self)
    }

    /// Where the service parks.
    package nonisolated var place: TopicPartition { TopicPartition(topic.description) }

    /// Takes in what was parked before; makes nothing where nothing was.
    package func load() async throws {
        if try await context.log.topics().contains(topic.description) { try await opened() }
    }

    /// Parks one record; waits until it is durable.
    package func park(_ stored: StoredRecord, reason: String) async throws {
        let cause: ParkingCause = stored.damage == nil ? .unreadable : .damaged
        try await park([Finding(stored, cause: cause, reason: reason)])
    }

    /// Parks records that were not parked before, in order; waits until all are durable.
    package func park(_ findings: [Finding]) async throws {
        try await opened()
        let fresh = findings.filter { !book.wasParked($0.stored.place, $0.stored.offset) }
        guard !fresh.isEmpty else { return }
        let nowUs = context.nowUs()
        var whole: [RecordParked] = []
        var references: [RecordParked] = []
        var referenceOf: [ReferenceKey: (index: Int, last: Int64)] = [:]
        for finding in fresh {
            let record = finding.stored.record
            if allowance.takes(bytes: record.key.count + record.value.count, nowUs: nowUs) {
                whole.append(event(finding, isWhole: true))
            } else if let (index, last) = referenceOf[ReferenceKey(finding)] {
                references[index].furtherOffsets.append(UInt64(finding.stored.offset - last))
                referenceOf[ReferenceKey(finding)] = (index, finding.stored.offset)
            } else {
                referenceOf[ReferenceKey(finding)] = (references.count, finding.stored.offset)
                references.append(event(finding, isWhole: false))
            }
        }
        if !references.isEmpty {
            context.logger.error(
                "records parked by reference: too many at once, or too large; the source topic has their bytes",
                metadata: .of([.count: "\(fresh.count - whole.count)", .reason: "\(references[0].reason)"])
            )
        }
        let events = (whole + references).sorted { ($0.place, $0.sourceOffset) < ($1.place, $1.sourceOffset) }
        try await append(events.map { draft(.recordParked($0), $0.place, $0.sourceOffset, id: "parked", nowUs) })
    }

    /// Re-drives found that records are still not understood; a reason is noted where it is a new one.
    package func stillParked(_ records: [(place: TopicPartition, offset: Int64, reason: String)], by actor: String)
        async throws
    {
        let nowUs = context.nowUs()
        let drafts = records.map { record in
            let again = RecordParked.with {
                $0.sourceTopic = record.place.topic
                $0.sourcePartition = UInt32(record.place.partition)
                $0.sourceOffset = record.offset
                $0.reason = String(record.reason.prefix(Self.reasonLimit))
                $0.again = true
            }
            return draft(.recordParked(again), record.place, record.offset, id: "parked-again", nowUs, actor: actor)
        }
        if !drafts.isEmpty { try await append(drafts) }
    }

    /// How a parked record's story ends.
    package struct Closing: Sendable {
        package enum End: Sendable {
            /// Handled, with the record's own name.
            case redriven(Origin, outcome: String)
            case discarded(reason: String)
        }

        package let place: TopicPartition
        package let offset: Int64
        package let end: End
    }

    /// Notes what became of parked records, and by whose wish; those that are closed already are passed over.
    package func close(_ closings: [Closing], by actor: String) async throws {
        let nowUs = context.nowUs()
        let drafts = closings.filter { book.isOpen($0.place, $0.offset) }.map { closing in
            switch closing.end {
            case .redriven(let origin, let outcome):
                let event = RecordRedriven.with {
                    $0.sourceTopic = closing.place.topic
                    $0.sourcePartition = UInt32(closing.place.partition)
                    $0.sourceOffset = closing.offset
                    $0.record = origin
                    $0.outcome = outcome
                    $0.wasHeld = book.held.contains(closing.place, closing.offset)
                }
                return draft(.recordRedriven(event), closing.place, closing.offset, id: "redriven", nowUs, actor: actor)
            case .discarded(let reason):
                let event = RecordDiscarded.with {
                    $0.sourceTopic = closing.place.topic
                    $0.sourcePartition = UInt32(closing.place.partition)
                    $0.sourceOffset = closing.offset
                    $0.reason = String(reason.prefix(Self.reasonLimit))
                    $0.wasHeld = book.held.contains(closing.place, closing.offset)
                }
                return draft(
                    .recordDiscarded(event),
                    closing.place,
                    closing.offset,
                    id: "discarded",
                    nowUs,
                    actor: actor
                )
            }
        }
        if !drafts.isEmpty { try await append(drafts) }
    }

    /// Whether the record is parked and neither handled nor given up.
    package func isOpen(_ place: TopicPartition, _ offset: Int64) -> Bool { book.isOpen(place, offset) }

    /// Records that wait for somebody.
    package var openCount: Int64 { book.openCount }

    // MARK: History

    private func opened() async throws {
        let task = opening ?? Task { try await self.takeOver() }
        opening = task
        do {
            try await task.value
        } catch {
            opening = nil
            throw error
        }
    }

    private func takeOver() async throws {
        try await context.log.create(topic: topic.description, partitions: 1)
        var history = ParkedBook()
        try await writer.takeOver(from: 0, fence: Fence(), nowUs: context.nowUs) { record, _ in
            for event in record?.events ?? [] {
                if let kind = event.kind { history.take(kind) }
            }
        }
        book = history
        allowance.kept(bytes: history.wholeBytes)
        show()
    }

    private func show() {
        openGauge.record(book.openCount)
        heldGauge.record(book.held.count)
    }

    // MARK: Records

    /// References that may share a record.
    private struct ReferenceKey: Hashable {
        let place: TopicPartition
        let cause: ParkingCause
        let subject: String
        let epoch: UInt64
        let instance: String

        init(_ finding: Finding) {
            place = finding.stored.place
            cause = finding.cause
            subject = finding.subject
            epoch = finding.fence?.currentEpoch ?? 0
            instance = finding.fence?.currentInstance ?? ""
        }
    }

    private func event(_ finding: Finding, isWhole: Bool) -> RecordParked {
        .with {
            $0.sourceTopic = finding.stored.place.topic
            $0.sourcePartition = UInt32(finding.stored.place.partition)
            $0.sourceOffset = finding.stored.offset
            $0.reason = String(finding.reason.prefix(Self.reasonLimit))
            $0.cause = finding.cause
            $0.subject = finding.subject
            $0.valueBytes = UInt64(finding.stored.record.value.count)
            $0.epochInForce = finding.fence?.currentEpoch ?? 0
            $0.instanceInForce = finding.fence?.currentInstance ?? ""
            $0.sequenceInForce = finding.fence?.expectedSequence ?? 0
            guard isWhole else { return }
            $0.key = Data(finding.stored.record.key)
            $0.value = Data(finding.stored.record.value)
        }
    }

    private func draft(
        _ kind: ParkedRecord.Event.OneOf_Kind,
        _ source: TopicPartition,
        _ offset: Int64,
        id: String,
        _ nowUs: Int64,
        actor: String? = nil
    ) -> ParkedRecord {
        let name = "\(source)/\(offset)"
        return .with {
            $0.meta.recordID = "\(id):\(name)"
            $0.meta.occurredAtUs = nowUs
            $0.meta.place = context.place(line: "", station: "")
            $0.meta.subject = name
            $0.meta.correlationID = name
            $0.meta.actor = actor ?? context.service
            $0.events = [ParkedRecord.Event(kind)]
        }
    }

    /// Appends; where another instance of the service has parked meanwhile, takes the topic over again.
    private func append(_ records: [ParkedRecord]) async throws {
        var tries = 0
        while true {
            try await opened()
            let keys = records.map { _ in Array(topic.description.utf8) }
            do throws(LogFailure) {
                try await writer.append(records, keys: keys, nowUs: context.nowUs())
            } catch {
                guard case .writerExists = error, tries < Self.takeoversTried else { throw error }
                tries += 1
                opening = nil
                context.logger.info("parked topic taken over again", metadata: .of([.reason: "\(error)"]))
                continue
            }
            for event in records.flatMap(\.events) {
                if let kind = event.kind { book.take(kind) }
            }
            show()
            return
        }
    }
}
