import ArgumentParser
import Foundation
import ServiceRuntime
import Vision

/// How well a recipe, a model learned from good parts only, the comparison of pairs or the code reader does on images
/// whose truth is known.
struct Evaluate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Judge labelled images: confusion matrix, AUROC, escapes, overkill, defects, codes, time per image.",
        discussion: """
            --images DIR holds labels.csv with the columns image,label (normal or anomaly; optionally defect), or the
            folders normal/ and anomaly/ (folders in anomaly/ are named after defects). Without --recipe a model is
            learned from good images only: those of --train-normal, or else the first half of the folder's own, which
            are then not judged.
            Where defects are marked, found places are compared with them, pixel by pixel and box by box. They are
            marked in polygons.csv (image,class,polygon: "x,y x,y ..." in pixels), boxes.csv (image,x1,y1,x2,y2,class) or
            the column mask of labels.csv (an image that is bright where the defects are); images.csv (image) lists
            images, those without marked defects too. If no good images are there, models are learned from the marked
            defects by cross-validation: at most 10 folds over the groups that the column --group names (by default
            group or spindle_position), so that no group is on both sides. --train-marked learns one model from
            another folder instead.

            --json keys with --images: images, judge, cross_validation {folds, groups, group_column}, auroc (null where
            auroc_note says why), confusion, escapes and overkill {count, of, rate, lower, upper}, median_ms,
            images_per_second, defects, misjudged, left_out; where defects are marked also pixels {images, iou,
            precision, recall, f, average_precision, auroc, unmapped} and boxes {class_match, iou_50, iou_33}, each of
            these with all and classes {marked, found, right, precision, recall, f, ap}; ap is COCO's, of 101 recalls.
            --pairs DIR holds a template, a picture and a text file of boxes (x1 y1 x2 y2 class) for each board:
            N_temp.jpg, N_test.jpg and N.txt; copper is dark on them. left_out tells what is no whole pair.
            --codes DIR holds images of codes and labels.csv with the columns image,expected_kind,expected_file: the file
            has the code's text (kind text) or bytes (kind bytes); kind none where nothing may be read.

            Examples: lineledger evaluate --images photos --sheet worst.png
                      lineledger evaluate --images marked --group spindle --json
                      lineledger evaluate --pairs boards --json
                      lineledger evaluate --codes labels --json
            """
    )

    @Option(help: "Folder of labelled images.")
    var images: String?

    @Option(help: "Folder of template and test pairs with boxes.")
    var pairs: String?

    @Option(help: "File that names the pairs to use, a line each (with --pairs).")
    var list: String?

    @Option(help: "Folder of images of codes with their texts.")
    var codes: String?

    @Option(help: "Folder of good images to learn from (with --images).")
    var trainNormal: String?

    @Option(help: "Folder of images with marked defects to learn from (with --images).")
    var trainMarked: String?

    @Option(help: "What to learn: anomaly, surface or segmentation (with --images).")
    var tool: LearnedTool.Kind?

    @Option(help: "Column of labels.csv or images.csv that names what images have in common (with --images).")
    var group: String?

    @Option(help: "Recipe file to judge by (with --images).")
    var recipe: String?

    @Option(help: "PNG file to write: the worst images with what was found on them (with --images).")
    var sheet: String?

    @Flag(help: "One JSON object on standard output.")
    var json = false

    func validate() throws {
        guard [images, pairs, codes].compactMap(\.self).count == 1 else {
            throw ValidationError("expected exactly one of --images, --pairs and --codes")
        }
        guard [trainNormal, trainMarked, recipe].compactMap(\.self).count <= 1, recipe == nil || tool == nil else {
            throw ValidationError(
                "--train-normal, --train-marked and --recipe exclude each other: a recipe has its models already"
            )
        }
        if let tool, (tool == .segmentation) ? trainNormal != nil : trainMarked != nil {
            throw ValidationError("--tool segmentation learns from marked defects, the others from good images")
        }
        let belonging: [Any?] = [trainNormal, trainMarked, recipe, sheet, tool, group]
        if images == nil, belonging.contains(where: { $0 != nil }) {
            throw ValidationError(
                "--train-normal, --train-marked, --recipe, --tool, --group and --sheet belong to --images"
            )
        }
        if pairs == nil, list != nil { throw ValidationError("--list belongs to --pairs") }
    }

    func run() async throws {
        do {
            if let images {
                let run = ImagesRun(
                    trainNormal: trainNormal,
                    trainMarked: trainMarked,
                    recipe: recipe,
                    tool: tool,
                    group: group,
                    sheet: sheet
                )
                let evaluated = try run.run(images)
                try show(evaluated.report, evaluated.text)
            } else if let pairs {
                let evaluated = try PairsRun.run(pairs, list: list)
                try show(evaluated.report, evaluated.text)
            } else if let codes {
                let evaluated = try CodesRun.run(codes)
                try show(evaluated.report, evaluated.text)
            }
        } catch {
            Terminal.complain("\(error)")
            throw ExitStatus.wrongUse
        }
    }

    private func show(_ report: some Encodable, _ text: String) throws {
        if json { try Terminal.say(json: report) } else { Terminal.say(text) }
    }
}
