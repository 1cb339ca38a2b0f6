package import EventLog
import Synchronization

/// The log on Kafka brokers, through librdkafka.
package final class KafkaLog: EventLog {
    private struct State {
        var counts: [String: Int32] = [:]
        var readers: [ObjectIdentifier: KafkaReader] = [:]
        var isClosed = false
    }

    package let maximumRecordBytes = LogLimits.recordBytes

    private let properties: KafkaProperties
    private let producer: KafkaProducer
    private let catalogue: KafkaCatalogue
    private let state = Mutex(State())

    /// Connects when first used.
    ///
    /// - Parameters:
    ///   - brokers: `host:port` of some brokers; they name the others.
    ///   - properties: librdkafka's own settings, for TLS, SASL and tuning.
    ///   - patience: how long an append waits for brokers before it says `.unavailable`.
    package init(
        brokers: [String],
        properties: [String: String] = [:],
        patience: Duration = .seconds(10)
    ) throws(LogFailure) {
        self.properties = try KafkaProperties(brokers: brokers, properties: properties)
        producer = KafkaProducer(self.properties, patience: patience)
        catalogue = KafkaCatalogue(self.properties)
    }

    package func create(topic: String, partitions: Int32) async throws(LogFailure) {
        try LogLimits.check(topic: topic, partitions: partitions)
        if try await counts()[topic] != nil { return }
        try await catalogue.create(topic, partitions)
        let deadline = ContinuousClock.now + .seconds(10)
        while try await counts()[topic] == nil {
            guard ContinuousClock.now < deadline else {
                throw .unavailable("\(topic): created, but the brokers do not list it; try again")
            }
            await Bell().wait(since: 0, atMost: .milliseconds(50))
        }
    }

    package func topics() async throws(LogFailure) -> [String] {
        try await counts().keys.filter { !$0.hasPrefix("__") }.sorted()
    }

    package func partitionCount(of topic: String) async throws(LogFailure) -> Int32 {
        guard let count = try await counts()[topic] else { throw .unknown(TopicPartition(topic)) }
        return count
    }

    @discardableResult
    package func append(_ records: [LogRecord], to place: TopicPartition) async throws(LogFailure) -> Int64 {
        _ = try LogLimits.check(records)
        try await check(place)
        return try await producer.append(records, to: place)
    }

    package func endOffset(of place: TopicPartition) async throws(LogFailure) -> Int64 {
        try await check(place)
        return try await catalogue.range(of: place).upperBound
    }

    package func reader(from positions: [TopicPartition: Int64]) async throws(LogFailure) -> any LogReader {
        for (place, offset) in positions {
            try await check(place)
            let range = try await catalogue.range(of: place)
            try LogLimits.check(offset, of: place, end: range.upperBound)
            guard offset >= range.lowerBound else {
                throw .corrupt(
                    "\(place): records before offset \(range.lowerBound) have expired, asked for \(offset); "
                        + "set retention.ms=-1 and bring them back from a mirror"
                )
            }
        }
        let reader = KafkaReader { [weak self] reader in
            self?.state.withLock { $0.readers[ObjectIdentifier(reader)] = nil }
        }
        let isOpen = state.withLock { state in
            if !state.isClosed { state.readers[ObjectIdentifier(reader)] = reader }
            return !state.isClosed
        }
        guard isOpen else { throw .closed }
        do {
            try await reader.open(positions, properties)
        } catch {
            await reader.close()
            throw error
        }
        return reader
    }

    package func close() async {
        let readers = state.withLock { state in
            state.isClosed = true
            return state.readers.values
        }
        for reader in readers { await reader.close() }
        await producer.close()
        await catalogue.close()
    }

    /// Refuses a partition that is not there; brokers might otherwise create its topic with settings of their own.
    private func check(_ place: TopicPartition) async throws(LogFailure) {
        guard place.partition >= 0 else { throw .unknown(place) }
        let (isClosed, known) = state.withLock { ($0.isClosed, $0.counts[place.topic]) }
        guard !isClosed else { throw .closed }
        if let known, place.partition < known { return }
        guard let count = try await counts()[place.topic], place.partition < count else { throw .unknown(place) }
    }

    private func counts() async throws(LogFailure) -> [String: Int32] {
        let counts = try await catalogue.partitionCounts()
        state.withLock { $0.counts = counts }
        return counts
    }
}
