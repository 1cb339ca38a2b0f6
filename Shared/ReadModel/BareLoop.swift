import SQLite

/// The bare SQLite loop of the replay bench: rows that are in memory go into the same tables.
enum BareLoop {
    /// A table's rows, in the order in which their records came.
    struct Table {
        let insert: String
        let rows: [[Cell]]
    }

    static func tables(of path: String) throws -> [Table] {
        let database = try Database(path: path, mode: .readOnly)
        let list = try database.prepare(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT IN ('model', 'input', 'fence', 'lag')"
        )
        var tables: [Table] = []
        while try list.step() {
            let name = list.text(0)
            let probe = try database.prepare("SELECT * FROM \(name)")
            let columns = (0..<probe.columnCount).map { probe.columnName($0) }
            let order = columns.contains("sequence") ? " ORDER BY epoch, sequence" : ""
            let select = try database.prepare("SELECT * FROM \(name)\(order)")
            var rows: [[Cell]] = []
            while try select.step() { rows.append((0..<select.columnCount).map { select.cell($0) }) }
            let marks = columns.map { _ in "?" }.joined(separator: ", ")
            tables.append(Table(insert: "INSERT INTO \(name) VALUES (\(marks))", rows: rows))
        }
        return tables
    }

    /// As many transactions as the replay has, each with its share of every table's rows.
    static func write(_ tables: [Table], batches: Int, to path: String) throws {
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
