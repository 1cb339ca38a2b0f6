import PlantEvents
import SQLite

/// Folds topic `inspections`: verdicts, named gaps, holds and the stations' state.
final class InspectionFold {
    private let interning: Interning
    private let parts: PartRows
    private let hold, adopted, activated, refused, notCommanded, inspected, feature, stop: LatestRow

    init(_ database: Database, _ interning: Interning, _ tallies: Tallies) throws(SQLiteError) {
        self.interning = interning
        parts = try PartRows(database, interning, tallies)
        hold = try LatestRow(
            database,
            "hold",
            key: ["hold_id"],
            values: ["subject_kind", "subject_id", "reason", "defect_category", "part_id", "rule", "context"]
        )
        adopted = try LatestRow(database, "adopted_context", key: ["station"], values: ["context"])
        activated = try LatestRow(
            database,
            "recipe_activated",
            key: ["station", "recipe_sha256"],
            values: ["recipe_id", "revision", "control_plan_revision", "model_sha256", "tools"]
        )
        refused = try LatestRow(
            database,
            "recipe_refused",
            key: ["station", "recipe_id", "recipe_sha256"],
            values: ["reason"]
        )
        notCommanded = try LatestRow(database, "reject_not_commanded", key: ["part_id"], values: ["reason"])
        inspected = try LatestRow(database, "source_inspected", key: ["station"], values: ["triggers"])
        feature = try LatestRow(
            database,
            "feature",
            key: ["part_id", "name"],
            values: ["task", "value", "unit", "text", "lower_limit", "upper_limit", "conforms"]
        )
        stop = try LatestRow(
            database,
            "stop_requested",
            key: ["stop_id"],
            values: ["line", "station", "part_id", "reason"]
        )
    }

    func fold(_ part: PartView, _ mark: Mark) throws {
        try parts.put(part, mark)
    }

    /// Writes what was folded since the last time.
    func flush() throws {
        try parts.flush()
    }

    func fold(_ kind: InspectionRecord.Event.Kind, _ mark: Mark) throws {
        switch kind {
        case .writerTookOver, .recipeReleaseAdopted, .recipeRetirementAdopted: break
        case .contextAdopted(let event):
            try adopted.put(mark, .text(event.station), .int(try interning.context(event.context)))
        case .recipeActivated(let event):
            try activated.put(
                mark,
                .text(event.station),
                .text(event.recipeSha256),
                .text(event.recipeID),
                .text(event.revision),
                .text(event.controlPlanRevision),
                .text(event.modelSha256.joined(separator: "\n")),
                .text(event.tools.joined(separator: "\n"))
            )
        case .recipeRefused(let event):
            try refused.put(
                mark,
                .text(event.station),
                .text(event.recipeID),
                .text(event.recipeSha256),
                .text(event.reason)
            )
        case .inspectionMissed(let event): try parts.put(event, mark)
        case .rejectNotCommanded(let event):
            try notCommanded.put(mark, .text(event.partID), .text(event.reason))
        case .holdPlaced(let event):
            try hold.put(
                mark,
                .text(event.holdID),
                .int(Int64(event.subjectKind.rawValue)),
                .text(event.subjectID),
                .text(event.reason),
                .text(event.defectCategory),
                .text(event.partID),
                .text(event.rule),
                .int(try interning.context(event.context))
            )
        case .sourceInspected(let event):
            try inspected.put(mark, .text(event.station), .int(Int64(clamping: event.triggers)))
        case .featuresMeasured(let event):
            for measured in event.features {
                try feature.put(
                    mark,
                    .text(event.partID),
                    .text(measured.name),
                    .int(Int64(measured.task.rawValue)),
                    .real(measured.value),
                    .text(measured.unit),
                    .text(measured.text),
                    measured.hasLowerLimit ? .real(measured.lowerLimit) : .null,
                    measured.hasUpperLimit ? .real(measured.upperLimit) : .null,
                    .int(measured.conforms ? 1 : 0)
                )
            }
        case .stopRequested(let event):
            try stop.put(
                mark,
                .text(event.stopID),
                .text(event.line),
                .text(event.station),
                .text(event.partID),
                .text(event.reason)
            )
        case .partInspected:
            preconditionFailure("\(kind) is never rare")
        }
    }
}
