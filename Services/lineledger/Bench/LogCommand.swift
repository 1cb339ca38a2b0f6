import ArgumentParser
import EventLog
import Foundation
import KafkaLog
import ReadModel

struct LogCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "log",
        abstract: "Append and tail speed: embedded beside bare SQLite, Kafka beside bare librdkafka.",
        discussion: """
            Without --kafka, mock brokers in this process answer for Kafka: they keep records in memory, and hold each
            waiting fetch for half a second, which the tail then shows.
            With --kafka, topic lineledger.bench.log is made and written.
            Example: lineledger bench log --json
            """
    )

    @Option(help: "Records appended in batches, for each path.")
    var records = 20_000

    @Option(help: "Records of a batch.")
    var batch = 100

    @Option(help: "Records appended one at a time, for each path and for the tail.")
    var appends = 500

    @Option(help: "Bytes of a record.")
    var recordBytes = 400

    @Option(help: "Brokers to measure, as kafka://host:port,…")
    var kafka: String?

    @Flag(help: "One JSON object on standard output.")
    var json = false

    func validate() throws {
        guard (1...LogLimits.batchRecords).contains(batch) else {
            throw ValidationError("--batch: expected 1 to \(LogLimits.batchRecords)")
        }
        guard (5 * batch...10_000_000).contains(records) else {
            throw ValidationError("--records: expected \(5 * batch) (five batches) to 10000000")
        }
        guard (5...100_000).contains(appends) else { throw ValidationError("--appends: expected 5 to 100000") }
        guard (1...10_000).contains(recordBytes) else { throw ValidationError("--record-bytes: expected 1 to 10000") }
    }

    private struct Report: Encodable {
        let command: String
        let machine: String
        let records: Int
        let batch: Int
        let appends: Int
        let recordBytes: Int
        let embedded: LogBench.Path
        let bareSqlite: LogBench.Path
        let kafka: LogBench.Path
        let bareLibrdkafka: LogBench.Path
        /// Address of the brokers, or "mock".
        let kafkaBrokers: String
    }

    func run() async throws {
        let load = LogBench.Load(
            records: records,
            batch: batch,
            appends: appends,
            kafkaTails: kafka == nil ? min(appends, 20) : appends,
            recordBytes: recordBytes
        )
        var progress = ProgressLine()
        progress.show("embedded log and bare SQLite …")
        let embedded = try await LogBench.embedded(load)
        progress.show("Kafka log and bare librdkafka …")
        let cluster = try await measureKafka(load)
        progress.finish()
        let report = Report(
            command: Machine.command,
            machine: Machine.description,
            records: records,
            batch: batch,
            appends: appends,
            recordBytes: recordBytes,
            embedded: embedded.ours,
            bareSqlite: embedded.bare,
            kafka: cluster.ours,
            bareLibrdkafka: cluster.bare,
            kafkaBrokers: kafka ?? "mock"
        )
        if json {
            Terminal.say(String(decoding: try Queries.json(report), as: UTF8.self))
        } else {
            Terminal.say(text(report))
        }
    }

    private func measureKafka(_ load: LogBench.Load) async throws -> (ours: LogBench.Path, bare: LogBench.Path) {
        guard let kafka else {
            let mock = try MockKafka()
            try mock.createTopic(LogBench.topic, partitions: 2)
            let paths = try await LogBench.kafka(load, brokers: mock.brokers)
            return withExtendedLifetime(mock) { paths }
        }
        guard case .kafka(let brokers) = try LogAddress(kafka) else {
            throw ValidationError("--kafka \(kafka): expected kafka://host:port,…")
        }
        return try await LogBench.kafka(load, brokers: brokers)
    }

    private func text(_ report: Report) -> String {
        func latency(_ latency: LogBench.Latency?) -> String {
            latency.map { "\($0.p50Us) / \($0.p99Us) / \($0.maxUs)" } ?? "-"
        }
        func row(_ name: String, _ path: LogBench.Path) -> [String] {
            [
                name, "\(Int(path.recordsPerSecond))", String(format: "%.2f", path.ratioToBareLoop),
                latency(path.append), String(format: "%.2f", path.appendRatioToBareLoop), latency(path.tail),
            ]
        }
        return """
            \(report.records) records of \(report.recordBytes) bytes in batches of \(report.batch), \
            \(report.appends) one at a time; Kafka: \(report.kafkaBrokers)
            \(Terminal.table([
                ["path", "records/s", "ratio", "append p50/p99/max µs", "ratio", "tail p50/p99/max µs"],
                row("embedded", report.embedded), row("bare SQLite", report.bareSqlite),
                row("Kafka", report.kafka), row("bare librdkafka", report.bareLibrdkafka),
            ]))
            \(report.machine)
            """
    }
}
