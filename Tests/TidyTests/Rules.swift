extension Rule {
    static let fileLimit = 500
    static let functionLimit = 70
    /// The one file whose functions wait for a condition, with a deadline.
    static let waitingHelper = "Tests/Support/Waiting.swift"

    static let all = [
        shortFiles, shortFunctions, noForcing, noFatalErrors, noOutsideInPureCode, noClocksInCores, pureImports,
        noSleepsInTests, unsafeSendingIsExplained, topicNamesInOnePlace, nothingLeftToDo,
    ]

    static let shortFiles = Rule(
        expected: "at most \(fileLimit) lines a file; split it by what its parts are about",
        applies: isSwift,
        offendingLines: { $0.lineCount > fileLimit ? [fileLimit + 1] : [] },
        breach: Breach(
            path: "Shared/Vision/Long.swift",
            text: String(repeating: "\n", count: fileLimit + 1),
            lines: [fileLimit + 1]
        ),
        keeping: Keeping(path: "Shared/Vision/Long.swift", text: String(repeating: "\n", count: fileLimit))
    )

    static let shortFunctions = Rule(
        expected: "at most \(functionLimit) lines a function; give its parts names of their own",
        applies: isSwift,
        offendingLines: { $0.functions.filter { $0.lineCount > functionLimit }.map(\.firstLine) },
        breach: Breach(
            path: "Shared/Vision/Long.swift",
            text: "struct A {\n    func b() {\n        print(\"}\")  // }\n" + String(repeating: "\n", count: 70)
                + "    }\n}\n",
            lines: [2]
        ),
        keeping: Keeping(
            path: "Shared/Vision/Long.swift",
            text: """
                protocol A {
                    func b()
                    init(c: Int)
                }
                struct D {
                    func e() -> Int {
                \(String(repeating: "\n", count: 60))
                    }
                    let f = D.init
                \(String(repeating: "\n", count: 60))
                }
                """
        )
    )

    static let noForcing = words(
        ["try!", "as!"],
        "no try! and no as!: handle the error, or show the compiler that there is none",
        where: isSwift,
        breach: Breach(
            path: "Tests/EventTests/A.swift",
            text: "let a = try! b()\nlet c = a as! Int\nlet d = try? b()\n",
            lines: [1, 2]
        ),
        keeping: Keeping(
            path: "Tests/EventTests/A.swift",
            text: "// try! is what nobody writes\nlet a = \"as! try!\"\n"
        )
    )

    static let noFatalErrors = words(
        ["fatalError("],
        "no fatalError: throw what operating brings about, use precondition for our own mistakes",
        where: isProgram,
        breach: Breach(
            path: "Services/inspector/A.swift",
            text: "func a() -> Int {\n    fatalError(\"no\")\n}\n",
            lines: [2]
        ),
        keeping: Keeping(path: "Services/inspector/A.swift", text: "func a() {\n    precondition(true)\n}\n")
    )

    static let noOutsideInPureCode = words(
        [
            "Date()", "Date.now", "UUID()", "Task.sleep", "print(", "getenv(", "SystemRandomNumberGenerator",
            "random(in:", "randomElement()", "shuffled()",
        ],
        "pure code takes time, ids and randomness as arguments and does no output",
        where: isPure,
        breach: Breach(
            path: "Shared/Vision/A.swift",
            text: "func a() {\n    let b = Date()\n    print(b)\n    let c = [1].shuffled()\n}\n",
            lines: [2, 3, 4]
        ),
        keeping: Keeping(
            path: "Shared/Vision/A.swift",
            text: "func a(nowUs: Int64) {\n    footprint(nowUs)\n    [1].shuffled(using: &generator)\n}\n"
        )
    )

    static let noClocksInCores = words(
        ["ContinuousClock", "SuspendingClock", "SystemClock", "clock_gettime"],
        "cores read no clock: time comes as an argument",
        where: isPureCore,
        breach: Breach(path: "Shared/PlantCore/A.swift", text: "let a = ContinuousClock.now\n", lines: [1]),
        keeping: Keeping(path: "Shared/PlantCore/A.swift", text: "let a = nowUs  // not ContinuousClock.now\n")
    )

    static let pureImports = Rule(
        expected: "PlantCore imports PlantEvents and SwiftProtobuf only",
        applies: isPureCore,
        offendingLines: { file in
            file.codeLines.enumerated().compactMap { index, line in
                let words = line.split(separator: " ")
                guard let keyword = words.firstIndex(of: "import"), keyword <= 1, let module = words.last else {
                    return nil
                }
                return ["PlantEvents", "SwiftProtobuf"].contains(module) ? nil : index + 1
            }
        },
        breach: Breach(
            path: "Shared/PlantCore/A.swift",
            text: "package import PlantEvents\nimport Foundation\nimport struct Logging.Logger\n",
            lines: [2, 3]
        ),
        keeping: Keeping(
            path: "Shared/PlantCore/A.swift",
            text: "package import PlantEvents\nimport SwiftProtobuf\n// import Foundation\n"
        )
    )

    static let noSleepsInTests = words(
        ["sleep(", "usleep(", "nanosleep("],
        "tests never sleep: step a clock, or wait for a condition with a deadline",
        where: { isTest($0) && $0 != waitingHelper },
        breach: Breach(
            path: "Tests/EventTests/A.swift",
            text: "try await Task.sleep(for: .seconds(1))\nusleep(3)\nclock.sleep(until: a)\n",
            lines: [1, 2, 3]
        ),
        keeping: Keeping(path: "Tests/EventTests/A.swift", text: "let asleep = true\ncheck(asleep)\n")
    )

    static let unsafeSendingIsExplained = Rule(
        expected: "a comment above says what makes @unchecked Sendable or nonisolated(unsafe) safe",
        applies: isSwift,
        offendingLines: { file in
            let lines = file.lines
            return file.lines(holding: ["@unchecked Sendable", "nonisolated(unsafe)"], in: file.code)
                .filter { !hasCommentAbove($0, lines) }
        },
        breach: Breach(
            path: "Shared/EventLog/A.swift",
            text: "// Something else.\n\nfinal class A: @unchecked Sendable {\n    nonisolated(unsafe) var b = 1\n}\n",
            lines: [3, 4]
        ),
        keeping: Keeping(
            path: "Shared/EventLog/A.swift",
            text:
                "/// The library locks (manual, 3.2).\n@available(*, deprecated)\nfinal class A: B,\n    @unchecked Sendable {\n}\n"
        )
    )

    static let topicNamesInOnePlace = Rule(
        expected: "full topic names are built by TopicName in Shared/PlantEvents/Topic.swift only",
        applies: { isSwift($0) && $0 != "Shared/PlantEvents/Topic.swift" },
        offendingLines: { file in
            file.lines(holding: ["\"line" + "ledger.\\(", "\"line" + "ledger.\" +"], in: file.text)
        },
        breach: Breach(
            path: "Services/inspector/A.swift",
            text: "let a = \"line" + "ledger.\\(site).frames\"\nlet b = \"line" + "ledger.\" + site\n",
            lines: [1, 2]
        ),
        keeping: Keeping(
            path: "Services/inspector/A.swift",
            text: "let a = \"lineledger_records_total\"\nlet b = \"lineledger.v1\"\n"
        )
    )

    static let nothingLeftToDo = Rule(
        expected: "no note of things left to do: do them, or say in README.md what is not there",
        applies: { _ in true },
        offendingLines: { $0.lines(holding: ["TO" + "DO", "FIX" + "ME"], in: $0.text) },
        breach: Breach(path: "deploy/a", text: "echo\n# TO" + "DO: more\n", lines: [2]),
        keeping: Keeping(path: "deploy/a", text: "# todos is Spanish\n")
    )

    /// Whether a comment stands above the declaration that goes over `line`, attributes and other lines of it between.
    private static func hasCommentAbove(_ line: Int, _ lines: [String]) -> Bool {
        for above in lines.prefix(line - 1).reversed() {
            let text = above.drop { $0 == " " }
            if text.hasPrefix("//") { return true }
            if text.isEmpty || text.hasSuffix("{") || text.hasSuffix("}") { return false }
        }
        return false
    }
}
