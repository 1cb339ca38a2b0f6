import Testing

@Suite struct DocumentTests {
    static let documents = Result {
        try Repository.paths().filter { $0.hasSuffix(".md") && !$0.hasPrefix("proto/") }
            .map { Document(path: $0, text: try Repository.read($0)) }
    }
    static let programs = Result {
        try Repository.texts.get().filter {
            Rule.isProgram($0.path) || $0.path.hasPrefix("deploy/") && !$0.path.hasSuffix(".md")
        }
    }

    @Test func commandsExist() throws {
        let sources = try Repository.texts.get().filter {
            Rule.isProgram($0.path) && !$0.lines(holding: ["import ArgumentParser"], in: $0.code).isEmpty
        }
        let tree = CommandTree(root: "LineLedger", sources: sources)
        #expect(tree.options(of: "demo")?.contains("--parts") == true, "the command line is understood")
        let documents = try Self.documents.get()
        #expect(documents.flatMap(\.calls).count > 5)
        for wrong in documents.flatMap({ $0.wrongCalls(tree) }) { Issue.record("\(wrong)") }
    }

    @Test func pathsExist() throws {
        for dead in try Self.documents.get().flatMap({ $0.deadPaths(exists: Repository.exists) }) {
            Issue.record("\(dead)")
        }
    }

    @Test func metricsAndVariablesExist() throws {
        let programs = try Self.programs.get()
        for unknown in try Self.documents.get().flatMap({ $0.unknownNames(sources: programs) }) {
            Issue.record("\(unknown)")
        }
    }

    /// Every kind of alarm tells people at night where to look: there is a page for it.
    @Test func alarmsHaveRunbooks() throws {
        let sources = try Repository.paths().filter { $0.hasPrefix("Shared/PlantCore/AlarmFold") }
        let kinds = Set(try sources.flatMap { Self.alarmKinds(in: try Repository.read($0)) })
        #expect(kinds.count > 12)
        for kind in kinds {
            #expect(Repository.exists("deploy/runbooks/\(kind).md"), "the alarm \(kind) has no runbook")
        }
    }

    @Test func runbooksSayWhatToDo() throws {
        let runbooks = try Self.documents.get().filter {
            $0.path.hasPrefix("deploy/runbooks/") && !$0.path.hasSuffix("README.md")
        }
        #expect(!runbooks.isEmpty)
        for runbook in runbooks {
            #expect(Self.missingHeadings(in: runbook.text) == [], "\(runbook.path)")
            let name = runbook.path.split(separator: "/").last ?? ""
            #expect(
                try Repository.read("deploy/runbooks/README.md").contains("](\(name))"),
                "\(name) is not in the list"
            )
        }
    }

    @Test func decisionsAreNumbered() throws {
        let decisions = try Self.documents.get().filter { $0.path.hasPrefix("Shared/decisions/") }
        let numbers = decisions.map { $0.path.split(separator: "/").last.map { String($0.prefix(4)) } ?? "" }
        #expect(numbers == (1...max(1, numbers.count)).map { String("000\($0)".suffix(4)) })
    }

    static func alarmKinds(in source: String) -> Set<String> {
        Set(source.matches(of: /\braise\(\s*"([a-z-]+)"/).map { String($0.output.1) })
    }

    static func missingHeadings(in runbook: String) -> [String] {
        ["Symptom", "Check", "Action", "Escalate"].filter { !runbook.contains("\n## \($0)\n") }
    }
}

/// What the checks of documents find in documents that are wrong.
@Suite struct DocumentCheckTests {
    private let tree = CommandTree(
        root: "Root",
        sources: [
            SourceFile(
                path: "Services/a/A.swift",
                text: """
                    struct Root: AsyncParsableCommand {
                        static let configuration = CommandConfiguration(subcommands: [RunIt.self, Other.self])
                    }
                    struct RunIt: AsyncParsableCommand {
                        @Option(name: .long, help: "Parts.")
                        var partCount: Int
                        @Flag(name: .customLong("dry")) var isDry = false
                        @OptionGroup var plant: PlantOption
                    }
                    struct Other: ParsableCommand {
                        static let configuration = CommandConfiguration(commandName: "another")
                    }
                    struct PlantOption: ParsableArguments {
                        @Option var plant: String
                    }
                    """
            )
        ]
    )

    @Test func commandLineIsRead() {
        #expect(tree.subcommands == ["another", "run-it"])
        #expect(tree.options(of: "run-it") == ["--part-count", "--dry", "--plant", "--help", "--version"])
        #expect(tree.options(of: "other") == nil)
    }

    @Test func wrongCommandsAreSeen() {
        let document = Document(
            path: "a.md",
            text: """
                The lineledger gone is not code, `lineledger gone --x` and `lineledger run-it --part-count 3` are.
                ```sh
                sudo deploy/lineledger run-it --wet --plant=a | lineledger another --dry  # lineledger comment
                deploy/demo --parts 3
                ```
                """
        )
        let wrong = document.wrongCalls(tree)
        #expect(
            wrong.map { $0.prefix { $0 != ";" } } == [
                "a.md:1: lineledger has no `gone`", "a.md:3: lineledger run-it has no --wet",
                "a.md:3: lineledger another has no --dry", "a.md:4: lineledger has no `demo`",
            ]
        )
    }

    @Test func deadPathsAreSeen() {
        let document = Document(
            path: "deploy/x/a.md",
            text: "See deploy/gone, [b](../b.md) and\n[c](c.md#d), <http://a/deploy/e> or deploy/f.\n"
        )
        #expect(
            document.deadPaths { $0 == "deploy/b.md" || $0 == "deploy/f" } == [
                "deploy/x/a.md:1: deploy/gone: no such file", "deploy/x/a.md:2: deploy/x/c.md: no such file",
            ]
        )
    }

    @Test func alarmKindsAreRead() {
        let source = "raise(\"a-b\", 1)\n    raise(\n        \"c\", 2)\nclear(\"d\")\n"
        #expect(DocumentTests.alarmKinds(in: source) == ["a-b", "c"])
    }

    @Test func missingHeadingsAreSeen() {
        let runbook = "# a\n\n## Symptom\n\n### Check\n\n## Action\n\n## Escalate later\n"
        #expect(DocumentTests.missingHeadings(in: runbook) == ["Check", "Escalate"])
    }

    @Test func unknownNamesAreSeen() {
        let document = Document(
            path: "a.md",
            text: "`lineledger_known_seconds_sum` lineledger_gone LINELEDGER_GONE LINELEDGER_KNOWN"
        )
        let source = SourceFile(path: "A.swift", text: "\"lineledger_known_seconds\" \"LINELEDGER_KNOWN\"")
        #expect(
            document.unknownNames(sources: [source]) == [
                "a.md: LINELEDGER_GONE: no program knows that name",
                "a.md: lineledger_gone: no program knows that name",
            ]
        )
    }
}
