import CSQLite
import Glibc

/// What SQLite said, with the statement it said it about.
package struct SQLiteError: Error, Equatable, CustomStringConvertible {
    /// Extended result code (https://sqlite.org/rescode.html).
    package let code: Int32
    package let message: String
    package let context: String
    /// What the operating system said (errno), 0 where it was not asked.
    package let systemError: Int32

    package init(code: Int32, message: String, context: String, systemError: Int32 = 0) {
        self.code = code
        self.message = message
        self.context = context
        self.systemError = systemError
    }

    /// The code for a file that is not sound, for those who find out themselves.
    package static let corrupt: Int32 = SQLITE_CORRUPT

    /// The disk, quota or file size limit is reached. SQLite itself says so for a full disk only.
    package var isFull: Bool {
        code & 0xff == SQLITE_FULL || code & 0xff == SQLITE_IOERR && [ENOSPC, EDQUOT, EFBIG].contains(systemError)
    }
    /// Another connection is in the way; it passes.
    package var isBusy: Bool { code & 0xff == SQLITE_BUSY || code & 0xff == SQLITE_LOCKED }
    /// The file is not, or no longer, a sound database.
    package var isCorrupt: Bool { code & 0xff == SQLITE_CORRUPT || code & 0xff == SQLITE_NOTADB }
    /// The statement does not fit the file's tables.
    package var isMismatch: Bool { code & 0xff == SQLITE_ERROR }

    /// A statement that is right for a sound file did not fit this one: a table, a value or the right to write is not
    /// what it was made with.
    package var isUnfit: Bool {
        [SQLITE_ERROR, SQLITE_CONSTRAINT, SQLITE_MISMATCH, SQLITE_READONLY].contains(code & 0xff)
    }

    /// A row with the same key is there already.
    var isKeyConflict: Bool { keyConflicts.contains(code) }

    package var description: String { "SQLite error \(code): \(message) (\(context))" }
}

/// SQLITE_CONSTRAINT_PRIMARYKEY, _UNIQUE and _ROWID, which Swift does not import (https://sqlite.org/rescode.html).
private let keyConflicts: [Int32] = [1555, 2067, 2579]

/// One connection to one SQLite file. Not thread safe: its owner (an actor or a lock) uses it from one place at a time.
package final class Database {
    package enum Mode: Sendable { case readWrite, readOnly }

    package let path: String
    package let handle: OpaquePointer

    /// Opens the file; readers wait up to `busyTimeoutMs` for a lock.
    package init(path: String, mode: Mode = .readWrite, busyTimeoutMs: Int32 = 5_000) throws(SQLiteError) {
        self.path = path
        let access = mode == .readWrite ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY
        var opened: OpaquePointer?
        let code = sqlite3_open_v2(path, &opened, access | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nil)
        guard code == SQLITE_OK, let opened else {
            let message = opened.map { String(cString: sqlite3_errmsg($0)) } ?? "out of memory"
            sqlite3_close_v2(opened)
            throw SQLiteError(code: code, message: message, context: "opening \(path)")
        }
        handle = opened
        sqlite3_busy_timeout(opened, busyTimeoutMs)
    }

    deinit {
        sqlite3_close_v2(handle)
    }

    /// Runs one or more statements without parameters and without rows.
    package func execute(_ sql: String) throws(SQLiteError) {
        let code = sqlite3_exec(handle, sql, nil, nil, nil)
        guard code == SQLITE_OK else { throw error(code, sql) }
    }

    package func prepare(_ sql: String) throws(SQLiteError) -> Statement {
        try Statement(self, sql)
    }

    /// Runs `body` in one transaction: all of it or nothing.
    package func transaction<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws -> Result {
        try execute("BEGIN IMMEDIATE")
        do {
            let result = try body()
            try execute("COMMIT")
            return result
        } catch {
            // The first error is the one to tell.
            sqlite3_exec(handle, "ROLLBACK", nil, nil, nil)
            throw error
        }
    }

    /// Ends the transaction as if it had not begun; a failed COMMIT or a full disk may have done so already.
    package func rollBack() throws(SQLiteError) {
        if sqlite3_get_autocommit(handle) == 0 { try execute("ROLLBACK") }
    }

    /// Keeps `-wal` and `-shm` on disk when the last connection closes, so that readers never meet them vanishing.
    package func keepWriteAheadLog() throws(SQLiteError) {
        var isKept: Int32 = 1
        let code = sqlite3_file_control(handle, nil, SQLITE_FCNTL_PERSIST_WAL, &isKept)
        guard code == SQLITE_OK else { throw error(code, "keeping the write-ahead log of \(path)") }
    }

    /// How a checkpoint treats readers in its way.
    package enum Checkpoint: Sendable {
        /// Moves what no reader needs and returns.
        case passive
        /// Waits for readers up to the busy time-out, then empties the write-ahead log.
        case truncating
    }

    /// Moves the write-ahead log into the database file; returns how many pages the write-ahead log still holds.
    @discardableResult
    package func checkpoint(_ kind: Checkpoint) throws(SQLiteError) -> Int {
        var logged: Int32 = 0
        var moved: Int32 = 0
        let mode = kind == .passive ? SQLITE_CHECKPOINT_PASSIVE : SQLITE_CHECKPOINT_TRUNCATE
        let code = sqlite3_wal_checkpoint_v2(handle, nil, mode, &logged, &moved)
        guard code == SQLITE_OK else { throw error(code, "checkpoint of \(path)") }
        return Int(logged)
    }

    /// Rows changed by the last statement.
    package var changes: Int { Int(sqlite3_changes64(handle)) }

    /// What the last call on this connection failed with.
    package func error(_ code: Int32, _ context: String) -> SQLiteError {
        // SQLite keeps errno for statements, not for a commit; there the thread's own still holds it.
        let last = errno
        let kept = sqlite3_system_errno(handle)
        return SQLiteError(
            code: code,
            message: String(cString: sqlite3_errmsg(handle)),
            context: context,
            systemError: kept != 0 || code & 0xff != SQLITE_IOERR ? kept : last
        )
    }
}
