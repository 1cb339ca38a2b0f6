package import EventLog
import Foundation
import SQLite

/// Reads a model's file beside its writer; each answer is of one moment.
///
/// Not thread safe: one owner asks at a time. The answers are `Codable`; `json` writes them with the keys that scripts
/// and pages rely on.
package final class Queries {
    let database: Database
    /// Site that the model is of.
    package let site: String
    /// The generation that answers; nil for a file outside a folder of generations.
    package let generation: Int?
    /// `Schema.version` of the file.
    package let version: Int64

    /// Opens a model's file; of a folder of generations, the active one. All answers come from that file, also when
    /// another generation becomes the active one meanwhile.
    package convenience init(path: String) throws {
        try self.init(path: path, understood: Schema.oldestServed...Schema.version)
    }

    /// - Parameter understood: versions of the model that are answered from.
    package convenience init(path: String, understood: ClosedRange<Int64>) throws {
        guard Generations.isFolder(path) else {
            try self.init(file: path, generation: nil, understood: understood)
            return
        }
        let generations = Generations(folder: path)
        for _ in 0..<Self.openAttempts {
            guard let active = try generations.active() else { break }
            do {
                try self.init(
                    file: generations.path(of: active.generation),
                    generation: active.generation,
                    understood: understood
                )
                return
            } catch {
                // A file that went away between the two looks was replaced.
                guard try generations.active() == active else { continue }
                let file = generations.path(of: active.generation)
                throw FileManager.default.fileExists(atPath: file)
                    ? error : ReadModelFailure.damaged("\(file) is gone")
            }
        }
        throw ReadModelFailure.noModel(path: path)
    }

    /// Switches that may pass between reading a name and opening its file.
    private static let openAttempts = 5

    private init(file path: String, generation: Int?, understood: ClosedRange<Int64>) throws {
        database = try Database(path: path, mode: .readOnly)
        try ReadModel.check(database, path, nil, understood: understood)
        let model = try database.prepare("SELECT site, version FROM model")
        guard try model.step() else { throw ReadModelFailure.damaged("\(path): table model is empty") }
        site = model.text(0)
        version = model.int(1)
        self.generation = generation
    }

    /// Whether the file was made by an older version of the model: it is not brought up to date, but replaced.
    package var isStale: Bool { version < Schema.version }

    /// What was found, if the error says that the file is damaged.
    package static func damage(_ error: any Error) -> String? {
        switch error {
        case ReadModelFailure.damaged(let reason): reason
        case let error as SQLiteError where error.isCorrupt: "\(error)"
        default: nil
        }
    }

    /// An answer as JSON: snake_case keys in alphabetical order.
    package static func json(_ answer: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return [UInt8](try encoder.encode(answer))
    }

    /// SHA-256 over everything the model says; see `ReadModel.digest`.
    package func digest() throws -> String {
        try snapshot { try ModelDigest.digest(of: try ModelDigest.tables(of: database)) }
    }

    /// The model's content and the positions it has read to, of one moment.
    package func stated() throws -> (positions: [TopicPartition: Int64], tables: [TableDigest], digest: String) {
        try snapshot {
            let tables = try ModelDigest.tables(of: database)
            return (try positions(), tables, try ModelDigest.digest(of: tables))
        }
    }

    /// Next offset of each input partition.
    package func positions() throws -> [TopicPartition: Int64] {
        let positions = try inputs().map {
            (TopicPartition($0.topic, Int32(truncatingIfNeeded: $0.partition)), $0.nextOffset)
        }
        return Dictionary(positions) { min($0, $1) }
    }

    /// Stays at the present state of the file until `release`; the write-ahead log grows meanwhile.
    func hold() throws {
        try database.execute("BEGIN; SELECT version FROM model;")
    }

    func release() throws {
        try database.rollBack()
    }

    /// Digest of each table.
    package func tableDigests() throws -> [TableDigest] {
        try snapshot { try ModelDigest.tables(of: database) }
    }

    /// What has been read of each input partition.
    package func inputs() throws -> [InputState] {
        try rows(
            """
            SELECT topic, partition, next_offset, applied, events, void, repeats, unknown, parked FROM input
            ORDER BY topic, partition
            """
        ) { row in
            InputState(
                topic: row.text(0),
                partition: row.int(1),
                nextOffset: row.int(2),
                applied: row.int(3),
                events: row.int(4),
                void: row.int(5),
                repeats: row.int(6),
                unknown: row.int(7),
                parked: row.int(8)
            )
        }
    }

    /// Runs `body` on one unchanging state of the file.
    func snapshot<Result>(_ body: () throws -> Result) throws -> Result {
        try database.execute("BEGIN")
        do {
            let result = try body()
            try database.execute("COMMIT")
            return result
        } catch {
            let failure = error
            try database.execute("ROLLBACK")
            throw failure
        }
    }

    /// All rows of a query, mapped.
    func rows<Row>(_ sql: String, _ cells: Cell..., map: (Statement) throws -> Row) throws -> [Row] {
        try rows(sql, cells, map: map)
    }

    func rows<Row>(_ sql: String, _ cells: [Cell], map: (Statement) throws -> Row) throws -> [Row] {
        let statement = try database.prepare(sql)
        for (index, cell) in cells.enumerated() { statement.bind(Int32(index + 1), cell: cell) }
        var result: [Row] = []
        while try statement.step() { result.append(try map(statement)) }
        return result
    }

    /// First column of all rows, as text.
    func texts(_ sql: String, _ cells: Cell...) throws -> [String] {
        try rows(sql, cells) { $0.text(0) }
    }

    func exists(_ sql: String, _ cells: Cell...) throws -> Bool {
        try !rows(sql + " LIMIT 1", cells) { _ in true }.isEmpty
    }
}

