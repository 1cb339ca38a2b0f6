import Foundation
import PlantCore
import ReadModel
import ServiceRuntime
import Vision

/// Models and reviews for a person.
enum ModelText {
    static func said(_ row: RecipeWire.ModelRow, isRepeated: Bool) -> String {
        let model = row.model
        let when = isRepeated ? "was on record before" : "is on record"
        let pictures = model.origin.isEmpty ? "\(model.pictures) pictures" : "trained elsewhere"
        return "model \(row.sha256.prefix(12)) (\(model.tool), \(pictures)) \(when), last review: "
            + review(model.review)
    }

    static func pictures(_ model: ModelLife) -> String { model.origin.isEmpty ? "\(model.pictures)" : "elsewhere" }

    static func figures(_ figures: ModelLife.Figures?) -> String {
        guard let figures else { return "-" }
        return text(
            figures.auroc,
            (Int64(figures.escapes), Int64(figures.bad)),
            (Int64(figures.overkills), Int64(figures.good))
        )
    }

    static func review(_ review: ModelReview?) -> String {
        review.map { "\($0.conclusion), \(RecipeText.day($0.toUs))" } ?? "none"
    }

    static func text(_ info: ModelInfo) -> String {
        var lines = [
            "model      \(info.modelSha256)",
            info.origin.isEmpty
                ? "learned    \(info.tool) from \(info.pictures) pictures, list \(info.trainingSetSha256)"
                : "elsewhere  \(info.tool), \(info.origin); licence \(info.licence)",
            "on record  \(RecipeText.day(info.trainedAtUs)) by \(info.trainedBy): \(info.reason)",
            "report     \(info.reportSha256)",
        ]
        if !info.backboneSha256.isEmpty { lines.append("backbone   \(info.backboneSha256)") }
        lines += info.strata.map { "covers     \($0)" }
        if info.testSetSha256.isEmpty {
            lines.append("test       none")
        } else {
            let (escapes, overkills) = ((info.escapes, info.bad), (info.overkills, info.good))
            lines.append("test       \(text(info.auroc, escapes, overkills)), list \(info.testSetSha256)")
        }
        if let active = info.active {
            let figures = text(active.auroc, (active.escapes, info.bad), (active.overkills, info.good))
            lines.append("active     \(figures), model \(active.sha256)")
        }
        lines += info.uses.map {
            "judged at  \($0.station) since \(RecipeText.day($0.atUs)), recipe \($0.recipeID) \($0.recipeSha256.prefix(12))"
        }
        lines += info.reviews.map {
            "review     \(RecipeText.day($0.fromUs)) to \(RecipeText.day($0.toUs)): \($0.conclusion), by \($0.reviewedBy), "
                + "of \($0.subjectSha256.prefix(12)), report \($0.reportSha256.prefix(12))"
        }
        if info.reviews.isEmpty { lines.append("review     none") }
        return lines.joined(separator: "\n")
    }

    private static func text(_ auroc: Double?, _ escapes: (Int64, Int64), _ overkills: (Int64, Int64)) -> String {
        let area = auroc.map { String(format: "AUROC %.4f, ", $0) } ?? ""
        return "\(area)\(escapes.0)/\(escapes.1) escapes, \(overkills.0)/\(overkills.1) overkills"
    }
}

extension ReviewReport {
    /// The review for a person.
    var text: String {
        let heading = [
            "scores", "conclusion", "known", "recent", "median moved", "D (chance below)", "sum (limit)", "drift",
            "over limit",
        ]
        let table = series.map { one in
            let drift = one.drift.map { "\($0) since \(one.since ?? ""), found at \(one.foundAt ?? "")" } ?? "-"
            return [
                one.label, one.conclusion, "\(one.known)", "\(one.recent)", String(format: "%+.3f", one.shift),
                String(format: "%.3f (%.3f)", one.difference, one.bound),
                String(format: "%.1f (%.1f)", one.sum, one.limit), drift,
                "\(one.overLimit.events) of \(one.overLimit.trials)",
            ]
        }
        return "\(subject): \(finding); known are \(basis)\n\(Terminal.table([heading] + table))"
    }

    /// The conclusion, and what it is of; example "shifted: copper at vision-1".
    var finding: String { worst.map { "\(conclusion): \($0)" } ?? conclusion }
}
