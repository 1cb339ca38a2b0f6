import PlantEvents
import SQLite

/// Folds topic `decisions`: the legal holds, the models on record and their reviews. What else people decide leaves no rows
/// yet.
final class DecisionFold {
    private let placed, lifted, trained, reviewed: LatestRow
    private let addSubject: Statement

    init(_ database: Database) throws(SQLiteError) {
        placed = try LatestRow(database, "legal_hold", key: ["legal_hold_id"], values: ["person_id", "reason"])
        lifted = try LatestRow(database, "legal_hold_lifted", key: ["legal_hold_id"], values: ["person_id", "reason"])
        trained = try LatestRow(
            database,
            "model_trained",
            key: ["model_sha256"],
            values: [
                "tool", "backbone_sha256", "pictures", "strata", "training_set_sha256", "test_set_sha256",
                "report_sha256", "good", "bad", "escapes", "overkills", "auroc", "active_sha256", "active_escapes",
                "active_overkills", "active_auroc", "origin", "licence", "person_id", "reason",
            ]
        )
        reviewed = try LatestRow(
            database,
            "performance_reviewed",
            key: ["subject_sha256", "to_us", "report_sha256"],
            values: ["from_us", "conclusion", "person_id", "reason"]
        )
        addSubject = try database.prepare(
            "INSERT OR IGNORE INTO legal_hold_subject(legal_hold_id, subject_id) VALUES (?, ?)"
        )
    }

    func fold(_ kind: DecisionRecord.Event.Kind, _ mark: Mark) throws {
        switch kind {
        case .legalHoldPlaced(let event):
            try placed.put(mark, .text(event.legalHoldID), .text(event.act.personID), .text(event.act.reason))
            for subject in event.subjectIds { try addSubject.run([.text(event.legalHoldID), .text(subject)]) }
        case .legalHoldLifted(let event):
            try lifted.put(mark, .text(event.legalHoldID), .text(event.act.personID), .text(event.act.reason))
        case .modelTrained(let event): try put(event, mark)
        case .performanceReviewed(let event):
            try reviewed.put(
                mark,
                .text(event.subjectSha256),
                .int(event.toUs),
                .text(event.reportSha256),
                .int(event.fromUs),
                .text(event.conclusion),
                .text(event.act.personID),
                .text(event.act.reason)
            )
        case .writerTookOver, .holdPlacementOrdered, .holdReleased, .dispositionDecided, .verdictOverridden,
            .pictureLabelled, .recordCorrected, .orderEntered, .orderEnded, .changeoverConfirmed,
            .stopClearanceOrdered, .recipeSubmitted, .recipeTested, .recipeApproved, .recipeReturned, .recipeReleased,
            .recipeRetired, .controlPlanApproved, .capabilityStudyApproved, .modelApproved,
            .autoRejectUnlocked, .autoRejectLocked, .bypassApproved, .alarmAcknowledged,
            .alarmShelved, .alarmUnshelvingOrdered, .alarmRemovedFromService, .alarmReturnedToService,
            .deliveryRedriveRequested, .deliverySkipRequested, .redriveRequested, .discardRequested, .recallOpened,
            .recallClosed, .auditTrailReviewed, .acceptanceReportSigned, .settingsChanged:
            break
        }
    }

    private func put(_ event: ModelTrained, _ mark: Mark) throws {
        let (figures, active) = (event.figures, event.activeFigures)
        try trained.put(
            mark,
            .text(event.modelSha256),
            .text(event.tool),
            .text(event.backboneSha256),
            .int(Int64(clamping: event.pictures)),
            .text(event.strata.joined(separator: "\n")),
            .text(event.trainingSetSha256),
            .text(event.testSetSha256),
            .text(event.reportSha256),
            .int(Int64(figures.good)),
            .int(Int64(figures.bad)),
            .int(Int64(figures.escapes)),
            .int(Int64(figures.overkills)),
            figures.hasAuroc ? .real(figures.auroc) : .null,
            .text(event.activeSha256),
            .int(Int64(active.escapes)),
            .int(Int64(active.overkills)),
            active.hasAuroc ? .real(active.auroc) : .null,
            .text(event.origin),
            .text(event.licence),
            .text(event.act.personID),
            .text(event.act.reason)
        )
    }
}
