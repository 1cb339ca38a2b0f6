import EventLog
import Foundation
import PlantEvents
import SQLite

/// Replay speed beside a bare SQLite loop, measured side by side in one run.
///
/// The bare loop has the final rows in memory, in the order in which they came, and inserts each once into the same
/// tables, in as many transactions, under the same pragmas, followed by the same indexes: what a good program in C or
/// Swift would do that knew the answer beforehand. Rounds of all paths take turns; the median of each counts.
package enum ReplayBench {
    /// How long one path took, medians of the rounds.
    package struct Path: Codable, Sendable, Equatable {
        package let seconds: Double
        /// Processor time of all threads; says more than `seconds` on a busy machine.
        package let cpuSeconds: Double
        package let eventsPerSecond: Double
        /// Median of the rounds' ratios: the bare loop's time over this path's, of the same round.
        package let ratioToBareLoop: Double
        /// The same of processor time.
        package let ratioToBareLoopByCpu: Double
    }

    package struct Result: Codable, Sendable, Equatable {
        package let parts: Int
        package let rounds: Int
        package let records: Int
        package let events: Int
        package let bytes: Int
        /// Rows in the fact tables.
        package let rows: Int
        /// The replay on one core; the two figures that scripts rely on.
        package let eventsPerSecond: Double
        package let ratioToBareLoop: Double
        package let oneCore: Path
        /// The replay with records read on the other cores.
        package let allCores: Path
        /// Threads that read ahead for `allCores`.
        package let readAheadThreads: Int
        package let bareLoop: Path
        /// What one writes with SwiftProtobuf and SQLite alone.
        package let plainSwiftProtobuf: Path
        /// Digest of the model, the same for both replays.
        package let digest: String
    }

    /// Asked for the time: by the wall, and of the processor that all threads have used, microseconds.
    package struct Clocks {
        let wallUs: () -> Int64
        let cpuUs: () -> Int64

        package init(wallUs: @escaping () -> Int64, cpuUs: @escaping () -> Int64) {
            self.wallUs = wallUs
            self.cpuUs = cpuUs
        }

        func measure(_ body: () throws -> Void) rethrows -> Times {
            let start = (wallUs(), cpuUs())
            try body()
            return Times(wall: Double(wallUs() - start.0) / 1e6, cpu: Double(cpuUs() - start.1) / 1e6)
        }
    }

    struct Times {
        let wall: Double
        let cpu: Double
    }

    static let batchSize = 10_000
    /// SQL that makes the model's tables, and the indexes that a rebuild makes at its end; for programs that compare
    /// themselves with it.
    package static let tables = Schema.tables
    package static let indexes = Schema.queryIndexes

    /// Measures with `parts` event chains. Files go to a folder of their own under the temporary directory and are
    /// removed.
    package static func run(
        parts: Int,
        rounds: Int = 3,
        seed: UInt64 = 1,
        threads: Int,
        clocks: Clocks,
        progress: (Double) -> Void = { _ in }
    ) throws -> Result {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
            "lineledger-replay-\(ProcessInfo.processInfo.processIdentifier)"
        )
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        var chains = SyntheticChains(seed: seed)
        let batches = grouped(try chains.records(parts: parts))
        let sample = folder.appendingPathComponent("sample").path
        let (events, digest) = try replay(batches, to: sample, threads: 0)
        let tables = try BareLoop.tables(of: sample)
        var times: [String: [Times]] = [:]
        for round in 0..<rounds {
            func time(_ name: String, _ body: (String) throws -> Void) throws {
                let path = folder.appendingPathComponent("\(name)-\(round)").path
                times[name, default: []].append(try clocks.measure { try body(path) })
                try FileManager.default.removeItem(atPath: path)
            }
            try time("bare") { try BareLoop.write(tables, batches: batches.count, to: $0) }
            try time("one") { _ = try replay(batches, to: $0, threads: 0, isDigested: false) }
            try time("all") { _ = try replay(batches, to: $0, threads: threads, isDigested: false) }
            try time("plain") { try PlainReplay.run(batches, to: $0) }
            progress(Double(round + 1) / Double(rounds))
        }
        let (_, parallel) = try replay(batches, to: folder.appendingPathComponent("parallel").path, threads: threads)
        guard parallel == digest else {
            throw ReadModelFailure.damaged("digest \(parallel) with \(threads) threads, \(digest) with none")
        }
        func path(_ name: String) -> Path { Self.path(times[name] ?? [], times["bare"] ?? [], events) }
        return Result(
            parts: parts,
            rounds: rounds,
            records: batches.reduce(0) { $0 + $1.count },
            events: events,
            bytes: batches.joined().reduce(0) { $0 + $1.record.value.count },
            rows: tables.reduce(0) { $0 + $1.rows.count },
            eventsPerSecond: path("one").eventsPerSecond,
            ratioToBareLoop: path("one").ratioToBareLoop,
            oneCore: path("one"),
            allCores: path("all"),
            readAheadThreads: threads,
            bareLoop: path("bare"),
            plainSwiftProtobuf: path("plain"),
            digest: digest
        )
    }

    private static func path(_ times: [Times], _ bare: [Times], _ events: Int) -> Path {
        func median(_ values: [Double]) -> Double { values.isEmpty ? 0 : values.sorted()[values.count / 2] }
        let seconds = median(times.map(\.wall))
        return Path(
            seconds: seconds,
            cpuSeconds: median(times.map(\.cpu)),
            eventsPerSecond: Double(events) / seconds,
            ratioToBareLoop: median(zip(bare, times).map { $0.wall / $1.wall }),
            ratioToBareLoopByCpu: median(zip(bare, times).map { $0.cpu / $1.cpu })
        )
    }

    /// As a log's reader gives them: each fetch partition by partition, its records one after the other in memory.
    private static func grouped(_ records: [StoredRecord]) -> [[StoredRecord]] {
        stride(from: 0, to: records.count, by: batchSize).map { start in
            let batch = records[start..<min(start + batchSize, records.count)]
            return Dictionary(grouping: batch, by: \.place).sorted { $0.key < $1.key }.flatMap(\.value).map(copy)
        }
    }

    private static func copy(_ record: StoredRecord) -> StoredRecord {
        StoredRecord(
            place: record.place,
            offset: record.offset,
            appendedAtUs: record.appendedAtUs,
            record: LogRecord(
                key: record.record.key.map { $0 },
                value: record.record.value.map { $0 },
                headers: record.record.headers
            )
        )
    }

    /// How many events were folded, and the model's digest.
    private static func replay(
        _ batches: [[StoredRecord]],
        to path: String,
        threads: Int,
        isDigested: Bool = true
    ) throws -> (events: Int, digest: String) {
        let model = try ReadModel(path: path, site: SyntheticChains.site, purpose: .rebuild)
        if threads > 0 { model.readAhead(threads: threads) }
        var events = 0
        for batch in batches { events += try model.apply(batch, nowUs: 0).events }
        try model.complete()
        return (events, isDigested ? try model.digest() : "")
    }
}
