import ArgumentParser
import Foundation
import ServiceRuntime
import Vision

/// Who decides, and where.
struct RecipeActor: ParsableArguments {
    @OptionGroup var plant: PlantOption
    @Option(help: "Person who decides. Nobody signs in yet: the record says that you, as this system user, named them.")
    var person: String
    @Flag(help: "One JSON object on standard output.") var json = false

    var request: RecipeWire.Request {
        RecipeWire.Request(
            requestID: UUID().uuidString.lowercased(),
            person: person,
            systemUser: NSUserName()
        )
    }

    func say(_ reply: RecipeWire.Reply) throws {
        if json { try Terminal.say(json: reply) } else { Terminal.say(RecipeText.said(reply)) }
    }

    /// Has the console act on the recipe whose content hash begins with `word`.
    func act(
        _ verb: RecipeWire.Verb,
        on word: String,
        _ fill: (inout RecipeWire.Request, RecipeClient) async throws -> Void
    ) async throws {
        try await RecipeClient.run(try plant.load()) { client in
            var request = request
            try await fill(&request, client)
            try say(try await client.act(verb, on: try await client.row(word).sha256, request))
        }
    }
}

extension RecipeCommand {
    struct Test: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "Run a recipe on labelled pictures and on its challenge pieces; exits 1 on an escape or a missed piece.",
            discussion: """
                DIR holds labels.csv with the columns image,label (normal or anomaly), or the folders normal/ and anomaly/.
                The report is what submit --report takes along, and what an approval names.

                Example: lineledger recipe test board.yaml --images boards --report board.test.json
                """
        )
        @Argument(help: "Recipe file.") var file: String
        @Option(help: "Folder of labelled images.") var images: String
        @Option(help: "Where to write the report.") var report: String?
        @Flag(help: "One JSON object on standard output.") var json = false

        func run() async throws {
            let report: RecipeTestReport
            do {
                let folder = RecipePaths.folder(of: file)
                let labelled = try LabelledFolder.read(images)
                var test = RecipeTest(
                    try Judge(recipe: try Recipe.load(path: file), directory: folder),
                    directory: folder
                )
                var progress = ProgressLine()
                report = try test.run(labelled) { done in
                    let total = labelled.items.count
                    progress.show("\(ProgressLine.bar(Double(done) / Double(total))) \(done)/\(total) images")
                }
                progress.finish()
                if let path = self.report { try report.write(to: path) }
            } catch {
                Terminal.complain("\(error)")
                throw ExitStatus.wrongUse
            }
            if json { try Terminal.say(json: report) } else { Terminal.say(report.text) }
            guard report.isClean else { throw ExitStatus.problemFound }
        }
    }

    struct Submit: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "submit",
            abstract: "Put a recipe forward for approval, with the files that it names and its test report.",
            discussion: """
                Every file that the recipe names needs its hash, so that the recipe's content hash fixes all that judges;
                `lineledger recipe validate FILE --submittable` writes the lines for you.

                Example: lineledger recipe submit board.yaml --report board.test.json --person ada --plant plant.yaml
                """
        )
        @Argument(help: "Recipe file.") var file: String
        @Option(name: .customLong("product"), help: "Item code it is for, again for more; the recipe's own without it.")
        var products: [String] = []
        @Option(help: "Report of lineledger recipe test, to be recorded with it.") var report: String?
        @Option(help: "What changed, and why.") var reason: String = ""
        @OptionGroup var by: RecipeActor

        func run() async throws {
            let folder = RecipePaths.folder(of: file)
            let recipe: Recipe
            do {
                recipe = try Recipe.load(path: file)
                let mistakes = recipe.mistakes(in: folder) + recipe.unfixed(in: folder)
                guard mistakes.isEmpty else { throw RecipeError(file: file, mistakes: mistakes) }
            } catch {
                Terminal.complain("\(error)")
                throw ExitStatus.wrongUse
            }
            try await RecipeClient.run(try by.plant.load()) { client in
                var progress = ProgressLine()
                for (index, named) in recipe.files.enumerated() {
                    progress.show("\(ProgressLine.bar(Double(index) / Double(recipe.files.count))) \(named.file.name)")
                    try await client.send(try Files.read("\(folder)/\(named.file.name)", atMost: Recipe.namedFileLimit))
                }
                progress.finish()
                var request = by.request
                request.recipeSHA256 = try await client.send(try Files.read(file, atMost: Recipe.maxBytes))
                request.skus = products
                request.reason = reason
                var reply = try await client.submit(request)
                if let report {
                    request = by.request
                    request.reportSHA256 = try await client.send(try Files.read(report, atMost: 16 << 20))
                    reply = try await client.act(.test, on: recipe.sha256, request)
                }
                try by.say(reply)
            }
        }
    }

    struct Approve: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Approve a tested recipe; not by the person who submitted it.",
            discussion:
                "Example: lineledger recipe approve 3a7bd3e2f00d --report board.test.json --person ben --plant plant.yaml"
        )
        @Argument(help: "Content hash, or its first 6 digits or more.") var recipe: String
        @Option(help: "The test report that you have read: the file, or the first 6 digits or more of its hash.")
        var report: String
        @Option(help: "Why.") var reason: String = ""
        @OptionGroup var by: RecipeActor

        func run() async throws {
            try await by.act(.approve, on: recipe) { request, client in
                request.reason = reason
                if FileManager.default.fileExists(atPath: report) {
                    request.reportSHA256 = hexSHA256(try Files.read(report, atMost: 16 << 20))
                } else {
                    let newest = try await client.row(recipe).reportSHA256
                    let isMeant = RecipePaths.isHash(report) && newest.hasPrefix(report)
                    request.reportSHA256 = isMeant ? newest : report
                }
            }
        }
    }

    struct SendBack: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "return",
            abstract: "Send a submitted recipe back, with the reason.",
            discussion: "Example: lineledger recipe return 3a7bd3e2f00d --reason \"no test on variant B\" --person ben"
        )
        @Argument(help: "Content hash, or its first 6 digits or more.") var recipe: String
        @Option(help: "Why; it is kept for ever.") var reason: String
        @OptionGroup var by: RecipeActor

        func run() async throws {
            try await by.act(.sendBack, on: recipe) { request, _ in request.reason = reason }
        }
    }

    struct Release: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Have an approved recipe judge its products from the next part on.",
            discussion: "Example: lineledger recipe release 3a7bd3e2f00d --person ben --plant plant.yaml"
        )
        @Argument(help: "Content hash, or its first 6 digits or more.") var recipe: String
        @Option(name: .customLong("product"), help: "Item code, again for more; all it was submitted for without it.")
        var products: [String] = []
        @Option(help: "Why.") var reason: String = ""
        @OptionGroup var by: RecipeActor

        func run() async throws {
            try await by.act(.release, on: recipe) { request, _ in
                request.reason = reason
                request.skus = products
            }
        }
    }

    struct Retire: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take a recipe out of use for ever; what it replaced does not come back by itself.",
            discussion: "Example: lineledger recipe retire 3a7bd3e2f00d --reason \"lighting changed\" --person ben"
        )
        @Argument(help: "Content hash, or its first 6 digits or more.") var recipe: String
        @Option(help: "Why; it is kept for ever.") var reason: String
        @OptionGroup var by: RecipeActor

        func run() async throws {
            try await by.act(.retire, on: recipe) { request, _ in request.reason = reason }
        }
    }

    struct Review: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Record the periodic review of how a recipe performs, with its report.",
            discussion:
                "Example: lineledger recipe review 3a7bd3e2f00d --days 90 --conclusion keep --report q3.json --person ben"
        )
        @Argument(help: "Content hash, or its first 6 digits or more.") var recipe: String
        @Option(help: "Days up to now that were reviewed.") var days: Int
        @Option(help: "For example keep, retrain.") var conclusion: String
        @Option(help: "File with what the conclusion rests on.") var report: String
        @OptionGroup var by: RecipeActor

        func validate() throws {
            guard (1...3_660).contains(days) else { throw ValidationError("--days \(days): expected 1 to 3660") }
        }

        func run() async throws {
            try await by.act(.review, on: recipe) { request, client in
                let nowUs = ServiceProgram.wallClock()
                request.review = .init(
                    fromUs: nowUs - Int64(days) * 86_400_000_000,
                    toUs: nowUs,
                    conclusion: conclusion
                )
                request.reportSHA256 = try await client.send(try Files.read(report, atMost: 16 << 20))
            }
        }
    }
}

