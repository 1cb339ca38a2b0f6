import PlantCore
import PlantEvents
import SeededRandom
import SwiftProtobuf
import Testing

/// A content hash that can be told apart.
func hash(_ number: Int, _ digit: Character = "a") -> String {
    let text = String(number)
    return String(repeating: digit, count: 64 - text.count) + text
}

private func act(_ person: String, _ request: String, reason: String = "because") -> HumanAct {
    .with {
        $0.personID = person
        $0.requestID = request
        $0.reason = reason
        $0.authentication = .systemUser
        $0.systemUser = "root"
    }
}

private func submission(_ number: Int, id: String = "pcb-7", skus: [String] = ["PCB-7"]) -> RecipeSubmitted {
    .with {
        $0.recipeID = id
        $0.recipeSha256 = hash(number)
        $0.station = "vision-1"
        $0.revision = "\(number)"
        $0.skus = skus
        $0.fileSha256 = [hash(number, "f")]
    }
}

private func test(_ number: Int, report: Int, missed: UInt32 = 0) -> RecipeTested {
    .with {
        $0.recipeSha256 = hash(number)
        $0.setSha256 = hash(1, "5")
        $0.pictures = 500
        $0.overkills = 3
        $0.reportSha256 = hash(report, "e")
        $0.challengePieces = 4
        $0.challengesMissed = missed
    }
}

/// A recipe's life once more, as the rules are written in deploy/docs/recipes.md.
private struct Model {
    struct Recipe {
        var author: String
        var stage = RecipeLife.Stage.draft
        var report = 0
        var missed: UInt32 = 0
        var activeFor: Set<String> = []
        let id: String
        let skus: [String]
    }

    var recipes: [Int: Recipe] = [:]
    var requests: Set<String> = []

    /// Whether the decision is allowed; takes it in where it is.
    mutating func takes(_ decision: Act, by person: String, request: String) -> Bool {
        guard !requests.contains(request) else { return false }
        guard allows(decision, by: person) else { return false }
        requests.insert(request)
        apply(decision, by: person)
        return true
    }

    private func allows(_ decision: Act, by person: String) -> Bool {
        guard let known = recipes[decision.recipe] else {
            if case .submit = decision { return true }
            return false
        }
        return switch decision {
        case .submit: false
        case .test: known.stage != .retired
        case .approve(_, let report):
            known.stage == .tested && person != known.author && report == known.report && known.missed == 0
        case .sendBack: known.stage == .draft || known.stage == .tested
        case .release(_, let skus):
            known.stage == .approved && Set(skus).isSubset(of: known.skus)
        case .retire: known.stage != .retired
        }
    }

    private mutating func apply(_ decision: Act, by person: String) {
        let number = decision.recipe
        switch decision {
        case .submit(_, let id, let skus): recipes[number] = Recipe(author: person, id: id, skus: skus)
        case .test(_, let report, let missed):
            recipes[number]?.report = report
            recipes[number]?.missed = missed
            if recipes[number]?.stage != .approved { recipes[number]?.stage = .tested }
        case .approve: recipes[number]?.stage = .approved
        case .sendBack: recipes[number]?.stage = .returned
        case .release(_, let skus):
            guard let released = recipes[number] else { return }
            let products = Set(skus.isEmpty ? released.skus : skus)
            for (other, recipe) in recipes where recipe.id == released.id && other != number {
                recipes[other]?.activeFor.subtract(products)
            }
            recipes[number]?.activeFor.formUnion(products)
        case .retire:
            recipes[number]?.stage = .retired
            recipes[number]?.activeFor = []
        }
    }

    func stage(of number: Int) -> RecipeLife.Stage? {
        guard let recipe = recipes[number] else { return nil }
        return recipe.stage == .approved && !recipe.activeFor.isEmpty ? .active : recipe.stage
    }
}

private enum Act {
    case submit(Int, id: String, skus: [String])
    case test(Int, report: Int, missed: UInt32)
    case approve(Int, report: Int)
    case sendBack(Int)
    case release(Int, skus: [String])
    case retire(Int)

    var recipe: Int {
        switch self {
        case .submit(let recipe, _, _), .test(let recipe, _, _), .approve(let recipe, _), .sendBack(let recipe),
            .release(let recipe, _), .retire(let recipe):
            recipe
        }
    }

