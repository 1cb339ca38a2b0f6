import Foundation
import Vision

/// `evaluate --images`: labelled images judged by a recipe, by what good images alone teach, or by what marked defects
/// teach.
struct ImagesRun {
    /// Images on the contact sheet.
    private static let sheetImages = 24

    let trainNormal: String?
    let trainMarked: String?
    let recipe: String?
    /// What is learned; nil for what the images allow.
    let tool: LearnedTool.Kind?
    let group: String?
    let sheet: String?

    /// A judge, and the images that it judges.
    private struct Part {
        let judge: Judge
        let items: [LabelledFolder.Item]
        /// SHA-256 over the pixels of images that it was learned from.
        var known: Set<String> = []
    }

    func run(_ folder: String) throws -> Evaluated {
        // Groups matter among the images that are learned from.
        let labelled = try LabelledFolder.read(folder, group: trainMarked == nil ? group : nil)
        var evaluated: Evaluated
        if let recipe {
            let loaded = try Recipe.load(path: recipe)
            let judge = try Judge(recipe: loaded, directory: (recipe as NSString).deletingLastPathComponent)
            evaluated = Evaluated(judge: "recipe \(loaded.id)", labelled, finds: loaded.categories)
            try evaluate([Part(judge: judge, items: labelled.items)], in: labelled, into: &evaluated)
        } else if let trainMarked {
            evaluated = try judgedByMarked(trainMarked, labelled)
        } else if trainNormal != nil || (tool != .segmentation && hasGood(labelled)) {
            evaluated = try judgedByGood(labelled)
        } else if labelled.hasMarks {
            evaluated = try crossValidated(labelled)
        } else {
            throw LearnError(
                "\(folder): too few good images to learn from, and none with marked defects; expected at least "
                    + "\(LearnedTool.minPictures) good ones or --train-normal, polygons.csv, boxes.csv or masks, or --recipe"
            )
        }
        if let sheet { try writeSheet(of: evaluated, in: labelled, to: sheet) }
        return evaluated
    }

    private func hasGood(_ labelled: LabelledFolder) -> Bool {
        labelled.items.count { !$0.isBad } >= LearnedTool.minPictures
    }

    // MARK: Judges

    private func judgedByGood(_ labelled: LabelledFolder) throws -> Evaluated {
        var judged = labelled.items
        var unread: [(item: LabelledFolder.Item, reason: String)] = []
        let training: [TrainingPicture]
        if let trainNormal {
            training = try TrainingPicture.good(in: trainNormal)
            guard training.count >= LearnedTool.minPictures else {
                throw LearnError(
                    "\(trainNormal): \(training.count) pictures of good parts; expected at least \(LearnedTool.minPictures), or a "
                        + "labelled folder with as many good ones"
                )
            }
        } else {
            var good = judged.filter { !$0.isBad }
            unread = Self.unread(of: good, in: labelled)
            let left = Set(unread.map(\.item.name))
            good.removeAll { left.contains($0.name) }
            judged.removeAll { left.contains($0.name) }
            if good.count < LearnedTool.minPictures, let first = unread.first {
                throw LearnError(
                    "\(labelled.folder): \(good.count) good images can be read; expected at least \(LearnedTool.minPictures); "
                        + "\(first.item.name): \(first.reason)"
                )
            }
            let chosen = good.prefix(max(LearnedTool.minPictures, good.count / 2))
            training = chosen.map { item in
                let path = labelled.path(of: item)
                return TrainingPicture(name: item.name) { try PictureCodec.load(path: path) }
            }
            let names = Set(chosen.map(\.name))
            judged.removeAll { names.contains($0.name) }
        }
        Terminal.complain("learning from \(training.count) good images …")
        var progress = ProgressLine()
        let learned = try LearnedTool.learn(from: training, kind: tool) { progress.show(ProgressLine.bar($0)) }
        progress.finish()
        if let remark = learned.remark { Terminal.complain("\(remark); the surface model judges instead") }
        let part = Part(judge: learned.judge(), items: judged, known: Set(learned.sources.map(\.pixelsSHA256)))
        let name = "\(learned.kind.rawValue) model of \(training.count) good images"
        var evaluated = Evaluated(judge: name, labelled, finds: part.judge.recipe.categories)
        for (item, reason) in unread { evaluated.leaveOut(item, reason: reason) }
        try evaluate([part], in: labelled, into: &evaluated)
        return evaluated
    }

    /// Those that are no whole pictures, with the reason: nothing is learned from them, and nothing fails over them.
    private static func unread(
        of items: [LabelledFolder.Item],
        in labelled: LabelledFolder
    ) -> [(item: LabelledFolder.Item, reason: String)] {
        items.compactMap { item -> (item: LabelledFolder.Item, reason: String)? in
            do throws(PictureError) {
                _ = try PictureCodec.load(path: labelled.path(of: item))
                return nil
            } catch {
                return (item, error.reason)
            }
        }
    }

