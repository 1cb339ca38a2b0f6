import EventLog
import PlantCore
import PlantEvents
import SwiftProtobuf

extension Checks {
    // MARK: Frames

    /// Every part that passed has one trigger with its picture or its named gap, in order, and each picture's evidence one
    /// outcome (I1).
    func checkFrames() throws {
        for partition in [Int32(0), 1] {
            var count: [String: UInt64] = [:]
            var session: [String: UInt64] = [:]
            var sequence: [String: UInt64] = [:]
            var awaiting: [String: String] = [:]
            var cameras = CameraWalk()
            for entry in ledger[.frames, partition] {
                guard case .frames(let record) = entry.content else { continue }
                try cameras.take(record)
                for event in record.events {
                    switch event.kind {
                    case .triggerSessionStarted(let started):
                        try require(
                            started.session == (session[started.station] ?? 0) + 1,
                            .everyTriggerEnds,
                            started.station,
                            "session \(started.session) of \(started.station) follows \(session[started.station] ?? 0)"
                        )
                        session[started.station] = started.session
                        sequence[started.station] = 0
                    case .frameCaptured(let frame):
                        try pass(frame.trigger, frame.sourceName, frame.pixelsSha256, session, &sequence, &count)
                        try checkMeta(entry.meta, frame.trigger, frame.triggeredAtUs)
                        awaiting[frame.trigger.text] = frame.pixelsSha256
                    case .frameMissed(let gap):
                        let isUnseen = gap.reason == SimPlant.cameraGone
                        let index = count[gap.trigger.station, default: 0]
                        let unseen = isUnseen ? world.plant.item(gap.trigger.station, index).pixels : nil
                        try pass(gap.trigger, gap.sourceName, unseen, session, &sequence, &count)
                        try checkMeta(entry.meta, gap.trigger, gap.triggeredAtUs)
                        try require(!gap.reason.isEmpty, .everyTriggerEnds, gap.trigger.text, "a gap without a reason")
                    case .evidenceStored(let stored):
                        try checkStored(stored, awaiting.removeValue(forKey: stored.trigger.text))
                    case .evidenceNotStored(let lost):
                        try require(
                            awaiting.removeValue(forKey: lost.trigger.text) == lost.pixelsSha256,
                            .truth,
                            lost.trigger.text,
                            "evidence of \(lost.trigger.text) is said to be lost, twice or wrongly"
                        )
                    case .sourceExhausted(let exhausted): try checkEnded(exhausted)
                    case .writerTookOver, .cameraLost, .cameraReturned, .pictureQualityDegraded,
                        .pictureQualityRestored, .clockSkewEstimated, .evidenceExpired, .processImageStored,
                        .cameraConfigured, .frameRepeated, .frameUnmatched, nil:
                        break
                    }
                }
            }
            try cameras.checkEnd()
            try checkComplete(count, partition)
            try require(
                awaiting.isEmpty,
                .truth,
                awaiting.keys.min() ?? "",
                "\(awaiting.count) pictures have no evidence outcome"
            )
        }
    }

    private func checkStored(_ stored: EvidenceStored, _ awaited: String?) throws {
        try require(
            awaited == stored.pixelsSha256 && world.evidence.contains(stored.pixelsSha256),
            .truth,
            stored.trigger.text,
            "evidence of \(stored.trigger.text) is said to be stored, twice or wrongly"
        )
    }

    private func checkEnded(_ exhausted: SourceExhausted) throws {
        try require(
            exhausted.triggers == UInt64(world.plant.itemsPerStation),
            .truth,
            exhausted.station,
            "\(exhausted.station) ended after \(exhausted.triggers) of \(world.plant.itemsPerStation) parts"
        )
    }

    /// Every part has a frame or a gap.
    private func checkComplete(_ count: [String: UInt64], _ partition: Int32) throws {
        for station in world.plant.stations(of: partition) {
            try require(
                count[station.id] == UInt64(world.plant.itemsPerStation),
                .everyTriggerEnds,
                station.id,
                "\(count[station.id] ?? 0) of \(world.plant.itemsPerStation) parts at \(station.id) have a frame or a gap"
            )
        }
    }

