import ArgumentParser
import Foundation
import ReadModel
import ServiceRuntime
import Vision

/// Asks whether what gives a score still scores as it did (ML-04).
struct ReviewModel: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "review",
        abstract: "Review a model or recipe: do parts still score as they did when all was well?",
        discussion: """
            SUBJECT is the content hash (6 digits or more) of a recipe, or of a model that recipes name, at the plant: the
            newest parts of each station are compared with the first ones that it judged there, tool by tool and by the
            verdict's score (part). Or it is a model or recipe file, and --images holds pictures of good parts lately made,
            their names in the order of time; they are compared with the scores that the model was learned with, or with
            those of --known. Pictures that the model was learned from are left out.

            Two tests, each with 1 % chance of a false alarm over all tools and stations: the scores' distribution
            (Kolmogorov and Smirnov), and the cumulative sum of their normal scores (Page) with
            k = 0.5 + 2.33/sqrt(known scores) and h by Siegmund's approximation, both in standard deviations; it finds a slow
            drift and says since which part. The worst tool is named.

            With --person the outcome is put on record; pictures of a folder need --days too, as they say no time. A review
            of a recipe makes the next one due recipes.review_days later and ends the alarm review-overdue; one of a model
            stands with the model, and the recipes that name it keep their day.

            Examples: lineledger model review 3a7bd3e2f00d --plant plant.yaml --person ben --reason "third quarter"
                      lineledger model review part.yaml --images march --known january
                      lineledger model review part.model --images march --days 31 --person ben --plant plant.yaml

            Exit code 1: scores have moved.
            """
    )
    @Argument(help: "Content hash at the plant, or model or recipe file.") var subject: String
    @Option(help: "Folder of good pictures, or labelled folder, lately taken; SUBJECT is a file.") var images: String?
    @Option(help: "Folder of good pictures of when all was well; needed where SUBJECT keeps no scores.") var known:
        String?
    @Option(help: "Parts of each station that are compared with.") var first = 200
    @Option(help: "Newest parts of each station that are looked at.") var newest = 500
    @Option(help: "Where to write the report.") var report: String?
    @Option(help: "Person who reviewed; with it the review is put on record.") var person: String?
    @Option(help: "With --images and --person: days up to now in which the pictures were taken.") var days: Int?
    @Option(help: "What is to be done, for example keep or retrain; what was found without it.") var conclusion: String?
    @Option(help: "Why, or what was seen.") var reason: String = ""
    @OptionGroup var plant: PlantOption
    @Flag(help: "One JSON object on standard output.") var json = false

    func validate() throws {
        for (name, value) in [("first", first), ("newest", newest)] where !(8...100_000).contains(value) {
            throw ValidationError("--\(name) \(value): expected 8 to 100000")
        }
        if known != nil, images == nil { throw ValidationError("--known goes with --images") }
        if let images, person != nil, days == nil {
            throw ValidationError(
                "--person with --images \(images): found no --days; pictures say no time, and a review on record does: "
                    + "expected --days N, the days up to now in which they were taken (1 to 3660)"
            )
        }
        if let days {
            guard (1...3_660).contains(days) else { throw ValidationError("--days \(days): expected 1 to 3660") }
            guard images != nil, person != nil else {
                throw ValidationError("--days goes with --images and --person; a plant's parts say their time")
            }
        }
        if person == nil, conclusion != nil {
            throw ValidationError("--conclusion is put on record: it needs --person")
        }
    }

    func run() async throws {
        let found: ReviewReport
        do {
            found =
                try images.map { try FolderReview(subject: subject, recent: $0, known: known).report() } ?? ofPlant()
            if let report { try found.write(to: report) }
        } catch let code as ExitCode {
            throw code
        } catch {
            Terminal.complain("\(error)")
            throw ExitStatus.wrongUse
        }
        if json { try Terminal.say(json: found) } else { Terminal.say(found.text) }
        if let person { try await record(found, by: person) }
        if found.isMoved { throw ExitStatus.problemFound }
    }

    private func ofPlant() throws -> ReviewReport {
        let file = try plant.load()
        let queries: Queries
        do {
            queries = try Queries(path: file.readModelPath)
        } catch {
            Terminal.complain("\(file.readModelPath): \(error); run the plant first, or `lineledger rebuild`")
            throw ExitStatus.unreachable
        }
        return try PlantReview(subject: subject, first: first, newest: newest).report(queries)
    }

    private func record(_ found: ReviewReport, by person: String) async throws {
        let concluded: String
        if let conclusion {
            concluded = conclusion
        } else if found.isTooFew {
            Terminal.complain(
                "not put on record: \(found.finding), so nothing was found out; expected --conclusion, for example keep, or a "
                    + "review once \(ScoreReview.minScores) more parts were judged"
            )
            throw ExitStatus.problemFound
        } else {
            concluded = found.finding
        }
        let plant = try plant.load()
        try await RecipeClient.run(plant) { client in
            var request = RecipeWire.Request(
                requestID: UUID().uuidString.lowercased(),
                person: person,
                systemUser: NSUserName()
            )
            let nowUs = ServiceProgram.wallClock()
            request.reportSHA256 = try await client.send(try found.reportBytes())
            request.reason = reason
            request.review = .init(
                fromUs: found.fromUs ?? nowUs - Int64(days ?? 0) * 86_400_000_000,
                toUs: found.toUs ?? nowUs,
                conclusion: concluded
            )
            let reply = try await client.act(.review, on: found.subjectSHA256, request)
            Terminal.complain("on record: \(concluded), by \(person)\(Self.due(reply))")
        }
    }

    /// When the recipe's next review is due; for a model, that its recipes are reviewed on their own.
    private static func due(_ reply: RecipeWire.Reply) -> String {
        if let recipe = reply.recipe { return "; next review due \(RecipeText.reviewDue(recipe))" }
        guard let recipes = reply.model?.recipes, !recipes.isEmpty else { return "" }
        let names = recipes.map { String($0.prefix(12)) }.joined(separator: ", ")
        return "; the recipes that name it (\(names)) are reviewed on their own"
    }
}

