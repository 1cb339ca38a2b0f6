import SQLite

/// A value of a row.
enum Cell: Equatable {
    case int(Int64)
    case real(Double)
    case text(String)
    case blob([UInt8])
    case null
}

extension Statement {
    func bind(_ index: Int32, cell: Cell) {
        switch cell {
        case .int(let value): bind(index, value)
        case .real(let value): bind(index, value)
        case .text(let value): bind(index, value)
        case .blob(let value): bind(index, value)
        case .null: bindNull(index)
        }
    }

    /// Text, or null where it is empty.
    @inline(__always)
    func bind(_ index: Int32, optional text: Bytes) {
        if text.isEmpty { bindNull(index) } else { bind(index, lentText: text) }
    }

    @inline(__always)
    func bind(_ first: Int32, mark: Mark) {
        bind(first, mark.partition)
        bind(first + 1, mark.epoch)
        bind(first + 2, mark.sequence)
    }

    /// Binds all, runs, and returns the first column of the first row, if any.
    func firstInt(_ cells: Cell...) throws(SQLiteError) -> Int64? {
        for (index, cell) in cells.enumerated() { bind(Int32(index + 1), cell: cell) }
        defer { reset() }
        return try step() ? int(0) : nil
    }

    func run(_ cells: [Cell]) throws(SQLiteError) {
        for (index, cell) in cells.enumerated() { bind(Int32(index + 1), cell: cell) }
        try run()
    }
}

/// Where and when the record being folded was written.
struct Mark {
    var partition: Int64 = 0
    var epoch: Int64 = 0
    var sequence: Int64 = 0
    var occurredAtUs: Int64 = 0
}

/// Writes rows of which the latest in the log stands, in whatever order they come.
struct LatestRow {
    private let statement: Statement

    /// `columns` as they are bound, without `at_us` and the origin, which every such table ends with.
    init(_ database: Database, _ table: String, key: [String], values: [String]) throws(SQLiteError) {
        let columns = key + values + ["at_us", "partition", "epoch", "sequence"]
        let changed = columns.dropFirst(key.count).map { "\($0) = excluded.\($0)" }
        statement = try database.prepare(
            """
            INSERT INTO \(table)(\(columns.joined(separator: ", ")))
            VALUES (\(columns.map { _ in "?" }.joined(separator: ", ")))
            ON CONFLICT(\(key.joined(separator: ", "))) DO UPDATE SET \(changed.joined(separator: ", "))
            WHERE (excluded.epoch, excluded.sequence, excluded.partition) >= (epoch, sequence, partition)
            """
        )
    }

    func put(_ mark: Mark, _ cells: Cell...) throws(SQLiteError) {
        try statement.run(
            cells + [.int(mark.occurredAtUs), .int(mark.partition), .int(mark.epoch), .int(mark.sequence)]
        )
    }
}