    private func pass(
        _ trigger: TriggerId,
        _ name: String,
        _ pixels: String?,
        _ session: [String: UInt64],
        _ sequence: inout [String: UInt64],
        _ count: inout [String: UInt64]
    ) throws {
        let index = count[trigger.station, default: 0]
        let item = world.plant.item(trigger.station, index)
        try require(
            trigger.session == session[trigger.station] && trigger.sequence == sequence[trigger.station],
            .everyTriggerEnds,
            trigger.text,
            "trigger \(trigger.text) where \(session[trigger.station] ?? 0)/\(sequence[trigger.station] ?? 0) was due"
        )
        try require(
            item.name == name && item.pixels == pixels,
            .everyTriggerEnds,
            trigger.text,
            "trigger \(trigger.text) is of \(name), part \(item.name) was next: lost, repeated or mistaken"
        )
        sequence[trigger.station, default: 0] += 1
        count[trigger.station, default: 0] += 1
    }

    private func checkMeta(_ meta: Meta, _ trigger: TriggerId, _ triggeredAtUs: Int64) throws {
        let line = world.plant.stations.first { $0.id == trigger.station }?.line
        try require(
            meta.occurredAtUs == triggeredAtUs && meta.subject == trigger.text && meta.place.workUnit == trigger.station
                && meta.place.workCenter == line,
            .truth,
            trigger.text,
            "the record of \(trigger.text) has another time, subject or place"
        )
    }

    // MARK: Verdicts

    /// One verdict or named gap for each frame, by the approved recipe, under the context of the line, with the holds that
    /// the plan asks for (I1, I2, I3).
    func checkInspections(_ contexts: LineContexts) throws {
        for partition in [Int32(0), 1] {
            var frames: [String: (frame: FrameCaptured?, meta: Meta)] = [:]
            for entry in ledger[.frames, partition] {
                guard case .frames(let record) = entry.content else { continue }
                for event in record.events {
                    if case .frameCaptured(let frame)? = event.kind {
                        frames[frame.trigger.text] = (frame, entry.meta)
                    } else if case .frameMissed(let gap)? = event.kind {
                        frames[gap.trigger.text] = (nil, entry.meta)
                    }
                }
            }
            var walk = InspectionWalk(world: world, contexts: contexts, frames: frames, decisions: recipeDecisions)
            for entry in ledger[.inspections, partition] {
                guard case .inspections(let record) = entry.content else { continue }
                try walk.take(record)
            }
            try require(
                walk.adoptedDecisions == walk.decisions.count,
                .approvedRecipe,
                "decisions",
                "inspector-\(partition) adopted \(walk.adoptedDecisions) of \(walk.decisions.count) releases and retirements"
            )
            let open = frames.keys.filter { walk.ends[$0] == nil }.sorted()
            try require(
                open.isEmpty,
                .everyTriggerEnds,
                open.first ?? "",
                "\(open.count) triggers have no verdict and no gap: \(open.prefix(5).joined(separator: ", "))"
            )
            for station in world.plant.stations(of: partition) {
                try require(
                    walk.benches[station.id]?.context == contexts.last[station.line],
                    .truth,
                    station.id,
                    "\(station.id) works under another context than its line"
                )
            }
        }
    }
}

/// The inspector's history once more, one record after the other.
struct InspectionWalk {
    struct Bench {
        var context: ProductionContext?
        var activated: RecipeActivated?
        var failures: [Bool] = []
        /// What was refused last, unless another recipe was asked for or activated since.
        var refused: [String]?

    }

    let world: World
    let contexts: LineContexts
    let frames: [String: (frame: FrameCaptured?, meta: Meta)]
    var benches: [String: Bench] = [:]
    /// Triggers that have their verdict or gap.
    var ends: [String: String] = [:]
    /// What people decided about recipes, and how many of it this inspector has adopted.
    let decisions: [(origin: Origin, kind: DecisionRecord.Event.OneOf_Kind)]
    var adoptedDecisions = 0
    var book = RecipeBook()
    private var held: [String: Set<String>] = [:]

    init(
        world: World,
        contexts: LineContexts,
        frames: [String: (frame: FrameCaptured?, meta: Meta)],
        decisions: [(origin: Origin, kind: DecisionRecord.Event.OneOf_Kind)]
    ) {
        self.world = world
        self.contexts = contexts
        self.frames = frames
        self.decisions = decisions
    }

