package import PlantEvents
import SwiftProtobuf

extension AlarmFold {
    package mutating func fold(_ record: InspectionRecord, _ limits: Limits) -> [Draft] {
        var drafts: [Draft] = []
        for event in record.events {
            switch event.kind {
            case .partInspected(let part):
                clear("recipe-refused", part.trigger.station, record.meta, into: &drafts)
                countVerdict(part, record.meta, limits, into: &drafts)
                watchDefects(of: part, record.meta, into: &drafts)
            case .holdPlaced(let hold):
                raise(
                    "hold-placed",
                    hold.holdID,
                    .high,
                    record.meta,
                    text: "\(hold.subjectKind.word) \(hold.subjectID) is on hold: \(hold.reason)",
                    response: "Segregate \(hold.subjectKind.word) \(hold.subjectID) and decide its disposition.",
                    into: &drafts
                )
            case .stopRequested(let stop):
                raise(
                    "stop-requested",
                    stop.station,
                    .high,
                    record.meta,
                    text: "the line \(stop.line) is asked to stop: \(stop.reason)",
                    response: "Stop the line by hand where it still runs; find the cause before it runs again.",
                    into: &drafts
                )
            case .recipeRefused(let refused):
                raise(
                    "recipe-refused",
                    refused.station,
                    .high,
                    record.meta,
                    text: "recipe \(refused.recipeID) cannot be used: \(refused.reason)",
                    response: "Stop the station or give it the approved recipe; parts are named gaps until then.",
                    into: &drafts
                )
            case .recipeActivated(let activated):
                alarmingCategories[activated.station] = activated.reactionPlan.alarmOnCategories
                clear("recipe-refused", activated.station, record.meta, into: &drafts)
            case .writerTookOver, .contextAdopted, .inspectionMissed, .rejectNotCommanded, .sourceInspected,
                .featuresMeasured, .recipeReleaseAdopted, .recipeRetirementAdopted, nil:
                break
            }
        }
        return drafts
    }

    /// One defect of a category that the reaction plan names raises an alarm; the next part without one clears it. A
    /// good part after a stop shows that the line runs again.
    private mutating func watchDefects(of part: PartInspected, _ meta: Meta, into drafts: inout [Draft]) {
        let station = part.trigger.station
        if part.verdict == .pass { clear("stop-requested", station, meta, into: &drafts) }
        for category in alarmingCategories[station] ?? [] {
            let subject = "\(station)/\(category)"
            guard part.verdict == .fail, let defect = part.defects.first(where: { $0.category == category }) else {
                clear("defect-found", subject, meta, into: &drafts)
                continue
            }
            raise(
                "defect-found",
                subject,
                .high,
                meta,
                text: "part \(part.partID) has a defect of category \(category) at (\(Int(defect.x)), "
                    + "\(Int(defect.y))), for each of which the recipe asks for an alarm",
                response: "Look at the part and at those made with it; follow the control plan for \(category).",
                into: &drafts
            )
        }
    }
}
