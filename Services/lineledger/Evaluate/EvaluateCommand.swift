import ArgumentParser
import Foundation
import ServiceRuntime
import Vision

/// How well a recipe, or a model learned from good parts only, judges labelled images.
struct Evaluate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Judge a folder of labelled images: confusion matrix, AUROC, escapes, overkill, time per image.",
        discussion: """
            DIR holds labels.csv with the columns image,label (normal or anomaly), or the folders normal/ and anomaly/.
            Without --recipe a surface model is learned from good images only: those of --train-normal, or else the first
            half of the folder's own, which are then not judged.

            Example: lineledger evaluate --images photos --json
            """
    )

    @Option(help: "Folder of labelled images.")
    var images: String

    @Option(help: "Folder of good images to learn from.")
    var trainNormal: String?

    @Option(help: "Recipe file to judge by.")
    var recipe: String?

    @Flag(help: "One JSON object on standard output.")
    var json = false

    func validate() throws {
        if trainNormal != nil, recipe != nil {
            throw ValidationError("--train-normal and --recipe exclude each other: a recipe has its model already")
        }
    }

    func run() async throws {
        do {
            let labelled = try LabelledFolder.read(images)
            let (judge, judged) = try judge(for: labelled)
            let evaluated = try evaluate(judged, in: labelled, by: judge)
            if json {
                try Terminal.say(json: evaluated.report)
            } else {
                Terminal.say(evaluated.text)
            }
        } catch {
            Terminal.complain("\(error)")
            throw ExitStatus.wrongUse
        }
    }

    /// The judge, and the images that it has not learned from.
    private func judge(for labelled: LabelledFolder) throws -> (Judge, [LabelledFolder.Item]) {
        if let recipe {
            let loaded = try Recipe.load(path: recipe)
            return (
                try Judge(recipe: loaded, directory: (recipe as NSString).deletingLastPathComponent), labelled.items
            )
        }
        var training: [(name: String, picture: Picture)] = []
        var judged = labelled.items
        if let trainNormal {
            let names = try FileManager.default.contentsOfDirectory(atPath: trainNormal)
                .filter(LabelledFolder.isPicture).sorted { $0.compare($1, options: .numeric) == .orderedAscending }
            training = try names.map { ($0, try PictureCodec.load(path: "\(trainNormal)/\($0)")) }
            let learned = Set(training.map(\.picture.sha256))
            judged = try judged.filter { !learned.contains(try PictureCodec.load(path: labelled.path(of: $0)).sha256) }
        } else {
            let good = judged.filter { !$0.isBad }
            let chosen = Set(good.prefix(max(SurfaceModel.minPictures, good.count / 2)).map(\.name))
            training = try good.filter { chosen.contains($0.name) }
                .map { ($0.name, try PictureCodec.load(path: labelled.path(of: $0))) }
            judged.removeAll { chosen.contains($0.name) }
        }
        Terminal.complain("learning from \(training.count) good images …")
        let model = try SurfaceModel.train(pictures: training)
        let recipe = Recipe(
            id: "learned",
            revision: "1",
            station: "evaluate",
            product: "images",
            controlPlan: "",
            tool: .surfaceModel(file: "learned.model"),
            limits: .init(failAt: 1, uncertainAt: 1),
            reaction: .init(holdOn: [], holdAfter: nil, rejectUncertain: false),
            sha256: ""
        )
        return (Judge(recipe: recipe, tool: SurfaceModelTool(model), modelSHA256s: []), judged)
    }

    private func evaluate(
        _ items: [LabelledFolder.Item],
        in labelled: LabelledFolder,
        by judge: Judge
    ) throws -> Evaluated {
        var evaluated = Evaluated()
        var progress = ProgressLine()
        for (index, item) in items.enumerated() {
            progress.show("\(ProgressLine.bar(Double(index) / Double(items.count))) \(index)/\(items.count) images")
            let picture = try PictureCodec.load(path: labelled.path(of: item))
            let start = ContinuousClock.now
            let finding = try judge.judge(picture, sourceName: item.name)
            evaluated.add(item, finding, took: start.duration(to: .now))
        }
        progress.finish()
        return evaluated
    }
}

/// What an evaluation adds up to.
struct Evaluated {
    private var confusion = Confusion()
    private var goodScores: [Double] = []
    private var badScores: [Double] = []
    private var milliseconds: [Double] = []
    private var mistakes: [(name: String, score: Double)] = []

    struct Report: Encodable {
        struct Matrix: Encodable {
            let good_passed, good_uncertain, good_failed, bad_passed, bad_uncertain, bad_failed: Int
        }

        struct Share: Encodable {
            let count, of: Int
            let rate: Double?
            /// Exact bounds of 95 % (Clopper and Pearson, 1934).
            let lower, upper: Double
        }

        let images: Int
        let auroc: Double?
        let confusion: Matrix
        let escapes: Share
        let overkill: Share
        let median_ms: Double?
        let images_per_second: Double?
        let misjudged: [String]
    }

    mutating func add(_ item: LabelledFolder.Item, _ finding: Finding, took: Duration) {
        confusion.add(isBad: item.isBad, verdict: finding.verdict)
        if item.isBad { badScores.append(finding.score) } else { goodScores.append(finding.score) }
        milliseconds.append(took / .milliseconds(1))
        if item.isBad ? finding.verdict == .pass : finding.verdict == .fail {
            mistakes.append((item.name, finding.score))
        }
    }

    var report: Report {
        let total = milliseconds.reduce(0, +)
        return Report(
            images: milliseconds.count,
            auroc: Evaluation.auroc(good: goodScores, bad: badScores),
            confusion: .init(
                good_passed: confusion.goodPassed,
                good_uncertain: confusion.goodUncertain,
                good_failed: confusion.goodFailed,
                bad_passed: confusion.badPassed,
                bad_uncertain: confusion.badUncertain,
                bad_failed: confusion.badFailed
            ),
            escapes: share(confusion.escapes),
            overkill: share(confusion.overkill),
            median_ms: Evaluation.median(milliseconds),
            images_per_second: total > 0 ? Double(milliseconds.count) * 1_000 / total : nil,
            misjudged: mistakes.map(\.name)
        )
    }

    private func share(_ rate: Rate) -> Report.Share {
        .init(count: rate.events, of: rate.trials, rate: rate.value, lower: rate.lower, upper: rate.upper)
    }

    var text: String {
        let report = report
        let matrix = Terminal.table([
            ["", "pass", "uncertain", "fail"],
            ["good", "\(confusion.goodPassed)", "\(confusion.goodUncertain)", "\(confusion.goodFailed)"],
            ["defective", "\(confusion.badPassed)", "\(confusion.badUncertain)", "\(confusion.badFailed)"],
        ])
        func percent(_ share: Report.Share) -> String {
            guard let rate = share.rate else { return "none to count" }
            return String(
                format: "%d of %d = %.1f %% (95 %% bounds %.1f to %.1f %%)",
                share.count,
                share.of,
                rate * 100,
                share.lower * 100,
                share.upper * 100
            )
        }
        let misjudged = mistakes.map { "  \($0.name): score \(String(format: "%.3f", $0.score))" }
        return
            ([
                matrix, "",
                "AUROC      " + (report.auroc.map { String(format: "%.4f", $0) } ?? "needs good and defective images"),
                "escapes    " + percent(report.escapes),
                "overkill   " + percent(report.overkill),
                "time       "
                    + (report.median_ms.map { String(format: "%.1f ms an image (median)", $0) } ?? "no images"),
            ] + (misjudged.isEmpty ? [] : ["misjudged:"] + misjudged)).joined(separator: "\n")
    }
}
