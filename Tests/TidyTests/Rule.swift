/// One of the house's rules about source files, with a sample that breaks it: a rule that cannot fail is none.
struct Rule: Sendable, CustomStringConvertible {
    /// A file that breaks the rule.
    struct Breach: Sendable {
        let path: String
        let text: String
        /// Lines that break it.
        let lines: [Int]
    }

    /// A file that keeps the rule, though it may look otherwise.
    struct Keeping: Sendable {
        let path: String
        let text: String
    }

    /// What is expected, as the message says it.
    let expected: String
    /// Whether the rule is for the file at this path.
    let applies: @Sendable (String) -> Bool
    let offendingLines: @Sendable (SourceFile) -> [Int]
    let breach: Breach
    let keeping: Keeping

    var description: String { expected }

    /// `path:line: what is expected` for each line that breaks the rule.
    func findings(in file: SourceFile) -> [String] {
        guard applies(file.path) else { return [] }
        return offendingLines(file).map { "\(file.path):\($0): \(expected)" }
    }

    /// A rule that some words do not stand in the code.
    static func words(
        _ words: [String],
        _ expected: String,
        where applies: @escaping @Sendable (String) -> Bool,
        breach: Breach,
        keeping: Keeping
    ) -> Rule {
        Rule(
            expected: expected,
            applies: applies,
            offendingLines: { file in file.lines(holding: words, in: file.code) },
            breach: breach,
            keeping: keeping
        )
    }

    static func isSwift(_ path: String) -> Bool { path.hasSuffix(".swift") }
    static func isTest(_ path: String) -> Bool { path.hasPrefix("Tests/") && isSwift(path) }
    static func isProgram(_ path: String) -> Bool {
        isSwift(path) && (path.hasPrefix("Services/") || path.hasPrefix("Shared/"))
    }
    static func isPureCore(_ path: String) -> Bool { path.hasPrefix("Shared/PlantCore/") && isSwift(path) }
    static func isPure(_ path: String) -> Bool { isPureCore(path) || path.hasPrefix("Shared/Vision/") && isSwift(path) }
}
