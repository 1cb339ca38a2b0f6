import Foundation
import Vision

/// What the command prints at its end.
protocol LearningReport: Encodable {
    var text: String { get }
    /// Whether somebody should look into it: exit code 1.
    var isProblem: Bool { get }
}

/// What was learned, and how it judges.
struct TrainReport: LearningReport {
    struct Limit: Encodable {
        let name: String
        let value: Double
        let basis: String
    }

    struct Share: Encodable {
        let count, of: Int
        let rate: Double?
        /// Exact bounds of 95 % (Clopper and Pearson, 1934).
        let lower, upper: Double

        init(_ rate: Rate) {
            (count, of, self.rate) = (rate.events, rate.trials, rate.value)
            (lower, upper) = (rate.lower, rate.upper)
        }
    }

    struct Figures: Encodable {
        let auroc: Double?
        let escapes, overkill: Share

        init(_ figures: ModelComparison.Figures) {
            auroc = figures.auroc
            escapes = Share(figures.confusion.escapes)
            overkill = Share(figures.confusion.overkill)
        }
    }

    struct Change: Encodable {
        let image, label, active, new: String
        let active_score, new_score: Double
    }

    /// Labelled pictures judged by the new model and, where there is one, the active one.
    struct Judged: Encodable {
        let images: Int
        /// Pictures of the folder that were not judged because they were learned from.
        let left_out: Int
        let new: Figures
        let active: Figures?
        let changed: [Change]

        init(_ comparison: ModelComparison, leftOut: Int) {
            images = comparison.pairs.count
            left_out = leftOut
            new = Figures(comparison.candidate)
            active = comparison.active.map { Figures($0) }
            changed = comparison.changed.compactMap { pair in
                pair.active.map { active in
                    Change(
                        image: pair.name,
                        label: pair.isBad ? "anomaly" : "normal",
                        active: active.verdict.rawValue,
                        new: pair.candidate.verdict.rawValue,
                        active_score: active.score,
                        new_score: pair.candidate.score
                    )
                }
            }
        }
    }

    let tool: String
    /// Why it is not the anomaly tool.
    let remark: String?
    let model, model_sha256: String
    let model_bytes: Int
    let backbone_sha256: String?
    let recipe: String?
    let pictures: Int
    /// Over one line `<pixels' sha256>  <name>` for each picture learned from.
    let set_sha256: String
    let limits: [Limit]
    let seconds: Double
    let judged: Judged?

    init(
        _ learned: LearnedTool,
        model: (path: String, sha256: String, bytes: Int),
        recipe: String?,
        seconds: Double,
        comparison: Judged?
    ) {
        tool = learned.kind.rawValue
        remark = learned.remark
        (self.model, model_sha256, model_bytes) = model
        backbone_sha256 = learned.backboneSHA256
        self.recipe = recipe
        pictures = learned.sources.count
        set_sha256 = learned.setSHA256
        limits = learned.limits.map { Limit(name: $0.name, value: $0.value, basis: $0.basis) }
        self.seconds = seconds
        judged = comparison
    }

    /// More bad parts pass by the new model than by the active one.
    var isProblem: Bool { judged.map { $0.active.map { $0.escapes.count } ?? .max < $0.new.escapes.count } ?? false }

    var text: String {
        var lines = [
            "learned    \(tool) from \(pictures) pictures in \(String(format: "%.1f", seconds)) s",
            "set        SHA-256 \(set_sha256)",
            "model      \(model), \(model_bytes) bytes, SHA-256 \(model_sha256)",
        ]
        if let backbone_sha256 { lines.append("backbone   SHA-256 \(backbone_sha256)") }
        if let recipe { lines.append("recipe     \(recipe) (draft: complete it, then lineledger recipe test)") }
        lines += limits.map { "limit      \($0.name) \(String(format: "%.4g", $0.value)): \($0.basis)" }
        if let judged { lines += Self.lines(judged) }
        return lines.joined(separator: "\n")
    }

    private static func lines(_ judged: Judged) -> [String] {
        func shown(_ share: Share) -> String {
            guard let rate = share.rate else { return "none to count" }
            return String(
                format: "%d of %d = %.1f %% (%.1f to %.1f %%)",
                share.count,
                share.of,
                rate * 100,
                share.lower * 100,
                share.upper * 100
            )
        }
        func row(_ name: String, _ figures: Figures) -> [String] {
            [
                name, figures.auroc.map { String(format: "%.4f", $0) } ?? "-", shown(figures.escapes),
                shown(figures.overkill),
            ]
        }
        var rows = [["model", "AUROC", "escapes (95 % bounds)", "overkill (95 % bounds)"], row("new", judged.new)]
        if let active = judged.active { rows.append(row("active", active)) }
        var lines = ["", "\(judged.images) pictures judged, \(judged.left_out) left out", Terminal.table(rows)]
        guard judged.active != nil else { return lines }
        lines.append("\(judged.changed.count) verdicts changed")
        lines += judged.changed.map { change in
            String(
                format: "  %@ (%@): %@ %.3f, was %@ %.3f",
                change.image,
                change.label,
                change.new,
                change.new_score,
                change.active,
                change.active_score
            )
        }
        return lines
    }
}
