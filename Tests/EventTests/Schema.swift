import Foundation

/// The schemas under `proto/`, read as text: comments are part of the contract and the generated code has none of them.
struct Schema {
    struct Field {
        let name: String
        let type: String
        let number: Int
        let isRepeated: Bool
        /// The oneof that holds the field.
        let oneof: String?
        let comment: [String]
    }

    struct Block {
        enum Kind: String { case message, `enum`, oneof }

        let kind: Kind
        /// Name with its outer messages; example "FrameRecord.Event".
        let name: String
        /// File without extension; example "frames".
        let file: String
        let comment: [String]
        var fields: [Field] = []
    }

    private(set) var blocks: [Block] = []
    /// Lines that are not understood or lack their comment, each with its place.
    private(set) var problems: [String] = []

    /// The package's root.
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    static func load() throws -> Schema {
        let folder = root.appending(path: "proto/lineledger/v1")
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".proto") }
        var schema = Schema()
        for name in names.sorted() {
            let text = try String(contentsOf: folder.appending(path: name), encoding: .utf8)
            schema.read(text, file: String(name.dropLast(".proto".count)))
        }
        return schema
    }

    func message(_ name: String) -> Block? { blocks.first { $0.kind == .message && $0.name == name } }

    /// The names of an enum's values, the unspecified one first; nil when `name` is no enum.
    func values(ofEnum name: String) -> [String]? {
        blocks.first { $0.kind == .enum && $0.name == name }?.fields.map(\.name)
    }

    /// The fields of a oneof; example `kinds(of: "FrameRecord.Event", oneof: "kind")`.
    func members(of message: String, oneof: String) -> [Field] {
        self.message(message)?.fields.filter { $0.oneof == oneof } ?? []
    }

    mutating func read(_ text: String, file: String) {
        var open: [Block] = []
        var comment: [String] = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let place = "\(file).proto:\(index + 1)"
            let words = line.split(separator: " ").map(String.init)
            guard let first = words.first else {
                comment = []
                continue
            }
            if first == "//" {
                comment.append(words.dropFirst().joined(separator: " "))
                continue
            }
            if first == "}" {
                if let block = open.popLast(), block.kind != .oneof { blocks.append(block) }
            } else if let kind = Block.Kind(rawValue: first), words.count == 3, words[2] == "{" {
                note(comment, of: words[1], at: place)
                let outer = open.last.map { "\($0.name)." } ?? ""
                open.append(Block(kind: kind, name: outer + words[1], file: file, comment: comment))
            } else if !open.isEmpty {
                note(comment, of: String(line), at: place)
                addField(words, to: &open, comment: comment, place: place)
            } else if !["syntax", "package", "import", "option"].contains(first) {
                problems.append("\(place): not understood: \(line)")
            }
            comment = []
        }
    }

    private mutating func note(_ comment: [String], of what: String, at place: String) {
        if comment.allSatisfy({ $0.isEmpty }) { problems.append("\(place): no comment above: \(what)") }
    }

    private mutating func addField(_ words: [String], to open: inout [Block], comment: [String], place: String) {
        let isRepeated = words[0] == "repeated"
        let rest = Array(words.dropFirst(isRepeated || words[0] == "optional" ? 1 : 0))
        let isValue = open.last?.kind == .enum
        let equals = isValue ? 1 : 2
        guard rest.count == equals + 2, rest[equals] == "=", rest[equals + 1].hasSuffix(";"),
            let number = Int(rest[equals + 1].dropLast())
        else {
            problems.append("\(place): not understood: \(words.joined(separator: " "))")
            return
        }
        let inOneof = open.last?.kind == .oneof
        let oneof = inOneof ? open.last?.name.split(separator: ".").last.map(String.init) : nil
        let owner = open.count - (inOneof ? 2 : 1)
        open[owner].fields.append(
            Field(
                name: rest[equals - 1],
                type: isValue ? "" : rest[0],
                number: number,
                isRepeated: isRepeated,
                oneof: oneof,
                comment: comment
            )
        )
    }
}
