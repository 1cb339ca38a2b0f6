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
    private let needs: TopicNeeds
    private let producer: KafkaProducer
    private let catalogue: KafkaCatalogue
    private let state = Mutex(State())

    /// Connects when first used.
    ///
    /// - Parameters:
    ///   - brokers: `host:port` of some brokers; they name the others.
    ///   - properties: librdkafka's own settings, for TLS, SASL and tuning.
    ///   - patience: how long an append waits for brokers before it says `.unavailable`.
    ///   - needs: what topics are created with.
    ///   - onStatistics: told every five seconds by each client what it counts about itself.
    package init(
        brokers: [String],
        properties: [String: String] = [:],
        patience: Duration = .seconds(10),
        needs: TopicNeeds = TopicNeeds(),
        onStatistics: (@Sendable (KafkaStatistics) -> Void)? = nil
    ) throws(LogFailure) {
        self.properties = try KafkaProperties(brokers: brokers, properties: properties, onStatistics: onStatistics)
        self.needs = needs
        producer = KafkaProducer(self.properties, patience: patience)
        catalogue = KafkaCatalogue(self.properties, needs: needs)
    }

    /// librdkafka's settings in force for producing and reading, secrets left out.
    package func settingsInForce() throws(LogFailure) -> (producer: [String: String], consumer: [String: String]) {
        (try properties.makeProducer().settings, try properties.makeConsumer().settings)
    }

    /// Joins `group` to share the partitions of `topic` with its other members.
    ///
    /// - Parameter sessionTimeout: after this long without a sign of life a member's partitions go to others.
    package func ownership(
        of topic: String,
        group: String,
        sessionTimeout: Duration = .seconds(10)
    ) async throws(LogFailure) -> any PartitionOwnership {
        guard try await shapes()[topic] != nil else { throw .unknown(TopicPartition(topic)) }
        return try KafkaGroup(properties, topic: topic, group: group, sessionTimeout: sessionTimeout)
    }

    /// What is not as needed of a topic that should have `partitions` partitions; empty when all is.
    package func drift(of topic: String, partitions: Int32) async throws(LogFailure) -> [TopicDrift] {
        guard let shape = try await shapes()[topic] else {
            return [TopicDrift(topic: topic, setting: "topic", found: "missing", needed: "present")]
        }
        let settings = try await catalogue.settings(of: topic)
        return needs.drift(
            of: topic,
            partitions: partitions,
            foundPartitions: shape.partitions,
            foundReplicas: shape.replicas,
            foundSettings: settings
        )
    }

    package func create(topic: String, partitions: Int32) async throws(LogFailure) {
        try LogLimits.check(topic: topic, partitions: partitions)
        if try await shapes()[topic] != nil { return }
        try await catalogue.create(topic, partitions)
        let deadline = ContinuousClock.now + .seconds(10)
        while try await shapes()[topic] == nil {
            guard ContinuousClock.now < deadline else {
                throw .unavailable("\(topic): created, but the brokers do not list it; try again")
            }
            await Bell().wait(since: 0, atMost: .milliseconds(50))
        }
    }

    package func topics() async throws(LogFailure) -> [String] {
        try await shapes().keys.filter { !$0.hasPrefix("__") }.sorted()
    }

    package func partitionCount(of topic: String) async throws(LogFailure) -> Int32 {
        guard let shape = try await shapes()[topic] else { throw .unknown(TopicPartition(topic)) }
        return shape.partitions
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
        guard let shape = try await shapes()[place.topic], place.partition < shape.partitions else {
            throw .unknown(place)
        }
    }

    private func shapes() async throws(LogFailure) -> [String: KafkaCatalogue.Shape] {
        let shapes = try await catalogue.shapes()
        state.withLock { $0.counts = shapes.mapValues(\.partitions) }
        return shapes
    }
}
