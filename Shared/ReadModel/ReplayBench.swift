import EventLog
import Foundation
import PlantEvents
import SQLite

/// Replay speed beside a bare SQLite loop, measured side by side in one run.
///
/// The bare loop has the final rows in memory, in the order in which they came, and inserts each once into the same
/// tables, in as many transactions, under the same pragmas, followed by the same indexes: a replay can hardly do less.
package enum ReplayBench {
    package struct Result: Codable, Sendable, Equatable {
        package let parts: Int
        package let records: Int
        package let events: Int
        package let bytes: Int
        /// Rows in the fact tables.
        package let rows: Int
        /// Read, fold, write and index, best of the rounds.
        package let replaySeconds: Double
        /// The bare loop, best of the rounds.
        package let bareLoopSeconds: Double
        /// Reading the records alone.
        package let decodeSeconds: Double
        /// SwiftProtobuf reading the same records, for comparison.
        package let codecSeconds: Double
        /// Making the indexes and putting the file on disk, within the replay.
        package let completeSeconds: Double
        package let ratioToBareLoop: Double
        package let eventsPerSecond: Double

        package var text: String {
            func seconds(_ value: Double) -> String { String(format: "%.3f s", value) }
            return """
                \(parts) parts, \(records) records, \(events) events, \(bytes / 1_000_000) MB, \(rows) rows
                replay          \(seconds(replaySeconds)), \(Int(eventsPerSecond)) events/s
                bare loop       \(seconds(bareLoopSeconds))
                ratio           \(String(format: "%.2f", ratioToBareLoop)) of the bare loop (budget 0.70)
                decode alone    \(seconds(decodeSeconds)) (SwiftProtobuf: \(seconds(codecSeconds)))
                index and sync  \(seconds(completeSeconds)) of the replay
                """
        }
    }

    private static let batchSize = 10_000
    private static let rounds = 3

    /// Measures with `parts` event chains; `clockUs` is asked for the time, microseconds. Files go to a
    /// folder of their own under the temporary directory and are removed.
    package static func run(parts: Int, seed: UInt64 = 1, clockUs: () -> Int64) throws -> Result {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
            "lineledger-replay-\(ProcessInfo.processInfo.processIdentifier)"
        )
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        var chains = SyntheticChains(seed: seed)
        let records = grouped(try chains.records(parts: parts))
        let batches = (records.count + batchSize - 1) / batchSize
        func timed(_ body: () throws -> Void) rethrows -> Double {
            let startUs = clockUs()
            try body()
            return Double(clockUs() - startUs) / 1e6
        }
        var replays: [Double] = []
        var bares: [Double] = []
        var completes: [Double] = []
        var events = 0
        var tables: [BareTable] = []
        for round in 0..<rounds {
            let path = folder.appendingPathComponent("replay-\(round)").path
            var complete = 0.0
            replays.append(
                try timed {
                    let model = try ReadModel(path: path, site: SyntheticChains.site, purpose: .rebuild)
                    events = try replay(records, into: model)
                    complete = try timed { try model.complete() }
                }
            )
            completes.append(complete)
            if tables.isEmpty { tables = try bareTables(of: path) }
            let bare = folder.appendingPathComponent("bare-\(round)").path
            bares.append(try timed { try write(tables, batches: batches, to: bare) })
        }
        let decodeSeconds = try timed { try decode(records) }
        let codecSeconds = try timed { try decodeWithCodec(records) }
        let replaySeconds = replays.min() ?? 0
        let bareSeconds = bares.min() ?? 0
        return Result(
            parts: parts,
            records: records.count,
            events: events,
            bytes: records.reduce(0) { $0 + $1.record.value.count },
            rows: tables.reduce(0) { $0 + $1.rows.count },
            replaySeconds: replaySeconds,
            bareLoopSeconds: bareSeconds,
            decodeSeconds: decodeSeconds,
            codecSeconds: codecSeconds,
            completeSeconds: completes.min() ?? 0,
            ratioToBareLoop: bareSeconds / replaySeconds,
            eventsPerSecond: Double(events) / replaySeconds
        )
    }

    /// As a log's reader gives them: each fetch partition by partition.
    private static func grouped(_ records: [StoredRecord]) -> [StoredRecord] {
        stride(from: 0, to: records.count, by: batchSize).flatMap { start in
            let batch = records[start..<min(start + batchSize, records.count)]
            return Dictionary(grouping: batch, by: \.place).sorted { $0.key < $1.key }.flatMap(\.value)
        }
    }

    private static func replay(_ records: [StoredRecord], into model: ReadModel) throws -> Int {
        var events = 0
        for start in stride(from: 0, to: records.count, by: batchSize) {
            let batch = Array(records[start..<min(start + batchSize, records.count)])
            events += try model.apply(batch, nowUs: 0).events
        }
        return events
    }

    private static func decode(_ records: [StoredRecord]) throws {
        var reader = RecordReader()
        var topics: [String: Topic] = [:]
        for record in records where topics[record.place.topic] == nil {
            topics[record.place.topic] = TopicName(record.place.topic).flatMap { Topic(rawValue: $0.topic) }
        }
        for record in records {
            guard let topic = topics[record.place.topic] else { continue }
            _ = try record.record.value.withUnsafeBytes { try reader.read($0, of: topic).sequence }
        }
    }

    private static func decodeWithCodec(_ records: [StoredRecord]) throws {
        for record in records {
            let value = record.record.value
            switch TopicName(record.place.topic).flatMap({ Topic(rawValue: $0.topic) }) {
            case .frames: _ = try Codec.decode(FrameRecord.self, from: value)
            case .inspections: _ = try Codec.decode(InspectionRecord.self, from: value)
            case .production: _ = try Codec.decode(ProductionRecord.self, from: value)
            case .materials: _ = try Codec.decode(MaterialRecord.self, from: value)
            case .mesDeliveries, .erpDeliveries: _ = try Codec.decode(DeliveryRecord.self, from: value)
            case .alarms: _ = try Codec.decode(AlarmRecord.self, from: value)
            case .decisions, .access, .ledger, nil: break
            }
        }
    }

    /// A table's rows, in the order in which their records came.
    private struct BareTable {
        let insert: String
        let rows: [[Cell]]
    }

    private static func bareTables(of path: String) throws -> [BareTable] {
        let database = try Database(path: path, mode: .readOnly)
        let list = try database.prepare(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT IN ('model', 'input', 'fence', 'lag')"
        )
        var tables: [BareTable] = []
        while try list.step() {
            let name = list.text(0)
            let probe = try database.prepare("SELECT * FROM \(name)")
            let columns = (0..<probe.columnCount).map { probe.columnName($0) }
            let order = columns.contains("sequence") ? " ORDER BY epoch, sequence" : ""
            let select = try database.prepare("SELECT * FROM \(name)\(order)")
            var rows: [[Cell]] = []
            while try select.step() { rows.append((0..<select.columnCount).map { select.cell($0) }) }
            let marks = columns.map { _ in "?" }.joined(separator: ", ")
            tables.append(BareTable(insert: "INSERT INTO \(name) VALUES (\(marks))", rows: rows))
        }
        return tables
    }

    /// As many transactions as the replay has, each with its share of every table's rows.
    private static func write(_ tables: [BareTable], batches: Int, to path: String) throws {
        let model = try ReadModel(path: path, site: SyntheticChains.site, purpose: .rebuild)
        let inserts = try tables.map { try model.database.prepare($0.insert) }
        for batch in 0..<batches {
            try model.database.transaction {
                for (table, insert) in zip(tables, inserts) {
                    let share = table.rows.count * batch / batches..<table.rows.count * (batch + 1) / batches
                    for row in table.rows[share] {
                        for (index, cell) in row.enumerated() { insert.bind(Int32(index + 1), cell: cell) }
                        try insert.run()
                    }
                }
            }
        }
        try model.complete()
    }
}
