import Foundation
import Vision

extension TrainingReport {
    /// What was learned, for a person.
    var text: String {
        var lines = [
            "learned    \(tool) from \(pictures) pictures in \(String(format: "%.1f", seconds)) s",
            "set        SHA-256 \(setSHA256)",
            "model      \(model), \(modelBytes) bytes, SHA-256 \(modelSHA256)",
        ]
        if !strata.isEmpty { lines.append("covers     \(strata.joined(separator: "; "))") }
        if let backboneSHA256 { lines.append("backbone   SHA-256 \(backboneSHA256)") }
        if let recipe { lines.append("recipe     \(recipe) (draft: complete it, then lineledger recipe test)") }
        lines += limits.map { "limit      \($0.name) \(String(format: "%.4g", $0.value)): \($0.basis)" }
        if let judged { lines += Self.lines(judged) }
        return lines.joined(separator: "\n")
    }

    private static func lines(_ judged: Judged) -> [String] {
        func shown(_ share: RecipeTestReport.Share) -> String {
            guard share.trials > 0 else { return "none to count" }
            return String(
                format: "%d of %d = %.1f %% (%.1f to %.1f %%)",
                share.events,
                share.trials,
                Double(share.events) / Double(share.trials) * 100,
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
        var lines = ["", "\(judged.images) pictures judged, \(judged.leftOut) left out", Terminal.table(rows)]
        guard judged.active != nil else { return lines }
        lines.append("\(judged.changed.count) verdicts changed")
        lines += judged.changed.map { change in
            String(
                format: "  %@ (%@): %@ %.3f, was %@ %.3f",
                change.image,
                change.label,
                change.new,
                change.newScore,
                change.active,
                change.activeScore
            )
        }
        return lines
    }
}
