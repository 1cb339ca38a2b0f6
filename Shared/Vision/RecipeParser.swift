import Yams

extension Recipe {
    /// Reads the recipe file at `path`.
    package static func load(path: String) throws(RecipeError) -> Recipe {
        let bytes: [UInt8]
        do {
            bytes = try Files.read(path, atMost: maxBytes)
        } catch {
            throw RecipeError.single(file: path, found: error.reason, expected: "a readable recipe file")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw RecipeError.single(file: path, found: "bytes that are not UTF-8", expected: "YAML in UTF-8")
        }
        return try parse(text: text, file: path)
    }

    /// Parses a recipe; every mistake is reported at once. `file` is its name in the errors.
    package static func parse(text: String, file: String) throws(RecipeError) -> Recipe {
        guard text.utf8.count <= maxBytes else {
            throw RecipeError.single(
                file: file,
                found: "\(text.utf8.count) bytes",
                expected: "at most \(maxBytes) bytes"
            )
        }
        let root: Node?
        do {
            root = try Yams.compose(yaml: text)
        } catch {
            throw RecipeError(file: file, mistakes: [mistake(ofYAML: error)])
        }
        guard let root, root.mapping != nil else {
            throw RecipeError.single(file: file, found: "no mapping", expected: "the keys of a recipe")
        }
        var reader = RecipeReader()
        let recipe = reader.recipe(root, sha256: hexSHA256(Array(text.utf8)))
        guard reader.mistakes.isEmpty else {
            throw RecipeError(file: file, mistakes: reader.mistakes.sorted { ($0.line, $0.key) < ($1.line, $1.key) })
        }
        return recipe
    }

    private static func mistake(ofYAML error: any Error) -> RecipeError.Mistake {
        let expected = "well-formed YAML, each key once"
        switch error as? YamlError {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            return .init(line: mark.line, key: "(file)", found: problem, expected: expected)
        case .duplicatedKeysInMapping(let keys, let context):
            let names = keys.map { "\($0)" }.sorted().joined(separator: ", ")
            return .init(line: context.mark.line, key: "(file)", found: "repeated \(names)", expected: expected)
        default:
            return .init(line: 1, key: "(file)", found: "\(error)", expected: expected)
        }
    }
}

extension RecipeError {
    fileprivate static func single(file: String, found: String, expected: String) -> RecipeError {
        RecipeError(file: file, mistakes: [.init(line: 1, key: "(file)", found: found, expected: expected)])
    }
}

/// Walks the YAML tree and notes every mistake; a value that is wrong is replaced by a harmless one, so that reading
/// goes on.
private struct RecipeReader {
    private(set) var mistakes: [RecipeError.Mistake] = []

    mutating func recipe(_ root: Node, sha256: String) -> Recipe {
        let keys = ["recipe", "revision", "station", "product", "control_plan", "tool", "limits", "reaction"]
        let top = Section(path: "", node: root)
        checkKeys(top, known: keys)
        let tool = toolChoice(top)
        return Recipe(
            id: text(top, "recipe"),
            revision: text(top, "revision"),
            station: text(top, "station"),
            product: text(top, "product"),
            controlPlan: text(top, "control_plan"),
            tool: tool,
            limits: limits(top),
            reaction: reaction(top, categories: tool.categories.map(\.rawValue)),
            sha256: sha256
        )
    }

    // MARK: Sections

    private mutating func toolChoice(_ top: Section) -> Recipe.ToolChoice {
        let fallback = Recipe.ToolChoice.surfaceModel(file: "")
        guard let tools = section(top, "tool", required: true) else { return fallback }
        let names = ["golden_template", "golden_pairs", "surface_model"]
        checkKeys(tools, known: names)
        let chosen = names.filter { tools.node[$0] != nil }
        guard chosen.count == 1, let name = chosen.first, let settings = section(tools, name, required: true) else {
            if chosen.count != 1 {
                note(tools.line, "tool", "\(chosen.count) tools", "exactly one of \(names.joined(separator: ", "))")
            }
            return fallback
        }
        switch name {
        case "golden_template":
            let comparison = goldenSettings(settings, source: "template")
            return .goldenTemplate(file: fileName(settings, "template"), comparison)
        case "golden_pairs":
            let comparison = goldenSettings(settings, source: "templates")
            return .goldenPairs(folder: fileName(settings, "templates"), comparison)
        default:
            checkKeys(settings, known: ["model"])
            return .surfaceModel(file: fileName(settings, "model"))
        }
    }

