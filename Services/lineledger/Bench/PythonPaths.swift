import EventLog
import Foundation
import KafkaLog
import ReadModel

/// What a Python program made of the same events, fewer of them.
struct PythonPath: Encodable {
    var events: Int?
    var seconds: Double?
    var cpuSeconds: Double?
    var eventsPerSecond: Double?
    /// Its events a second over those of this run's bare loop.
    var ratioToBareLoop: Double?
    /// Why there are no figures.
    var notMeasured: String?
}

/// Runs deploy/bench/replay.py against mock brokers in this process, in a virtual environment of its own.
enum PythonPaths {
    struct Outcome {
        var plain = PythonPath()
        var eventsourcing = PythonPath()
        var versions: [String: String] = [:]
    }

    private static let partitions: Int32 = 8
    private static let script = "deploy/bench/replay.py"

    static func measure(parts: Int, bareLoopEventsPerSecond bare: Double) async -> Outcome {
        do {
            let python = try PythonEnvironment.prepare(
                script: script,
                importing: "confluent_kafka, eventsourcing, google.protobuf",
                requirements: "deploy/bench/requirements.txt"
            )
            return try await run(python, parts, bare)
        } catch let failure as PythonEnvironment.Failure {
            return missing(failure.reason)
        } catch {
            return missing("\(error)")
        }
    }

    private static func missing(_ reason: String) -> Outcome {
        Outcome(plain: PythonPath(notMeasured: reason), eventsourcing: PythonPath(notMeasured: reason))
    }

    private static func run(_ python: String, _ parts: Int, _ bare: Double) async throws -> Outcome {
        let brokers = try MockKafka()
        var chains = SyntheticChains(seed: 1)
        let records = try chains.records(parts: parts)
        let log = try KafkaLog(brokers: brokers.brokers)
        for topic in Set(records.map(\.place.topic)) { try brokers.createTopic(topic, partitions: partitions) }
        let placed = Dictionary(grouping: records) { record in
            TopicPartition(record.place.topic, Int32(record.offset / 500 % Int64(partitions)))
        }
        for (place, records) in placed.sorted(by: { $0.key < $1.key }) {
            for start in stride(from: 0, to: records.count, by: 1_000) {
                _ = try await log.append(records[start..<min(start + 1_000, records.count)].map(\.record), to: place)
            }
        }
        await log.close()
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("lineledger-bench-\(getpid())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let tables = folder.appendingPathComponent("tables.sql")
        let indexes = folder.appendingPathComponent("indexes.sql")
        try Data(ReplayBench.tables.utf8).write(to: tables)
        try Data(ReplayBench.indexes.utf8).write(to: indexes)
        let done = try PythonEnvironment.execute([
            python, script, "--brokers", brokers.brokers.joined(separator: ","), "--site",
            SyntheticChains.site, "--records", "\(records.count)", "--tables", tables.path, "--indexes", indexes.path,
        ])
        guard done.status == 0 else { throw PythonEnvironment.Failure(reason: "\(script): \(done.errors.suffix(300))") }
        return try read(done.output, bare)
    }

    private static func read(_ output: Data, _ bare: Double) throws -> Outcome {
        struct Path: Decodable {
            let events: Int
            let seconds: Double
            let cpuSeconds: Double
            let eventsPerSecond: Double
        }
        struct Answer: Decodable {
            let python: Path
            let pythonEventsourcing: Path
            let versions: [String: String]
        }
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let answer = try decoder.decode(Answer.self, from: output)
        func path(_ path: Path) -> PythonPath {
            PythonPath(
                events: path.events,
                seconds: path.seconds,
                cpuSeconds: path.cpuSeconds,
                eventsPerSecond: path.eventsPerSecond,
                ratioToBareLoop: path.eventsPerSecond / bare
            )
        }
        return Outcome(
            plain: path(answer.python),
            eventsourcing: path(answer.pythonEventsourcing),
            versions: answer.versions
        )
    }
}
