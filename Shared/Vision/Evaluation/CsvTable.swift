/// A table of comma-separated values with a heading (RFC 4180): fields may be quoted, quoted ones may hold commas, line
/// breaks and doubled quotes.
package struct CsvTable: Equatable, Sendable {
    /// One record below the heading.
    package struct Row: Equatable, Sendable {
        /// Line on which it begins, from 1.
        package let line: Int
        package let fields: [String]
    }

    /// Most records.
    package static let maxRows = 1_000_000
    /// Largest file, bytes.
    package static let maxBytes = 200_000_000

    package let path: String
    package let columns: [String]
    /// Empty lines are left out.
    package let rows: [Row]

    /// Reads a file that has the columns `required`.
    package static func read(_ path: String, columns required: [String]) throws(FileError) -> CsvTable {
        let bytes = try Files.read(path, atMost: maxBytes)
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw FileError(path: path, reason: "not UTF-8 text")
        }
        let table = try CsvTable(text, path: path)
        let missing = required.filter { table.place(of: $0) == nil }
        guard missing.isEmpty else {
            throw FileError(
                path: path,
                reason: "line 1 has no column \(missing.joined(separator: ", ")), but "
                    + "\"\(table.columns.joined(separator: ",").prefix(100))\"; expected \(required.joined(separator: ","))"
            )
        }
        return table
    }

    /// `path` is named in errors.
    package init(_ text: String, path: String) throws(FileError) {
        var parser = Parser(text)
        var rows: [Row] = []
        while rows.count <= Self.maxRows, let row = parser.next() {
            if row.fields != [""] { rows.append(row) }
        }
        if let line = parser.brokenLine {
            throw FileError(
                path: path,
                reason: "line \(line): a quote that is not closed, or text beside a quoted field; expected a quote "
                    + "at each end of the field, and two for one within"
            )
        }
        guard rows.count <= Self.maxRows else {
            throw FileError(path: path, reason: "more than \(Self.maxRows) lines")
        }
        self.path = path
        columns = rows.first?.fields ?? []
        self.rows = Array(rows.dropFirst())
    }

    /// The rows, each as the fields of `names` (nil where a column or field is missing) or what is wrong with it; all
    /// that is wrong is one error.
    func parsed<Value>(
        _ names: [String],
        _ parse: (_ fields: [String?]) -> Result<Value, LineFault>
    ) throws(FileError) -> [Value] {
        let places = names.map(place(of:))
        var values: [Value] = []
        var faults: [String] = []
        for row in rows {
            let fields = places.map { place in place.flatMap { $0 < row.fields.count ? row.fields[$0] : nil } }
            switch parse(fields) {
            case .success(let value): values.append(value)
            case .failure(let fault): faults.append("line \(row.line): \(fault.reason)")
            }
        }
        guard faults.isEmpty else {
            let more = faults.count > Self.maxFaults ? "; and \(faults.count - Self.maxFaults) lines more" : ""
            throw FileError(path: path, reason: faults.prefix(Self.maxFaults).joined(separator: "; ") + more)
        }
        return values
    }

    /// Where a column is; neither capitals nor blanks around its name count.
    func place(of name: String) -> Int? {
        columns.firstIndex { Self.word($0).lowercased() == Self.word(name).lowercased() }
    }

    /// Without the blanks around it, which people leave after commas.
    static func word(_ field: String) -> String {
        guard let last = field.lastIndex(where: { !$0.isWhitespace }) else { return "" }
        return String(field[...last].drop { $0.isWhitespace })
    }

    /// Most wrong lines that are told.
    private static let maxFaults = 10
}

/// What is wrong with a line.
struct LineFault: Error {
    let reason: String

    init(_ reason: String) { self.reason = reason }
}

/// Reads records one after the other.
private struct Parser {
    private var rest: Substring.UnicodeScalarView
    private var line = 1
    /// Where quotes do not end as they should.
    private(set) var brokenLine: Int?

    init(_ text: String) {
        rest = text[...].unicodeScalars
        if rest.first == "\u{FEFF}" { rest.removeFirst() }
    }

    mutating func next() -> CsvTable.Row? {
        guard !rest.isEmpty, brokenLine == nil else { return nil }
        let start = line
        var fields: [String] = []
        while true {
            fields.append(rest.first == "\"" ? quoted(from: start) : plain())
            guard brokenLine == nil else { return nil }
            guard rest.first == "," else { break }
            rest.removeFirst()
        }
        endLine()
        return CsvTable.Row(line: start, fields: fields)
    }

    private mutating func plain() -> String {
        var field = String.UnicodeScalarView()
        while let next = rest.first, next != ",", next != "\n", next != "\r" { field.append(rest.removeFirst()) }
        return String(field)
    }

    private mutating func quoted(from start: Int) -> String {
        var field = String.UnicodeScalarView()
        rest.removeFirst()
        while let next = rest.popFirst() {
            if next == "\n" { line += 1 }
            guard next == "\"" else {
                field.append(next)
                continue
            }
            guard rest.first == "\"" else {
                if let after = rest.first, ![",", "\n", "\r"].contains(after) { brokenLine = start }
                return String(field)
            }
            field.append(rest.removeFirst())
        }
        brokenLine = start
        return ""
    }

    private mutating func endLine() {
        if rest.first == "\r" { rest.removeFirst() }
        if rest.first == "\n" { rest.removeFirst() }
        line += 1
    }
}