    var decision: DecisionCore.Decision {
        switch self {
        case .submit(let recipe, let id, let skus): .submit(submission(recipe, id: id, skus: skus))
        case .test(let recipe, let report, let missed):
            .test(PlantCoreTests.test(recipe, report: report, missed: missed))
        case .approve(let recipe, let report):
            .approve(
                .with {
                    $0.recipeSha256 = hash(recipe)
                    $0.reportSha256 = report == 0 ? "" : hash(report, "e")
                }
            )
        case .sendBack(let recipe): .sendBack(.with { $0.recipeSha256 = hash(recipe) })
        case .release(let recipe, let skus):
            .release(
                .with {
                    $0.recipeSha256 = hash(recipe)
                    $0.skus = skus
                }
            )
        case .retire(let recipe): .retire(.with { $0.recipeSha256 = hash(recipe) })
        }
    }

    static func any(_ random: inout SplitMix64) -> Act {
        let recipe = Int.random(in: 1...5, using: &random)
        let products = ["A", "B", "C"]
        return switch Int.random(in: 0..<12, using: &random) {
        case 0, 1:
            .submit(recipe, id: recipe % 2 == 0 ? "even" : "odd", skus: random.once(in: 2) ? products : ["A", "B"])
        case 2, 3, 4: .test(recipe, report: Int.random(in: 1...3, using: &random), missed: random.once(in: 6) ? 1 : 0)
        case 5, 6, 7: .approve(recipe, report: Int.random(in: 1...3, using: &random))
        case 8: .sendBack(recipe)
        case 9, 10: .release(recipe, skus: random.once(in: 2) ? [] : [random.pick(products)])
        default: .retire(recipe)
        }
    }
}

@Suite struct DecisionCoreTests {
    @Test(
        "CHG-03, CHG-04, I9: random acts give what the rules of a recipe's life allow, and nothing else",
        arguments: 1...40
    )
    func life(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        var live = Live(DecisionCore())
        var model = Model()
        var taken = 0
        for number in 0..<400 {
            let act = Act.any(&random)
            let person = random.pick(["ada", "ben", "cleo"])
            // Some requests are sent again.
            let request = "r-\(random.once(in: 8) ? number / 2 : number)"
            let input = DecisionCore.Input(act: PlantCoreTests.act(person, request), decision: act.decision)
            let outcome = live.core.outcome(of: input)
            let isAllowed = model.takes(act, by: person, request: request)
            #expect((live.submit(input) != nil) == isAllowed, "seed \(seed), act \(number): \(act)")
            if case .refused(let refusal) = outcome { #expect(refusal.description.count > 20) }
            if isAllowed { taken += 1 }
            for recipe in 1...5 {
                let life = live.core.state.recipes[hash(recipe)]
                #expect(life?.stage == model.stage(of: recipe))
                #expect(Set(life?.activeFor ?? []) == model.recipes[recipe]?.activeFor ?? [])
            }
        }
        #expect(taken > 10, "the run must decide something")
        #expect(live.records.map(\.meta.recordID).hasNoRepeats)
        try expectHistoryGivesState(live, fresh: DecisionCore(), &random)
    }

    @Test("I2: of each recipe id at most one content is active for a product", arguments: 1...20)
    func oneActive(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var live = Live(DecisionCore())
        for number in 0..<400 {
            let person = random.pick(["ada", "ben"])
            live.submit(.init(act: act(person, "r-\(number)"), decision: Act.any(&random).decision))
            var active: [String] = []
            for life in live.core.state.recipes.values where life.stage == .active {
                active += life.activeFor.map { "\(life.recipeID) for \($0)" }
            }
            #expect(active.hasNoRepeats)
        }
    }

    @Test("I9: the events say who acted, when, and how the person was known")
    func saysWho() throws {
        var live = Live(DecisionCore())
        let appended = live.submit(.init(act: act("ada", "r-1"), decision: .submit(submission(1))))
        let record = try #require(appended)
        guard case .recipeSubmitted(let submitted)? = record.kinds.first else {
            Issue.record("\(record)")
            return
        }
        #expect(submitted.act.personID == "ada")
        #expect(submitted.act.authentication == .systemUser && submitted.act.systemUser == "root")
        #expect(!submitted.act.hasSignature, "nobody signed")
        #expect(submitted.act.actedAtUs == live.nowUs)
        #expect(record.meta.recordID == "request:r-1" && record.meta.subject == "pcb-7")
    }

    @Test("I9: an act without a person, or without word how the person was known, is refused")
    func needsPerson() {
        let core = DecisionCore()
        var nobody = act("", "r-1")
        #expect(refusal(core, nobody, .submit(submission(1)))?.contains("person") == true)
        nobody = act("ada", "r-1")
        nobody.authentication = .unspecified
        #expect(refusal(core, nobody, .submit(submission(1)))?.contains("how the person ada was known") == true)
    }

    @Test("CHG-04: the submission names what it is to replace: the active content of the same recipe at the station")
    func replaces() throws {
        var live = Live(DecisionCore())
        let acts: [(String, DecisionCore.Decision)] = [
            ("ada", .submit(submission(1))), ("ada", .test(test(1, report: 1))),
            ("ben", Act.approve(1, report: 1).decision), ("ben", Act.release(1, skus: []).decision),
            ("ada", .submit(submission(2))),
        ]
        for (number, (person, decision)) in acts.enumerated() {
            #expect(live.submit(.init(act: act(person, "r-\(number)"), decision: decision)) != nil)
        }
        guard case .recipeSubmitted(let second)? = live.kinds.last else { return }
        #expect(second.replacesSha256 == hash(1))
    }

    @Test("I11: what is refused for its size or form says what is expected")
    func bounds() {
        let core = DecisionCore()
        let person = act("ada", "r-1")
        var event = submission(1)
        event.recipeSha256 = "3A7B"
        #expect(refusal(core, person, .submit(event))?.contains("64 lower-case hexadecimal") == true)
        event = submission(1, skus: [])
        #expect(refusal(core, person, .submit(event))?.contains("expected 1 to 256") == true)
        event = submission(1)
        event.fileSha256 = (0..<300).map { hash($0, "f") }
        #expect(refusal(core, person, .submit(event))?.contains("at most 256") == true)
        #expect(
            refusal(core, act("ada", "r-1", reason: " "), Act.retire(1).decision)?.contains("never submitted") == true
        )
    }

