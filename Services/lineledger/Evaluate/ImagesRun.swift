import Foundation
import Vision

/// `evaluate --images`: labelled images judged by a recipe, or by what good images alone teach.
struct ImagesRun {
    /// Images on the contact sheet.
    private static let sheetImages = 24

    let trainNormal: String?
    let recipe: String?
    let sheet: String?

    func run(_ folder: String) throws -> Evaluated {
        let labelled = try LabelledFolder.read(folder)
        let (judge, name, judged) = try judge(for: labelled)
        let evaluated = try evaluate(judged, in: labelled, by: judge, named: name)
        if let sheet { try writeSheet(of: evaluated, in: labelled, to: sheet) }
        return evaluated
    }

    /// The judge, what it is, and the images that it has not learned from.
    private func judge(for labelled: LabelledFolder) throws -> (Judge, String, [LabelledFolder.Item]) {
        if let recipe {
            let loaded = try Recipe.load(path: recipe)
            let judge = try Judge(recipe: loaded, directory: (recipe as NSString).deletingLastPathComponent)
            return (judge, "recipe \(loaded.id)", labelled.items)
        }
        var judged = labelled.items
        let training: [TrainingPicture]
        if let trainNormal {
            training = try Files.names(in: trainNormal, atMost: LabelledFolder.maxPictures)
                .filter(LabelledFolder.isPicture)
                .map { name in TrainingPicture(name: name) { try PictureCodec.load(path: "\(trainNormal)/\(name)") } }
        } else {
            let good = judged.filter { !$0.isBad }
            let chosen = good.prefix(max(LearnedTool.minPictures, good.count / 2))
            training = chosen.map { item in
                let path = labelled.path(of: item)
                return TrainingPicture(name: item.name) { try PictureCodec.load(path: path) }
            }
        }
        Terminal.complain("learning from \(training.count) good images …")
        var progress = ProgressLine()
        let learned = try LearnedTool.learn(from: training) { progress.show(ProgressLine.bar($0)) }
        progress.finish()
        let known = Set(learned.sources.map(\.pixelsSHA256))
        judged.removeAll { item in
            // An image that cannot be read is named when it is judged.
            (try? PictureCodec.load(path: labelled.path(of: item))).map { known.contains($0.sha256) } ?? false
        }
        if let remark = learned.remark { Terminal.complain("\(remark); the surface model judges instead") }
        return (learned.judge(), "\(learned.kind.rawValue) model of \(training.count) good images", judged)
    }

    private func evaluate(
        _ items: [LabelledFolder.Item],
        in labelled: LabelledFolder,
        by judge: Judge,
        named name: String
    ) throws -> Evaluated {
        var evaluated = Evaluated(judge: name)
        var progress = ProgressLine()
        for (index, item) in items.enumerated() {
            progress.show("\(ProgressLine.bar(Double(index) / Double(items.count))) \(index)/\(items.count) images")
            do {
                let picture = try PictureCodec.load(path: labelled.path(of: item))
                let start = ContinuousClock.now
                let finding = try judge.judge(picture, sourceName: item.name)
                evaluated.add(item, finding, took: start.duration(to: .now))
            } catch let error as PictureError {
                evaluated.leaveOut(item, reason: error.reason)
            } catch let error as ToolError {
                evaluated.leaveOut(item, reason: error.reason)
            }
        }
        progress.finish()
        return evaluated
    }

    private func writeSheet(of evaluated: Evaluated, in labelled: LabelledFolder, to path: String) throws {
        var sheet = ContactSheet()
        for (item, finding) in evaluated.worst(Self.sheetImages) {
            let caption = "\(item.name) \(item.isBad ? "bad" : "good"): \(finding.verdict.rawValue) "
            sheet.add(
                finding,
                on: try PictureCodec.load(path: labelled.path(of: item)),
                caption: caption + String(format: "%.2f", finding.score)
            )
        }
        guard let picture = sheet.picture else { return }
        try Files.writeAtomically(try PictureCodec.encodePNG(picture), to: path)
        Terminal.complain("the worst images: \(path)")
    }
}
