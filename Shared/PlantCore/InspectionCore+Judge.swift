import PlantEvents
import SwiftProtobuf

extension InspectionCore {
    /// Verdict, reject and hold of one part: they travel in one record.
    func judge(
        _ captured: FrameCaptured,
        _ frame: Origin,
        _ judgement: Judgement,
        nowUs: Int64
    ) -> Step<InspectionRecord> {
        let name = captured.trigger.station
        let known = station(name)
        guard let recipe = activeRecipe(of: name), recipe.recipeSha256 == judgement.recipeSHA256 else {
            // I2: a picture judged by another recipe than the one in force has no verdict.
            return miss(
                captured.trigger,
                captured.triggeredAtUs,
                captured.sourceName,
                reason: "judged by recipe \(judgement.recipeSHA256.prefix(12)), which is not the one in force"
            )
        }
        let part = inspected(captured, frame, judgement, known, recipe, nowUs: nowUs)
        var kinds: [Kind] = [.partInspected(part)]
        if !judgement.features.isEmpty {
            kinds.append(
                .featuresMeasured(
                    .with {
                        $0.partID = part.partID
                        $0.features = judgement.features
                    }
                )
            )
        }
        let rejects =
            judgement.verdict == .fail
            || judgement.verdict == .uncertain && recipe.reactionPlan.rejectUncertain
        if rejects {
            kinds.append(
                .rejectNotCommanded(
                    .with {
                        $0.partID = part.partID
                        $0.reason = "station \(name) has no reject output (io: null)"
                    }
                )
            )
        }
        kinds += holds(after: part, in: known, by: recipe.reactionPlan).map(Kind.holdPlaced)
        if let stop = stop(after: part, by: recipe.reactionPlan) { kinds.append(.stopRequested(stop)) }
        return step(
            "part:\(captured.trigger.text)",
            kinds,
            station: name,
            subject: part.partID,
            atUs: captured.triggeredAtUs
        )
    }

    private func inspected(
        _ captured: FrameCaptured,
        _ frame: Origin,
        _ judgement: Judgement,
        _ known: Station,
        _ recipe: RecipeActivated,
        nowUs: Int64
    ) -> PartInspected {
        .with {
            $0.partID = captured.trigger.text
            $0.trigger = captured.trigger
            $0.frame = frame
            $0.pixelsSha256 = captured.pixelsSha256
            $0.context = known.context?.message ?? ProductionContext()
            if $0.context.controlPlanRevision.isEmpty { $0.context.controlPlanRevision = recipe.controlPlanRevision }
            $0.verdict = judgement.verdict
            $0.score = judgement.score
            $0.confidence = judgement.confidence
            $0.defects = judgement.defects
            $0.rejectionReason = judgement.rejectionReason
            $0.recipeID = recipe.recipeID
            $0.recipeSha256 = recipe.recipeSha256
            $0.triggeredAtUs = captured.triggeredAtUs
            $0.decidedAtUs = nowUs
            $0.timings = judgement.timings
            $0.scores = judgement.scores
            $0.sourceName = captured.sourceName
        }
    }

    /// The stop that the reaction plan asks for after this part; not a safety function (I3).
    private func stop(after part: PartInspected, by plan: ReactionPlan) -> StopRequested? {
        guard part.verdict == .fail else { return nil }
        guard let worst = part.defects.first(where: { plan.stopOnCategories.contains($0.category) }) else { return nil }
        return .with {
            $0.stopID = "stop:\(part.partID)"
            $0.line = lines[part.trigger.station] ?? ""
            $0.station = part.trigger.station
            $0.partID = part.partID
            $0.reason = "part \(part.partID) has a defect of category \(worst.category), one of which stops the line"
        }
    }

    /// The holds that the reaction plan asks for after this part; each rule holds a batch once.
    private func holds(after part: PartInspected, in known: Station, by plan: ReactionPlan) -> [HoldPlaced] {
        guard part.verdict == .fail else { return [] }
        let subject = known.holdSubject(at: part.trigger.station)
        var rules = state.heldBy[subject] ?? []
        var holds: [HoldPlaced] = []
        func place(rule: String, category: String, reason: String) {
            guard !rules.contains(rule) else { return }
            rules.append(rule)
            holds.append(
                .with {
                    $0.holdID = "hold:\(part.partID):\(rule)"
                    $0.subjectKind = part.context.batchID.isEmpty ? .station : .batch
                    $0.subjectID = subject
                    $0.reason = reason
                    $0.defectCategory = category
                    $0.partID = part.partID
                    $0.rule = rule
                    $0.context = part.context
                }
            )
        }
        for category in plan.holdOnCategories where part.defects.contains(where: { $0.category == category }) {
            place(
                rule: "category-\(category)",
                category: category,
                reason: "part \(part.partID) has a defect of category \(category), one of which holds the batch"
            )
        }
        guard plan.holdWindow > 0 else { return holds }
        let failures = known.recentFailures.suffix(Int(plan.holdWindow) - 1).count { $0 } + 1
        if plan.holdAfterFailures > 0, failures >= plan.holdAfterFailures {
            place(
                rule: "failures-\(plan.holdAfterFailures)-in-\(plan.holdWindow)",
                category: part.defects.first?.category ?? "",
                reason: "\(failures) of the last \(plan.holdWindow) parts failed; the plan allows fewer than "
                    + "\(plan.holdAfterFailures)"
            )
        }
        return holds
    }
}
