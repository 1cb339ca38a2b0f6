import EventLog
import KafkaLog
import Testing

/// librdkafka's defaults that would lose or reorder records are overridden; what counts is what its clients have in force.
@Suite struct KafkaSettingsTests {
    @Test(
        "Unsafe defaults are overridden in the producer in force",
        arguments: [
            ("enable.idempotence", "true"), ("request.required.acks", "-1"), ("message.timeout.ms", "0"),
            ("max.in.flight.requests.per.connection", "5"), ("partitioner", "murmur2_random"),
            ("message.send.max.retries", "2147483647"), ("queue.buffering.max.ms", "0"),
            ("message.max.bytes", "1048588"),
        ]
    )
    func producer(_ name: String, _ value: String) throws {
        let settings = try KafkaLog(brokers: ["127.0.0.1:1"]).settingsInForce().producer
        #expect(settings[name] == value)
    }

    @Test(
        "Unsafe defaults are overridden in the consumer in force",
        arguments: [
            ("enable.auto.commit", "false"), ("enable.auto.offset.store", "false"), ("auto.offset.reset", "error"),
            ("isolation.level", "read_uncommitted"), ("check.crcs", "true"), ("allow.auto.create.topics", "false"),
            ("fetch.min.bytes", "1"), ("fetch.error.backoff.ms", "50"),
        ]
    )
    func consumer(_ name: String, _ value: String) throws {
        let settings = try KafkaLog(brokers: ["127.0.0.1:1"]).settingsInForce().consumer
        #expect(settings[name] == value)
    }

    @Test(
        "A second name does not get around what is guaranteed",
        arguments: [
            ("request.required.acks", "1"), ("max.in.flight", "1000"), ("delivery.timeout.ms", "1000"),
            ("message.send.max.retries", "0"), ("enable.idempotence", "false"), ("acks", "1"),
            ("isolation.level", "read_committed"), ("enable.auto.commit", "true"), ("partitioner", "random"),
        ]
    )
    func secondNames(_ name: String, _ value: String) {
        let refused = #expect(throws: LogFailure.self) {
            _ = try KafkaLog(brokers: ["127.0.0.1:1"], properties: [name: value]).settingsInForce()
        }
        guard case .badAddress = refused else {
            Issue.record("found \(String(describing: refused)), expected .badAddress")
            return
        }
    }

    @Test("A secret is neither shown among the settings nor in a failure")
    func secrets() throws {
        let properties = ["sasl.password": "hush-hush", "sasl.username": "u", "sasl.mechanisms": "PLAIN"]
        let settings = try KafkaLog(brokers: ["127.0.0.1:1"], properties: properties).settingsInForce()
        #expect(!settings.producer.values.contains("hush-hush"))
        #expect(!settings.consumer.values.contains("hush-hush"))
        #expect(settings.consumer["sasl.username"] == "u")
        let refused = #expect(throws: LogFailure.self) {
            _ = try KafkaLog(brokers: ["127.0.0.1:1"], properties: ["ssl.key.password.x": "hush-hush"])
                .settingsInForce()
        }
        #expect(refused?.description.contains("hush-hush") == false)
    }

    @Test("Statistics say what waits and how brokers fare")
    func statistics() async throws {
        let mock = try MockKafka()
        try mock.createTopic("t", partitions: 1)
        let (reports, told) = AsyncStream.makeStream(of: KafkaStatistics.self, bufferingPolicy: .bufferingNewest(16))
        let log = try KafkaLog(
            brokers: mock.brokers,
            properties: ["statistics.interval.ms": "50", "fetch.wait.max.ms": "5"],
            onStatistics: { told.yield($0) }
        )
        try await log.append([record("0")], to: TopicPartition("t"))
        for await report in reports {
            guard report.role == .producer, let broker = report.brokers.first(where: \.isUp) else { continue }
            #expect(mock.brokers.contains { broker.name.hasPrefix($0) })
            #expect(report.queuedRecords >= 0)
            break
        }
        await log.close()
    }

    @Test("What a topic lacks is named setting by setting")
    func drift() {
        let needs = TopicNeeds(replication: 3, minInSync: 2)
        #expect(needs.settings["retention.ms"] == "-1")
        #expect(needs.settings["cleanup.policy"] == "delete")
        #expect(needs.settings["min.insync.replicas"] == "2")
        #expect(TopicNeeds().settings["min.insync.replicas"] == nil)
    }
}
