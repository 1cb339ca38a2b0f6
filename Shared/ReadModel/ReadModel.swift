package import EventLog
import PlantEvents
import SQLite

/// Why a read model cannot be used or go on.
package enum ReadModelFailure: Error, Equatable, CustomStringConvertible {
    /// The file was made by another version of the model: rebuild it.
    case otherVersion(path: String, found: Int64, expected: Int64)
    /// The file belongs to another site.
    case otherSite(path: String, found: String, expected: String)
    /// A rebuild writes a new file only.
    case exists(path: String)
    /// More trigger sessions than keys have room for.
    case tooManySources(limit: Int64)
    /// The file contradicts itself: rebuild it.
    case damaged(String)
    /// A rebuild was asked for beyond what the log holds.
    case beyondEnd(TopicPartition, wanted: Int64, end: Int64)
    /// The log gave nothing for too long.
    case stalled(TopicPartition, at: Int64, wanted: Int64)
    /// The folder names no active generation.
    case noModel(path: String)
    /// Another process writes the generations of the folder.
    case writerExists(path: String)

    /// Whether there is no model to ask just now, and will be one soon.
    package var isPassing: Bool {
        switch self {
        case .otherVersion, .noModel: true
        case .otherSite, .exists, .tooManySources, .damaged, .beyondEnd, .stalled, .writerExists: false
        }
    }

    package var description: String {
        switch self {
        case .otherVersion(let path, let found, let expected):
            "\(path): read model of version \(found), expected \(expected); rebuild it from the log"
        case .otherSite(let path, let found, let expected):
            "\(path): read model of site '\(found)', expected '\(expected)'; name another file"
        case .exists(let path): "\(path): exists; a rebuild writes a new file, name another or remove it"
        case .tooManySources(let limit): "more than \(limit) trigger sessions; archive and rebuild with fewer stations"
        case .damaged(let detail): "read model damaged: \(detail); rebuild it from the log"
        case .beyondEnd(let place, let wanted, let end):
            "\(place): asked to read up to offset \(wanted), the log ends at \(end)"
        case .stalled(let place, let at, let wanted):
            "\(place): the log gave nothing more at offset \(at), expected records up to \(wanted)"
        case .noModel(let path):
            "\(path): no read model is active; start the projector, which builds one from the log"
        case .writerExists(let path): "\(path): another process writes this read model; stop it first"
        }
    }
}

/// A record that could not be understood; its reader parks it.
package struct UnreadableRecord: Equatable, Sendable {
    package let record: StoredRecord
    package let reason: String

    package init(record: StoredRecord, reason: String) {
        self.record = record
        self.reason = reason
    }
}

/// What one batch did.
package struct Applied: Sendable {
    /// Records whose events were folded.
    package internal(set) var applied = 0
    /// Events in them.
    package internal(set) var events = 0
    /// Records of writers that had lost their partition.
    package internal(set) var void = 0
    /// Records that were folded before.
    package internal(set) var repeats = 0
    /// Events of kinds that this build does not know.
    package internal(set) var unknown = 0
    /// Records that are missing before one that came.
    package internal(set) var gaps: [OriginGap] = []
    /// Records to park.
    package internal(set) var parked: [UnreadableRecord] = []
    /// For each verdict, microseconds from it until now.
    package internal(set) var verdictToProjectedUs: [Int64] = []
}