    mutating func take(_ record: InspectionRecord) throws {
        var part: PartInspected?
        var told: [String] = []
        var holds: [HoldPlaced] = []
        for event in record.events {
            switch event.kind {
            case .contextAdopted(let adopted): try adopt(adopted, record.meta)
            case .recipeActivated(let activated):
                benches[activated.station, default: Bench()].activated = activated
                benches[activated.station]?.refused = nil
            case .recipeRefused(let refused):
                benches[refused.station, default: Bench()].refused = [refused.recipeID, refused.recipeSha256]
            case .partInspected(let inspected):
                try end(inspected.trigger, record.meta, inspected.triggeredAtUs, inspected.sourceName)
                try check(inspected, record.meta)
                part = inspected
            case .inspectionMissed(let missed):
                try end(missed.trigger, record.meta, missed.triggeredAtUs, missed.sourceName)
                try check(missed)
            case .rejectNotCommanded(let notCommanded): told.append(notCommanded.partID)
            case .holdPlaced(let hold): holds.append(hold)
            case .recipeReleaseAdopted(let released): try adopt(released, record.meta)
            case .recipeRetirementAdopted(let retired): try adopt(retired, record.meta)
            case .writerTookOver, .sourceInspected, .featuresMeasured, .stopRequested, nil: break
            }
        }
        guard let part else {
            try require(
                holds.isEmpty && told.isEmpty,
                .truth,
                record.meta.recordID,
                "a hold or a reject without a part in \(record.meta.recordID)"
            )
            return
        }
        try checkReaction(part, told, holds)
    }

    private mutating func adopt(_ adopted: ContextAdopted, _ meta: Meta) throws {
        let line = world.plant.stations.first { $0.id == adopted.station }?.line ?? ""
        try require(
            contexts.after[meta.cause.text]?[line] == adopted.context,
            .truth,
            adopted.station,
            "\(adopted.station) adopted a context that \(line) did not have after \(meta.cause.text)"
        )
        var bench = benches[adopted.station] ?? Bench()
        if bench.context?.batchID != adopted.context.batchID { bench.failures = [] }
        bench.context = adopted.context
        let asked = asked(adopted.station, adopted.context)
        if bench.refused != [asked.recipe, asked.sha256] { bench.refused = nil }
        benches[adopted.station] = bench
        let worked = Set(benches.map { Self.holdSubject($0.key, $0.value.context) })
        held = held.filter { worked.contains($0.key) }
    }

    private static func holdSubject(_ station: String, _ context: ProductionContext?) -> String {
        guard let batch = context?.batchID, !batch.isEmpty else { return station }
        return batch
    }

    /// I1: once, from its own frame.
    private mutating func end(_ trigger: TriggerId, _ meta: Meta, _ triggeredAtUs: Int64, _ name: String) throws {
        try require(
            ends.updateValue(meta.recordID, forKey: trigger.text) == nil,
            .everyTriggerEnds,
            trigger.text,
            "trigger \(trigger.text) has two ends"
        )
        guard let (_, frame) = frames[trigger.text] else {
            throw Violation(.everyTriggerEnds, trigger.text, "trigger \(trigger.text) has an end and no frame")
        }
        let line = world.plant.stations.first { $0.id == trigger.station }?.line
        try require(
            meta.cause == frame.origin && meta.occurredAtUs == triggeredAtUs && triggeredAtUs == frame.occurredAtUs
                && meta.subject == trigger.text && meta.place.workUnit == trigger.station
                && meta.place.workCenter == line && world.plant.isName(name, of: trigger.station),
            .truth,
            trigger.text,
            "the end of \(trigger.text) has another cause, time, subject or place than its frame"
        )
    }

    /// What the station's order asks for, or what was released for that.
    private func asked(_ station: String, _ context: ProductionContext?) -> (recipe: String, sha256: String) {
        let order = world.plant.orders.first { $0.id == context?.orderID }
        let (recipe, sha256) = (order?.recipeID ?? "", order?.recipeSHA256 ?? "")
        return book.asked(recipe, sha256, sku: order?.sku ?? "", station: station)
    }

    /// The recipe that is approved for what the station makes, id and content; nil where nothing may judge.
    private func approved(_ station: String, _ context: ProductionContext?) -> (id: String, sha256: String)? {
        let order = world.plant.orders.first { $0.id == context?.orderID }
        return book.approved(
            order?.recipeID ?? "",
            order?.recipeSHA256 ?? "",
            sku: order?.sku ?? "",
            station: station
        )
    }

