package import PlantEvents
import SwiftProtobuf

/// The core of console: takes what people decide, refuses what may not be decided, and keeps each recipe's life
/// (CHG-03, CHG-04): draft, tested, approved, active, retired; and which legal holds stand (TRC-16).
package struct DecisionCore: Core {
    package typealias Record = DecisionRecord
    package typealias Kind = DecisionRecord.Event.OneOf_Kind

    /// One person's request.
    package struct Input: Sendable {
        /// Who, why, how the person was known, and the request's id; the time is set when it is decided.
        package var act: HumanAct
        package var decision: Decision

        package init(act: HumanAct, decision: Decision) {
            self.act = act
            self.decision = decision
        }
    }

    /// What is decided, without `act` and without what this core knows itself.
    package enum Decision: Sendable {
        case submit(RecipeSubmitted)
        case test(RecipeTested)
        case approve(RecipeApproved)
        case sendBack(RecipeReturned)
        /// Item codes and stations may be empty: those of the submission.
        case release(RecipeReleased)
        case retire(RecipeRetired)
        case train(ModelTrained)
        case review(PerformanceReviewed)
        /// The core gives the hold its number.
        case placeLegalHold(LegalHoldPlaced)
        case liftLegalHold(LegalHoldLifted)
    }

    /// Why a decision is not taken, and what to do.
    package struct Refusal: Error, Equatable, CustomStringConvertible {
        package let description: String

        init(_ description: String) { self.description = description }
    }

    package enum Outcome: Equatable, Sendable {
        case follows(Kind)
        /// The request was taken before.
        case repeated
        case refused(Refusal)
    }

    /// Requests remembered; a sender that tries again does so at once.
    package static let requestsKept = 1_024
    /// Recipes, and models, of one plant. Each has at least one person behind it.
    package static let subjectLimit = 10_000
    /// Legal holds that stand at once.
    package static let legalHoldLimit = 1_000

    package static let version = 3
    package struct State: Codable, Sendable {
        /// By content hash.
        package var recipes: [String: RecipeLife] = [:]
        /// By content hash.
        package var models: [String: ModelLife] = [:]
        /// Those that stand, by id.
        package var legalHolds: [String: LegalHold] = [:]
        /// Legal holds placed so far, lifted ones too.
        package var legalHoldsPlaced = 0
        var requests: [String] = []
    }

    package var state = State()

    package init() {}

    package func decide(_ input: Input, nowUs: Int64) -> Step<DecisionRecord>? {
        var input = input
        input.act.actedAtUs = nowUs
        guard case .follows(let kind) = outcome(of: input) else { return nil }
        let (subject, hash) = subject(of: input.decision)
        let mustUnderstand =
            switch input.decision {
            case .release, .retire, .placeLegalHold, .liftLegalHold: true
            case .submit, .test, .approve, .sendBack, .train, .review: false
            }
        return Step(
            recordID: "request:\(input.act.requestID)",
            kinds: [kind],
            key: subject,
            subject: subject,
            correlationID: hash,
            occurredAtUs: nowUs,
            mustUnderstand: mustUnderstand
        )
    }

    /// What would follow from the request as things stand.
    package func outcome(of input: Input) -> Outcome {
        let act = input.act
        if state.requests.contains(act.requestID) { return .repeated }
        do throws(Refusal) {
            try check(act)
            return switch input.decision {
            case .submit(let event): .follows(try submitted(event, act))
            case .test(let event): .follows(try tested(event, act))
            case .approve(let event): .follows(try approved(event, act))
            case .sendBack(let event): .follows(try returned(event, act))
            case .release(let event): .follows(try released(event, act))
            case .retire(let event): .follows(try retired(event, act))
            case .train(let event): .follows(try trained(event, act))
            case .review(let event): .follows(try reviewed(event, act))
            case .placeLegalHold(let event): .follows(try placed(event, act))
            case .liftLegalHold(let event): .follows(try lifted(event, act))
            }
        } catch {
            return .refused(error)
        }
    }

    package mutating func evolve(with kind: Kind) {
        switch kind {
        case .recipeSubmitted(let event):
            note(event.act)
            state.recipes[event.recipeSha256] = RecipeLife(event)
        case .recipeTested(let event):
            note(event.act)
            state.recipes[event.recipeSha256]?.test(event)
        case .recipeApproved(let event):
            note(event.act)
            state.recipes[event.recipeSha256]?.approve(event)
        case .recipeReturned(let event):
            note(event.act)
            state.recipes[event.recipeSha256]?.sendBack(event)
        case .recipeReleased(let event):
            note(event.act)
            release(event)
        case .recipeRetired(let event):
            note(event.act)
            state.recipes[event.recipeSha256]?.retire(event)
        case .modelTrained(let event):
            note(event.act)
            state.models[event.modelSha256] = ModelLife(event)
        case .performanceReviewed(let event):
            note(event.act)
            state.models[event.subjectSha256]?.take(ModelReview(event))
            state.recipes[event.subjectSha256]?.take(ModelReview(event))
        case .legalHoldPlaced(let event):
            note(event.act)
            state.legalHolds[event.legalHoldID] = LegalHold(event)
            state.legalHoldsPlaced += 1
        case .legalHoldLifted(let event):
            note(event.act)
            state.legalHolds[event.legalHoldID] = nil
        default:
            // Catalogued kinds that this core does not write.
            break
        }
    }

    private mutating func note(_ act: HumanAct) {
        state.requests.append(act.requestID)
        if state.requests.count > Self.requestsKept { state.requests.removeFirst() }
    }

    /// The new recipe takes the place of the one before it, of the same id, for these products.
    private mutating func release(_ event: RecipeReleased) {
        for (hash, life) in state.recipes where life.recipeID == event.recipeID && hash != event.recipeSha256 {
            state.recipes[hash]?.activeFor.removeAll { event.skus.contains($0) }
        }
        state.recipes[event.recipeSha256]?.release(event)
    }

    /// Id of the next legal hold.
    var nextLegalHold: String { "LH-\(state.legalHoldsPlaced + 1)" }

    private func subject(of decision: Decision) -> (id: String, hash: String) {
        let hash =
            switch decision {
            case .submit(let event): event.recipeSha256
            case .test(let event): event.recipeSha256
            case .approve(let event): event.recipeSha256
            case .sendBack(let event): event.recipeSha256
            case .release(let event): event.recipeSha256
            case .retire(let event): event.recipeSha256
            case .train(let event): event.modelSha256
            case .review(let event): event.subjectSha256
            case .placeLegalHold: nextLegalHold
            case .liftLegalHold(let event): event.legalHoldID
            }
        if case .submit(let event) = decision { return (event.recipeID, hash) }
        return (state.recipes[hash]?.recipeID ?? hash, hash)
    }
}
