import Foundation
import Vision

/// What an evaluation adds up to.
struct Evaluated {
    private var confusion = Confusion()
    private var goodScores: [Double] = []
    private var badScores: [Double] = []
    private var milliseconds: [Double] = []
    private var mistakes: [(name: String, score: Double)] = []
    private var byDefect: [String: Confusion] = [:]
    private var judged: [(item: LabelledFolder.Item, finding: Finding)] = []
    private var leftOut: [(name: String, reason: String)] = []
    /// Found places against marked ones; nil where none are marked.
    private var marks: MarkScore?
    /// How the judges were learned; nil where one judged all.
    var crossValidation: Report.CrossValidation?
    let judge: String

    /// - Parameter finds: Categories of defects that the judge can find.
    init(judge: String, _ labelled: LabelledFolder, finds: [DefectCategory]) {
        self.judge = judge
        marks = labelled.hasMarks ? MarkScore(marked: labelled.categories, found: finds) : nil
    }

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

        /// Bad images of one defect, as labelled, by their verdict.
        struct Defect: Encodable {
            let defect: String
            let passed, uncertain, failed: Int
            /// Share that failed or is to be looked at; exact bounds of 95 %.
            let recall: Share
        }

        /// Each group of images judged by what the others taught.
        struct CrossValidation: Encodable {
            let folds, groups: Int
            let group_column: String?
        }

        let images: Int
        /// What judged: the recipe, or how it was learned.
        let judge: String
        let cross_validation: CrossValidation?
        @Nullable var auroc: Double?
        /// Why there is none.
        let auroc_note: String?
        let confusion: Matrix
        let escapes: Share
        let overkill: Share
        @Nullable var median_ms: Double?
        let images_per_second: Double?
        let defects: [Defect]
        /// Where defects are marked: nil where none are.
        let pixels: PixelFigures?
        let boxes: BoxFigures?
        let misjudged: [String]
        /// Images that could not be read or judged, with the reason.
        let left_out: [String: String]
    }

    /// - Parameters:
    ///   - map: What the judge says of the pixels; nil where it says nothing of them.
    ///   - truth: Where the defects are; nil where that is not known.
    mutating func add(
        _ item: LabelledFolder.Item,
        _ finding: Finding,
        took: Duration,
        map: DefectMap?,
        truth: Truth?
    ) {
        if let truth {
            // Candidates below the limit count for average precision; one tool's say nothing of the others'.
            let candidates = finding.scores.count == 1 ? map?.candidates : nil
            let found = candidates ?? finding.defects.map(\.found)
            marks?.add(found: found, map: map, marked: truth.boxes, mask: truth.mask)
        }
        judged.append((item, finding))
        confusion.add(isBad: item.isBad, verdict: finding.verdict)
        if item.isBad, !item.defect.isEmpty {
            byDefect[item.defect, default: Confusion()].add(isBad: true, verdict: finding.verdict)
        }
        if item.isBad { badScores.append(finding.score) } else { goodScores.append(finding.score) }
        milliseconds.append(took / .milliseconds(1))
        if item.isBad ? finding.verdict == .pass : finding.verdict == .fail {
            mistakes.append((item.name, finding.score))
        }
    }

    /// An image that could not be read or judged: named, and counted nowhere.
    mutating func leaveOut(_ item: LabelledFolder.Item, reason: String) {
        leftOut.append((item.name, reason))
    }

    /// The images furthest on the wrong side of the limit, or nearest to it on the right one.
    func worst(_ count: Int) -> [(item: LabelledFolder.Item, finding: Finding)] {
        judged.map { ($0, $0.item.isBad ? -$0.finding.score : $0.finding.score) }
            .sorted { ($1.1, $0.0.item.name) < ($0.1, $1.0.item.name) }
            .prefix(count).map(\.0)
    }

    var report: Report {
        let total = milliseconds.reduce(0, +)
        return Report(
            images: milliseconds.count,
            judge: judge,
            cross_validation: crossValidation,
            auroc: Evaluation.auroc(good: goodScores, bad: badScores),
            auroc_note: goodScores.isEmpty
                ? "no good image was judged" : badScores.isEmpty ? "no bad image was judged" : nil,
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
            defects: byDefect.sorted { $0.key < $1.key }.map { defect, seen in
                let found = seen.badUncertain + seen.badFailed
                return .init(
                    defect: defect,
                    passed: seen.badPassed,
                    uncertain: seen.badUncertain,
                    failed: seen.badFailed,
                    recall: share(Rate(events: found, trials: found + seen.badPassed))
                )
            },
            pixels: marks.flatMap { PixelFigures($0) },
            boxes: marks.map { BoxFigures($0) },
            misjudged: mistakes.map(\.name),
            left_out: Dictionary(leftOut.map { ($0.name, $0.reason) }) { first, _ in first }
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
        let unread = leftOut.map { "  \($0.name): \($0.reason)" }
        let defects = report.defects.map { "  \($0.defect): \(percent($0.recall)) found" }
        return
            ([
                "judged by  \(judge)", "", matrix, "",
                "AUROC      " + (report.auroc.map { String(format: "%.4f", $0) } ?? "none: \(report.auroc_note ?? "")"),
                "escapes    " + percent(report.escapes),
                "overkill   " + percent(report.overkill),
                "time       "
                    + (report.median_ms.map { String(format: "%.1f ms an image (median)", $0) } ?? "no images"),
            ] + (marks.map { MarkText.lines($0) } ?? []) + (defects.isEmpty ? [] : ["by defect:"] + defects)
            + (misjudged.isEmpty ? [] : ["misjudged:"] + misjudged)
            + (unread.isEmpty ? [] : ["left out:"] + unread)).joined(separator: "\n")
    }
}
