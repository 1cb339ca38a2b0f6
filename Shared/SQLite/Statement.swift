import CSQLite

/// A compiled statement: bind from 1, step, read columns from 0, reset.
package final class Statement {
    private let database: Database
    private let handle: OpaquePointer
    private let sql: String

    private static let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)

    package init(_ database: Database, _ sql: String) throws(SQLiteError) {
        var prepared: OpaquePointer?
        let code = sqlite3_prepare_v3(database.handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &prepared, nil)
        guard code == SQLITE_OK, let prepared else { throw database.error(code, sql) }
        self.database = database
        self.sql = sql
        handle = prepared
    }

    deinit {
        sqlite3_finalize(handle)
    }

    @inline(__always)
    package func bind(_ index: Int32, _ value: Int64) {
        check(sqlite3_bind_int64(handle, index, value))
    }

    @inline(__always)
    package func bind(_ index: Int32, _ value: Double) {
        check(sqlite3_bind_double(handle, index, value))
    }

    @inline(__always)
    package func bind(_ index: Int32, _ value: String) {
        var value = value
        value.withUTF8 { bytes in
            guard let start = bytes.baseAddress else {
                // A null pointer would bind NULL.
                check(sqlite3_bind_text(handle, index, "", 0, Self.transient))
                return
            }
            start.withMemoryRebound(to: CChar.self, capacity: bytes.count) { text in
                check(sqlite3_bind_text(handle, index, text, Int32(bytes.count), Self.transient))
            }
        }
    }

    @inline(__always)
    package func bind(_ index: Int32, _ value: [UInt8]) {
        value.withUnsafeBytes { bytes in
            check(
                bytes.isEmpty
                    ? sqlite3_bind_zeroblob(handle, index, 0)
                    : sqlite3_bind_blob(handle, index, bytes.baseAddress, Int32(bytes.count), Self.transient)
            )
        }
    }

    /// Binds UTF-8 without copying it: the bytes must stay until the statement has run, and the parameter be bound anew
    /// before it runs again.
    @inline(__always)
    package func bind(_ index: Int32, lentText bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress, !bytes.isEmpty else {
            // A null pointer would bind NULL.
            check(sqlite3_bind_text(handle, index, "", 0, Self.transient))
            return
        }
        check(sqlite3_bind_text(handle, index, start.assumingMemoryBound(to: CChar.self), Int32(bytes.count), nil))
    }

    /// Binds a blob without copying it, under the same terms.
    @inline(__always)
    package func bind(_ index: Int32, lentBlob bytes: UnsafeRawBufferPointer) {
        check(sqlite3_bind_blob(handle, index, bytes.baseAddress, Int32(bytes.count), nil))
    }

    @inline(__always)
    package func bindNull(_ index: Int32) {
        check(sqlite3_bind_null(handle, index))
    }

    /// True when there is a row to read, false when the statement is done.
    @inline(__always)
    package func step() throws(SQLiteError) -> Bool {
        let code = sqlite3_step(handle)
        if code == SQLITE_ROW { return true }
        guard code == SQLITE_DONE else {
            let failure = database.error(code, sql)
            sqlite3_reset(handle)
            throw failure
        }
        return false
    }

    /// Makes the statement ready for new values.
    @inline(__always)
    package func reset() {
        sqlite3_reset(handle)
    }

    /// Runs to the end without reading rows, and resets.
    @inline(__always)
    package func run() throws(SQLiteError) {
        while try step() {}
        reset()
    }

    /// Runs an `INSERT OR FAIL` and returns how many rows went in: all, or those before one whose key is there already.
    @inline(__always)
    package func insert() throws(SQLiteError) -> Int {
        let code = sqlite3_step(handle)
        guard code != SQLITE_DONE else {
            reset()
            return database.changes
        }
        let failure = database.error(code, sql)
        reset()
        guard failure.isKeyConflict else { throw failure }
        return database.changes
    }

    package var columnCount: Int32 { sqlite3_column_count(handle) }
    package func columnName(_ index: Int32) -> String { String(cString: sqlite3_column_name(handle, index)) }
    package func isNull(_ index: Int32) -> Bool { sqlite3_column_type(handle, index) == SQLITE_NULL }
    /// The stored class of the value: `SQLITE_INTEGER`, `SQLITE_FLOAT`, `SQLITE_TEXT`, `SQLITE_BLOB` or `SQLITE_NULL`.
    package func columnType(_ index: Int32) -> Int32 { sqlite3_column_type(handle, index) }
    package func int(_ index: Int32) -> Int64 { sqlite3_column_int64(handle, index) }
    package func double(_ index: Int32) -> Double { sqlite3_column_double(handle, index) }

    package func text(_ index: Int32) -> String {
        guard let bytes = sqlite3_column_text(handle, index) else { return "" }
        let count = Int(sqlite3_column_bytes(handle, index))
        return String(decoding: UnsafeBufferPointer(start: bytes, count: count), as: UTF8.self)
    }

    package func blob(_ index: Int32) -> [UInt8] {
        guard let bytes = sqlite3_column_blob(handle, index) else { return [] }
        return [UInt8](UnsafeRawBufferPointer(start: bytes, count: Int(sqlite3_column_bytes(handle, index))))
    }

    /// A bind fails only on a wrong index or a statement in use: a mistake of ours.
    @inline(__always)
    private func check(_ code: Int32) {
        precondition(code == SQLITE_OK, "binding failed with \(code): \(sql)")
    }
}
