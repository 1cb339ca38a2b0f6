import Testing

@Suite struct RuleTests {
    @Test(arguments: Rule.all)
    func isKept(_ rule: Rule) throws {
        for file in try Repository.texts.get() {
            for finding in rule.findings(in: file) { Issue.record("\(finding)") }
        }
    }

    @Test(arguments: Rule.all)
    func canFail(_ rule: Rule) {
        let breach = SourceFile(path: rule.breach.path, text: rule.breach.text)
        #expect(rule.findings(in: breach) == rule.breach.lines.map { "\(breach.path):\($0): \(rule.expected)" })
        #expect(!rule.breach.lines.isEmpty)
    }

    @Test(arguments: Rule.all)
    func toleratesWhatOnlyLooksLikeABreach(_ rule: Rule) {
        let keeping = SourceFile(path: rule.keeping.path, text: rule.keeping.text)
        #expect(rule.applies(keeping.path))
        #expect(rule.findings(in: keeping) == [])
    }

    @Test func theTreeIsRead() throws {
        let paths = try Repository.texts.get().map(\.path)
        #expect(paths.contains("Package.swift"))
        #expect(paths.contains("Shared/PlantEvents/Topic.swift"))
        #expect(!paths.contains { $0.contains("/Generated/") })
    }

    @Test func codeIsSeenWithoutCommentsAndStrings() {
        let text = #"""
            a /* b /* c */ d */ "e \" f" // g
            "h \(i("j", k { "l" })) m" n
            """#
        let file = SourceFile(
            path: "A.swift",
            text: text + "\n#\"o \"p\" \\(q) \\#(r)\"# s\n\"\"\"\n t \" u \\(v)\n\"\"\" w\n"
        )
        let words = String(decoding: file.code, as: UTF8.self).split { !($0.isLetter || "(){},#".contains($0)) }
        #expect(words == ["a", "i(", ",", "k", "{", "})", "n", "r", "s", "v", "w"])
        #expect(file.code.count == file.text.count)
        #expect(file.codeLines.count == file.lines.count)
    }

    @Test func functionsAreMeasured() {
        let text = """
            struct A {
                init?(b: [Int] = { [1] }()) {
                }
                func c<D>(
                    e: D
                ) async throws
                    -> Int
                where D: Sendable {
                    func f() {}
                    return 1
                }
                deinit { }
            }
            """
        let functions = SourceFile(path: "A.swift", text: text).functions
        #expect(functions.map(\.firstLine) == [2, 4, 9, 12])
        #expect(functions.map(\.lineCount) == [2, 8, 1, 1])
    }
}