    @Test("ML-02, ML-04: a model goes on record once, and reviews are of what is on record")
    func models() {
        func because(_ person: String, _ request: String) -> HumanAct {
            var act = act(person, request)
            act.reason = "new lamp"
            return act
        }
        var live = Live(DecisionCore())
        let trained = ModelTrained.with {
            $0.modelSha256 = hash(1, "c")
            $0.trainingSetSha256 = hash(2, "c")
            $0.testSetSha256 = hash(3, "c")
            $0.pictures = 4_200
            $0.tool = "anomaly"
            $0.figures = .with { $0.good = 1 }
            $0.reportSha256 = hash(4, "c")
        }
        let review = PerformanceReviewed.with {
            $0.subjectSha256 = trained.modelSha256
            $0.fromUs = 1
            $0.toUs = 2
            $0.conclusion = "keep"
            $0.reportSha256 = hash(5, "c")
        }
        #expect(refusal(live.core, because("ada", "r-0"), .review(review))?.contains("neither") == true)
        #expect(live.submit(.init(act: because("ada", "r-1"), decision: .train(trained))) != nil)
        #expect(refusal(live.core, because("ada", "r-2"), .train(trained))?.contains("on record already") == true)
        var same = trained
        same.modelSha256 = hash(9, "c")
        same.testSetSha256 = same.trainingSetSha256
        #expect(refusal(live.core, because("ada", "r-3"), .train(same))?.contains("expected others") == true)
        #expect(live.submit(.init(act: act("ben", "r-4"), decision: .review(review))) != nil)
    }

    private func refusal(_ core: DecisionCore, _ act: HumanAct, _ decision: DecisionCore.Decision) -> String? {
        guard case .refused(let refusal) = core.outcome(of: .init(act: act, decision: decision)) else { return nil }
        return refusal.description
    }
}
