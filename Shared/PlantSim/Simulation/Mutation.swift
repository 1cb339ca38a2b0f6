import PlantCore
import PlantEvents
import SwiftProtobuf

/// A deliberate mistake in a core or in a shell: each must be caught, or the checkers prove nothing.
package enum Mutation: String, CaseIterable, Sendable, Codable {
    // Cores.
    case gapDropped
    case verdictByWrongRecipe
    case holdPlacedTwice
    case holdDropped
    case rejectForgotten
    case contextNotAdopted
    case staleContextAdopted
    case cursorNotKept
    case sessionReused
    case sequenceSkipped
    case evidenceOutcomeDropped
    case intentIDsDiffer
    case partCountedTwice
    case followingReportDropped
    case skipNotRecorded
    case keyOrderReversed
    case alarmNotCleared
    case retirementForgotten
    case approvalSkipped
    case cameraReturnForgotten
    // Shells.
    case acknowledgedBeforeAppend
    case highWaterNotKept
    case historyNotReplayed
    case snapshotAheadOfLog
    case positionsAheadOfState
    case fenceIgnored
    case zombieNotDeposed
    case sentBeforeDurable
    case sentWithoutAsking
    case parkedSilentlyDropped
    case projectorSkipsRecord
    case alarmOutboxForgotten
    case alarmAppendedTwice
    case cameraAlarmDropped
}

/// A core with a mistake in it, or without one: what it is asked and what it says pass through here.
struct Mutant<Base: Core>: Core {
    typealias Record = Base.Record
    typealias Input = Base.Input
    typealias State = Base.State

    static var version: Int { Base.version }
    private(set) var base: Base
    private let mutation: Mutation?

    init(_ base: Base, _ mutation: Mutation?) {
        self.base = base
        self.mutation = mutation
    }

    var state: State {
        get { base.state }
        set { base.state = newValue }
    }

    func decide(_ input: Input, nowUs: Int64) -> Step<Record>? {
        guard let mutation else { return base.decide(input, nowUs: nowUs) }
        var isOutcome = false
        var input = input
        if let asked = input as? InspectionCore.Input {
            if mutation == .gapDropped, case .frameMissed = asked { return nil }
            if mutation == .verdictByWrongRecipe, let wrong = misjudged(asked) as? Input { input = wrong }
        }
        if let asked = input as? DeliveryCore.Input {
            if mutation == .skipNotRecorded, case .skipped = asked { return nil }
            if case .outcome = asked { isOutcome = true }
        }
        if mutation == .evidenceOutcomeDropped, let asked = input as? CaptureCore.Input,
            case .evidenceNotStored = asked
        {
            return nil
        }
        guard var step = base.decide(input, nowUs: nowUs) else { return nil }
        step.kinds = step.kinds.flatMap { altered($0, mutation, nowUs: nowUs, isOutcome: isOutcome) }
        return step.kinds.isEmpty ? nil : step
    }

    /// A judgement of any recipe, passed off as one of the recipe in force.
    private func misjudged(_ input: InspectionCore.Input) -> InspectionCore.Input? {
        guard case .judged(let frame, let origin, var judgement) = input, let core = base as? InspectionCore,
            let active = core.activeRecipe(of: frame.trigger.station)
        else { return nil }
        judgement.recipeSHA256 = active.recipeSha256
        return .judged(frame, frame: origin, judgement)
    }

    typealias Kind = Record.Event.Kind

    private func altered(_ kind: Kind, _ mutation: Mutation, nowUs: Int64, isOutcome: Bool) -> [Kind] {
        switch kind {
        case let kind as InspectionCore.Kind: altered(kind, mutation).compactMap { $0 as? Kind }
        case let kind as DeliveryCore.Kind:
            altered(kind, mutation, nowUs: nowUs, isOutcome: isOutcome).compactMap { $0 as? Kind }
        case let kind as FrameRecord.Event.OneOf_Kind: altered(kind, mutation).compactMap { $0 as? Kind }
        default: [kind]
        }
    }

    private func altered(_ kind: InspectionCore.Kind, _ mutation: Mutation) -> [InspectionCore.Kind] {
        switch (mutation, kind) {
        case (.holdPlacedTwice, .holdPlaced(var hold)):
            hold.holdID += "/again"
            return [kind, .holdPlaced(hold)]
        case (.holdDropped, .holdPlaced(let hold)): return hold.rule.hasPrefix("failures") ? [] : [kind]
        case (.rejectForgotten, .rejectNotCommanded(let told)): return told.partID.hasSuffix("7") ? [] : [kind]
        case (.contextNotAdopted, .contextAdopted(let adopted)): return adopted.station.hasSuffix("2") ? [] : [kind]
        case (.staleContextAdopted, .contextAdopted(var adopted)):
            adopted.context.shift = ""
            return [.contextAdopted(adopted)]
        case (.retirementForgotten, .recipeRetirementAdopted): return []
        default: return [kind]
        }
    }

    private func altered(
        _ kind: DeliveryCore.Kind,
        _ mutation: Mutation,
        nowUs: Int64,
        isOutcome: Bool
    ) -> [DeliveryCore.Kind] {
        switch (mutation, kind) {
        case (.intentIDsDiffer, .deliveryIntended(var intent)):
            intent.intentID += "@\(nowUs)"
            return [.deliveryIntended(intent)]
        case (.partCountedTwice, .partsCounted(var counted)):
            if counted.total.isMultiple(of: 7) { counted.accepted += 1 }
            return [.partsCounted(counted)]
        case (.followingReportDropped, .deliveryIntended): return isOutcome ? [] : [kind]
        default: return [kind]
        }
    }

    private func altered(
        _ kind: FrameRecord.Event.OneOf_Kind,
        _ mutation: Mutation
    ) -> [FrameRecord.Event.OneOf_Kind] {
        if mutation == .cameraReturnForgotten, case .cameraReturned = kind { return [] }
        if mutation == .sessionReused, case .triggerSessionStarted(var started) = kind {
            started.session = max(1, started.session - 1)
            return [.triggerSessionStarted(started)]
        }
        return [kind]
    }

    mutating func evolve(with kind: Kind) {
        if mutation == .cursorNotKept, let kind = kind as? ProductionCore.Kind, case .peerMessageAdopted = kind {
            return
        }
        if mutation == .sequenceSkipped, let known = kind as? FrameRecord.Event.OneOf_Kind,
            case .frameMissed(let gap) = known,
            let skipping = FrameRecord.Event.OneOf_Kind.frameMissed(gap.skippingOne) as? Kind
        {
            return base.evolve(with: skipping)
        }
        base.evolve(with: kind)
        if mutation == .approvalSkipped, let known = kind as? DecisionCore.Kind, case .recipeTested(let test) = known,
            let approved = DecisionCore.Kind.recipeApproved(.with { $0.recipeSha256 = test.recipeSha256 }) as? Kind
        {
            base.evolve(with: approved)
        }
    }
}

extension FrameMissed {
    fileprivate var skippingOne: FrameMissed {
        var skipping = self
        skipping.trigger.sequence += 1
        return skipping
    }
}