    private mutating func goldenSettings(_ section: Section, source: String) -> GoldenSettings {
        checkKeys(section, known: [source, "max_shift", "threshold", "min_area", "edge_tolerance", "copper"])
        let standard = GoldenSettings()
        return GoldenSettings(
            maxShift: integer(section, "max_shift", 0...GoldenTemplate.maxShift, default: standard.maxShift),
            threshold: integer(section, "threshold", 1...254, default: standard.threshold),
            minArea: integer(section, "min_area", 1...1_000_000, default: standard.minArea),
            edgeTolerance: integer(
                section,
                "edge_tolerance",
                0...GoldenTemplate.maxEdgeTolerance,
                default: standard.edgeTolerance
            ),
            copper: copper(section)
        )
    }

    private mutating func copper(_ section: Section) -> GoldenSettings.Copper {
        guard let node = section.node["copper"] else { return .none }
        if let value = node.scalar.flatMap({ GoldenSettings.Copper(rawValue: $0.string) }) { return value }
        let values = GoldenSettings.Copper.allCases.map(\.rawValue).joined(separator: ", ")
        note(section.line(of: "copper"), section.key("copper"), shown(node), "one of \(values)")
        return .none
    }

    private mutating func limits(_ top: Section) -> Recipe.Limits {
        guard let section = section(top, "limits", required: true) else {
            return Recipe.Limits(failAt: 1, uncertainAt: 1)
        }
        checkKeys(section, known: ["fail_at", "uncertain_at"])
        let failAt = number(section, "fail_at", 0.001...1_000_000)
        let uncertainAt = number(section, "uncertain_at", 0.001...1_000_000)
        if let failAt, let uncertainAt, uncertainAt > failAt {
            note(
                section.line(of: "uncertain_at"),
                "limits.uncertain_at",
                "\(uncertainAt)",
                "at most fail_at (\(failAt))"
            )
        }
        return Recipe.Limits(failAt: failAt ?? 1, uncertainAt: uncertainAt ?? failAt ?? 1)
    }

    private mutating func reaction(_ top: Section, categories: [String]) -> Recipe.Reaction {
        guard let section = section(top, "reaction", required: true) else {
            return Recipe.Reaction(holdOn: [], holdAfter: nil, rejectUncertain: true)
        }
        checkKeys(section, known: ["hold_on", "hold_after", "reject_uncertain"])
        var holdOn: [String] = []
        if let node = section.node["hold_on"] {
            let expected = "a list of \(categories.joined(separator: ", "))"
            if node.sequence == nil { note(section.line(of: "hold_on"), section.key("hold_on"), shown(node), expected) }
            for item in node.sequence ?? [] {
                if let name = item.scalar?.string, categories.contains(name) {
                    holdOn.append(name)
                } else {
                    note(item.mark?.line ?? section.line(of: "hold_on"), section.key("hold_on"), shown(item), expected)
                }
            }
        }
        return Recipe.Reaction(
            holdOn: holdOn,
            holdAfter: holdAfter(section),
            rejectUncertain: flag(section, "reject_uncertain")
        )
    }

    private mutating func holdAfter(_ parent: Section) -> Recipe.HoldAfter? {
        guard let section = section(parent, "hold_after", required: false) else { return nil }
        checkKeys(section, known: ["failures", "window"])
        let failures = integer(section, "failures", 1...10_000, default: nil)
        let window = integer(section, "window", 1...10_000, default: nil)
        if failures > window {
            note(section.line(of: "failures"), section.key("failures"), "\(failures)", "at most window (\(window))")
        }
        return Recipe.HoldAfter(failures: failures, window: window)
    }