    private func judgedByMarked(_ folder: String, _ labelled: LabelledFolder) throws -> Evaluated {
        let learned = try MarkedLearning.learn(from: try LabelledFolder.read(folder, group: group))
        let part = Part(judge: learned.judge(), items: labelled.items, known: Set(learned.sources.map(\.pixelsSHA256)))
        let name = "segmentation model of \(learned.sources.count) images with marked defects"
        var evaluated = Evaluated(judge: name, labelled, finds: part.judge.recipe.categories)
        try evaluate([part], in: labelled, into: &evaluated)
        return evaluated
    }

    /// Each group of images judged by what the others teach.
    private func crossValidated(_ labelled: LabelledFolder) throws -> Evaluated {
        let learning = try MarkedLearning(labelled)
        let folds = Folds(labelled.items.map(\.group))
        guard folds.count > 1 else {
            throw LearnError(
                "\(labelled.folder): all images are of one group by \(labelled.groupColumn ?? "their only number"); "
                    + "expected at least 2, or --recipe"
            )
        }
        let by = labelled.groupColumn.map { "\(folds.groups) groups by \($0)" } ?? "images, no groups are known"
        let name = "segmentation models of marked defects, \(folds.count)-fold cross-validation over \(by)"
        var evaluated = Evaluated(judge: name, labelled, finds: labelled.categories)
        evaluated.crossValidation = .init(folds: folds.count, groups: folds.groups, group_column: labelled.groupColumn)
        var parts: [Part] = []
        for fold in 0..<folds.count {
            let left = Set(labelled.items.indices.filter { folds.fold[$0] == fold }.map { labelled.items[$0].name })
            let learned = try learning.learn("learning, fold \(fold + 1) of \(folds.count)") { !left.contains($0) }
            let items = labelled.items.filter { left.contains($0.name) }
            parts.append(Part(judge: learned.judge(), items: items))
        }
        try evaluate(parts, in: labelled, into: &evaluated)
        return evaluated
    }

    // MARK: Judging

    private func evaluate(_ parts: [Part], in labelled: LabelledFolder, into evaluated: inout Evaluated) throws {
        var progress = ProgressLine()
        let count = parts.reduce(0) { $0 + $1.items.count }
        var done = 0
        for part in parts {
            for item in part.items {
                progress.show("\(ProgressLine.bar(Double(done) / Double(count))) \(done)/\(count) images")
                done += 1
                do {
                    let picture = try PictureCodec.load(path: labelled.path(of: item))
                    guard part.known.isEmpty || !part.known.contains(picture.sha256) else {
                        evaluated.leaveOut(item, reason: "the same pixels as an image that was learned from")
                        continue
                    }
                    let start = ContinuousClock.now
                    let finding = try part.judge.judge(picture, sourceName: item.name)
                    let took = start.duration(to: .now)
                    let truth = try labelled.truth(of: item, picture)
                    let map = try truth.flatMap { _ in try part.judge.map(picture, sourceName: item.name) }
                    evaluated.add(item, finding, took: took, map: map, truth: truth)
                } catch let error as PictureError {
                    evaluated.leaveOut(item, reason: error.reason)
                } catch let error as ToolError {
                    evaluated.leaveOut(item, reason: error.reason)
                }
            }
        }
        progress.finish()
    }

    private func writeSheet(of evaluated: Evaluated, in labelled: LabelledFolder, to path: String) throws {
        var sheet = ContactSheet()
        for (item, finding) in evaluated.worst(Self.sheetImages) {
            let caption = "\(item.name) \(item.isBad ? "bad" : "good"): \(finding.verdict.rawValue) "
            let picture = try PictureCodec.load(path: labelled.path(of: item))
            let marks = try item.marks ?? labelled.truth(of: item, picture)?.boxes.map { MarkedDefect(box: $0) } ?? []
            sheet.add(finding, on: picture, marks: marks, caption: caption + String(format: "%.2f", finding.score))
        }
        guard let picture = sheet.picture else { return }
        try Files.writeAtomically(try PictureCodec.encodePNG(picture), to: path)
        Terminal.complain("the worst images: \(path)")
    }
}

/// Where a picture's defects are.
struct Truth {
    let boxes: [LabelledBox]
    /// nil where only boxes are known.
    let mask: DefectMask?
}

extension LabelledFolder {
    /// nil where no defects are marked in the folder, or not this picture's.
    func truth(of item: Item, _ picture: Picture) throws -> Truth? {
        guard hasMarks else { return nil }
        let mask = try mask(of: item, width: picture.width, height: picture.height, categories: categories)
        return mask.map { mask in
            Truth(
                boxes: boxes(of: item, mask: mask, categories: categories),
                mask: item.hasPixels ? mask : nil
            )
        }
    }
}
