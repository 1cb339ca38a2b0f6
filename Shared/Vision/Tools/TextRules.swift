/// What a text must say, as recipes write it.
struct TextRules: Sendable {
    /// Score of a text that says something else.
    static let failed = 2.0

    /// Printed before the text, and no part of it.
    let prefix: String?
    /// Kind of expected text of the part; example "lot".
    let kind: String?
    let text: String?
    /// Regular expression that the whole text must match.
    let pattern: String?
    let date: DateRule?
    /// What stands at each place, without the prefix; nil where the recipe does not say.
    let fielding: TextFielding?
    /// Of the weakest character.
    let minConfidence: Double
    private let lines: Int

    /// A date and how far it may lie from one that is expected of the part.
    struct DateRule: Sendable {
        let format: PrintedDate
        let written: String
        /// Kind of expected text, a date as 2027-03-31, from which days are counted; nil where any date will do.
        let kind: String?
        let days: ClosedRange<Int>
    }

    init(_ section: RecipeSection, lines: Int) {
        self.lines = lines
        prefix = section.optionalText("prefix")?.filter { $0 != " " }
        kind = section.optionalText("expect")
        text = section.optionalText("expect_text")
        let pattern = section.optionalText("pattern")
        if let pattern, (try? Regex(pattern)) == nil {
            section.note("pattern", found: "\"\(pattern)\"", expected: "a regular expression, e.g. [A-Z]{2}[0-9]{6}")
        }
        self.pattern = pattern
        minConfidence = section.number("min_confidence", 0.05...0.99, default: 0.5)
        let date = section.section("date").map(Self.dateRule)
        fielding = (section.optionalText("fielding") ?? date?.format.fielding).map { TextFielding($0) }
        self.date = date
        if section.has("fielding"), lines > 1 {
            section.note("fielding", found: "a fielding for \(lines) lines", expected: "one line")
        }
        if kind != nil, text != nil {
            section.note("expect_text", found: "a text beside expect", expected: "one of the two")
        }
    }

    private static func dateRule(_ section: RecipeSection) -> DateRule {
        let written = section.text("format")
        let format = PrintedDate(written)
        if format == nil {
            let expected = "a format with year and month, e.g. dd.MM.yyyy, MMM yyyy, yyMMdd"
            section.note("format", found: "\"\(written)\"", expected: expected)
        }
        let range = -36_600...36_600
        let kind = section.optionalText("relative_to")
        let low = kind == nil ? 0 : section.integer("min_days", range, default: 0)
        let high = kind == nil ? 0 : section.integer("max_days", range)
        if low > high { section.note("min_days", found: "\(low)", expected: "at most max_days (\(high))") }
        return DateRule(format: format ?? .iso, written: written, kind: kind, days: min(low, high)...max(low, high))
    }

    /// 1 where the weakest character is as doubtful as allowed, 0 where nothing is doubtful.
    func doubt(_ read: ReadText) -> Double { (1 - read.weakest) / (1 - minConfidence) }

    /// The lines' texts after each other; with a fielding, the text that fits it where each character is sure enough.
    func chosen(_ readings: [TextReader.Reading]) -> ReadText {
        readings.reduce(into: .nothing) { sum, reading in
            let fielded = reading.fielded.flatMap { $0.weakest >= minConfidence ? $0 : nil }
            let read = fielded ?? reading.free
            sum.text += read.text
            sum.confidences += read.confidences
        }
    }

    /// The rules with what is expected of this part.
    func check(for part: PartView) throws(ToolError) -> TextCheck {
        var first: Int?
        if let date, let kind = date.kind {
            let text = try expected(kind, of: part)
            guard let days = PrintedDate.iso.days(text) else {
                throw ToolError("the expected \(kind) of the part is \"\(text)\"; expected a date as 2027-03-31")
            }
            first = days
        }
        let wanted = if let kind { try expected(kind, of: part) } else { text }
        return TextCheck(
            rules: self,
            expected: wanted.map { $0.filter { $0 != " " } },
            firstDay: first,
            fielding: lines == 1 ? (fielding ?? wanted.map { TextFielding(like: $0) })?.after(prefix ?? "") : nil
        )
    }

    private func expected(_ kind: String, of part: PartView) throws(ToolError) -> String {
        if let text = part.expected[kind] { return text }
        let known = part.expected.keys.sorted().joined(separator: ", ")
        throw ToolError(
            "no \(kind) is expected of the part\(known.isEmpty ? "" : ", only \(known)"): the recipe verifies the text "
                + "against it; see to it that the part's context brings it, or take the rule out of the recipe"
        )
    }
}

/// What one part's text must say.
struct TextCheck: Sendable {
    let rules: TextRules
    /// Without spaces.
    let expected: String?
    /// Days since 1970-01-01 of the date that the text's date is counted from.
    let firstDay: Int?
    /// What stands at each place of the whole print. Where the recipe does not say, a text that is expected says where
    /// digits and where letters stand, so that 0 and O are told apart; it says no more.
    let fielding: TextFielding?

    /// Name of the feature.
    var name: String { rules.kind ?? (rules.date == nil ? "text" : "date") }

    /// Why the text is not the expected one, in words; nil where it is.
    func mismatch(_ read: ReadText) -> String? {
        guard !read.text.isEmpty else { return "no text could be read\(expected.map { "; expected \"\($0)\"" } ?? "")" }
        var text = read.text
        if let prefix = rules.prefix {
            guard text.hasPrefix(prefix) else { return "read \"\(text)\"; expected \"\(prefix)\" before the text" }
            text = String(text.dropFirst(prefix.count))
        }
        if let expected, text != expected {
            return "read \"\(text)\"; expected \(rules.kind.map { "\($0) " } ?? "")\"\(expected)\""
        }
        // A pattern that is no regular expression was noted when the recipe was read; no text matches it.
        if let pattern = rules.pattern, (try? Regex(pattern).wholeMatch(in: text)) == nil {
            return "read \"\(text)\"; expected a text that matches \(pattern)"
        }
        guard let date = rules.date else { return nil }
        guard let days = date.format.days(text) else {
            return "read \"\(text)\"; expected a date as \(date.written)"
        }
        guard let firstDay, let kind = date.kind, !date.days.contains(days - firstDay) else { return nil }
        return "read \"\(text)\", \(days - firstDay) days after \(kind); expected \(date.days.lowerBound) to "
            + "\(date.days.upperBound)"
    }
}
