package import EventLog
import Foundation
import PlantEvents
import SwiftProtobuf

/// Sets unreadable records aside in `<service>-parked`, whole, each once (M19).
package actor Parker {
    private let context: ServiceContext
    private let writer: PartitionWriter<ParkedRecord>
    /// The newest parked offset of each source partition: what lies at or below was parked before.
    private var parked: [TopicPartition: Int64] = [:]
    private var isOpen = false

    package init(_ context: ServiceContext) {
        self.context = context
        writer = PartitionWriter(
            log: context.log,
            site: context.plant.site,
            topic: TopicName(site: context.plant.site, parkedBy: context.service),
            partition: 0,
            producer: context.producer
        )
    }

    /// Parks one record; waits until it is durable.
    package func park(_ stored: StoredRecord, reason: String) async throws {
        if !isOpen { try await open() }
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
            $0.meta.place = context.place(line: "", station: "")
            $0.meta.subject = place
            $0.meta.correlationID = place
            $0.meta.actor = context.service
            $0.events = [ParkedRecord.Event(.recordParked(event))]
        }
        try await writer.append([record], keys: [Array(stored.place.topic.utf8)], nowUs: context.nowUs())
        parked[stored.place] = stored.offset
    }

    private func open() async throws {
        let topic = TopicName(site: context.plant.site, parkedBy: context.service).description
        try await context.log.create(topic: topic, partitions: 1)
        var history: [TopicPartition: Int64] = [:]
        try await writer.takeOver(from: 0, fence: Fence(), nowUs: context.nowUs) { record, _ in
            for event in record?.events ?? [] {
                guard case .recordParked(let parked)? = event.kind else { continue }
                let place = TopicPartition(parked.sourceTopic, Int32(parked.sourcePartition))
                history[place] = max(history[place] ?? -1, parked.sourceOffset)
            }
        }
        parked = history
        isOpen = true
    }
}
