package import Yams

/// One mapping of a recipe file. Its readers note what is wrong by line and key and return a harmless value, so that
/// reading goes on; keys that nobody read are noted as unknown at the end.
package final class RecipeSection {
    /// Longest text accepted, characters.
    private static let maxText = 200
    /// Longest list accepted.
    package static let maxList = 256

    private let path: String
    private let node: Node
    private let notes: Notes
    private var read: [String] = []
    private var children: [RecipeSection] = []

    /// The mistakes of one file.
    private final class Notes {
        var mistakes: [RecipeError.Mistake] = []
        var files: [Recipe.NamedFile] = []
    }

    /// The file's top level; `root` must be a mapping.
    package convenience init(root: Node) { self.init(path: "", node: root, notes: Notes()) }

    private init(path: String, node: Node, notes: Notes) {
        (self.path, self.node, self.notes) = (path, node, notes)
    }

    /// Line of the mapping in the file, from 1.
    package var line: Int { node.mark?.line ?? 1 }

    package func has(_ key: String) -> Bool { node[key] != nil }

    /// Notes a mistake at the key, whose line is looked up.
    package func note(_ key: String, found: String, expected: String) {
        let line = node.mapping?.first { $0.key.scalar?.string == key }?.key.mark?.line ?? line
        note(line: line, key: key, found: found, expected: expected)
    }

    /// Every mistake of the file, in the order of its lines; called once, when all that is known has been read.
    package func mistakes() -> [RecipeError.Mistake] {
        noteUnknownKeys()
        return notes.mistakes.sorted { ($0.line, $0.key) < ($1.line, $1.key) }
    }

    /// Every file that was read by `file(_:)` so far, in the whole recipe.
    package var files: [Recipe.NamedFile] { notes.files }

    private func noteUnknownKeys() {
        for (key, _) in node.mapping ?? [:] where !read.contains(key.scalar?.string ?? "") {
            note(
                line: key.mark?.line ?? line,
                key: key.scalar?.string ?? "(key)",
                found: "an unknown key",
                expected: "one of \(read.joined(separator: ", "))"
            )
        }
        for child in children { child.noteUnknownKeys() }
    }

    private func note(line: Int, key: String, found: String, expected: String) {
        let key = path.isEmpty ? key : "\(path).\(key)"
        notes.mistakes.append(.init(line: line, key: key, found: found, expected: expected))
    }

    private func value(_ key: String) -> Node? {
        if !read.contains(key) { read.append(key) }
        return node[key]
    }

    private func shown(_ node: Node) -> String {
        if let scalar = node.scalar { return "\"\(scalar.string.prefix(80))\"" }
        return node.mapping != nil ? "a mapping" : "a list"
    }
}

// MARK: Scalars

extension RecipeSection {
    /// A text of 1 to 200 characters; required where there is no default.
    package func text(_ key: String, default: String? = nil) -> String {
        let expected = "a text of 1 to \(Self.maxText) characters"
        guard let node = value(key) else {
            if let `default` { return `default` }
            note(line: line, key: key, found: "nothing", expected: expected)
            return ""
        }
        guard let text = Self.text(of: node) else {
            note(key, found: shown(node), expected: expected)
            return ""
        }
        return text
    }

    package func optionalText(_ key: String) -> String? { value(key) == nil ? nil : text(key) }

    /// A whole number of the range; required where there is no default.
    package func integer(_ key: String, _ range: ClosedRange<Int>, default: Int? = nil) -> Int {
        let expected = "a whole number from \(range.lowerBound) to \(range.upperBound)"
        guard let node = value(key) else {
            if `default` == nil { note(line: line, key: key, found: "nothing", expected: expected) }
            return `default` ?? range.lowerBound
        }
        guard let number = node.scalar.flatMap({ Int($0.string) }), range.contains(number) else {
            note(key, found: shown(node), expected: expected)
            return `default` ?? range.lowerBound
        }
        return number
    }

