/// Reading and verifying of codes, as recipes name it.
///
/// What a part's code must say comes from the part (`expect`, a kind of text such as serial or lot), from the recipe
/// (`expect_text`) or from a regular expression that the whole text must match (`pattern`). Of a code that holds GS1
/// element strings, the field of the kind is compared: serial (21), lot and batch (10), product (01), expiry (17).
/// `min_grade` is the lowest print quality that passes, A to D (see `CodeGrade` for what it is worth).
package struct CodeSettings: ToolSettings {
    package static let key = "code"
    package static let task = VisionTask.verify
    package let categories: [DefectCategory] = [.code]
    private let tool: CodeTool

    package init(_ section: RecipeSection) {
        let known = Symbology.allCases.map(\.rawValue)
        let symbologies = section.texts("symbologies", of: known, default: known).compactMap(Symbology.init(rawValue:))
        if symbologies.isEmpty { section.note("symbologies", found: "none", expected: "at least one") }
        let pattern = section.optionalText("pattern")
        if let pattern, (try? Regex(pattern)) == nil {
            section.note("pattern", found: "\"\(pattern)\"", expected: "a regular expression, e.g. [A-Z]{2}[0-9]{6}")
        }
        let expectation = CodeTool.Expectation(
            kind: section.optionalText("expect"),
            text: section.optionalText("expect_text"),
            pattern: pattern
        )
        if expectation.kind != nil, expectation.text != nil {
            section.note("expect_text", found: "a text beside expect", expected: "one of the two")
        }
        let letter = section.optionalText("min_grade")
        if let letter, CodeGrade.lowest(of: letter) == nil {
            section.note("min_grade", found: "\"\(letter)\"", expected: "A, B, C or D")
        }
        tool = CodeTool(
            symbologies: Set(symbologies),
            count: section.integer("count", 1...CodeReader.maxCodes, default: 1),
            expectation: expectation,
            minGrade: letter.flatMap(CodeGrade.lowest)
        )
    }

    package func load(_ files: RecipeFiles) throws -> any Tool { tool }
}

