import SQLite

/// In what one table of two models differs, rows matched by business key.
package struct TableDifference: Codable, Equatable, Sendable {
    package let table: String
    /// Rows that only the live model has.
    package internal(set) var onlyLive: Int64 = 0
    /// Rows that only the rebuilt model has.
    package internal(set) var onlyRebuilt: Int64 = 0
    /// Rows that both have, with other values.
    package internal(set) var changed: Int64 = 0
    /// The first few, by business key.
    package internal(set) var examples: [String] = []

    package static let examplesKept = 5

    init(table: String) {
        self.table = table
    }

    var isEmpty: Bool { onlyLive == 0 && onlyRebuilt == 0 && changed == 0 }
}

/// Reads two models side by side in canonical order; memory does not grow with them.
struct ModelComparison {
    private let live, rebuilt: Database

    init(live: Database, rebuilt: Database) {
        self.live = live
        self.rebuilt = rebuilt
    }

    /// The tables that differ. Each model must stand still meanwhile.
    func differences(in tables: Set<String>) throws -> [TableDifference] {
        try Canonical.tables.filter { tables.contains($0.name) }.map { try compare($0) }
    }

    private func compare(_ table: Canonical.Table) throws -> TableDifference {
        var difference = TableDifference(table: table.name)
        let old = try live.prepare(table.sql)
        let new = try rebuilt.prepare(table.sql)
        guard table.isBySource else {
            try merge(Rows(old, table), Rows(new, table), "", &difference)
            return difference
        }
        let oldSources = try sources(live)
        let newSources = try sources(rebuilt)
        for source in Set(oldSources.keys).union(newSources.keys).sorted() {
            try merge(
                Rows(old, table, source: oldSources[source]),
                Rows(new, table, source: newSources[source]),
                "\(source.station)/\(source.session)/",
                &difference
            )
        }
        return difference
    }

    private struct Source: Hashable, Comparable {
        let station: String
        let session: Int64

        static func < (left: Self, right: Self) -> Bool {
            (left.station, left.session) < (right.station, right.session)
        }
    }

    private func sources(_ database: Database) throws -> [Source: Int64] {
        var found: [Source: Int64] = [:]
        let list = try database.prepare("SELECT station, session, id FROM source")
        while try list.step() { found[Source(station: list.text(0), session: list.int(1))] = list.int(2) }
        return found
    }

    /// Rows in ascending order of their keys.
    private struct Rows {
        private let statement: Statement?
        private let keyColumns: Int
        private(set) var row: [Cell]?

        /// - Parameter source: the source's id in this file, for tables that are read by source; nil gives no rows.
        init(_ statement: Statement, _ table: Canonical.Table, source: Int64? = nil) throws {
            keyColumns = table.keyColumns
            guard table.isBySource else {
                self.statement = statement
                try next()
                return
            }
            guard let source else {
                self.statement = nil
                return
            }
            statement.reset()
            statement.bind(1, source << Schema.sequenceBits)
            statement.bind(2, source << Schema.sequenceBits | Schema.sequenceMask)
            self.statement = statement
            try next()
        }

        var key: ArraySlice<Cell>? { row?.prefix(keyColumns) }

        mutating func next() throws {
            guard let statement, try statement.step() else {
                row = nil
                return
            }
            row = (0..<statement.columnCount).map { statement.cell($0) }
        }
    }

    private func merge(
        _ old: consuming Rows,
        _ new: consuming Rows,
        _ prefix: String,
        _ difference: inout TableDifference
    ) throws {
        func note(_ key: ArraySlice<Cell>, _ what: String) {
            guard difference.examples.count < TableDifference.examplesKept else { return }
            difference.examples.append("\(prefix)\(key.map(\.text).joined(separator: "/")): \(what)")
        }
        while true {
            switch (old.key, new.key) {
            case (nil, nil): return
            case (let key?, nil):
                difference.onlyLive += 1
                note(key, "only in the live model")
                try old.next()
            case (nil, let key?):
                difference.onlyRebuilt += 1
                note(key, "only in the rebuilt model")
                try new.next()
            case (let left?, let right?):
                if left.lexicographicallyPrecedes(right) {
                    difference.onlyLive += 1
                    note(left, "only in the live model")
                    try old.next()
                } else if right.lexicographicallyPrecedes(left) {
                    difference.onlyRebuilt += 1
                    note(right, "only in the rebuilt model")
                    try new.next()
                } else {
                    if old.row != new.row {
                        difference.changed += 1
                        note(left, "changed")
                    }
                    try old.next()
                    try new.next()
                }
            }
        }
    }
}

/// As SQLite orders values (https://sqlite.org/datatype3.html, 4.1), text by its bytes.
extension Cell: Comparable {
    static func < (left: Cell, right: Cell) -> Bool {
        switch (left, right) {
        case (.int(let left), .int(let right)): left < right
        case (.real(let left), .real(let right)): left < right
        case (.int(let left), .real(let right)): Double(left) < right
        case (.real(let left), .int(let right)): left < Double(right)
        case (.text(let left), .text(let right)): left.utf8.lexicographicallyPrecedes(right.utf8)
        case (.blob(let left), .blob(let right)): left.lexicographicallyPrecedes(right)
        default: left.rank < right.rank
        }
    }

    private var rank: Int {
        switch self {
        case .null: 0
        case .int, .real: 1
        case .text: 2
        case .blob: 3
        }
    }

    var text: String {
        switch self {
        case .int(let value): "\(value)"
        case .real(let value): "\(value)"
        case .text(let value): value
        case .blob(let bytes): HashCell.hex(bytes.prefix(8))
        case .null: "-"
        }
    }
}
