import Foundation
import Vision

/// `evaluate --pairs`: boards compared with their templates, the defects found held against the marked ones.
enum PairsRun {
    /// Mistakes told in the text.
    private static let told = 40

    struct Report: Encodable {
        struct Figures: Encodable {
            let marked, found, right: Int
            @Nullable var precision: Double?
            @Nullable var recall: Double?
            @Nullable var f: Double?
            @Nullable var average_precision: Double?
            let images_per_second: Double
        }

        let pairs: Int
        @Nullable var precision: Double?
        @Nullable var recall: Double?
        @Nullable var f: Double?
        @Nullable var mean_average_precision: Double?
        let images_per_second: Double
        let classes: [String: Figures]
        /// What lies there that is no whole pair, and what it lacks.
        let left_out: [String]
    }

    static func run(_ folder: String, list: String?) throws -> (report: Report, text: String) {
        let pairs = try PairsFolder.read(folder, list: list)
        var progress = ProgressLine()
        let evaluation = try PairsEvaluation.run(pairs, nowUs: Judge.steadyUs) { done in
            let bar = ProgressLine.bar(Double(done) / Double(pairs.pairs.count))
            progress.show("\(bar) \(done)/\(pairs.pairs.count) pairs")
        }
        progress.finish()
        let score = evaluation.score
        let classes = LabelledBox.categories.map { category in
            let figures = score[category]
            return (
                category.rawValue,
                Report.Figures(
                    marked: figures.marked,
                    found: figures.found,
                    right: figures.right,
                    precision: figures.precision,
                    recall: figures.recall,
                    f: figures.f,
                    average_precision: score.averagePrecision(category),
                    images_per_second: evaluation.imagesPerSecond
                )
            )
        }
        let report = Report(
            pairs: evaluation.pairs,
            precision: score.all.precision,
            recall: score.all.recall,
            f: score.all.f,
            mean_average_precision: score.meanAveragePrecision,
            images_per_second: evaluation.imagesPerSecond,
            classes: Dictionary(uniqueKeysWithValues: classes),
            left_out: pairs.incomplete
        )
        return (report, text(evaluation, leftOut: pairs.incomplete))
    }

    private static func text(_ evaluation: PairsEvaluation, leftOut: [String]) -> String {
        func percent(_ share: Double?) -> String { share.map { String(format: "%.2f", $0 * 100) } ?? "-" }
        func row(_ name: String, _ figures: BoxScore.Figures) -> [String] {
            [name, "\(figures.marked)", "\(figures.found)", "\(figures.right)"]
                + [figures.precision, figures.recall, figures.f].map(percent)
        }
        let score = evaluation.score
        let rows =
            LabelledBox.categories.map { row($0.rawValue, score[$0]) } + [row("all", score.all)]
        let table = Terminal.table([["", "marked", "found", "right", "precision %", "recall %", "F %"]] + rows)
        let steps = evaluation.steps.map { "\($0.tool) \($0.microseconds) us" }.joined(separator: ", ")
        let mistakes = evaluation.mistakes.prefix(told).map { mistake in
            let box = mistake.box
            return "  \(mistake.pair): \(mistake.isMissed ? "missed" : "wrong") \(box.category.rawValue) "
                + "(\(Int(box.left)), \(Int(box.top)), \(Int(box.right)), \(Int(box.bottom)))"
        }
        let speed = String(format: "%.0f images a second, one core, files included", evaluation.imagesPerSecond)
        return
            ([
                table, "", "mean average precision \(percent(score.meanAveragePrecision)) %",
                "time       \(speed): \(steps)",
            ] + (mistakes.isEmpty ? [] : ["mistakes:"] + mistakes)
            + (leftOut.isEmpty ? [] : ["left out:"] + leftOut.map { "  \($0)" })).joined(separator: "\n")
    }
}