/// Reads the codes of a part and compares what they say with what is expected.
package struct CodeTool: Tool {
    /// What codes must say.
    package struct Expectation: Equatable, Sendable {
        /// Kind of expected text of the part; example "serial".
        package let kind: String?
        package let text: String?
        /// Regular expression that every code's whole text must match.
        package let pattern: String?

        package init(kind: String? = nil, text: String? = nil, pattern: String? = nil) {
            self.kind = kind
            self.text = text
            self.pattern = pattern
        }
    }

    /// Score of a code that cannot be read or says something else.
    static let failed = 2.0

    private let symbologies: Set<Symbology>
    private let count: Int
    private let expectation: Expectation
    private let minGrade: Double?

    /// `count` codes of the symbologies must be there; `minGrade` is the lowest print quality grade, 0 to 4, nil where
    /// it is not looked at.
    package init(
        symbologies: Set<Symbology> = Symbology.all,
        count: Int = 1,
        expectation: Expectation = Expectation(),
        minGrade: Double? = nil
    ) {
        self.symbologies = symbologies
        self.count = count
        self.expectation = expectation
        self.minGrade = minGrade
    }

    package func inspect(_ part: PartView, timer: inout StepTimer) throws(ToolError) -> ToolResult {
        let expected = try expectedText(of: part)
        let codes = CodeReader.read(part.picture, symbologies: symbologies, count: count)
        timer.finish("read code")
        var score = 0.0
        var defects: [FoundDefect] = []
        var features: [Feature] = []
        func reject(_ reason: String, _ box: Box, score: Double) {
            defects.append(defect(box, in: part.picture, score: score))
            features.append(Feature(name: "rejection", value: 0, unit: "C62", text: reason, conforms: false))
        }
        if codes.count < count {
            let whole = Box(x: 0, y: 0, width: part.picture.width, height: part.picture.height)
            reject(missing(found: codes.count, expected: expected), whole, score: Self.failed)
        }
        for code in codes {
            let reason = mismatch(code, expected: expected)
            if let reason { reject(reason, code.box, score: Self.failed) }
            let name = code.symbology.rawValue
            features.append(Feature(name: name, value: 1, unit: "C62", text: code.text, conforms: reason == nil))
            guard let minGrade else { continue }
            let grade = try self.grade(code, part.picture)
            let (lowest, isGood) = (CodeGrade.letter(minGrade), grade.overall >= minGrade)
            let weight = isGood ? (4 - grade.overall) / (5 - minGrade) : 1 + (minGrade - grade.overall) / 4
            score = max(score, weight)
            if !isGood { reject(Self.tooLow(code, grade, lowest), code.box, score: weight) }
            features += Self.features(of: grade, minGrade: minGrade)
        }
        if minGrade != nil { timer.finish("grade code") }
        return ToolResult(score: max(score, defects.map(\.score).max() ?? 0), defects: defects, features: features)
    }

    private func grade(_ code: ReadCode, _ picture: Picture) throws(ToolError) -> CodeGrade {
        if let grade = CodeGrade.grade(code, in: picture) { return grade }
        let hint = CodeLibrary.shared.hint
        throw ToolError(
            "the \(code.symbology.rawValue) was read but cannot be graded: min_grade needs "
                + (code.symbology.isMatrix && code.modules == nil
                    ? "a reader that tells the modules\(hint.isEmpty ? "" : " (\(hint))")"
                    : "the whole code in the picture, larger than a pixel a module")
        )
    }

    private static func tooLow(_ code: ReadCode, _ grade: CodeGrade, _ lowest: String) -> String {
        let worst = grade.parameters.filter { $0.grade <= grade.overall }.map(\.name).joined(separator: ", ")
        return
            "print quality of \"\(code.text)\" (\(code.symbology.rawValue)) is \(CodeGrade.letter(grade.overall)) by "
            + "\(worst); expected \(lowest) or better"
    }

    private static func features(of grade: CodeGrade, minGrade: Double) -> [Feature] {
        let overall = Feature(
            name: "print quality grade",
            value: grade.overall,
            unit: "C62",
            text: CodeGrade.letter(grade.overall),
            lowerLimit: minGrade,
            conforms: grade.overall >= minGrade
        )
        return [overall]
            + grade.parameters.map {
                Feature(
                    name: $0.name,
                    value: $0.value,
                    unit: "C62",
                    text: CodeGrade.letter($0.grade),
                    conforms: $0.grade >= minGrade
                )
            }
    }

    private func expectedText(of part: PartView) throws(ToolError) -> String? {
        guard let kind = expectation.kind else { return expectation.text }
        guard let text = part.expected[kind] else {
            let known = part.expected.keys.sorted().joined(separator: ", ")
            throw ToolError(
                "no \(kind) is expected of the part\(known.isEmpty ? "" : ", only \(known)"): the recipe verifies the "
                    + "code against it; see to it that the part's context brings it, or take out expect"
            )
        }
        return text
    }

    /// Why the code is not the expected one; nil where it is.
    private func mismatch(_ code: ReadCode, expected: String?) -> String? {
        let read = "read \"\(code.text)\" (\(code.symbology.rawValue))"
        if let pattern = expectation.pattern {
            // A pattern that is no regular expression was noted when the recipe was read; no text matches it.
            let matches = (try? Regex(pattern).wholeMatch(in: code.text)) != nil
            if !matches { return "\(read); expected a text that matches \(pattern)" }
        }
        guard let expected else { return nil }
        let kind = expectation.kind ?? "text"
        if let identifier = Self.identifier(of: kind), let fields = Gs1.fields(code.text), code.isGS1 {
            guard let field = fields[identifier] else {
                return "\(read) without (\(identifier)); expected \(kind) \"\(expected)\""
            }
            return field == expected ? nil : "read \(kind) (\(identifier)) \"\(field)\"; expected \"\(expected)\""
        }
        return code.text == expected ? nil : "\(read); expected \(kind) \"\(expected)\""
    }

    /// GS1 application identifier of a kind of text.
    private static func identifier(of kind: String) -> String? {
        switch kind {
        case "serial": "21"
        case "lot", "batch": "10"
        case "product", "gtin": "01"
        case "expiry": "17"
        default: nil
        }
    }

    private func missing(found: Int, expected: String?) -> String {
        let wanted = expected.map { ", \(expectation.kind ?? "text") \"\($0)\"" } ?? ""
        let kinds =
            symbologies == Symbology.all ? "" : " of \(symbologies.map(\.rawValue).sorted().joined(separator: ", "))"
        return count == 1
            ? "no code\(kinds) could be read; expected one\(wanted)"
            : "\(found) codes\(kinds) could be read; expected \(count)\(wanted)"
    }

    private func defect(_ box: Box, in picture: Picture, score: Double) -> FoundDefect {
        let (x, y) = (min(max(0, box.x), picture.width - 1), min(max(0, box.y), picture.height - 1))
        let (width, height) = (min(box.width, picture.width - x), min(box.height, picture.height - y))
        return FoundDefect(
            category: .code,
            x: x,
            y: y,
            width: width,
            height: height,
            area: width * height,
            score: score
        )
    }
}
