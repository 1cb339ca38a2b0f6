import SQLite

/// A row that is mostly new, so that it is inserted together with others of its table.
protocol BlockRow {
    /// Table and columns, as `INSERT INTO` has them.
    static var target: String { get }
    static var columns: Int32 { get }

    /// Binds its columns from parameter `first` on.
    func bind(to statement: Statement, from first: Int32)
}

/// Rows of one table that wait to be inserted, many in one statement: that costs a quarter less than one by one.
struct RowBlock<Row: BlockRow> {
    private let statements: [(rows: Int, insert: Statement)]
    private var waiting: [Row] = []

    init(_ database: Database) throws(SQLiteError) {
        let marks = "(" + (0..<Row.columns).map { _ in "?" }.joined(separator: ", ") + ")"
        var statements: [(rows: Int, insert: Statement)] = []
        for rows in [64, 16, 4, 1] {
            let values = (0..<rows).map { _ in marks }.joined(separator: ", ")
            statements.append((rows, try database.prepare("INSERT OR FAIL INTO \(Row.target) VALUES \(values)")))
        }
        self.statements = statements
    }

    mutating func add(_ row: Row) {
        waiting.append(row)
    }

    /// Inserts what waits, in its order, and settles each row: as new, or as one whose key is in the table already.
    mutating func flush(_ settle: (Row, _ isNew: Bool) throws -> Void) throws {
        var next = 0
        while next < waiting.count {
            let left = waiting.count - next
            guard let (rows, insert) = statements.first(where: { $0.rows <= left }) else { break }
            for index in 0..<rows { waiting[next + index].bind(to: insert, from: Int32(index) * Row.columns + 1) }
            let inserted = try insert.insert()
            for _ in 0..<inserted {
                try settle(waiting[next], true)
                next += 1
            }
            guard inserted < rows else { continue }
            try settle(waiting[next], false)
            next += 1
        }
        waiting.removeAll(keepingCapacity: true)
    }
}
