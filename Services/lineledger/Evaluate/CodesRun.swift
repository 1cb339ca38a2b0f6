import Foundation
import Vision

/// `evaluate --codes`: images of codes read, and compared with what they say.
enum CodesRun {
    struct Report: Encodable {
        struct Family: Encodable {
            let expected, read, correct, false_reads: Int
        }

        /// Images that show a code, those of them in which something was read, and in which the right text was.
        let expected, read, correct: Int
        /// What reads the codes; example "zxing-cpp 3.1.1".
        let library: String
        /// Codes read that the images do not show.
        let false_reads: Int
        @Nullable var median_ms: Double?
        let families: [String: Family]
        let wrong: [String]
        /// Images that could not be opened, with the reason; those that show a code count as expected.
        let left_out: [String: String]
    }

    static func run(_ folder: String) throws -> (report: Report, text: String) {
        let codes = try CodesFolder.read(folder)
        if !CodeLibrary.shared.hint.isEmpty { Terminal.complain(CodeLibrary.shared.hint) }
        var progress = ProgressLine()
        let evaluation = try CodesEvaluation.run(codes, nowUs: Judge.steadyUs) { done in
            let bar = ProgressLine.bar(Double(done) / Double(codes.items.count))
            progress.show("\(bar) \(done)/\(codes.items.count) images")
        }
        progress.finish()
        let total = evaluation.total
        let report = Report(
            expected: total.expected,
            read: total.read,
            correct: total.correct,
            library: CodeLibrary.shared.name,
            false_reads: total.falseReads,
            median_ms: evaluation.medianMs,
            families: evaluation.families.mapValues {
                .init(expected: $0.expected, read: $0.read, correct: $0.correct, false_reads: $0.falseReads)
            },
            wrong: evaluation.items.filter { !$0.isRight }.map(\.name),
            left_out: Dictionary(evaluation.leftOut.map { ($0.name, $0.reason) }) { first, _ in first }
        )
        return (report, text(evaluation))
    }

    private static func text(_ evaluation: CodesEvaluation) -> String {
        let families = evaluation.families.sorted { NaturalOrder.precedes($0.key, $1.key) }
        let rows = families.map { ($0.key, $0.value) } + [("all", evaluation.total)]
        let table = Terminal.table(
            [["images", "with a code", "read", "right", "false reads"]]
                + rows.map { [$0, "\($1.expected)", "\($1.read)", "\($1.correct)", "\($1.falseReads)"] }
        )
        let wrong = evaluation.items.filter { !$0.isRight }.map { item in
            let read = item.read.map { "\"\($0.text.prefix(40))\"" }.joined(separator: ", ")
            return "  \(item.name): read \(read.isEmpty ? "nothing" : read), shows \"\(item.expected.prefix(40))\""
        }
        let unread = evaluation.leftOut.map { "  \($0.name): \($0.reason)" }
        let time = evaluation.medianMs.map { String(format: "%.1f ms an image (median)", $0) } ?? "no images"
        return
            ([table, "read by    \(CodeLibrary.shared.name)", "time       \(time)"]
            + (wrong.isEmpty ? [] : ["not right:"] + wrong)
            + (unread.isEmpty ? [] : ["left out:"] + unread)).joined(separator: "\n")
    }
}
