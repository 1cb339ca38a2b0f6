import CSQLite

/// What SQLite said, with the statement it said it about.
package struct SQLiteError: Error, Equatable, CustomStringConvertible {
    /// Extended result code (https://sqlite.org/rescode.html).
    package let code: Int32
    package let message: String
    package let context: String

    package init(code: Int32, message: String, context: String) {
        self.code = code
        self.message = message
        self.context = context
    }

    /// The disk or quota is full.
    package var isFull: Bool { code & 0xff == SQLITE_FULL || code == SQLITE_IOERR | (3 << 8) && message.contains("full") }
    /// The file is not, or no longer, a sound database.
    package var isCorrupt: Bool { code & 0xff == SQLITE_CORRUPT || code & 0xff == SQLITE_NOTADB }

    package var description: String { "SQLite error \(code): \(message) (\(context))" }
}

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
            // A failed COMMIT or a full disk may have rolled back already; the first error is the one to tell.
            sqlite3_exec(handle, "ROLLBACK", nil, nil, nil)
            throw error
        }
    }

    /// Rows changed by the last statement.
    package var changes: Int { Int(sqlite3_changes64(handle)) }

    package func error(_ code: Int32, _ context: String) -> SQLiteError {
        SQLiteError(code: code, message: String(cString: sqlite3_errmsg(handle)), context: context)
    }
}