    /// A number of the range; required where there is no default.
    package func number(_ key: String, _ range: ClosedRange<Double>, default: Double? = nil) -> Double {
        if let number = optionalNumber(key, range) { return number }
        if `default` == nil, node[key] == nil {
            note(line: line, key: key, found: "nothing", expected: Self.expectation(range))
        }
        return `default` ?? range.lowerBound
    }

    /// A number of the range; nil where the key is absent or wrong.
    package func optionalNumber(_ key: String, _ range: ClosedRange<Double>) -> Double? {
        guard let node = value(key) else { return nil }
        guard let number = node.scalar.flatMap({ Double($0.string) }), range.contains(number) else {
            note(key, found: shown(node), expected: Self.expectation(range))
            return nil
        }
        return number
    }

    /// `true` or `false`; required where there is no default.
    package func flag(_ key: String, default: Bool? = nil) -> Bool {
        guard let node = value(key) else {
            if `default` == nil { note(line: line, key: key, found: "nothing", expected: "true or false") }
            return `default` ?? true
        }
        switch node.scalar?.string {
        case "true": return true
        case "false": return false
        default:
            note(key, found: shown(node), expected: "true or false")
            return `default` ?? true
        }
    }

    /// One of the type's words; required where there is no default.
    package func choice<Choice: CaseIterable & RawRepresentable<String>>(
        _ key: String,
        of type: Choice.Type,
        default: Choice? = nil
    ) -> Choice {
        let words = Choice.allCases.map(\.rawValue).joined(separator: ", ")
        let fallback = `default` ?? Choice.allCases[Choice.allCases.startIndex]
        guard let node = value(key) else {
            if `default` == nil { note(line: line, key: key, found: "nothing", expected: "one of \(words)") }
            return fallback
        }
        guard let choice = node.scalar.flatMap({ Choice(rawValue: $0.string) }) else {
            note(key, found: shown(node), expected: "one of \(words)")
            return fallback
        }
        return choice
    }

    private static func expectation(_ range: ClosedRange<Double>) -> String {
        "a number from \(range.lowerBound) to \(range.upperBound)"
    }

    private static func text(of node: Node) -> String? {
        guard let scalar = node.scalar, (1...maxText).contains(scalar.string.count) else { return nil }
        return scalar.style == .plain && ["~", "null"].contains(scalar.string) ? nil : scalar.string
    }
}

// MARK: Lists, boxes, files, sections

extension RecipeSection {
    /// A list of texts, each one of `known` where that is given; required where there is no default.
    package func texts(_ key: String, of known: [String]? = nil, default: [String]? = nil) -> [String] {
        let expected = known.map { "a list of \($0.joined(separator: ", "))" } ?? "a list of texts"
        guard let items = list(key, expected: expected, isRequired: `default` == nil) else { return `default` ?? [] }
        var texts: [String] = []
        for item in items {
            if let text = Self.text(of: item), known?.contains(text) ?? true {
                texts.append(text)
            } else {
                note(line: item.mark?.line ?? line, key: key, found: shown(item), expected: expected)
            }
        }
        return texts
    }

    /// A list of so many numbers, each of the range; empty where it is wrong.
    package func numbers(_ key: String, count: ClosedRange<Int>, _ range: ClosedRange<Double>) -> [Double] {
        let length =
            count.lowerBound == count.upperBound ? "\(count.lowerBound)" : "\(count.lowerBound) to \(count.upperBound)"
        let expected = "a list of \(length) numbers from \(range.lowerBound) to \(range.upperBound)"
        guard let items = list(key, expected: expected, isRequired: true) else { return [] }
        let numbers = items.compactMap { $0.scalar.flatMap { Double($0.string) } }.filter(range.contains)
        guard numbers.count == items.count, count.contains(numbers.count) else {
            note(key, found: "a list of \(items.count), \(numbers.count) of them fit", expected: expected)
            return []
        }
        return numbers
    }