    // MARK: Values

    /// One mapping of the file and where it stands.
    private struct Section {
        let path: String
        let node: Node

        var line: Int { node.mark?.line ?? 1 }

        func key(_ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }

        func line(of name: String) -> Int {
            node.mapping?.first { $0.key.scalar?.string == name }?.key.mark?.line ?? line
        }
    }

    private mutating func note(_ line: Int, _ key: String, _ found: String, _ expected: String) {
        mistakes.append(.init(line: line, key: key, found: found, expected: expected))
    }

    private mutating func checkKeys(_ section: Section, known: [String]) {
        for (key, _) in section.node.mapping ?? [:] {
            guard let name = key.scalar?.string, known.contains(name) else {
                note(
                    key.mark?.line ?? section.line,
                    section.key(key.scalar?.string ?? "(key)"),
                    "an unknown key",
                    "one of \(known.joined(separator: ", "))"
                )
                continue
            }
        }
    }

    private mutating func section(_ parent: Section, _ name: String, required: Bool) -> Section? {
        guard let node = parent.node[name] else {
            if required { note(parent.line, parent.key(name), "nothing", "a mapping") }
            return nil
        }
        guard node.mapping != nil else {
            note(parent.line(of: name), parent.key(name), shown(node), "a mapping")
            return nil
        }
        return Section(path: parent.key(name), node: node)
    }

    private mutating func text(_ section: Section, _ name: String) -> String {
        let expected = "a text of 1 to 200 characters"
        guard let node = section.node[name] else {
            note(section.line, section.key(name), "nothing", expected)
            return ""
        }
        guard let scalar = node.scalar, (1...200).contains(scalar.string.count), !isNull(scalar) else {
            note(section.line(of: name), section.key(name), shown(node), expected)
            return ""
        }
        return scalar.string
    }

    private mutating func fileName(_ section: Section, _ name: String) -> String {
        let value = text(section, name)
        if value.split(separator: "/").contains("..") || value.hasPrefix("/") {
            note(
                section.line(of: name),
                section.key(name),
                "\"\(value)\"",
                "a path below the recipe's own folder, without .."
            )
        }
        return value
    }

    private mutating func integer(_ section: Section, _ name: String, _ range: ClosedRange<Int>, default: Int?) -> Int {
        let fallback = `default` ?? range.lowerBound
        guard let node = section.node[name] else {
            if `default` == nil { note(section.line, section.key(name), "nothing", expectation(range)) }
            return fallback
        }
        guard let value = node.scalar.flatMap({ Int($0.string) }), range.contains(value) else {
            note(section.line(of: name), section.key(name), shown(node), expectation(range))
            return fallback
        }
        return value
    }

    private func expectation(_ range: ClosedRange<Int>) -> String {
        "a whole number from \(range.lowerBound) to \(range.upperBound)"
    }

    private mutating func number(_ section: Section, _ name: String, _ range: ClosedRange<Double>) -> Double? {
        let expected = "a number from \(range.lowerBound) to \(range.upperBound)"
        guard let node = section.node[name] else {
            note(section.line, section.key(name), "nothing", expected)
            return nil
        }
        guard let value = node.scalar.flatMap({ Double($0.string) }), range.contains(value) else {
            note(section.line(of: name), section.key(name), shown(node), expected)
            return nil
        }
        return value
    }

    private mutating func flag(_ section: Section, _ name: String) -> Bool {
        guard let node = section.node[name] else {
            note(section.line, section.key(name), "nothing", "true or false")
            return true
        }
        switch node.scalar?.string {
        case "true": return true
        case "false": return false
        default:
            note(section.line(of: name), section.key(name), shown(node), "true or false")
            return true
        }
    }

    private func isNull(_ scalar: Node.Scalar) -> Bool {
        scalar.style == .plain && ["~", "null"].contains(scalar.string)
    }

    private func shown(_ node: Node) -> String {
        if let scalar = node.scalar { return "\"\(scalar.string.prefix(80))\"" }
        return node.mapping != nil ? "a mapping" : "a list"
    }
}
