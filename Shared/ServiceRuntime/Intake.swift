package import EventLog
import Logging
import Metrics
package import PlantEvents

/// How far a service has read its inputs, with each partition's fence.
package struct IntakePositions: Codable, Sendable {
    struct Partition: Codable, Sendable {
        var nextOffset: Int64 = 0
        var fence = Fence()
    }

    var partitions: [TopicPartition: Partition] = [:]

    package init() {}
}

/// Reads a service's input topics forward and hands on what counts: decoded, from the writer in force. What cannot be
/// decoded is parked and the stream goes on (design 4, rule 5).
package actor Intake {
    /// One admitted input record.
    package struct Incoming: Sendable {
        package let place: TopicPartition
        package let offset: Int64
        package let record: AnyRecord
    }

    /// Some admitted records, and the positions once they are handled.
    package struct Batch: Sendable {
        package let records: [Incoming]
        package let positions: IntakePositions
    }

    private let context: ServiceContext
    private let parker: Parker
    private let topics: [String: Topic]
    private var positions: IntakePositions
    private var reader: (any LogReader)?
    private var backoff = Backoff()
    private let metrics: Metrics

    private struct Metrics {
        let read: Counter
        let void: Counter
        let parked: Counter
        let gaps: Counter

        init() {
            read = Counter(label: "lineledger_input_records_total")
            void = Counter(label: "lineledger_input_void_total")
            parked = Counter(label: "lineledger_input_parked_total")
            gaps = Counter(label: "lineledger_input_gaps_total")
        }
    }

    package init(_ context: ServiceContext, topics: [Topic], from positions: IntakePositions, parker: Parker) {
        self.context = context
        self.positions = positions
        self.parker = parker
        self.topics = Dictionary(uniqueKeysWithValues: topics.map { (context.topic($0).description, $0) })
        metrics = Metrics()
    }

    /// Up to `max` records; empty when none came within `wait`. A log that is away is waited for; only failures that
    /// waiting does not mend are thrown.
    package func next(max: Int, wait: Duration) async throws -> Batch {
        do {
            let reader = try await openedReader()
            let stored = try await reader.next(max: max, wait: wait)
            backoff.reset()
            var incoming: [Incoming] = []
            for record in stored {
                if let admitted = try await admit(record) { incoming.append(admitted) }
            }
            return Batch(records: incoming, positions: positions)
        } catch let failure as LogFailure where failure.isRetriable {
            context.logger.warning("log not readable; waiting", metadata: ["reason": "\(failure)"])
            await reader?.close()
            reader = nil
            try await Task.sleep(for: backoff.next())
            return Batch(records: [], positions: positions)
        }
    }

    /// How many records stand in the log after the last one handed on.
    package func lag() async throws -> Int64 {
        var lag: Int64 = 0
        for (place, position) in positions.partitions {
            lag += try await context.log.endOffset(of: place) - position.nextOffset
        }
        return lag
    }

    package func close() async {
        await reader?.close()
        reader = nil
    }

    private func openedReader() async throws -> any LogReader {
        if let reader { return reader }
        var offsets: [TopicPartition: Int64] = [:]
        for name in topics.keys {
            try await context.log.create(topic: name, partitions: Int32(context.plant.partitions))
            for number in 0..<(try await context.log.partitionCount(of: name)) {
                let place = TopicPartition(name, number)
                offsets[place] = positions.partitions[place, default: .init()].nextOffset
                positions.partitions[place, default: .init()].nextOffset = offsets[place] ?? 0
            }
        }
        let opened = try await context.log.reader(from: offsets)
        reader = opened
        return opened
    }

    private func admit(_ stored: StoredRecord) async throws -> Incoming? {
        metrics.read.increment()
        var position = positions.partitions[stored.place] ?? .init()
        position.nextOffset = stored.offset + 1
        guard let topic = topics[stored.place.topic] else { return nil }
        let record: AnyRecord
        do {
            if let damage = stored.damage { throw InvalidRecord("stored bytes are damaged: \(damage)") }
            record = try AnyRecord(topic: topic, value: stored.record.value)
        } catch {
            metrics.parked.increment()
            context.logger.error(
                "record parked",
                metadata: ["place": "\(stored.place)", "offset": "\(stored.offset)", "reason": "\(error)"]
            )
            try await parker.park(stored, reason: "\(error)")
            positions.partitions[stored.place] = position
            return nil
        }
        let admission = position.fence.admit(record.meta)
        positions.partitions[stored.place] = position
        switch admission {
        case .accepted:
            break
        case .void(let reason):
            metrics.void.increment()
            context.logger.info(
                "record void",
                metadata: ["place": "\(stored.place)", "offset": "\(stored.offset)", "reason": "\(reason)"]
            )
            return nil
        case .acceptedAfterGap(let expected, let found):
            metrics.gaps.increment()
            context.logger.error(
                "records missing",
                metadata: ["place": "\(stored.place)", "expected": "\(expected)", "found": "\(found)"]
            )
        }
        return Incoming(place: stored.place, offset: stored.offset, record: record)
    }
}
