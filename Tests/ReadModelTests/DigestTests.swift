import EventLog
import ReadModel
import SQLite
import SeededRandom
import Testing

@Suite struct DigestTests {
    /// Columns that numbering or this run's clock decides, and tables that tell of reading, not of the plant.
    private static let leftOut: Set<String> = ["model.applied_at_us", "model.id"]
    private static let leftOutTables: Set<String> = ["input", "fence", "lag", "term"]

    @Test("Changing any value of any row changes the digest, and names the table", arguments: 1...3)
    func everyValueCounts(seed: UInt64) throws {
        let folder = try Folder()
        var random = SplitMix64(seed: seed)
        var plant = RandomPlant(seed: seed)
        let model = try interleave(try plant.make(parts: 120), into: folder.path("m"), &random, restarts: false)
        let before = try model.tableDigests()
        let database = try Database(path: folder.path("m"))
        var checked = 0
        for table in try tables(database) {
            for column in try columns(database, table) where !Self.leftOut.contains("\(table).\(column)") {
                let rows = try count(database, table)
                guard rows > 0 else { continue }
                let row = random.below(rows)
                try database.execute(change(table, column, row))
                let changed = try model.tableDigests()
                #expect(changed != before, "seed \(seed): \(table).\(column) row \(row)")
                try database.execute(undo(table, column))
                #expect(try model.tableDigests() == before, "undone: \(table).\(column)")
                checked += 1
            }
        }
        #expect(checked > 150)
    }

    @Test("Removing any row changes the digest", arguments: 1...2)
    func everyRowCounts(seed: UInt64) throws {
        let folder = try Folder()
        var random = SplitMix64(seed: seed)
        var plant = RandomPlant(seed: seed)
        let model = try interleave(try plant.make(parts: 120), into: folder.path("m"), &random, restarts: false)
        let before = try model.digest()
        let database = try Database(path: folder.path("m"))
        for table in try tables(database) where try count(database, table) > 0 {
            let key = try keyColumns(database, table)
            let row = random.below(try count(database, table))
            try database.execute("CREATE TEMP TABLE kept AS SELECT * FROM \(table)")
            try database.execute(
                """
                DELETE FROM \(table) WHERE (\(key)) IN (
                    SELECT \(key) FROM \(table) ORDER BY \(key) LIMIT 1 OFFSET \(row))
                """
            )
            #expect(try model.digest() != before, "seed \(seed): \(table) row \(row)")
            try database.execute("DELETE FROM \(table)")
            try database.execute("INSERT INTO \(table) SELECT * FROM kept")
            try database.execute("DROP TABLE kept")
            #expect(try model.digest() == before, "undone: \(table)")
        }
    }

    private func tables(_ database: Database) throws -> [String] {
        let list = try database.prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
        var names: [String] = []
        while try list.step() { names.append(list.text(0)) }
        return names.filter { !Self.leftOutTables.contains($0) }
    }

    /// Business columns: ids of this file's own numbering are seen through what they stand for.
    private func columns(_ database: Database, _ table: String) throws -> [String] {
        let surrogates: Set<String> = table == "source" || table == "context" ? ["id"] : []
        let info = try database.prepare("SELECT name FROM pragma_table_info('\(table)')")
        var names: [String] = []
        while try info.step() { names.append(info.text(0)) }
        return names.filter { !surrogates.contains($0) }
    }

    private func keyColumns(_ database: Database, _ table: String) throws -> String {
        let info = try database.prepare("SELECT group_concat(name) FROM pragma_table_info('\(table)') WHERE pk > 0")
        return try info.step() ? info.text(0) : ""
    }

    private func count(_ database: Database, _ table: String) throws -> Int {
        let statement = try database.prepare("SELECT count(*) FROM \(table)")
        return try statement.step() ? Int(statement.int(0)) : 0
    }

    /// Puts the row aside and writes it back with one value that no row has.
    private func change(_ table: String, _ column: String, _ row: Int) throws -> String {
        """
        CREATE TEMP TABLE kept AS SELECT * FROM \(table);
        CREATE TEMP TABLE one AS SELECT * FROM kept LIMIT 1 OFFSET \(row);
        CREATE TEMP TABLE rest AS SELECT * FROM kept LIMIT \(row);
        INSERT INTO rest SELECT * FROM kept LIMIT -1 OFFSET \(row + 1);
        UPDATE one SET \(column) = CASE typeof(\(column)) WHEN 'integer' THEN \(column) + 1
            WHEN 'real' THEN \(column) + 1 WHEN 'null' THEN 17 WHEN 'blob' THEN zeroblob(31) ELSE \(column) || 'x' END;
        DELETE FROM \(table);
        INSERT OR REPLACE INTO \(table) SELECT * FROM rest;
        INSERT OR REPLACE INTO \(table) SELECT * FROM one;
        """
    }

    private func undo(_ table: String, _ column: String) -> String {
        """
        DELETE FROM \(table); INSERT INTO \(table) SELECT * FROM kept;
        DROP TABLE kept; DROP TABLE one; DROP TABLE rest;
        """
    }
}
