package import PlantEvents
import SwiftProtobuf

/// The core of inspector: gives each frame its verdict or its named gap, and acts by the recipe's reaction plan.
package struct InspectionCore: Core {
    package typealias Record = InspectionRecord
    package typealias Kind = InspectionRecord.Event.OneOf_Kind

    package enum Input: Sendable {
        /// What the plant runs changed; the contexts in the record are adopted.
        case production(ProductionRecord)
        /// The recipe that the station's context asks for is ready.
        case recipeLoaded(RecipeActivated)
        /// The recipe that the station's context asks for cannot be used.
        case recipeRefused(RecipeRefused)
        /// A frame was judged with the station's active recipe.
        case judged(FrameCaptured, frame: Origin, Judgement)
        /// A frame's pixels could not be judged.
        case unjudged(FrameCaptured, reason: String)
        /// There was no frame to judge.
        case frameMissed(FrameMissed)
        /// A finite source ended.
        case exhausted(SourceExhausted)
        /// People decided; releases and retirements of recipes are adopted.
        case decisions(DecisionRecord)
    }

    /// What the recipe's tools said of one picture.
    package struct Judgement: Sendable {
        package var verdict: Verdict
        package var score: Double
        package var confidence: Double
        package var defects: [Defect]
        /// What was counted, read or measured.
        package var features: [MeasuredFeature]
        package var rejectionReason: String
        package var timings: [ToolTiming]
        /// What each of the recipe's tools scored, in its order; empty where the part was not found.
        package var scores: [Float]
        /// Recipe that judged; it must be the station's active one (I2).
        package var recipeSHA256: String

        package init(
            verdict: Verdict,
            score: Double,
            confidence: Double,
            defects: [Defect],
            features: [MeasuredFeature] = [],
            rejectionReason: String,
            timings: [ToolTiming],
            scores: [Float] = [],
            recipeSHA256: String
        ) {
            self.verdict = verdict
            self.score = score
            self.confidence = confidence
            self.defects = defects
            self.features = features
            self.rejectionReason = rejectionReason
            self.timings = timings
            self.scores = scores
            self.recipeSHA256 = recipeSHA256
        }
    }

    package static let version = 3
    /// Line of each station this core works for: configuration, not state.
    let lines: [String: String]
    /// What may judge where nothing was released: configuration, not state.
    let approval: RecipeApproval
    package struct State: Codable, Sendable {
        var stations: [String: Station] = [:]
        /// Rules that hold each batch, or station without one, that is worked on now: one cause holds once, whichever
        /// station saw it.
        var heldBy: [String: [String]] = [:]
        var releases = RecipeReleases()
    }

    package var state = State()

    package init(lines: [String: String], approval: RecipeApproval = .plantFile) {
        self.lines = lines
        self.approval = approval
    }

    package func context(of station: String) -> ProductionContext? { state.stations[station]?.context?.message }

    package func decide(_ input: Input, nowUs: Int64) -> Step<InspectionRecord>? {
        switch input {
        case .production(let record):
            return adopt(record)
        case .decisions(let record):
            return adopt(record)
        case .recipeLoaded(let activated):
            return step(
                "recipe:\(activated.station)/\(station(activated.station).loadings)",
                [.recipeActivated(activated)],
                station: activated.station,
                subject: activated.recipeID,
                atUs: nowUs
            )
        case .recipeRefused(let refused):
            return step(
                "recipe:\(refused.station)/\(station(refused.station).loadings)",
                [.recipeRefused(refused)],
                station: refused.station,
                subject: refused.recipeID.isEmpty ? refused.station : refused.recipeID,
                atUs: nowUs
            )
        case .judged(let captured, let frame, let judgement):
            return judge(captured, frame, judgement, nowUs: nowUs)
        case .unjudged(let captured, let reason):
            return miss(captured.trigger, captured.triggeredAtUs, captured.sourceName, reason: reason)
        case .frameMissed(let gap):
            return miss(gap.trigger, gap.triggeredAtUs, gap.sourceName, reason: "no frame: \(gap.reason)")
        case .exhausted(let exhausted):
            let inspected = SourceInspected.with {
                $0.station = exhausted.station
                $0.triggers = exhausted.triggers
            }
            return step(
                "inspected:\(exhausted.station)/\(exhausted.triggers)",
                [.sourceInspected(inspected)],
                station: exhausted.station,
                subject: exhausted.station,
                atUs: nowUs
            )
        }
    }

    package mutating func evolve(with kind: Kind) {
        switch kind {
        case .writerTookOver, .rejectNotCommanded, .inspectionMissed, .sourceInspected, .featuresMeasured,
            .stopRequested:
            break
        case .recipeReleaseAdopted(let release):
            state.releases.adopt(release)
            askAgain()
        case .recipeRetirementAdopted(let retirement):
            state.releases.adopt(retirement)
            askAgain()
        case .contextAdopted(let adopted):
            let product = context(of: adopted.station)?.sku
            state.stations[adopted.station, default: Station()].adopt(adopted.context)
            // What was refused for one product may judge another.
            let isOther = product != adopted.context.sku
            if isOther || station(adopted.station).refused != standing(of: adopted.station).wish {
                state.stations[adopted.station]?.refused = nil
            }
            let worked = Set(state.stations.map { $1.holdSubject(at: $0) })
            state.heldBy = state.heldBy.filter { worked.contains($0.key) }
        case .recipeActivated(let activated):
            let wish = standing(of: activated.station).wish
            state.stations[activated.station, default: Station()].activate(activated, for: wish)
        case .recipeRefused(let refused):
            state.stations[refused.station, default: Station()].refuse(refused)
        case .partInspected(let part):
            state.stations[part.trigger.station, default: Station()].count(part)
        case .holdPlaced(let hold):
            state.heldBy[hold.subjectID, default: []].append(hold.rule)
        }
    }

    /// Every station of this core whose line's context changed adopts it, all in one record.
    private func adopt(_ record: ProductionRecord) -> Step<InspectionRecord>? {
        var kinds: [Kind] = []
        var firstStation = ""
        for event in record.events {
            guard case .contextChanged(let changed)? = event.kind else { continue }
            for (station, line) in lines.sorted(by: { $0.key < $1.key }) where line == changed.line {
                guard context(of: station) != changed.context else { continue }
                if kinds.isEmpty { firstStation = station }
                kinds.append(
                    .contextAdopted(
                        .with {
                            $0.station = station
                            $0.context = changed.context
                        }
                    )
                )
            }
        }
        guard !kinds.isEmpty else { return nil }
        return step(
            "context:\(record.meta.recordID)",
            kinds,
            station: firstStation,
            subject: record.meta.subject,
            atUs: record.meta.occurredAtUs
        )
    }

    func miss(
        _ trigger: TriggerId,
        _ triggeredAtUs: Int64,
        _ sourceName: String,
        reason: String
    ) -> Step<InspectionRecord> {
        let missed = InspectionMissed.with {
            $0.partID = trigger.text
            $0.trigger = trigger
            $0.context = context(of: trigger.station) ?? ProductionContext()
            $0.reason = reason
            $0.triggeredAtUs = triggeredAtUs
            $0.sourceName = sourceName
        }
        return step(
            "part:\(trigger.text)",
            [.inspectionMissed(missed)],
            station: trigger.station,
            subject: trigger.text,
            atUs: triggeredAtUs
        )
    }

    func step(
        _ recordID: String,
        _ kinds: [Kind],
        station: String,
        subject: String,
        atUs: Int64
    ) -> Step<InspectionRecord> {
        Step(
            recordID: recordID,
            kinds: kinds,
            key: station,
            subject: subject,
            line: lines[station] ?? "",
            station: station,
            occurredAtUs: atUs
        )
    }
}

