import ArgumentParser
import Foundation
import Vision

/// Learns a model from pictures of good parts (ML-02).
struct Train: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Learn a model from good parts only; judge labelled pictures by it, beside the active model.",
        discussion: """
            DIR holds pictures of good parts, or is a labelled folder (labels.csv, or normal/ and anomaly/) of which
            only the good ones are learned from. The anomaly tool needs OpenVINO and a backbone (deploy/setup --neural);
            without --tool the surface model is learned where they are missing.

            --review MODEL learns nothing: it asks whether the good parts of DIR, lately made, still score as those did
            that MODEL was learned from.

            Example: lineledger train --images good --output part.model --recipe part.yaml --judged labelled

            Exit code 1: more bad parts pass by the new model than by the active one, or a review found moved scores.
            """
    )

    @Option(help: "Folder of good pictures, or labelled folder.")
    var images: String

    @Option(help: "Model file to write.")
    var output: String?

    @Option(help: "Model file to review by the pictures.")
    var review: String?

    @Option(help: "What to learn: anomaly or surface.")
    var tool: LearnedTool.Kind?

    @Option(help: "Draft recipe to write in the model's folder or above it.")
    var recipe: String?

    @Option(help: "Labelled folder to judge by the new model; pictures learned from are left out.")
    var judged: String?

    @Option(name: .customLong("compare"), help: "Active model file: it judges the same pictures.")
    var active: String?

    @Flag(help: "One JSON object on standard output.")
    var json = false

    func validate() throws {
        guard (output == nil) != (review == nil) else {
            throw ValidationError("expected --output MODEL to learn, or --review MODEL to review; one of them")
        }
        if review != nil, tool != nil || recipe != nil || judged != nil {
            throw ValidationError("--review learns nothing: it takes --images and --json only")
        }
        if active != nil, judged == nil {
            throw ValidationError("--compare needs --judged: a labelled folder that both models judge")
        }
        if let recipe, modelFile(besideRecipe: recipe) == nil {
            throw ValidationError(
                "--recipe \(recipe): the model \(output ?? "") must lie in the recipe's folder or below it"
            )
        }
    }

    func run() async throws {
        if tool == .anomaly {
            do {
                _ = try FeatureBackbone.installed()
            } catch {
                Terminal.complain("\(error)")
                throw ExitStatus.unreachable
            }
        }
        do {
            if let output {
                try finish(try train(writing: output))
            } else if let review {
                try finish(try reviewed(review))
            }
        } catch let code as ExitCode {
            throw code
        } catch {
            Terminal.complain("\(error)")
            throw ExitStatus.wrongUse
        }
    }

    private func finish(_ report: some LearningReport) throws {
        if json {
            try Terminal.say(json: report)
        } else {
            Terminal.say(report.text)
        }
        if report.isProblem { throw ExitStatus.problemFound }
    }

    private func train(writing output: String) throws -> TrainReport {
        let pictures = try goodPictures()
        var progress = ProgressLine()
        let start = ContinuousClock.now
        let learned = try LearnedTool.learn(from: pictures, kind: tool) { share in
            progress.show("\(ProgressLine.bar(share)) learning from \(pictures.count) pictures")
        }
        let seconds = start.duration(to: .now) / .seconds(1)
        progress.finish()
        if let remark = learned.remark { Terminal.complain("surface model instead of the anomaly tool: \(remark)") }
        let model = learned.encoded()
        try Files.writeAtomically(model, to: output)
        if let recipe, let file = modelFile(besideRecipe: recipe) {
            let id = ((recipe as NSString).lastPathComponent as NSString).deletingPathExtension
            let draft = learned.draftRecipe(id: id, station: "to be named", product: "to be named", modelFile: file)
            try Files.writeAtomically(Array(draft.utf8), to: recipe)
        }
        return TrainReport(
            learned,
            model: (output, hexSHA256(model), model.count),
            recipe: recipe,
            seconds: seconds,
            comparison: try judged.map { try compare(learned, on: $0) }
        )
    }

    private func reviewed(_ path: String) throws -> ReviewReport {
        let learned = try LearnedTool.load(path: path)
        guard !learned.goodScores.isEmpty else {
            throw LearnError("\(path): a \(learned.kind) model keeps no scores to review; anomaly models do")
        }
        let known = Set(learned.sources.map(\.pixelsSHA256))
        let judge = learned.judge()
        let pictures = try goodPictures()
        var progress = ProgressLine()
        var scores: [Double] = []
        for (index, training) in pictures.enumerated() {
            let share = Double(index) / Double(pictures.count)
            progress.show("\(ProgressLine.bar(share)) judging \(index)/\(pictures.count) pictures")
            let picture = try training.load()
            guard !known.contains(picture.sha256) else { continue }
            scores.append(try judge.judge(picture, sourceName: training.name).score)
        }
        progress.finish()
        let review = ScoreReview(learned: learned.goodScores, recent: scores)
        return ReviewReport(review, model: path, learned: learned.goodScores.count, recent: scores.count)
    }

    /// In natural order of names.
    private func goodPictures() throws -> [TrainingPicture] {
        if Files.exists("\(images)/labels.csv") || Files.isFolder("\(images)/normal") {
            let labelled = try LabelledFolder.read(images)
            return labelled.items.filter { !$0.isBad }.map { Self.picture($0.name, at: labelled.path(of: $0)) }
        }
        return try Files.names(in: images, atMost: LabelledFolder.maxPictures).filter(LabelledFolder.isPicture)
            .map { Self.picture($0, at: "\(images)/\($0)") }
    }

    private static func picture(_ name: String, at path: String) -> TrainingPicture {
        TrainingPicture(name: name) { try PictureCodec.load(path: path) }
    }

    private func compare(_ learned: LearnedTool, on folder: String) throws -> TrainReport.Judged {
        let labelled = try LabelledFolder.read(folder)
        let known = Set(learned.sources.map(\.pixelsSHA256))
        let candidate = learned.judge()
        let activeJudge = try active.map { try LearnedTool.load(path: $0).judge() }
        var progress = ProgressLine()
        var pairs: [ModelComparison.Pair] = []
        var left = 0
        for (index, item) in labelled.items.enumerated() {
            let share = Double(index) / Double(labelled.items.count)
            progress.show("\(ProgressLine.bar(share)) judging \(index)/\(labelled.items.count) pictures")
            let picture = try PictureCodec.load(path: labelled.path(of: item))
            guard !known.contains(picture.sha256) else {
                left += 1
                continue
            }
            pairs.append(
                .init(
                    name: item.name,
                    isBad: item.isBad,
                    active: try activeJudge.map { .init(try $0.judge(picture, sourceName: item.name)) },
                    candidate: .init(try candidate.judge(picture, sourceName: item.name))
                )
            )
        }
        progress.finish()
        return TrainReport.Judged(ModelComparison(pairs), leftOut: left)
    }

    /// Where the model lies from the recipe's folder; nil where it does not lie below it.
    private func modelFile(besideRecipe recipe: String) -> String? {
        func absolute(_ path: String) -> String { URL(filePath: path).standardizedFileURL.path() }
        let folder = (absolute(recipe) as NSString).deletingLastPathComponent
        let prefix = folder.hasSuffix("/") ? folder : folder + "/"
        let model = absolute(output ?? "")
        return model.hasPrefix(prefix) ? String(model.dropFirst(prefix.count)) : nil
    }
}

extension LearnedTool.Kind: ExpressibleByArgument {}
