import EventLog
import Foundation
import KafkaLog
import Testing

/// The logs that the contract holds for.
enum LogKind: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case memory, embedded
    /// librdkafka's own brokers, in this process.
    case kafkaMock
    /// The broker named by LINELEDGER_TEST_KAFKA=host:port, with the librdkafka properties of
    /// LINELEDGER_TEST_KAFKA_PROPERTIES=name=value,… (TLS, SASL).
    case kafkaBroker

    static let brokerAddress = ProcessInfo.processInfo.environment["LINELEDGER_TEST_KAFKA"]
    static let brokerProperties: [String: String] = {
        let text = ProcessInfo.processInfo.environment["LINELEDGER_TEST_KAFKA_PROPERTIES"] ?? ""
        let pairs = text.split(separator: ",").map { $0.split(separator: "=", maxSplits: 1).map(String.init) }
        return Dictionary(pairs.filter { $0.count == 2 }.map { ($0[0], $0[1]) }) { _, last in last }
    }()
    static let present = allCases.filter { $0 != .kafkaBroker || brokerAddress != nil }
    /// Those that can be opened a second time, as another process would.
    static let shared = present.filter { $0 != .memory }

    var testDescription: String { rawValue }
}

/// A fresh log of a kind, its topics, and more openings of the same one.
final class LogUnderTest: Sendable {
    let kind: LogKind
    let log: any EventLog
    let directory: String
    let mock: MockKafka?

    private init(_ kind: LogKind) throws {
        self.kind = kind
        directory = NSTemporaryDirectory() + "lineledger-contract-\(UUID().uuidString)"
        mock = kind == .kafkaMock ? try MockKafka() : nil
        log = try Self.open(kind, directory, mock)
    }

    /// Runs `body` on a fresh log, closes it and removes its files.
    static func with(_ kind: LogKind, _ body: (LogUnderTest) async throws -> Void) async throws {
        let fixture = try LogUnderTest(kind)
        do {
            try await body(fixture)
        } catch {
            await fixture.end()
            throw error
        }
        await fixture.end()
    }

    private func end() async {
        await log.close()
        if kind == .embedded { #expect(throws: Never.self) { try FileManager.default.removeItem(atPath: directory) } }
    }

    /// The same log as another process opens it.
    func opened() throws -> any EventLog {
        try Self.open(kind, directory, mock)
    }

    /// Closes `log` afterwards, whatever happens.
    func withOpened(_ body: (any EventLog) async throws -> Void) async throws {
        let other = try opened()
        do {
            try await body(other)
        } catch {
            await other.close()
            throw error
        }
        await other.close()
    }

    func topic(partitions: Int32 = 1) async throws -> String {
        let topic = "lineledger.test.t\(UUID().uuidString.prefix(8))"
        try mock?.createTopic(topic, partitions: partitions)
        try await log.create(topic: topic, partitions: partitions)
        return topic
    }

    private static func open(_ kind: LogKind, _ directory: String, _ mock: MockKafka?) throws -> any EventLog {
        switch kind {
        case .memory: MemoryLog()
        case .embedded: try EmbeddedLog(directory: directory)
        case .kafkaMock:
            // The mock answers a waiting fetch only when its time is up.
            try KafkaLog(brokers: mock?.brokers ?? [], properties: ["fetch.wait.max.ms": "5"], patience: .seconds(20))
        case .kafkaBroker:
            try KafkaLog(brokers: [LogKind.brokerAddress ?? ""], properties: LogKind.brokerProperties)
        }
    }
}

/// What a test waited for did not come.
struct DidNotCome: Error, CustomStringConvertible {
    let description: String
}

/// Reads until `count` records came, in bounded time.
func take(_ count: Int, from reader: any LogReader, max: Int = 100) async throws -> [StoredRecord] {
    let deadline = ContinuousClock.now + .seconds(600)
    var found: [StoredRecord] = []
    while found.count < count {
        guard ContinuousClock.now < deadline else {
            throw DidNotCome(description: "\(found.count) of \(count) records within 600 s")
        }
        let limit = min(max, count - found.count)
        do {
            found += try await reader.next(max: limit, wait: .milliseconds(500))
        } catch {
            // A broker that is away comes back, or the deadline does.
            guard error.isRetriable else { throw error }
        }
    }
    return found
}

func record(_ text: String, headers: [LogHeader] = []) -> LogRecord {
    LogRecord(key: Array("k-\(text)".utf8), value: Array(text.utf8), headers: headers)
}

func records(_ range: Range<Int>) -> [LogRecord] {
    range.map { record("\($0)") }
}

extension StoredRecord {
    var text: String { String(decoding: record.value, as: UTF8.self) }
}