/// How far one input partition has been read, and what its records were.
package struct InputState: Codable, Sendable, Equatable {
    package let topic: String
    package let partition: Int64
    package let nextOffset: Int64
    package let applied: Int64
    package let events: Int64
    package let void: Int64
    package let repeats: Int64
    package let unknown: Int64
    package let parked: Int64
}

/// Parts by outcome (ISO 22400-2: good, rejected; here also the grey zone and the named gaps).
package struct Counts: Codable, Sendable, Equatable {
    package var accepted: Int64 = 0
    package var rejected: Int64 = 0
    package var uncertain: Int64 = 0
    /// Parts without a verdict: named gaps.
    package var missed: Int64 = 0
    /// Accepted on their first inspection.
    package var firstPassAccepted: Int64 = 0
    /// Inspected for the first time.
    package var firstPassInspected: Int64 = 0
    /// First-pass yield, ISO 22400-2: parts good at their first inspection over parts inspected; nil before the first.
    package var firstPassYield: Double?

    package init() {}

    /// Parts with a verdict.
    package var inspected: Int64 { accepted + rejected + uncertain }

    mutating func add(_ other: Counts) {
        accepted += other.accepted
        rejected += other.rejected
        uncertain += other.uncertain
        missed += other.missed
        firstPassAccepted += other.firstPassAccepted
        firstPassInspected += other.firstPassInspected
        finish()
    }

    mutating func finish() {
        firstPassYield = firstPassInspected > 0 ? Double(firstPassAccepted) / Double(firstPassInspected) : nil
    }
}

/// The counts of what one station made under one context.
struct CountedContext {
    let station: String
    let order: String
    let shift: String
    let line: String
    let batch: String
    var counts: Counts
}

extension Queries {
    /// All counts, as finely as they are kept.
    func countedContexts() throws -> [CountedContext] {
        struct Key: Hashable {
            let source: Int64
            let context: Int64
        }
        var again: [Key: (accepted: Int64, inspected: Int64)] = [:]
        for part in try laterInspections() {
            again[Key(source: part.source, context: part.context), default: (0, 0)].inspected += 1
            if part.outcome == Outcome.pass {
                again[Key(source: part.source, context: part.context), default: (0, 0)].accepted += 1
            }
        }
        return try rows(
            """
            SELECT s.station, c.order_id, c.shift, c.line, c.batch_id, t.accepted, t.rejected, t.uncertain, t.missed,
                t.source, t.context
            FROM part_tally t JOIN source s ON s.id = t.source JOIN context c ON c.id = t.context
            """
        ) { row in
            var counts = Counts()
            counts.accepted = row.int(5)
            counts.rejected = row.int(6)
            counts.uncertain = row.int(7)
            counts.missed = row.int(8)
            let later = again[Key(source: row.int(9), context: row.int(10))] ?? (0, 0)
            counts.firstPassAccepted = counts.accepted - later.accepted
            counts.firstPassInspected = counts.inspected - later.inspected
            counts.finish()
            return CountedContext(
                station: row.text(0),
                order: row.text(1),
                shift: row.text(2),
                line: row.text(3),
                batch: row.text(4),
                counts: counts
            )
        }
    }

    /// Inspections of parts that the same station had inspected before.
    private func laterInspections() throws -> [(source: Int64, context: Int64, outcome: Int64)] {
        let all = try rows(
            """
            SELECT r.serial, r.station, p.key >> \(Schema.sequenceBits), p.context, p.outcome
            FROM reinspected r JOIN part p ON p.serial = r.serial
            JOIN source s ON s.id = p.key >> \(Schema.sequenceBits) AND s.station = r.station
            WHERE p.outcome <> 0
            ORDER BY r.serial, r.station, p.triggered_at_us, s.session, p.key
            """
        ) { row in
            (serial: row.text(0), station: row.text(1), source: row.int(2), context: row.int(3), outcome: row.int(4))
        }
        return zip(all, all.dropFirst()).compactMap { before, part in
            guard before.serial == part.serial, before.station == part.station else { return nil }
            return (part.source, part.context, part.outcome)
        }
    }
}
