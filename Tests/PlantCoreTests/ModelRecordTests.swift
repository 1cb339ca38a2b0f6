import PlantCore
import PlantEvents
import SeededRandom
import SwiftProtobuf
import Testing

private func act(_ person: String, _ request: String, reason: String = "new lamp") -> HumanAct {
    .with {
        $0.personID = person
        $0.requestID = request
        $0.reason = reason
        $0.authentication = .systemUser
        $0.systemUser = "root"
    }
}

/// A sound record of a trained model; with a test, and with an active model beside it, or not.
private func trained(_ number: Int, _ random: inout SplitMix64) -> ModelTrained {
    .with {
        $0.modelSha256 = hash(number, "c")
        $0.reportSha256 = hash(number, "3")
        let isForeign = random.once(in: 3)
        if isForeign {
            ($0.tool, $0.origin, $0.licence) = ("neural", "Acme Vision, order 4711", "LicenseRef-Acme-4711")
        } else {
            $0.trainingSetSha256 = hash(number, "1")
            $0.tool = random.pick(["anomaly", "surface"])
            $0.pictures = UInt64.random(in: 1...1_000, using: &random)
            $0.strata = random.once(in: 2) ? [] : ["PCB-7, vision-1, early"]
        }
        guard isForeign || !random.once(in: 3) else { return }
        $0.testSetSha256 = hash(number, "2")
        $0.figures = figures(good: 40, bad: 20, &random)
        guard !random.once(in: 3) else { return }
        $0.activeSha256 = hash(number + 1_000, "c")
        $0.activeFigures = figures(good: 40, bad: 20, &random)
    }
}

private func figures(good: UInt32, bad: UInt32, _ random: inout SplitMix64) -> ModelFigures {
    .with {
        ($0.good, $0.bad) = (good, bad)
        $0.escapes = UInt32.random(in: 0...bad, using: &random)
        $0.overkills = UInt32.random(in: 0...good, using: &random)
        $0.auroc = Double.random(in: 0...1, using: &random)
    }
}

/// Takes away all that is said of a test.
private func untest(_ event: inout ModelTrained) {
    (event.testSetSha256, event.activeSha256) = ("", "")
    event.clearFigures()
    event.clearActiveFigures()
}

/// What makes a record unsound; nil where it does not apply to this one.
private let damages: [(name: String, apply: @Sendable (ModelTrained) -> ModelTrained?)] = [
    ("hash", { event in event.changed { $0.modelSha256 = "3A7B" } }),
    ("tool", { event in event.changed { $0.tool = "" } }),
    ("pictures", { event in event.origin.isEmpty ? event.changed { $0.pictures = 0 } : nil }),
    ("pictures of a foreign model", { event in event.origin.isEmpty ? nil : event.changed { $0.pictures = 7 } }),
    ("no licence", { event in event.origin.isEmpty ? nil : event.changed { $0.licence = "" } }),
    ("no origin", { event in event.origin.isEmpty ? nil : event.changed { $0.origin = "" } }),
    ("origin of a learned model", { event in event.origin.isEmpty ? event.changed { $0.origin = "elsewhere" } : nil }),
    ("licence of a learned model", { event in event.origin.isEmpty ? event.changed { $0.licence = "MIT" } : nil }),
    ("untested foreign model", { event in event.origin.isEmpty ? nil : event.changed { untest(&$0) } }),
    ("same set", { event in event.changed { $0.testSetSha256 = $0.trainingSetSha256 } }),
    ("figures without test", { event in event.hasFigures ? event.changed { $0.testSetSha256 = "" } : nil }),
    ("test without figures", { event in event.hasFigures ? event.changed { $0.clearFigures() } : nil }),
    ("escapes", { event in event.hasFigures ? event.changed { $0.figures.escapes = 21 } : nil }),
    ("overkills", { event in event.hasFigures ? event.changed { $0.figures.overkills = 41 } : nil }),
    ("auroc", { event in event.hasFigures ? event.changed { $0.figures.auroc = 1.5 } : nil }),
    ("other pictures", { event in event.hasActiveFigures ? event.changed { $0.activeFigures.good = 41 } : nil }),
    ("same model", { event in event.hasActiveFigures ? event.changed { $0.activeSha256 = $0.modelSha256 } : nil }),
    ("no active hash", { event in event.hasActiveFigures ? event.changed { $0.activeSha256 = "" } : nil }),
    ("strata", { event in event.changed { $0.strata = (0..<300).map { "s\($0)" } } }),
    ("stratum", { event in event.changed { $0.strata = [String(repeating: "s", count: 500)] } }),
]

extension ModelTrained {
    fileprivate func changed(_ change: (inout ModelTrained) -> Void) -> ModelTrained {
        var changed = self
        change(&changed)
        return changed
    }
}

