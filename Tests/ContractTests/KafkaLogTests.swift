import EventLog
import KafkaLog
import Testing

/// What only the log on brokers promises; the brokers are librdkafka's own.
@Suite(.timeLimit(.minutes(2)))
struct KafkaLogTests {
    @Test("Appends fail while the broker is away, land once when it is back, and readers go on")
    func awayAndBack() async throws {
        let mock = try MockKafka()
        try mock.createTopic("t", partitions: 1)
        let place = TopicPartition("t")
        let log = try KafkaLog(
            brokers: mock.brokers,
            properties: ["fetch.wait.max.ms": "5"],
            patience: .milliseconds(300)
        )
        let reader = try await log.reader(from: [place: 0])
        #expect(try await appendUntilTaken(records(0..<2), to: place, of: log) == 0)
        mock.setBroker(1, isUp: false)
        for _ in 0..<3 {
            let failure = await #expect(throws: LogFailure.self) { try await log.append(records(2..<5), to: place) }
            #expect(failure?.isRetriable == true)
        }
        mock.setBroker(1, isUp: true)
        let first = try await appendUntilTaken(records(2..<5), to: place, of: log)
        #expect(first == 2)
        let found = try await take(5, from: reader)
        #expect(found.map(\.text) == (0..<5).map(String.init))
        #expect(try await log.append(records(5..<6), to: place) == 5)
        #expect(try await log.endOffset(of: place) == 6, "what was queued meanwhile landed once")
        await log.close()
    }

    @Test(
        "A passing error of the broker is retried without a loss or a double",
        arguments: [
            MockKafka.ProduceError.notLeader, .notEnoughReplicas, .timedOut,
        ]
    )
    func passingErrors(_ error: MockKafka.ProduceError) async throws {
        let mock = try MockKafka(brokers: 3)
        try mock.createTopic("t", partitions: 1)
        let log = try KafkaLog(brokers: mock.brokers, properties: ["fetch.wait.max.ms": "5"])
        let place = TopicPartition("t")
        try await log.append(records(0..<1), to: place)
        mock.failProduce([error, error])
        // One record at a time: the mock does not refuse a request that overtakes a failed one, as brokers do.
        #expect(try await log.append(records(1..<2), to: place) == 1)
        #expect(try await log.append(records(2..<3), to: place) == 2)
        let found = try await take(3, from: try await log.reader(from: [place: 0]))
        #expect(found.map(\.text) == (0..<3).map(String.init))
        #expect(try await log.endOffset(of: place) == 3)
        await log.close()
    }

    @Test("A producer that the broker declares out of order is replaced, and appends go on")
    func outOfOrder() async throws {
        let mock = try MockKafka()
        try mock.createTopic("t", partitions: 1)
        let log = try KafkaLog(
            brokers: mock.brokers,
            properties: ["fetch.wait.max.ms": "5"],
            patience: .seconds(2)
        )
        let place = TopicPartition("t")
        try await log.append(records(0..<1), to: place)
        mock.failProduce([.outOfOrderSequence])
        let first = try await appendUntilTaken(records(1..<3), to: place, of: log)
        #expect(first >= 1)
        let found = try await take(Int(first) + 2, from: try await log.reader(from: [place: 0]))
        #expect(found.suffix(2).map(\.text) == ["1", "2"])
        await log.close()
    }

    @Test("A broker that takes only smaller records says so")
    func brokerLimit() async throws {
        let mock = try MockKafka()
        try mock.createTopic("t", partitions: 1)
        let log = try KafkaLog(brokers: mock.brokers)
        mock.failProduce([.tooLarge])
        await #expect {
            try await log.append(records(0..<1), to: TopicPartition("t"))
        } throws: { error in
            if case LogFailure.recordTooLarge = error { true } else { false }
        }
        await log.close()
    }

    @Test("Where nobody listens the log says unavailable and names the address")
    func nobody() async throws {
        let log = try KafkaLog(brokers: ["127.0.0.1:1"])
        await #expect {
            _ = try await log.topics()
        } throws: { error in
            guard case LogFailure.unavailable(let detail) = error else { return false }
            return detail.contains("127.0.0.1:1")
        }
        await log.close()
    }

    @Test("A property that would break the contract, or that librdkafka does not know, is refused by name")
    func properties() async throws {
        #expect(throws: LogFailure.self) { try KafkaLog(brokers: ["h:1"], properties: ["acks": "1"]) }
        #expect(throws: LogFailure.self) { try KafkaLog(brokers: ["h:1"], properties: ["enable.idempotence": "false"]) }
        let log = try KafkaLog(brokers: ["h:1"], properties: ["no.such.thing": "1"])
        await #expect {
            _ = try await log.topics()
        } throws: { error in
            guard case LogFailure.badAddress(let detail) = error else { return false }
            return detail.contains("no.such.thing")
        }
    }

    private func appendUntilTaken(
        _ records: [LogRecord],
        to place: TopicPartition,
        of log: KafkaLog
    ) async throws -> Int64 {
        let deadline = ContinuousClock.now + .seconds(600)
        while true {
            do {
                return try await log.append(records, to: place)
            } catch {
                guard error.isRetriable, ContinuousClock.now < deadline else { throw error }
            }
        }
    }
}

@Suite struct LogAddressTests {
    @Test(
        "Addresses are read and written alike",
        arguments: [
            ("embedded:/var/lib/ll", LogAddress.embedded(directory: "/var/lib/ll")), ("memory:", .memory),
            ("kafka://a:9092,b.example:9093", .kafka(brokers: ["a:9092", "b.example:9093"])),
        ]
    )
    func understood(_ text: String, _ address: LogAddress) throws {
        #expect(try LogAddress(text) == address)
        #expect(address.description == text)
    }

    @Test(
        "What is not an address is refused",
        arguments: [
            "", "embedded:", "kafka://", "kafka://host", "kafka://host:0", "kafka://a:1,", "kafka://a:99999", "/tmp/x",
        ]
    )
    func refused(_ text: String) {
        #expect(throws: LogFailure.self) { try LogAddress(text) }
    }
}