/// The plant as its events tell it, in one SQLite file: a fold over the log, kept with the positions it has read to.
///
/// Not thread safe: one owner applies batches. Others read the same file with `Queries`.
package final class ReadModel {
    /// Whether the file is read by others while it grows, or counts only once it is complete.
    enum Purpose { case live, rebuild }

    package let site: String
    let database: Database
    private var fold: Fold
    private let purpose: Purpose

    /// Opens or makes the file.
    package convenience init(path: String, site: String) throws {
        try self.init(path: path, site: site, purpose: .live)
    }

    init(path: String, site: String, purpose: Purpose) throws {
        self.site = site
        self.purpose = purpose
        database = try Database(path: path)
        try database.execute(purpose == .live ? Schema.livePragmas : Schema.rebuildPragmas)
        try Self.prepare(database, path, site, purpose)
        fold = try Fold(database, site: site)
    }

    private static func prepare(_ database: Database, _ path: String, _ site: String, _ purpose: Purpose) throws {
        let isNew = try database.prepare("SELECT count(*) FROM sqlite_master").firstInt() == 0
        if isNew {
            try database.transaction {
                try database.execute(Schema.tables)
                if purpose == .live { try database.execute(Schema.queryIndexes) }
                try database.prepare("INSERT INTO model(id, version, site, applied_at_us) VALUES (1, ?, ?, 0)")
                    .run([.int(Schema.version), .text(site)])
            }
        }
        try check(database, path, site)
    }

    /// Throws unless the file is a model of this version, or one of those that are understood, and of the site.
    static func check(
        _ database: Database,
        _ path: String,
        _ site: String?,
        understood: ClosedRange<Int64> = Schema.version...Schema.version
    ) throws {
        let known = try database.prepare("SELECT count(*) FROM sqlite_master WHERE name = 'model'").firstInt()
        guard known == 1 else {
            throw ReadModelFailure.otherVersion(path: path, found: 0, expected: Schema.version)
        }
        let model = try database.prepare("SELECT version, site FROM model")
        guard try model.step() else { throw ReadModelFailure.damaged("\(path): table model is empty") }
        guard understood.contains(model.int(0)) else {
            throw ReadModelFailure.otherVersion(path: path, found: model.int(0), expected: Schema.version)
        }
        guard let site, model.text(1) != site else { return }
        throw ReadModelFailure.otherSite(path: path, found: model.text(1), expected: site)
    }

    /// Offset of the next record to read, for each partition known so far: at least partition 0 of every topic that a
    /// running service writes.
    package var positions: [TopicPartition: Int64] { fold.inputs.positions }

    /// Folds a batch: rows and positions in one transaction, all or nothing.
    ///
    /// Records that cannot be understood come back to be parked; the others of the batch are folded.
    package func apply(_ batch: [StoredRecord], nowUs: Int64) throws -> Applied {
        do {
            return try database.transaction { try fold.apply(batch, nowUs: nowUs, isLive: purpose == .live) }
        } catch {
            // What was learnt in the transaction that did not happen must be forgotten.
            fold = try Fold(database, site: site)
            throw error
        }
    }

    /// Folds a batch, and has the records that cannot be understood parked before the transaction commits: a position
    /// moves beyond a record only after its copy is durable, whatever crashes in between. Parking one twice is the
    /// normal case after a crash, and is recognised by its offset.
    ///
    /// - Parameter isCatchingUp: the records are history; how long they took says nothing of the running service.
    package func apply(
        _ batch: [StoredRecord],
        nowUs: Int64,
        isCatchingUp: Bool = false,
        parking park: (UnreadableRecord) async throws -> Void
    ) async throws -> Applied {
        guard purpose == .live else {
            // No transaction to go back to; the file counts only once it is complete, and by then all are parked.
            let applied = try apply(batch, nowUs: nowUs)
            for unreadable in applied.parked { try await park(unreadable) }
            return applied
        }
        try database.execute("BEGIN IMMEDIATE")
        do {
            let applied = try fold.apply(batch, nowUs: nowUs, isLive: !isCatchingUp)
            for unreadable in applied.parked { try await park(unreadable) }
            try database.execute("COMMIT")
            return applied
        } catch {
            let failure = error
            try undo()
            throw failure
        }
    }

    /// Leaves the transaction and forgets what was learnt in it.
    private func undo() throws {
        try database.rollBack()
        fold = try Fold(database, site: site)
    }

    /// Has records read by `threads` other threads while the owner of the model folds those before; the rows are the
    /// same. Worth it for a rebuild; a live model waits for the log, not for a core.
    package func readAhead(threads: Int) {
        fold.pool = DecodePool(threads: threads)
    }

    /// Completes a rebuilt file: indexes, and everything on disk in one file without a journal beside it.
    func complete() throws {
        try database.execute("PRAGMA synchronous=FULL; PRAGMA journal_mode=DELETE;")
        try database.transaction { try database.execute(Schema.queryIndexes) }
        // The lock is given back with the next look at the file.
        try database.execute("PRAGMA locking_mode=NORMAL; SELECT version FROM model;")
    }
}