    private mutating func check(_ part: PartInspected, _ meta: Meta) throws {
        let station = part.trigger.station
        let bench = benches[station] ?? Bench()
        guard let frame = frames[part.trigger.text]?.frame else {
            throw Violation(.everyTriggerEnds, part.partID, "\(part.partID) has a verdict and no picture")
        }
        try require(
            part.partID == part.trigger.text && part.frame == meta.cause && part.pixelsSha256 == frame.pixelsSha256
                && part.sourceName == frame.sourceName,
            .truth,
            part.partID,
            "the verdict of \(part.partID) names another frame or picture"
        )
        // I2.
        let approved = approved(station, bench.context)
        guard let (id, sha256) = approved, part.recipeID == id, part.recipeSha256 == sha256,
            bench.activated?.recipeSha256 == sha256
        else {
            throw Violation(
                .approvedRecipe,
                part.partID,
                "\(part.partID) of order '\(bench.context?.orderID ?? "")' was judged by \(part.recipeID) "
                    + "\(part.recipeSha256.prefix(8)); approved is \(approved.map { "\($0.id) \($0.sha256.prefix(8))" } ?? "nothing")"
            )
        }
        let judged = SimPlant.judgement(of: part.pixelsSha256, by: sha256)
        try require(
            part.verdict == judged.verdict && part.score == judged.score && part.defects == judged.defects
                && part.confidence == judged.confidence && part.rejectionReason == judged.rejectionReason,
            .approvedRecipe,
            part.partID,
            "the verdict of \(part.partID) is not what its recipe says of its picture"
        )
        var context = bench.context ?? ProductionContext()
        if context.controlPlanRevision.isEmpty { context.controlPlanRevision = SimPlant.controlPlan(of: sha256) }
        try require(
            part.context == context,
            .truth,
            part.partID,
            "\(part.partID) stands under another context than its station"
        )
    }

    /// A gap needs a reason that was there.
    private func check(_ missed: InspectionMissed) throws {
        let id = missed.trigger.text
        let context = benches[missed.trigger.station]?.context
        try require(
            missed.partID == id && missed.context == context ?? ProductionContext(),
            .truth,
            id,
            "the gap of \(id) stands under another context than its station"
        )
        guard frames[id]?.frame != nil else { return }
        let isUsable = approved(missed.trigger.station, context).map { SimPlant.contents[$0.sha256] == $0.id } ?? false
        let isExplained =
            switch missed.reason {
            case "pixels are gone": world.faults.has(.pixelsGone)
            case "no usable recipe":
                (!isUsable || world.faults.has(.recipeMissing)) && benches[missed.trigger.station]?.refused != nil
            case let reason where reason.hasPrefix("judged by recipe"): world.faults.has(.staleJudge)
            default: false
            }
        try require(
            isExplained,
            .everyTriggerEnds,
            id,
            "\(id) has a picture and no verdict without cause: \(missed.reason)"
        )
    }

    /// I3 and the reaction plan (IATF 16949, 8.5.1.1): told of each part that should have been rejected; each rule holds a
    /// batch once.
    private mutating func checkReaction(_ part: PartInspected, _ told: [String], _ holds: [HoldPlaced]) throws {
        let station = part.trigger.station
        let plan = SimPlant.plan(of: part.recipeSha256)
        let rejects = part.verdict == .fail || part.verdict == .uncertain && plan.rejectUncertain
        try require(
            told == (rejects ? [part.partID] : []),
            .rejectOrTold,
            part.partID,
            "\(part.partID) (\(part.verdict)) was reported as not rejected \(told.count) times"
        )
        var bench = benches[station] ?? Bench()
        bench.failures = Array((bench.failures + [part.verdict == .fail]).suffix(Int(plan.holdWindow)))
        benches[station] = bench
        var expected: [(rule: String, category: String)] = []
        if part.verdict == .fail {
            for category in plan.holdOnCategories where part.defects.contains(where: { $0.category == category }) {
                expected.append(("category-\(category)", category))
            }
            let failed = bench.failures.count { $0 }
            if plan.holdAfterFailures > 0, failed >= plan.holdAfterFailures {
                expected.append(
                    ("failures-\(plan.holdAfterFailures)-in-\(plan.holdWindow)", part.defects.first?.category ?? "")
                )
            }
        }
        let subject = Self.holdSubject(station, bench.context)
        expected.removeAll { held[subject]?.contains($0.rule) == true }
        try require(
            holds.map(\.rule) == expected.map(\.rule) && holds.map(\.defectCategory) == expected.map(\.category),
            .truth,
            part.partID,
            "holds after \(part.partID): \(holds.map(\.rule)); the plan asks for \(expected.map(\.rule))"
        )
        for hold in holds {
            held[subject, default: []].insert(hold.rule)
            let isBatch = !part.context.batchID.isEmpty
            try require(
                hold.subjectID == subject && hold.subjectKind == (isBatch ? .batch : .station)
                    && hold.partID == part.partID && hold.context == part.context && !hold.reason.isEmpty
                    && hold.holdID == "hold:\(part.partID):\(hold.rule)",
                .truth,
                hold.holdID,
                "hold \(hold.holdID) does not say what it holds and why"
            )
        }
    }
}

extension SimPlant {
    func isName(_ name: String, of station: String) -> Bool { name.hasPrefix("\(station)#") }
}