    /// `[x, y, width, height]` in pixels; nil where the key is absent or wrong.
    package func box(_ key: String) -> Box? {
        let expected = "[x, y, width, height] in pixels, x and y from 0, width and height from 1"
        guard value(key) != nil, let items = list(key, expected: expected, isRequired: true) else { return nil }
        let numbers = items.compactMap { $0.scalar.flatMap { Int($0.string) } }
        guard numbers.count == 4, items.count == 4, numbers.allSatisfy({ (0...1_000_000).contains($0) }),
            numbers[2] > 0, numbers[3] > 0
        else {
            note(key, found: "a list of \(items.count)", expected: expected)
            return nil
        }
        return Box(x: numbers[0], y: numbers[1], width: numbers[2], height: numbers[3])
    }

    /// A file or folder below the recipe's own: its name, or `{file: name, sha256: hash}`.
    package func file(_ key: String) -> RecipeFile {
        let file = readFile(key)
        let line = node.mapping?.first { $0.key.scalar?.string == key }?.key.mark?.line ?? line
        notes.files.append(.init(line: line, key: path.isEmpty ? key : "\(path).\(key)", file: file))
        return file
    }

    private func readFile(_ key: String) -> RecipeFile {
        guard node[key]?.mapping != nil, let hashed = section(key) else {
            return RecipeFile(name: fileName(key), sha256: nil)
        }
        let name = hashed.fileName("file")
        let sha256 = hashed.text("sha256")
        let digits = Set("0123456789abcdef")
        if sha256.count != 64 || !sha256.allSatisfy(digits.contains) {
            hashed.note("sha256", found: "\"\(sha256)\"", expected: "64 lower-case hexadecimal digits")
        }
        return RecipeFile(name: name, sha256: sha256)
    }

    private func fileName(_ key: String) -> String {
        let name = text(key)
        if name.split(separator: "/").contains("..") || name.hasPrefix("/") {
            note(key, found: "\"\(name)\"", expected: "a path below the recipe's own folder, without ..")
        }
        return name
    }

    /// The mapping under the key; nil where it is absent or no mapping.
    package func section(_ key: String, isRequired: Bool = false) -> RecipeSection? {
        guard let node = value(key) else {
            if isRequired { note(line: line, key: key, found: "nothing", expected: "a mapping") }
            return nil
        }
        guard node.mapping != nil else {
            note(key, found: shown(node), expected: "a mapping")
            return nil
        }
        return child(key, node)
    }

    /// The mappings of the list under the key; empty where it is absent.
    package func sections(_ key: String, isRequired: Bool = false) -> [RecipeSection] {
        guard let items = list(key, expected: "a list of mappings", isRequired: isRequired) else { return [] }
        return items.enumerated().compactMap { index, item in
            guard item.mapping != nil else {
                note(line: item.mark?.line ?? line, key: key, found: shown(item), expected: "a list of mappings")
                return nil
            }
            return child("\(key)[\(index)]", item)
        }
    }

    /// Keys of a mapping whose names are the recipe's own; each is then read by that name.
    package var names: [String] { (node.mapping ?? [:]).compactMap { $0.key.scalar?.string } }

    private func child(_ key: String, _ node: Node) -> RecipeSection {
        let child = RecipeSection(path: path.isEmpty ? key : "\(path).\(key)", node: node, notes: notes)
        children.append(child)
        return child
    }

    private func list(_ key: String, expected: String, isRequired: Bool) -> [Node]? {
        guard let node = value(key) else {
            if isRequired { note(line: line, key: key, found: "nothing", expected: expected) }
            return nil
        }
        guard let items = node.sequence.map(Array.init), items.count <= Self.maxList else {
            note(key, found: shown(node), expected: "\(expected), at most \(Self.maxList)")
            return nil
        }
        return items
    }
}