extension RecipeTestReport {
    /// No bad part passed, every challenge piece was found, and every picture could be judged.
    var isClean: Bool { badPassed == 0 && unjudged == 0 && challenges.allSatisfy(\.isFound) }

    var text: String {
        func rate(_ share: Share) -> String {
            "\(share.events) of \(share.trials) (95 %: \(percent(share.lower)) to \(percent(share.upper)))"
        }
        let matrix = Terminal.table([
            ["", "pass", "uncertain", "fail"], ["good", "\(goodPassed)", "\(goodUncertain)", "\(goodFailed)"],
            ["bad", "\(badPassed)", "\(badUncertain)", "\(badFailed)"],
        ])
        var lines = [
            "recipe \(recipe) revision \(revision), content \(recipeSHA256)", matrix, "escapes  \(rate(escapes))",
            "overkill \(rate(overkill))",
        ]
        if unjudged > 0 { lines.append("\(unjudged) pictures could not be judged") }
        for challenge in challenges {
            let found = challenge.trouble ?? "\(challenge.verdict) \(challenge.categories.joined(separator: ", "))"
            lines.append(
                "challenge \(challenge.piece): \(challenge.isFound ? "found" : "MISSED"), expected "
                    + "\(challenge.expected ?? "a pass"), got \(found)"
            )
        }
        lines += misses.prefix(20).map { miss in
            "\(miss.picture): \(miss.label), judged \(miss.verdict ?? "not at all"); \(miss.reason)"
        }
        if misses.count > 20 { lines.append("and \(misses.count - 20) more, see the report") }
        return lines.joined(separator: "\n")
    }

    private func percent(_ share: Double) -> String { String(format: "%.2f %%", share * 100) }
}
