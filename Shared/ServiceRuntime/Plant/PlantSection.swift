import Yams

/// Collects what is wrong while a plant file is read.
final class PlantReport {
    let source: String
    private(set) var mistakes: [PlantMistake] = []

    init(source: String) {
        self.source = source
    }

    func add(line: Int?, key: String, found: String, expected: String) {
        mistakes.append(PlantMistake(source: source, line: line, key: key, found: found, expected: expected))
    }

    func add(_ mistake: PlantMistake) {
        mistakes.append(mistake)
    }
}

/// One mapping of a plant file while it is read: remembers which keys were asked for, so that the others are mistakes.
struct PlantSection {
    /// Where in the plant; empty for the whole file.
    let path: String
    let line: Int?
    let report: PlantReport
    private let values: [String: Node]
    private let lines: [String: Int]
    private var asked: [String] = []

    /// Reads `node` as a mapping; one of another shape is reported and counts as empty.
    init(_ node: Node, path: String, expected: String, report: PlantReport) {
        self.path = path
        self.report = report
        line = node.mark?.line
        var values: [String: Node] = [:]
        var lines: [String: Int] = [:]
        if let mapping = node.mapping {
            for (key, value) in mapping {
                guard let name = key.scalar?.string else {
                    report.add(
                        line: key.mark?.line,
                        key: path,
                        found: "\(describe(key)) as a key",
                        expected: "a word as a key"
                    )
                    continue
                }
                values[name] = value
                lines[name] = key.mark?.line
            }
        } else {
            report.add(line: line, key: path, found: describe(node), expected: expected)
        }
        self.values = values
        self.lines = lines
    }

    /// The key as a person finds it.
    func name(_ key: String) -> String {
        path.isEmpty ? key : "\(path).\(key)"
    }

    /// Where `key` stands; the section's own line where it does not.
    func line(of key: String) -> Int? {
        lines[key] ?? line
    }

    func has(_ key: String) -> Bool {
        values[key].map { !isNull($0) } ?? false
    }

    /// Reports that what stands at `key` does not fit with the rest.
    func refuse(_ key: String, found: String, expected: String) {
        report.add(line: line(of: key), key: name(key), found: found, expected: expected)
    }

    private mutating func node(_ key: String) -> Node? {
        asked.append(key)
        guard let node = values[key], !isNull(node) else { return nil }
        return node
    }

    private mutating func requiredNode(_ key: String, expected: String) -> Node? {
        let found = node(key)
        if found == nil { refuse(key, found: "nothing", expected: expected) }
        return found
    }

    /// The value of `key`; nil where there is none, and where it is wrong.
    mutating func optional<Value>(_ key: String, _ kind: PlantValue<Value>) -> Value? {
        node(key).flatMap { parse($0, name(key), kind, report) }
    }

    /// The value of `key`; its placeholder where it is missing or wrong, which is reported.
    mutating func required<Value>(_ key: String, _ kind: PlantValue<Value>) -> Value {
        requiredNode(key, expected: kind.expected).flatMap { parse($0, name(key), kind, report) } ?? kind.placeholder
    }

    /// A list of values; empty where there is none.
    mutating func list<Value>(_ key: String, atMost limit: Int, _ kind: PlantValue<Value>) -> [Value] {
        guard let node = node(key) else { return [] }
        return elements(node, key, limit, "a list: \(kind.expected)").compactMap { parse($1, $0, kind, report) }
    }

    mutating func section(_ key: String, expected: String) -> PlantSection? {
        node(key).map { PlantSection($0, path: name(key), expected: expected, report: report) }
    }

    mutating func requiredSection(_ key: String, expected: String) -> PlantSection? {
        requiredNode(key, expected: expected)
            .map { PlantSection($0, path: name(key), expected: expected, report: report) }
    }

    /// A list of mappings; empty where there is none, which is reported when `required`.
    mutating func sections(_ key: String, atMost limit: Int, required: Bool, expected: String) -> [PlantSection] {
        let list = "a list of 1 to \(limit), each \(expected)"
        guard let node = required ? requiredNode(key, expected: list) : node(key) else { return [] }
        let elements = elements(node, key, limit, list)
        if required, elements.isEmpty, node.sequence != nil { refuse(key, found: "an empty list", expected: list) }
        return elements.map { PlantSection($1, path: $0, expected: expected, report: report) }
    }

