import ArgumentParser
import Foundation
import ServiceRuntime
import Vision

/// Learns a model from pictures of good parts or of marked defects (ML-01, ML-02).
struct Train: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Learn a model from good parts or marked defects; judge pictures by it and by the active model.",
        discussion: """
            DIR holds pictures of good parts, or is a labelled folder (labels.csv, or normal/ and anomaly/) of which
            only the good ones are learned from. With --parts or --passed the kept pictures of a plant's own parts are
            learned from. The anomaly tool needs OpenVINO and a backbone (deploy/setup --neural); without --tool the
            surface model is learned where they are missing.

            Where DIR has marked defects and no good pictures, or with --tool segmentation, a model is learned that finds
            such defects: polygons.csv (image,class,polygon), boxes.csv (image,x1,y1,x2,y2,class) or the column mask of
            labels.csv say where they are. Outlines teach more than boxes. It needs OpenVINO and the backbone.

            What neither model was learned from is judged by both. The report is what `lineledger model submit` puts on
            record with the model.

            Examples: lineledger train --images good --output part.model --recipe part.yaml --judged labelled
                      lineledger train --parts good.txt --plant plant.yaml --output new.model --judged labelled \\
                          --compare 9c56cc51b374 --report new.train.json

            Exit code 1: more bad parts pass by the new model than by the active one.
            """
    )

    @Option(help: "Folder of good pictures, or labelled folder, perhaps with marked defects.")
    var images: String?

    @OptionGroup var choice: PartChoice

    @OptionGroup var plant: PlantOption

    @Option(help: "Model file to write.")
    var output: String

    @Option(help: "What to learn: anomaly, surface or segmentation.")
    var tool: LearnedTool.Kind?

    @Option(help: "With marked defects: column of labels.csv or images.csv that names what pictures have in common.")
    var group: String?

    @Option(help: "Draft recipe to write in the model's folder or above it.")
    var recipe: String?

    @Option(help: "Labelled folder to judge by the new model; pictures learned from are left out.")
    var judged: String?

    @Option(
        name: .customLong("compare"),
        help: "Active model, to judge the same pictures: its file, or its content hash (6 digits or more) at the plant."
    )
    var active: String?

    @Option(help: "Where to write the report.")
    var report: String?

    @Flag(help: "One JSON object on standard output.")
    var json = false

    func validate() throws {
        guard (images != nil) != choice.isGiven else {
            throw ValidationError("expected --images, --parts or --passed: what to learn from; one of them")
        }
        if tool == .segmentation, images == nil {
            throw ValidationError("--tool segmentation needs --images: a folder with marked defects")
        }
        if active != nil, judged == nil {
            throw ValidationError("--compare needs --judged: a labelled folder that both models judge")
        }
        if let recipe, modelFile(besideRecipe: recipe) == nil {
            throw ValidationError("--recipe \(recipe): the model \(output) must lie in the recipe's folder or below it")
        }
    }

    func run() async throws {
        if tool == .anomaly || tool == .segmentation {
            do {
                _ = try FeatureBackbone.installed()
            } catch {
                Terminal.complain("\(error)")
                throw ExitStatus.unreachable
            }
        }
        let found: TrainingReport
        do {
            found = try train(comparedWith: try await activeModel())
        } catch let code as ExitCode {
            throw code
        } catch {
            Terminal.complain("\(error)")
            throw ExitStatus.wrongUse
        }
        if json { try Terminal.say(json: found) } else { Terminal.say(found.text) }
        if found.passesMore { throw ExitStatus.problemFound }
    }

    private func train(comparedWith active: LearnedTool?) throws -> TrainingReport {
        let start = ContinuousClock.now
        let (learned, strata) = try learned()
        let seconds = start.duration(to: .now) / .seconds(1)
        if let remark = learned.remark { Terminal.complain("surface model instead of the anomaly tool: \(remark)") }
        try Files.writeAtomically(learned.encoded(), to: output)
        if let recipe, let file = modelFile(besideRecipe: recipe) {
            let id = ((recipe as NSString).lastPathComponent as NSString).deletingPathExtension
            let draft = learned.draftRecipe(id: id, station: "to be named", product: "to be named", modelFile: file)
            try Files.writeAtomically(Array(draft.utf8), to: recipe)
        }
        let found = TrainingReport(
            learned,
            model: (output as NSString).lastPathComponent,
            recipe: recipe,
            strata: strata,
            seconds: seconds,
            judged: try judged.map { try compare(learned, with: active, on: $0) }
        )
        if let report { try found.write(to: report) }
        return found
    }

    /// From marked defects where they are asked for, or where they are there and too few good parts; with the production
    /// contexts that the pictures cover.
    private func learned() throws -> (LearnedTool, strata: [String]) {
        let mayBeMarked = tool == nil || tool == .segmentation
        if let images, mayBeMarked, let labelled = try LabelledFolder.find(images, group: group) {
            let good = labelled.items.count { !$0.isBad }
            if tool == .segmentation || (labelled.hasMarks && good < LearnedTool.minPictures) {
                return (try MarkedLearning.learn(from: labelled), [])
            }
        }
        let (pictures, strata) = try goodPictures()
        var progress = ProgressLine()
        let learned = try LearnedTool.learn(from: pictures, kind: tool) { share in
            progress.show("\(ProgressLine.bar(share)) learning from \(pictures.count) pictures")
        }
        progress.finish()
        return (learned, strata)
    }

    /// In natural order of names, or the order of the parts; with the contexts that they cover.
    private func goodPictures() throws -> ([TrainingPicture], strata: [String]) {
        if let images { return (try TrainingPicture.good(in: images), []) }
        let parts = try PlantParts(choice, of: try plant.load())
        if parts.lossy > 0 {
            Terminal.complain(
                "\(parts.lossy) of \(parts.pictures.count) pictures are kept with loss: what is learned from is not bit "
                    + "for bit what was judged"
            )
        }
        return (parts.pictures, parts.strata)
    }

    /// The active model: a file, or content of the plant.
    private func activeModel() async throws -> LearnedTool? {
        guard let active else { return nil }
        if Files.exists(active) || !RecipePaths.isHash(active) { return try LearnedTool.load(path: active) }
        let bytes = try await RecipeClient.run(try plant.load()) { client in
            try await client.content(try await client.named(active))
        }
        return try LearnedTool.load(bytes, name: "content \(active)")
    }

    private func compare(
        _ learned: LearnedTool,
        with active: LearnedTool?,
        on folder: String
    ) throws -> TrainingReport.Judged {
        let labelled = try LabelledFolder.read(folder)
        let known = Set((learned.sources + (active?.sources ?? [])).map(\.pixelsSHA256))
        let (candidate, activeJudge) = (learned.judge(), active?.judge())
        var progress = ProgressLine()
        var pairs: [ModelComparison.Pair] = []
        var (list, left) = ("", 0)
        for (index, item) in labelled.items.enumerated() {
            let share = Double(index) / Double(labelled.items.count)
            progress.show("\(ProgressLine.bar(share)) judging \(index)/\(labelled.items.count) pictures")
            let picture = try PictureCodec.load(path: labelled.path(of: item))
            let sha256 = picture.sha256
            guard !known.contains(sha256) else {
                left += 1
                continue
            }
            list += "\(sha256)  \(item.isBad ? "anomaly" : "normal")  \(item.name)\n"
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
        guard !pairs.isEmpty else {
            throw LearnError("\(folder): all \(left) pictures were learned from; expected others")
        }
        return TrainingReport.Judged(
            ModelComparison(pairs),
            list: list,
            leftOut: left,
            activeSHA256: active.map { hexSHA256($0.encoded()) }
        )
    }

    /// Where the model lies from the recipe's folder; nil where it does not lie below it.
    private func modelFile(besideRecipe recipe: String) -> String? {
        func absolute(_ path: String) -> String { URL(filePath: path).standardizedFileURL.path() }
        let folder = (absolute(recipe) as NSString).deletingLastPathComponent
        let prefix = folder.hasSuffix("/") ? folder : folder + "/"
        let model = absolute(output)
        return model.hasPrefix(prefix) ? String(model.dropFirst(prefix.count)) : nil
    }
}

