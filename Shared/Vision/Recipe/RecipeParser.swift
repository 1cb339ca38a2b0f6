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
        let top = RecipeSection(root: root)
        var recipe = Recipe(top, sha256: hexSHA256(Array(text.utf8)))
        recipe.files = top.files
        let mistakes = top.mistakes()
        guard mistakes.isEmpty else { throw RecipeError(file: file, mistakes: mistakes) }
        return recipe
    }

    private static func mistake(ofYAML error: any Error) -> RecipeError.Mistake {
        let expected = "well-formed YAML, each key once"
        switch error as? YamlError {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            let found = problem.hasPrefix("found ") ? String(problem.dropFirst(6)) : problem
            return .init(line: mark.line, key: "(file)", found: found, expected: expected)
        case .reader(let problem, let offset, _, let yaml):
            let line = 1 + yaml.prefix(offset ?? 0).count(where: \.isNewline)
            return .init(line: line, key: "(file)", found: problem, expected: expected)
        case .duplicatedKeysInMapping(let keys, let context):
            let names = keys.map { "\($0)" }.sorted().joined(separator: ", ")
            return .init(line: context.mark.line, key: "(file)", found: "repeated \(names)", expected: expected)
        default:
            return .init(line: 1, key: "(file)", found: "\(error)", expected: expected)
        }
    }

    private init(_ top: RecipeSection, sha256: String) {
        let id = top.text("recipe")
        let revision = top.text("revision")
        let station = top.text("station")
        let product = top.text("product")
        let controlPlan = top.text("control_plan")
        let scale = top.section("scale").map(Scale.init)
        var regions: [String: Box] = [:]
        if let section = top.section("regions") {
            for name in section.names { regions[name] = section.box(name) }
        }
        let limits = top.section("limits", isRequired: true).map(Limits.init) ?? Limits(failAt: 1, uncertainAt: 1)
        let alignment = top.section(AlignmentSettings.key).map { AlignmentSettings($0) }
        let tools = Self.tools(top, limits: limits, regions: regions)
        let categories = (tools.flatMap(\.settings.categories) + (alignment?.categories ?? [])).map(\.rawValue)
        self.init(
            id: id,
            revision: revision,
            station: station,
            product: product,
            controlPlan: controlPlan,
            scale: scale,
            alignment: alignment,
            regions: regions,
            tools: tools,
            reaction: Reaction(top.section("reaction", isRequired: true), categories: categories),
            challengePieces: top.sections("challenge_pieces").map { ChallengePiece($0, categories: categories) },
            sha256: sha256
        )
    }

    private static func tools(_ top: RecipeSection, limits: Limits, regions: [String: Box]) -> [ToolUse] {
        let sections = top.sections("tools", isRequired: true)
        if top.has("tools"), !(1...maxTools).contains(sections.count) {
            top.note("tools", found: "\(sections.count) tools", expected: "1 to \(maxTools) tools")
        }
        var names: Set<String> = []
        return sections.prefix(maxTools).compactMap { section in
            let use = ToolUse(section, limits: limits, regions: regions)
            if let use, !names.insert(use.name).inserted {
                section.note("name", found: "\"\(use.name)\" again", expected: "another name for each tool")
            }
            return use
        }
    }
}

extension Recipe.ToolUse {
    fileprivate init?(_ section: RecipeSection, limits: Recipe.Limits, regions: [String: Box]) {
        let name = section.text("name")
        let keys = ToolKinds.all.map { $0.key }
        let region = section.optionalText("region")
        if let region, regions[region] == nil {
            let known = regions.keys.sorted().joined(separator: ", ")
            section.note("region", found: "\"\(region)\"", expected: "a name under regions: \(known)")
        }
        let own = section.section("limits").map(Recipe.Limits.init)
        let effect = section.choice("verdict", of: Recipe.Effect.self, default: .fail)
        let severity = section.choice("severity", of: Severity.self, default: .major)
        let chosen = ToolKinds.all.filter { section.has($0.key) }
        var settings: (any ToolSettings)?
        for kind in ToolKinds.all {
            guard let keys = section.section(kind.key) else { continue }
            // Each one's keys are read, so that they are not unknown.
            let read = kind.init(keys)
            settings = settings ?? read
        }
        guard chosen.count == 1, let settings else {
            if chosen.count != 1 {
                let expected = "exactly one of \(keys.joined(separator: ", "))"
                section.note("name", found: "\(chosen.count) tools of the name \"\(name)\"", expected: expected)
            }
            return nil
        }
        self.init(
            name: name,
            settings: settings,
            region: region,
            limits: own ?? limits,
            effect: effect,
            severity: severity
        )
    }
}

extension Recipe.Limits {
    fileprivate init(_ section: RecipeSection) {
        let range = 0.001...1_000_000.0
        let failAt = section.number("fail_at", range)
        let uncertainAt = section.number("uncertain_at", range, default: failAt)
        if uncertainAt > failAt {
            section.note("uncertain_at", found: "\(uncertainAt)", expected: "at most fail_at (\(failAt))")
        }
        self.init(failAt: failAt, uncertainAt: uncertainAt)
    }
}

extension Recipe.Scale {
    fileprivate init(_ section: RecipeSection) {
        millimetresPerPixel = section.number("mm_per_pixel", 0.000_001...1_000)
        calibration = section.text("calibration")
    }
}

extension Recipe.Reaction {
    fileprivate init(_ section: RecipeSection?, categories: [String]) {
        guard let section else {
            self.init(holdOn: [], holdAfter: nil, rejectUncertain: true)
            return
        }
        self.init(
            holdOn: section.texts("hold_on", of: categories, default: []),
            holdAfter: section.section("hold_after").map(Recipe.HoldAfter.init),
            stopOn: section.texts("stop_on", of: categories, default: []),
            alarmOn: section.texts("alarm_on", of: categories, default: []),
            rejectUncertain: section.flag("reject_uncertain")
        )
    }
}

extension Recipe.HoldAfter {
    fileprivate init(_ section: RecipeSection) {
        let failures = section.integer("failures", 1...10_000)
        let window = section.integer("window", 1...10_000)
        if failures > window {
            section.note("failures", found: "\(failures)", expected: "at most window (\(window))")
        }
        self.init(failures: failures, window: window)
    }
}

extension Recipe.ChallengePiece {
    fileprivate init(_ section: RecipeSection, categories: [String]) {
        piece = section.text("piece")
        picture = section.file("picture")
        expect = section.optionalText("expect")
        if let expect, !categories.contains(expect) {
            let expected = "one of \(categories.joined(separator: ", ")), or no key for a good piece"
            section.note("expect", found: "\"\(expect)\"", expected: expected)
        }
    }
}

extension RecipeError {
    fileprivate static func single(file: String, found: String, expected: String) -> RecipeError {
        RecipeError(file: file, mistakes: [.init(line: 1, key: "(file)", found: found, expected: expected)])
    }
}