    private func elements(_ node: Node, _ key: String, _ limit: Int, _ expected: String) -> [(String, Node)] {
        guard let sequence = node.sequence else {
            report.add(line: node.mark?.line, key: name(key), found: describe(node), expected: expected)
            return []
        }
        if sequence.count > limit {
            refuse(key, found: "a list of \(sequence.count)", expected: "at most \(limit)")
        }
        return sequence.prefix(limit).enumerated().map { ("\(name(key))[\($0)]", $1) }
    }

    /// A mapping of names, the file's own, to values; empty where there is none.
    mutating func entries<Value>(_ key: String, atMost limit: Int, _ kind: PlantValue<Value>) -> [String: Value] {
        guard var section = section(key, expected: "a mapping of names to values") else { return [:] }
        if section.values.count > limit {
            refuse(key, found: "\(section.values.count) entries", expected: "at most \(limit)")
        }
        var entries: [String: Value] = [:]
        for name in section.values.keys.sorted().prefix(limit) {
            let isName = name.utf8.allSatisfy { isWordByte($0) || $0 == UInt8(ascii: "_") } && name.utf8.count <= 128
            if !isName || name.isEmpty {
                section.refuse(name, found: "a name", expected: "1 to 128 letters, digits and _")
            } else if let value = section.optional(name, kind) {
                entries[name] = value
            }
        }
        return entries
    }

    /// Leaves every key unread, because what they mean depends on another one that is wrong.
    mutating func allowAll() {
        asked += values.keys
    }

    /// Reports every key that nobody asked for.
    func finish() {
        for key in values.keys.sorted(by: { (line(of: $0) ?? 0, $0) < (line(of: $1) ?? 0, $1) })
        where !asked.contains(key) {
            let known = "one of \(asked.joined(separator: ", "))"
            if ["token", "password", "secret", "api_key"].contains(key) {
                refuse(
                    key,
                    found: "a secret (not shown)",
                    expected: "no secret in this file: name where it is with token_env: VARIABLE or token_file: PATH"
                )
            } else if let near = nearest(to: key, in: asked) {
                refuse(key, found: "an unknown key", expected: "\(known); did you mean \(near)?")
            } else {
                refuse(key, found: "an unknown key", expected: known)
            }
        }
    }
}

private func parse<Value>(_ node: Node, _ key: String, _ kind: PlantValue<Value>, _ report: PlantReport) -> Value? {
    if let text = node.scalar?.string, let value = kind.parse(text) { return value }
    report.add(line: node.mark?.line, key: key, found: describe(node), expected: kind.expected)
    return nil
}

/// Whether nothing stands here: `key:` with no value, or YAML's null.
private func isNull(_ node: Node) -> Bool {
    guard let scalar = node.scalar, scalar.style == .plain else { return false }
    return ["", "~", "null", "Null", "NULL"].contains(scalar.string)
}

/// A node in a few words.
private func describe(_ node: Node) -> String {
    switch node {
    case .scalar(let scalar): scalar.string.isEmpty ? "nothing" : quoted(scalar.string)
    case .sequence(let list): "a list of \(list.count)"
    case .mapping(let mapping): "a mapping of \(mapping.count)"
    case .alias: "an alias"
    }
}

/// At most 80 characters of `text` in quotation marks, without line breaks; user and password of an address are hidden.
func quoted(_ text: String) -> String {
    var text = text[...]
    if let scheme = text.firstRange(of: "://"), let at = text.lastIndex(of: "@"), scheme.upperBound <= at {
        text.replaceSubrange(scheme.upperBound..<at, with: "(hidden)")
    }
    let shown = text.prefix(80)
    return "\(String(shown).debugDescription)\(shown.endIndex < text.endIndex ? "…" : "")"
}

/// The word of `words` that `word` was probably meant to be.
func nearest(to word: String, in words: [String]) -> String? {
    guard word.utf8.count <= 64 else { return nil }
    let allowed = max(1, word.utf8.count / 3)
    let distances = words.map { (distance(Array(word.utf8), Array($0.utf8)), $0) }
    return distances.filter { $0.0 <= allowed }.min { $0 < $1 }?.1
}

/// Optimal string alignment distance: insertions, deletions, substitutions, swaps of neighbours.
private func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
    var rows = [Array(0...right.count)]
    for (i, byte) in left.enumerated() {
        var row = [i + 1]
        for (j, other) in right.enumerated() {
            var best = min(row[j] + 1, rows[i][j + 1] + 1, rows[i][j] + (byte == other ? 0 : 1))
            if i > 0, j > 0, byte == right[j - 1], left[i - 1] == other { best = min(best, rows[i - 1][j - 1] + 1) }
            row.append(best)
        }
        rows.append(row)
    }
    return rows[left.count][right.count]
}