extension LearnedTool.Kind: ExpressibleByArgument {}

extension LabelledFolder {
    /// nil where the folder just holds pictures.
    static func find(_ folder: String, group: String? = nil) throws -> LabelledFolder? {
        let isLabelled = ["labels.csv", "polygons.csv", "boxes.csv"].contains { Files.exists("\(folder)/\($0)") }
        return isLabelled || Files.isFolder("\(folder)/normal") ? try read(folder, group: group) : nil
    }
}

extension TrainingPicture {
    /// The pictures of a folder, of a labelled one the good ones; in natural order of names.
    static func good(in folder: String) throws -> [TrainingPicture] {
        if let labelled = try LabelledFolder.find(folder) {
            return labelled.items.filter { !$0.isBad }.map { Self.picture($0.name, at: labelled.path(of: $0)) }
        }
        return try Files.names(in: folder, atMost: LabelledFolder.maxPictures).filter(LabelledFolder.isPicture)
            .map { Self.picture($0, at: "\(folder)/\($0)") }
    }

    private static func picture(_ name: String, at path: String) -> TrainingPicture {
        TrainingPicture(name: name) { try PictureCodec.load(path: path) }
    }
}

extension Encodable {
    /// As a report is kept: JSON with sorted keys.
    func reportBytes() throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(self))
    }

    /// Writes the report, whole or not at all.
    func write(to path: String) throws { try Files.writeAtomically(try reportBytes(), to: path) }
}
