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
            --pairs DIR holds a template, a picture and a text file of boxes (x1 y1 x2 y2 class) for each board:
            N_temp.jpg, N_test.jpg and N.txt.
            --codes DIR holds images of codes and labels.csv with the columns image,symbology,expected_file.

            Examples: lineledger evaluate --images photos --sheet worst.png
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
        if trainNormal != nil, recipe != nil {
            throw ValidationError("--train-normal and --recipe exclude each other: a recipe has its model already")
        }
        if images == nil, trainNormal != nil || recipe != nil || sheet != nil {
            throw ValidationError("--train-normal, --recipe and --sheet belong to --images")
        }
        if pairs == nil, list != nil { throw ValidationError("--list belongs to --pairs") }
    }

    func run() async throws {
        do {
            if let images {
                let evaluated = try ImagesRun(trainNormal: trainNormal, recipe: recipe, sheet: sheet).run(images)
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
