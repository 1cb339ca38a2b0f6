import EventLog
import Foundation
import KafkaLog
import SQLite

/// How fast a log takes records and hands them on, beside a bare loop that does the same for its durability.
enum LogBench {
    struct Latency: Encodable {
        let p50Us: Int64
        let p99Us: Int64
        let maxUs: Int64

        init(_ times: [Int64]) {
            let sorted = times.sorted()
            func at(_ share: Double) -> Int64 {
                sorted.isEmpty ? 0 : sorted[min(sorted.count - 1, Int(share * Double(sorted.count)))]
            }
            p50Us = at(0.5)
            p99Us = at(0.99)
            maxUs = sorted.last ?? 0
        }
    }

    struct Path: Encodable {
        /// In appends of `batch` records, each waited for.
        let recordsPerSecond: Double
        /// One record, until it is durable.
        let append: Latency
        /// One record, from its append until a waiting reader has it; bare loops have no reader.
        let tail: Latency?
        /// Records a second over the bare loop's; 1 for the bare loop itself.
        let ratioToBareLoop: Double
        /// The bare loop's median append time over this one's.
        let appendRatioToBareLoop: Double
    }

    struct Load {
        let records: Int
        let batch: Int
        let appends: Int
        /// Records waited for by the Kafka log's reader. Mock brokers hold a fetch for all of `fetch.wait.max.ms`, half a
        /// second, whatever comes in meanwhile; real ones answer at once.
        let kafkaTails: Int
        let recordBytes: Int

        func values(_ count: Int) -> [[UInt8]] {
            (0..<count).map { number in
                [UInt8](unsafeUninitializedCapacity: recordBytes) { buffer, filled in
                    for index in 0..<recordBytes { buffer[index] = UInt8(truncatingIfNeeded: index &* 31 &+ number) }
                    filled = recordBytes
                }
            }
        }
    }

    private typealias Append = (_ values: [[UInt8]]) async throws -> Void

    private struct Times {
        var seconds: [Double] = []
        var appends: [Int64] = []
    }

    private static let rounds = 5

    /// The log and its bare loop in turns, so that both meet the same machine.
    private static func compare(
        _ load: Load,
        _ ours: Append,
        _ bare: Append
    ) async throws -> (ours: Times, bare: Times) {
        var times = (ours: Times(), bare: Times())
        for _ in 0..<rounds {
            try await measure(load, &times.ours, ours)
            try await measure(load, &times.bare, bare)
        }
        return times
    }

    private static func measure(_ load: Load, _ times: inout Times, _ append: Append) async throws {
        let one = load.values(1)
        for _ in 0..<load.appends / rounds {
            let startUs = Machine.wallUs()
            try await append(one)
            times.appends.append(Machine.wallUs() - startUs)
        }
        let batch = load.values(load.batch)
        let startUs = Machine.wallUs()
        for _ in 0..<load.records / rounds / load.batch { try await append(batch) }
        times.seconds.append(Double(Machine.wallUs() - startUs) / 1e6)
    }

    private static func paths(_ load: Load, _ times: (ours: Times, bare: Times), _ tail: [Int64]) -> (Path, Path) {
        func rate(_ times: Times) -> Double {
            Double(load.records / rounds / load.batch * load.batch) / times.seconds.sorted()[times.seconds.count / 2]
        }
        let (ours, bare) = (Latency(times.ours.appends), Latency(times.bare.appends))
        return (
            Path(
                recordsPerSecond: rate(times.ours),
                append: ours,
                tail: Latency(tail),
                ratioToBareLoop: rate(times.ours) / rate(times.bare),
                appendRatioToBareLoop: Double(bare.p50Us) / Double(max(1, ours.p50Us))
            ),
            Path(
                recordsPerSecond: rate(times.bare),
                append: bare,
                tail: nil,
                ratioToBareLoop: 1,
                appendRatioToBareLoop: 1
            )
        )
    }

    /// The embedded log, and a SQLite loop with the same pragmas that inserts into one table.
    static func embedded(_ load: Load) async throws -> (ours: Path, bare: Path) {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("lineledger-log-\(getpid())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let log = try EmbeddedLog(directory: folder.appendingPathComponent("log").path)
        let bare = try Database(path: folder.appendingPathComponent("bare").path)
        try bare.execute(
            """
            PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;
            CREATE TABLE record(id INTEGER PRIMARY KEY, appended_at_us INTEGER NOT NULL, value BLOB NOT NULL);
            """
        )
        let insert = try bare.prepare("INSERT INTO record(appended_at_us, value) VALUES (?, ?)")
        let place = try await topic(of: log)
        let times = try await compare(
            load,
            { _ = try await log.append($0.map { LogRecord(key: [], value: $0) }, to: place) },
            { values in
                try bare.transaction {
                    for value in values {
                        insert.bind(1, Machine.wallUs())
                        insert.bind(2, value)
                        try insert.run()
                    }
                }
            }
        )
        let tail = try await tail(load.appends, load, of: log, at: place)
        await log.close()
        return paths(load, times, tail)
    }

    /// The Kafka log, and a loop over librdkafka's C interface under the same settings.
    static func kafka(_ load: Load, brokers: [String]) async throws -> (ours: Path, bare: Path) {
        let log = try KafkaLog(brokers: brokers)
        let place = try await topic(of: log)
        let bare = try BareProducer(brokers: brokers, to: TopicPartition(place.topic, 1))
        let times = try await compare(
            load,
            { _ = try await log.append($0.map { LogRecord(key: [], value: $0) }, to: place) },
            { try bare.append($0) }
        )
        let tail = try await tail(load.kafkaTails, load, of: log, at: place)
        await log.close()
        return paths(load, times, tail)
    }

    static let topic = "lineledger.bench.log"

    private static func topic(of log: any EventLog) async throws -> TopicPartition {
        if try await !log.topics().contains(topic) { try await log.create(topic: topic, partitions: 2) }
        return TopicPartition(topic)
    }

    /// From the append of one record until a reader that waits for it has it.
    private static func tail(
        _ count: Int,
        _ load: Load,
        of log: any EventLog,
        at place: TopicPartition
    ) async throws -> [Int64] {
        let end = try await log.endOffset(of: place)
        let reader = try await log.reader(from: [place: end])
        let value = load.values(1)[0]
        var times: [Int64] = []
        for _ in 0..<count {
            async let read = reader.next(max: 1, wait: .seconds(10))
            let startUs = Machine.wallUs()
            _ = try await log.append([LogRecord(key: [], value: value)], to: place)
            _ = try await read
            times.append(Machine.wallUs() - startUs)
        }
        await reader.close()
        return times
    }
}
