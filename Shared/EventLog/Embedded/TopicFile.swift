import Glibc
import SQLite

/// The form of one topic on disk: `<topic>.log.db`, beside it `<topic>.writer.lock` and `<topic>.bell`.
struct TopicFile: Sendable {
    static let suffix = ".log.db"
    static let bellSuffix = ".bell"
    private static let formatVersion: Int64 = 1
    /// "LLog", so that `file` and other programs can tell what it is.
    private static let applicationID: Int64 = 0x4c4c_6f67
    /// A record's key packs partition and offset, so that each partition's records lie together in append order.
    private static let offsetBits: Int64 = 40

    let directory: String
    let topic: String

    var path: String { "\(directory)/\(topic)\(Self.suffix)" }
    var lockPath: String { "\(directory)/\(topic).writer.lock" }
    /// Written after each commit (`AcknowledgedEnds`); readers watch it.
    var bellPath: String { "\(directory)/\(topic)\(Self.bellSuffix)" }
    var exists: Bool { access(path, F_OK) == 0 }

    static func id(_ partition: Int32, _ offset: Int64) -> Int64 { Int64(partition) << offsetBits | offset }
    static func offset(_ id: Int64) -> Int64 { id & (1 << offsetBits - 1) }

    /// Makes the file under another name first, so that nobody ever opens a half-made one.
    func create(partitions: Int32) throws(LogFailure) {
        if exists { return }
        let lock = try FileLock.wait("\(directory)/create.lock")
        defer { withExtendedLifetime(lock) {} }
        if exists { return }
        let draft = "\(path).new"
        for leftover in [draft, "\(draft)-wal", "\(draft)-shm"] where unlink(leftover) != 0 && errno != ENOENT {
            throw .system(errno, "removing \(leftover)")
        }
        do {
            let database = try Database(path: draft)
            try database.execute(
                """
                PRAGMA journal_mode=WAL;
                PRAGMA synchronous=FULL;
                PRAGMA application_id=\(Self.applicationID);
                PRAGMA user_version=\(Self.formatVersion);
                CREATE TABLE topic(partitions INTEGER NOT NULL);
                CREATE TABLE record(
                    id INTEGER PRIMARY KEY, appended_at_us INTEGER NOT NULL, crc32c INTEGER NOT NULL,
                    key BLOB NOT NULL, value BLOB NOT NULL, headers BLOB NOT NULL);
                INSERT INTO topic VALUES (\(partitions));
                """
            )
        } catch {
            throw failure(error)
        }
        try makeBell()
        guard rename(draft, path) == 0 else { throw .system(errno, "renaming \(draft) to \(path)") }
        try syncDirectory()
    }

    func makeBell() throws(LogFailure) {
        let bell = open(bellPath, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
        guard bell >= 0 else { throw .system(errno, "creating \(bellPath)") }
        close(bell)
    }

    private func syncDirectory() throws(LogFailure) {
        let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .system(errno, "opening \(directory)") }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw .system(errno, "syncing \(directory)") }
    }

    func openToWrite() throws(LogFailure) -> Database {
        try opened(.readWrite) { database throws(SQLiteError) in
            try database.keepWriteAheadLog()
            try database.execute(
                """
                PRAGMA synchronous=FULL;
                PRAGMA wal_autocheckpoint=0;
                PRAGMA cell_size_check=ON;
                """
            )
        }
    }

    func openToRead() throws(LogFailure) -> Database {
        try opened(.readOnly) { database throws(SQLiteError) in try database.execute("PRAGMA cell_size_check=ON") }
    }

    private func opened(
        _ mode: Database.Mode,
        _ configure: (Database) throws(SQLiteError) -> Void
    ) throws(LogFailure) -> Database {
        guard exists else { throw .unknown(TopicPartition(topic)) }
        let (database, version, application) = try reading { () throws(SQLiteError) in
            let database = try Database(path: path, mode: mode)
            try configure(database)
            return (
                database, try database.integer("PRAGMA user_version"), try database.integer("PRAGMA application_id")
            )
        }
        guard version == Self.formatVersion, application == Self.applicationID else {
            throw .corrupt(
                "\(path): application \(application), format \(version); expected \(Self.applicationID), "
                    + "\(Self.formatVersion): is it a topic, made by this version of the program?"
            )
        }
        return database
    }

    /// Runs SQLite calls, naming this file in what fails.
    func reading<Value>(_ body: () throws(SQLiteError) -> Value) throws(LogFailure) -> Value {
        do {
            return try body()
        } catch {
            throw failure(error)
        }
    }

    func failure(_ error: SQLiteError) -> LogFailure {
        if error.isFull { return .full("\(path): \(error); free space there, then it goes on by itself") }
        if error.isCorrupt { return .corrupt("\(path): \(error); restore it from a mirror or a backup") }
        return .unavailable("\(path): \(error)")
    }
}

extension Database {
    /// The first column of the first row; 0 when there is none.
    func integer(_ sql: String) throws(SQLiteError) -> Int64 {
        let statement = try prepare(sql)
        defer { statement.reset() }
        return try statement.step() ? statement.int(0) : 0
    }

    /// The offset after the last record of a partition.
    func endOffset(_ partition: Int32) throws(SQLiteError) -> Int64 {
        let statement = try prepare("SELECT max(id) FROM record WHERE id BETWEEN ? AND ?")
        defer { statement.reset() }
        statement.bind(1, TopicFile.id(partition, 0))
        statement.bind(2, TopicFile.id(partition + 1, 0) - 1)
        guard try statement.step(), !statement.isNull(0) else { return 0 }
        return TopicFile.offset(statement.int(0)) + 1
    }
}
