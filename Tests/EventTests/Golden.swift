import Foundation

/// Sample records in `proto/golden/`: `<file>.<kind>.<n>.txtpb` says what it holds, the `.hex` beside it the bytes that a
/// service once wrote for it. Files are added, never edited: old bytes stay readable for ever.
struct Golden {
    let file: String
    let kind: String
    let number: Int
    let text: String
    let bytes: [UInt8]

    static let folder = Schema.root.appending(path: "proto/golden")

    static func load(file: String, kind: String) throws -> [Golden] {
        var samples: [Golden] = []
        for number in 1... {
            let name = "\(file).\(kind).\(number)"
            let text = folder.appending(path: "\(name).txtpb")
            guard FileManager.default.fileExists(atPath: text.path) else { break }
            let hex = try String(contentsOf: folder.appending(path: "\(name).hex"), encoding: .utf8)
            samples.append(
                Golden(
                    file: file,
                    kind: kind,
                    number: number,
                    text: try String(contentsOf: text, encoding: .utf8),
                    bytes: try parse(hex: hex, name: name)
                )
            )
        }
        return samples
    }

    func write() throws {
        let base = Golden.folder.appending(path: "\(file).\(kind).\(number)").path
        try FileManager.default.createDirectory(at: Golden.folder, withIntermediateDirectories: true)
        let digits = bytes.map { String(UInt16($0) + 0x100, radix: 16).dropFirst() }
        let lines = stride(from: 0, to: digits.count, by: 32).map { start in
            digits[start..<min(start + 32, digits.count)].joined()
        }
        try Data(text.utf8).write(to: URL(fileURLWithPath: base + ".txtpb"), options: .withoutOverwriting)
        try Data((lines.joined(separator: "\n") + "\n").utf8)
            .write(to: URL(fileURLWithPath: base + ".hex"), options: .withoutOverwriting)
    }

    /// Paths of the fields that the text sets; example "events.frame_captured.trigger.station".
    var paths: Set<String> {
        var open: [String] = []
        var found: Set<String> = []
        for line in text.split(separator: "\n").map({ $0.trimmingCharacters(in: .whitespaces) }) {
            if line == "}" {
                open.removeLast()
            } else if line.hasSuffix(" {") {
                open.append(String(line.dropLast(2)))
                found.insert(open.joined(separator: "."))
            } else if let colon = line.firstIndex(of: ":") {
                found.insert((open + [String(line[..<colon])]).joined(separator: "."))
            }
        }
        return found
    }

    private static func parse(hex: String, name: String) throws -> [UInt8] {
        let digits = hex.filter { !$0.isWhitespace }.compactMap(\.hexDigitValue)
        guard digits.count.isMultiple(of: 2), digits.count == hex.filter({ !$0.isWhitespace }).count else {
            throw BadGolden("\(name).hex: \(hex.count) characters that are not whole bytes in hexadecimal")
        }
        return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }
}

struct BadGolden: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}

/// Fills every field of a record with a value that a person can read, from the schema.
struct Sampler {
    let schema: Schema
    /// Paths still to be set by a sample; one oneof member is set a sample.
    private(set) var missing: Set<String> = []

    init(schema: Schema) {
        self.schema = schema
    }

    /// Every path that the record can set while its event is of `kind`.
    func paths(of record: String, kind: String) -> Set<String> {
        paths(of: record, under: "", kind: kind)
    }

    private func paths(of message: String, under prefix: String, kind: String) -> Set<String> {
        var all: Set<String> = []
        for field in schema.message(message)?.fields ?? [] where field.oneof != "kind" || field.name == kind {
            let path = prefix + field.name
            all.insert(path)
            all.formUnion(paths(of: resolve(field.type, in: message), under: path + ".", kind: kind))
        }
        return all
    }

    /// The text of a sample that sets as many of `missing` as one record can.
    mutating func sample(of record: String, kind: String, missing: Set<String>) -> String {
        self.missing = missing
        return text(of: record, under: "", kind: kind, indent: "")
    }

    private func text(of message: String, under prefix: String, kind: String, indent: String) -> String {
        var chosen: [String: String] = ["kind": kind]
        let fields = schema.message(message)?.fields ?? []
        for field in fields {
            guard let oneof = field.oneof, chosen[oneof] == nil, isMissing(prefix + field.name) else { continue }
            chosen[oneof] = field.name
        }
        var lines = ""
        for field in fields where field.oneof.map({ chosen[$0] == field.name }) ?? true {
            let type = resolve(field.type, in: message)
            for index in 1...(field.isRepeated && field.name != "events" ? 2 : 1) {
                if schema.message(type) != nil {
                    let inner = text(of: type, under: "\(prefix)\(field.name).", kind: kind, indent: indent + "  ")
                    lines += "\(indent)\(field.name) {\n\(inner)\(indent)}\n"
                } else {
                    lines += "\(indent)\(field.name): \(value(of: field, index))\n"
                }
            }
        }
        return lines
    }

    private func isMissing(_ path: String) -> Bool {
        missing.contains { $0 == path || $0.hasPrefix(path + ".") }
    }

    private func resolve(_ type: String, in message: String) -> String {
        schema.message("\(message).\(type)") == nil ? type : "\(message).\(type)"
    }

    private func value(of field: Field, _ index: Int) -> String {
        switch field.type {
        case "string": "\"\(string(field.name, index))\""
        case "bytes": "\"\\001\\002\\003\""
        case "bool": "true"
        case "double", "float": "\(Double(field.number) + 0.5)"
        case "int64" where field.name.hasSuffix("_us"): "\(1_715_922_000_000_000 + field.number)"
        case "int64", "uint64", "uint32", "int32": "\(field.number * 10 + index)"
        default: schema.values(ofEnum: field.type)?.dropFirst().first ?? "0"
        }
    }

    private func string(_ name: String, _ index: Int) -> String {
        if name.hasSuffix("sha256") { return String(repeating: "9f86d08188\(index)4c7d6", count: 4) }
        return switch name {
        case "site": "berlin"
        case "topic": "inspections"
        case "station", "work_unit": "vision-\(index)"
        case "line", "work_center": "line-\(index)"
        case "unit": "C62"
        case "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        case "part_id": "vision-1/4/482"
        default: "\(name.replacing("_", with: "-"))-\(index)"
        }
    }

    typealias Field = Schema.Field
}
