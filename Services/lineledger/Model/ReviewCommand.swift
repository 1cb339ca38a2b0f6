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
            newest parts of each station are compared with the first ones that it judged there. Or it is a model or recipe
            file, and --images holds pictures of good parts lately made, their names in the order of time; they are compared
            with the scores that the model was learned with, or with those of --known.

            Two tests, each with 1 % chance of a false alarm: the scores' distribution (Kolmogorov and Smirnov), and the
            cumulative sum of their normal scores (Page) with k = 0.5 + 2.33/sqrt(known scores) and h by Siegmund's
            approximation, both in standard deviations; it finds a slow drift and says since which part.

            With --person the outcome is put on record; the next review of a recipe is due recipes.review_days later.

            Examples: lineledger model review 3a7bd3e2f00d --plant plant.yaml --person ben --reason "third quarter"
                      lineledger model review part.yaml --images march --known january

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
    @Option(help: "What is to be done, for example keep or retrain; what was found without it.") var conclusion: String?
    @Option(help: "Why, or what was seen.") var reason: String = ""
    @OptionGroup var plant: PlantOption
    @Flag(help: "One JSON object on standard output.") var json = false

    func validate() throws {
        for (name, value) in [("first", first), ("newest", newest)] where !(8...100_000).contains(value) {
            throw ValidationError("--\(name) \(value): expected 8 to 100000")
        }
        if known != nil, images == nil { throw ValidationError("--known goes with --images") }
        if person != nil, images != nil {
            throw ValidationError("--person records a review of parts that the plant judged, not of --images")
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
        guard let fromUs = found.fromUs, let toUs = found.toUs else { return }
        let plant = try plant.load()
        try await RecipeClient.run(plant) { client in
            var request = RecipeWire.Request(
                requestID: UUID().uuidString.lowercased(),
                person: person,
                systemUser: NSUserName()
            )
            request.reportSHA256 = try await client.send(try found.reportBytes())
            request.reason = reason
            request.review = .init(fromUs: fromUs, toUs: toUs, conclusion: conclusion ?? found.conclusion)
            _ = try await client.act(.review, on: found.subjectSHA256, request)
        }
        Terminal.complain("on record: \(conclusion ?? found.conclusion), by \(person)")
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
        var series: [ReviewReport.Series] = []
        var times: [Int64] = []
        for station in try queries.stations(judgingBy: recipes) {
            let (known, recent) = try queries.scores(of: recipes, at: station, known: first, recent: newest)
            times += recent.map(\.triggeredAtUs)
            series.append(
                .init(name: station, known: known.map(\.score), recent: recent.map { ($0.partID, $0.score) })
            )
        }
        guard let from = times.min(), let to = times.max() else {
            throw Failure(
                description: "\(subject): no station judged more than \(first) parts by it; nothing to review yet"
            )
        }
        return ReviewReport(
            subject: subject,
            subjectSHA256: sha256,
            basis: "the first \(first) parts that it judged at each station",
            period: from..<to + 1,
            series: series
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
        let before = try known.map { try scores(of: $0, judge, leavingOut: []) }
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
            series: tools.map { .init(name: $0, known: kept[$0, default: []].map(\.1), recent: now[$0, default: []]) }
        )
    }

    private func recipeJudge() throws -> Judge {
        try Judge(recipe: try Recipe.load(path: subject), directory: RecipePaths.folder(of: subject))
    }

    /// By tool; names and scores in the order of the pictures. A part that is not found has none.
    private func scores(
        of folder: String,
        _ judge: Judge,
        leavingOut learned: Set<String>
    ) throws -> [String: [(String, Double)]] {
        let pictures = try TrainingPicture.good(in: folder)
        var progress = ProgressLine()
        var scores: [String: [(String, Double)]] = [:]
        for (index, training) in pictures.enumerated() {
            let share = Double(index) / Double(pictures.count)
            progress.show("\(ProgressLine.bar(share)) judging \(index)/\(pictures.count) pictures of \(folder)")
            let picture = try training.load()
            guard !learned.contains(picture.sha256) else { continue }
            for found in try judge.judge(picture, sourceName: training.name).scores {
                scores[found.tool, default: []].append((training.name, found.score))
            }
        }
        progress.finish()
        return scores
    }
}