extension InspectionCore {
    /// What one station knows from the inspector's own events.
    struct Station: Codable, Sendable {
        var context: Coded<ProductionContext>?
        var recipe: Coded<RecipeActivated>?
        /// What was asked for when `recipe` was loaded: by the context, or by the release that fitted it.
        var loadedFor = RecipeWish(recipeID: "", recipeSHA256: "")
        /// What cannot be loaded; forgotten once something else is asked for.
        var refused: RecipeWish?
        /// Recipes activated or refused so far.
        var loadings: UInt64 = 0
        /// Failed or not, newest last; as long as the reaction plan's window.
        var recentFailures: [Bool] = []

        /// What the context asks for, whatever was released.
        var wish: RecipeWish {
            RecipeWish(
                recipeID: context?.message.recipeID ?? "",
                recipeSHA256: context?.message.recipeSha256 ?? ""
            )
        }

        /// What a hold blocks: the batch, or the station `name` while no batch is known.
        func holdSubject(at name: String) -> String {
            let batch = context?.message.batchID ?? ""
            return batch.isEmpty ? name : batch
        }

        mutating func adopt(_ new: ProductionContext) {
            if context?.message.batchID != new.batchID { recentFailures = [] }
            context = Coded(new)
        }

        mutating func activate(_ activated: RecipeActivated, for wish: RecipeWish) {
            recipe = Coded(activated)
            loadedFor = wish
            refused = nil
            loadings += 1
        }

        mutating func refuse(_ new: RecipeRefused) {
            refused = RecipeWish(recipeID: new.recipeID, recipeSHA256: new.recipeSha256)
            // The active one itself can no longer be had: what the plant has instead may be asked for.
            if let active = recipe?.message, active.recipeID == new.recipeID, active.recipeSha256 == new.recipeSha256 {
                recipe = nil
            }
            loadings += 1
        }

        mutating func count(_ part: PartInspected) {
            let window = Int(recipe?.message.reactionPlan.holdWindow ?? 0)
            guard window > 0 else { return }
            recentFailures.append(part.verdict == .fail)
            if recentFailures.count > window { recentFailures.removeFirst(recentFailures.count - window) }
        }
    }

    func station(_ name: String) -> Station { state.stations[name] ?? Station() }
}