/// The scores that a plant's parts were given.
struct PlantReview {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    let subject: String
    let first: Int
    let newest: Int

    func report(_ queries: Queries) throws -> ReviewReport {
        let sha256 = try content(queries)
        let recipes = try queries.recipes(thatAreOrName: sha256)
        // Each tool once, in the order of the recipes' tools; then the parts as a whole.
        var tools: [String?] = []
        for tool in try queries.tools(of: recipes).sorted(by: { $0.key < $1.key }).flatMap(\.value)
        where !tools.contains(tool) { tools.append(tool) }
        var windows: [(station: String, tool: String?, known: [ScoredPart], recent: [ScoredPart])] = []
        for station in try queries.stations(judgingBy: recipes) {
            for tool in tools + [nil] {
                let found = try queries.scores(of: recipes, at: station, tool: tool, known: first, recent: newest)
                // A tool that never judged here is none of this station's recipe; or it judged before scores were kept.
                if tool != nil, found.known.isEmpty { continue }
                windows.append((station, tool, found.known, found.recent))
            }
        }
        let times = windows.flatMap { $0.recent.map(\.triggeredAtUs) }
        guard let from = times.min(), let to = times.max() else {
            throw Failure(
                description:
                    "\(subject): no station judged more than \(first) parts by it; expected more than --first, so wait for "
                    + "them or lower it"
            )
        }
        return ReviewReport(
            subject: subject,
            subjectSHA256: sha256,
            basis: "the first \(first) parts that it judged at each station",
            period: from..<to + 1,
            series: windows.map { window in
                .init(
                    name: window.tool ?? ReviewReport.Series.wholePart,
                    station: window.station,
                    known: window.known.map(\.score),
                    recent: window.recent.map { ($0.partID, $0.score) },
                    of: windows.count
                )
            }
        )
    }

    private func content(_ queries: Queries) throws -> String {
        let fitting = RecipePaths.isHash(subject) ? try queries.judgingContents().filter { $0.hasPrefix(subject) } : []
        guard let sha256 = fitting.first, fitting.count == 1 else {
            throw Failure(
                description:
                    "\(subject): \(fitting.count) recipes or models that judged at the plant; expected 6 or more digits of "
                    + "one content hash (or --images, to review a file)"
            )
        }
        return sha256
    }
}

/// The scores that pictures of a folder are given now.
struct FolderReview {
    let subject: String
    let recent: String
    let known: String?

    func report() throws -> ReviewReport {
        let bytes = try Files.read(subject, atMost: LearnedTool.maxFileBytes)
        let model = LearnedModel.isModel(bytes) ? try LearnedTool.load(bytes, name: subject) : nil
        let judge = try model?.judge() ?? recipeJudge()
        let learned = Set(model?.sources.map(\.pixelsSHA256) ?? [])
        let now = try scores(of: recent, judge, leavingOut: learned)
        let before = try known.map { try scores(of: $0, judge, leavingOut: []) }?.byTool
        guard now.judged > 0 else {
            throw LearnError(
                "\(recent): found no picture of a good part to judge, and \(now.leftOut) that \(subject) was learned from, which "
                    + "are left out as it knows them; expected others, lately taken"
            )
        }
        let tools = judge.recipe.tools.map(\.name)
        guard let kept = before ?? model.map({ [tools[0]: $0.model.goodScores.map { ("", $0) }] }),
            kept.values.contains(where: { !$0.isEmpty })
        else {
            throw LearnError(
                "\(subject): keeps no scores of good parts; expected --known, pictures of when all was well"
            )
        }
        return ReviewReport(
            subject: subject,
            subjectSHA256: hexSHA256(bytes),
            basis: known.map { "the pictures of \($0)" } ?? "those that the model was learned with",
            period: nil,
            series: tools.map { tool in
                .init(
                    name: tool,
                    known: kept[tool, default: []].map(\.1),
                    recent: now.byTool[tool, default: []],
                    of: tools.count
                )
            }
        )
    }

    private func recipeJudge() throws -> Judge {
        try Judge(recipe: try Recipe.load(path: subject), directory: RecipePaths.folder(of: subject))
    }

    /// What the pictures of a folder scored.
    private struct Scores {
        /// By tool; names and scores in the order of the pictures. A part that is not found has none.
        var byTool: [String: [(String, Double)]] = [:]
        var judged = 0
        var leftOut = 0
    }

    private func scores(of folder: String, _ judge: Judge, leavingOut learned: Set<String>) throws -> Scores {
        let pictures = try TrainingPicture.good(in: folder)
        var progress = ProgressLine()
        var scores = Scores()
        for (index, training) in pictures.enumerated() {
            let share = Double(index) / Double(pictures.count)
            progress.show("\(ProgressLine.bar(share)) judging \(index)/\(pictures.count) pictures of \(folder)")
            let picture = try training.load()
            guard !learned.contains(picture.sha256) else {
                scores.leftOut += 1
                continue
            }
            scores.judged += 1
            for found in try judge.judge(picture, sourceName: training.name).scores {
                scores.byTool[found.tool, default: []].append((training.name, found.score))
            }
        }
        progress.finish()
        return scores
    }
}
