package import PlantEvents
import SwiftProtobuf

/// The core of inspector: gives each frame its verdict or its named gap, and acts by the recipe's reaction plan.
package struct InspectionCore: Core {
    package typealias Record = InspectionRecord
    package typealias Kind = InspectionRecord.Event.OneOf_Kind

    package enum Input: Sendable {
        /// A line's context changed.
        case contextChanged(ContextChanged, occurredAtUs: Int64)
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
    }

    /// What the recipe's tools said of one picture.
    package struct Judgement: Sendable {
        package var verdict: Verdict
        package var score: Double
        package var confidence: Double
        package var defects: [Defect]
        package var rejectionReason: String
        package var timings: [ToolTiming]
        /// Recipe that judged; it must be the station's active one (I2).
        package var recipeSHA256: String

        package init(
            verdict: Verdict, score: Double, confidence: Double, defects: [Defect], rejectionReason: String,
            timings: [ToolTiming], recipeSHA256: String
        ) {
            self.verdict = verdict
            self.score = score
            self.confidence = confidence
            self.defects = defects
            self.rejectionReason = rejectionReason
            self.timings = timings
            self.recipeSHA256 = recipeSHA256
        }
    }

    package static let version = 1
    /// Line of each station this core works for: configuration, not state.
    private let lines: [String: String]
    package struct State: Codable, Sendable {
        var stations: [String: Station] = [:]
    }

    package var state = State()

    package init(lines: [String: String]) {
        self.lines = lines
        for station in lines.keys { state.stations[station] = Station() }
    }

    package func context(of station: String) -> ProductionContext? { state.stations[station]?.context?.message }
    package func activeRecipe(of station: String) -> RecipeActivated? { state.stations[station]?.recipe?.message }

    /// The recipe the station should load next: its context asks for one that is neither active nor refused.
    package func wantedRecipe(of station: String) -> RecipeWish? {
        guard let known = state.stations[station] else { return nil }
        let wish = known.wish
        if known.refused == wish { return nil }
        guard let active = known.recipe?.message else { return wish }
        return wish.isMet(by: active) ? nil : wish
    }

    package func decide(_ input: Input, nowUs: Int64) -> Step<InspectionRecord>? {
        switch input {
        case .contextChanged(let changed, let occurredAtUs):
            return adopt(changed, occurredAtUs: occurredAtUs)
        case .recipeLoaded(let activated):
            return step(
                "recipe:\(activated.station)/\(activated.recipeSha256)", [.recipeActivated(activated)],
                station: activated.station, subject: activated.recipeID, atUs: nowUs)
        case .recipeRefused(let refused):
            return step(
                "recipe:\(refused.station)/\(refused.recipeID)/\(refused.recipeSha256)", [.recipeRefused(refused)],
                station: refused.station, subject: refused.recipeID, atUs: nowUs)
        case .judged(let captured, let frame, let judgement):
            return judge(captured, frame, judgement, nowUs: nowUs)
        case .unjudged(let captured, let reason):
            return miss(
                captured.trigger, captured.triggeredAtUs, captured.sourceName, reason: reason, nowUs: nowUs)
        case .frameMissed(let gap):
            return miss(gap.trigger, gap.triggeredAtUs, gap.sourceName, reason: "no frame: \(gap.reason)", nowUs: nowUs)
        case .exhausted(let exhausted):
            let inspected = SourceInspected.with {
                $0.station = exhausted.station
                $0.triggers = exhausted.triggers
            }
            return step(
                "inspected:\(exhausted.station)/\(exhausted.triggers)", [.sourceInspected(inspected)],
                station: exhausted.station, subject: exhausted.station, atUs: nowUs)
        }
    }

    package mutating func evolve(with kind: Kind) {
        switch kind {
        case .writerTookOver, .rejectNotCommanded, .inspectionMissed, .sourceInspected:
            break
        case .contextAdopted(let adopted):
            state.stations[adopted.station, default: Station()].adopt(adopted.context)
        case .recipeActivated(let activated):
            state.stations[activated.station, default: Station()].recipe = Coded(activated)
            state.stations[activated.station]?.refused = nil
        case .recipeRefused(let refused):
            state.stations[refused.station, default: Station()].refused =
                RecipeWish(recipeID: refused.recipeID, recipeSHA256: refused.recipeSha256)
        case .partInspected(let part):
            state.stations[part.trigger.station, default: Station()].count(part)
        case .holdPlaced(let hold):
            for name in state.stations.keys { state.stations[name]?.openHolds.insert(Station.holdKey(hold.subjectID, hold.rule)) }
        }
    }

    private func adopt(_ changed: ContextChanged, occurredAtUs: Int64) -> Step<InspectionRecord>? {
        let concerned = lines.filter { $0.value == changed.line }.keys.sorted()
            .filter { state.stations[$0]?.context?.message != changed.context }
        guard let first = concerned.first else { return nil }
        let kinds = concerned.map { station in
            Kind.contextAdopted(
                .with {
                    $0.station = station
                    $0.context = changed.context
                })
        }
        return step(
            "context:\(changed.line)/\(changed.context.orderID)/\(occurredAtUs)", kinds, station: first,
            subject: changed.context.orderID.isEmpty ? changed.line : changed.context.orderID, atUs: occurredAtUs)
    }

    func miss(
        _ trigger: TriggerId, _ triggeredAtUs: Int64, _ sourceName: String, reason: String, nowUs: Int64
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
            "part:\(trigger.text)", [.inspectionMissed(missed)], station: trigger.station, subject: trigger.text,
            atUs: nowUs)
    }

    func step(
        _ recordID: String, _ kinds: [Kind], station: String, subject: String, atUs: Int64
    ) -> Step<InspectionRecord> {
        Step(
            recordID: recordID, kinds: kinds, key: station, subject: subject, line: lines[station] ?? "",
            station: station, occurredAtUs: atUs)
    }
}

/// A recipe by id and, where the order fixes it, by content hash.
package struct RecipeWish: Codable, Equatable, Sendable {
    /// Empty: the station's default recipe.
    package var recipeID: String
    /// Empty: whatever content the plant has under that id.
    package var recipeSHA256: String

    package init(recipeID: String, recipeSHA256: String) {
        self.recipeID = recipeID
        self.recipeSHA256 = recipeSHA256
    }

    func isMet(by active: RecipeActivated) -> Bool {
        (recipeID.isEmpty || recipeID == active.recipeID)
            && (recipeSHA256.isEmpty || recipeSHA256 == active.recipeSha256)
    }
}

extension InspectionCore {
    /// What one station knows from the inspector's own events.
    struct Station: Codable, Sendable {
        var context: Coded<ProductionContext>?
        var recipe: Coded<RecipeActivated>?
        var refused: RecipeWish?
        /// Failed or not, newest last; as long as the reaction plan's window.
        var recentFailures: [Bool] = []
        /// Holds placed on the current batch, by subject and rule, so that one cause holds once.
        var openHolds: Set<String> = []

        var wish: RecipeWish {
            RecipeWish(
                recipeID: context?.message.recipeID ?? "", recipeSHA256: context?.message.recipeSha256 ?? "")
        }

        static func holdKey(_ subject: String, _ rule: String) -> String { "\(subject) \(rule)" }

        mutating func adopt(_ new: ProductionContext) {
            if context?.message.batchID != new.batchID {
                recentFailures = []
                openHolds = []
            }
            context = Coded(new)
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