@Suite struct ModelRecordTests {
    @Test(
        "ML-02: a sound model goes on record once, an unsound one never, each refusal with what is expected",
        arguments: 1...30
    )
    func records(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        var live = Live(DecisionCore())
        var known: Set<Int> = []
        for number in 0..<60 {
            let subject = Int.random(in: 0..<30, using: &random)
            let event = trained(subject, &random)
            let damaged = random.once(in: 2) ? random.pick(damages).apply(event) : nil
            let input = DecisionCore.Input(act: act("ada", "r-\(number)"), decision: .train(damaged ?? event))
            let outcome = live.core.outcome(of: input)
            let isTaken = live.submit(input) != nil
            #expect(isTaken == (damaged == nil && !known.contains(subject)), "seed \(seed), act \(number)")
            if case .refused(let refusal) = outcome { #expect(refusal.description.count > 20) }
            if isTaken { known.insert(subject) }
            #expect(live.submit(input) == nil, "the same request again changes nothing")
            #expect(live.core.outcome(of: input) == (isTaken ? .repeated : outcome))
        }
        #expect(Set(live.core.state.models.keys) == Set(known.map { hash($0, "c") }))
        try expectHistoryGivesState(live, fresh: DecisionCore(), &random)
    }

    @Test("ML-02: every damage is refused, and so is a model without a reason")
    func everyDamageIsRefused() {
        var random = SplitMix64(seed: 3)
        let core = DecisionCore()
        for (name, apply) in damages {
            var event = trained(1, &random)
            var damaged = apply(event)
            while damaged == nil {
                event = trained(1, &random)
                damaged = apply(event)
            }
            guard let damaged, case .refused = core.outcome(of: .init(act: act("ada", "r"), decision: .train(damaged)))
            else {
                Issue.record("\(name) is taken")
                continue
            }
        }
        let silent = act("ada", "r", reason: " ")
        let outcome = core.outcome(of: .init(act: silent, decision: .train(trained(1, &random))))
        guard case .refused(let refusal) = outcome else {
            Issue.record("taken without a reason")
            return
        }
        #expect(refusal.description.contains("reason"))
    }

    @Test("ML-04: a review is of what is on record, and the one whose period ends last stands")
    func reviews() {
        var random = SplitMix64(seed: 4)
        var live = Live(DecisionCore())
        func review(_ toUs: Int64, _ conclusion: String) -> DecisionCore.Decision {
            .review(
                .with {
                    $0.subjectSha256 = hash(1, "c")
                    ($0.fromUs, $0.toUs) = (1, toUs)
                    $0.conclusion = conclusion
                    $0.reportSha256 = hash(5, "c")
                }
            )
        }
        guard case .refused = live.core.outcome(of: .init(act: act("ben", "r-0"), decision: review(9, "keep"))) else {
            Issue.record("reviewed what is not on record")
            return
        }
        #expect(live.submit(.init(act: act("ada", "r-1"), decision: .train(trained(1, &random)))) != nil)
        #expect(live.submit(.init(act: act("ben", "r-2"), decision: review(9, "retrain"))) != nil)
        #expect(live.submit(.init(act: act("ben", "r-3"), decision: review(5, "keep"))) != nil)
        #expect(live.core.state.models[hash(1, "c")]?.review?.conclusion == "retrain")
    }

    @Test("ML-04: the review of an active recipe is due a period after its release, or after the newest review")
    func due() throws {
        var live = Live(DecisionCore())
        let recipe = hash(1)
        let decisions: [(String, DecisionCore.Decision)] = [
            (
                "ada",
                .submit(
                    .with {
                        ($0.recipeID, $0.recipeSha256, $0.station) = ("pcb-7", recipe, "vision-1")
                        $0.skus = ["PCB-7"]
                    }
                )
            ),
            (
                "ada",
                .test(
                    .with {
                        ($0.recipeSha256, $0.setSha256, $0.reportSha256) = (recipe, hash(2), hash(3))
                        $0.pictures = 9
                    }
                )
            ), ("ben", .approve(.with { ($0.recipeSha256, $0.reportSha256) = (recipe, hash(3)) })),
        ]
        for (number, (person, decision)) in decisions.enumerated() {
            #expect(live.submit(.init(act: act(person, "r-\(number)"), decision: decision)) != nil)
            #expect(live.core.state.recipes[recipe]?.reviewDueUs(everyUs: 10) == nil, "not active yet")
        }
        #expect(
            live.submit(.init(act: act("ben", "release"), decision: .release(.with { $0.recipeSha256 = recipe })))
                != nil
        )
        let releasedAtUs = try #require(live.core.state.recipes[recipe]?.releasedAtUs)
        #expect(live.core.state.recipes[recipe]?.reviewDueUs(everyUs: 10) == releasedAtUs + 10)
        let review = PerformanceReviewed.with {
            ($0.subjectSha256, $0.reportSha256, $0.conclusion) = (recipe, hash(4), "keep")
            ($0.fromUs, $0.toUs) = (releasedAtUs, releasedAtUs + 50)
        }
        #expect(live.submit(.init(act: act("ben", "review"), decision: .review(review))) != nil)
        #expect(live.core.state.recipes[recipe]?.reviewDueUs(everyUs: 10) == releasedAtUs + 60)
        let retire = RecipeRetired.with { $0.recipeSha256 = recipe }
        #expect(live.submit(.init(act: act("ben", "retire"), decision: .retire(retire))) != nil)
        #expect(live.core.state.recipes[recipe]?.reviewDueUs(everyUs: 10) == nil)
    }
}
