import PlantCore
import PlantEvents
import SeededRandom
import SwiftProtobuf
import Testing

/// What the plant has approved: the default recipe is `d`; `gone` is not there.
private func approved(for context: ProductionContext) -> String? {
    let recipe = context.recipeID.isEmpty ? "d" : context.recipeID
    guard recipe != "gone", context.recipeSha256.isEmpty || context.recipeSha256 == "sha-\(recipe)" else { return nil }
    return recipe
}

private func randomContext(_ random: inout SplitMix64) -> ProductionContext {
    let recipe = random.pick(["", "a", "b", "d", "gone"])
    let sha256 = random.pick(["", "", "sha-\(recipe.isEmpty ? "d" : recipe)", "sha-other"])
    return context(
        "WO-\(Int.random(in: 1...4, using: &random))",
        batch: "B-\(Int.random(in: 1...3, using: &random))",
        recipe: recipe,
        sha256: sha256,
        shift: random.pick(["early", "late"])
    )
}

/// Changeovers racing with parts: recipes load late, pictures are judged by recipes of before.
private struct Plant {
    var live = inspecting()
    var random: SplitMix64
    var next: [String: UInt64] = [:]
    /// Context that each station's next part belongs to.
    var contexts: [String: ProductionContext] = [:]
    var expected: [Expected] = []

    struct Expected {
        let trigger: TriggerId
        let context: ProductionContext
        /// Recipe that the picture was judged by, if it was.
        let judgedBy: String
        let record: InspectionRecord?
    }

    init(seed: UInt64, steps: Int) {
        random = SplitMix64(seed: seed)
        for _ in 0..<steps { step() }
    }

    mutating func step() {
        let station = random.pick(["vision-1", "vision-2", "vision-3"])
        switch Int.random(in: 0..<10, using: &random) {
        case 0:
            let line = random.pick(["line-1", "line-2"])
            let context = randomContext(&random)
            live.adopt(context, line: line)
            for (station, its) in lines where its == line { contexts[station] = context }
        case 1, 2:
            load(station)
        default:
            see(station)
        }
    }

    mutating func load(_ station: String) {
        guard let wish = live.core.wantedRecipe(of: station) else { return }
        let recipe = approved(for: context("", recipe: wish.recipeID, sha256: wish.recipeSHA256))
        let plan = plan(categories: ["short"], failures: 2, window: 4)
        if let recipe {
            live.submit(.recipeLoaded(activated(recipe, at: station, plan: plan)))
        } else {
            live.submit(.recipeRefused(refused(wish, at: station)))
        }
    }

    mutating func see(_ station: String) {
        let trigger = TriggerId(station, next[station, default: 0])
        next[station, default: 0] += 1
        let frame = frame(trigger)
        let verdict = random.pick([Verdict.pass, .pass, .fail, .uncertain])
        // What the shell has at hand: the recipe in force, or one of before.
        let inForce = live.core.activeRecipe(of: station)?.recipeID
        let recipe = random.once(in: 4) ? random.pick(["a", "b", "d"]) : inForce ?? "a"
        let input: InspectionCore.Input =
            switch Int.random(in: 0..<8, using: &random) {
            case 0: .unjudged(frame, reason: "pixels are gone")
            case 1: .frameMissed(.with { $0.trigger = trigger })
            default:
                .judged(
                    frame,
                    frame: .with { $0.sequence = trigger.sequence },
                    judgement(
                        verdict,
                        by: recipe,
                        categories: verdict == .fail ? [random.pick(["short", "open"])] : []
                    )
                )
            }
        expected.append(
            Expected(
                trigger: trigger,
                context: contexts[station] ?? ProductionContext(),
                judgedBy: recipe,
                record: live.submit(input)
            )
        )
    }
}

private let seeds = UInt64(1)...50

@Suite struct InspectionCoreTests {
    @Test("I1: each frame ends in exactly one verdict or one named gap", arguments: seeds)
    func eachFrameOnce(seed: UInt64) throws {
        let plant = Plant(seed: seed, steps: 300)
        for expected in plant.expected {
            let record = try #require(expected.record)
            #expect(record.parts.count + record.gaps.count == 1)
            #expect(record.parts.map(\.trigger) + record.gaps.map(\.trigger) == [expected.trigger])
            for gap in record.gaps { #expect(!gap.reason.isEmpty) }
        }
        let ends = plant.live.records.reduce(0) { $0 + $1.parts.count + $1.gaps.count }
        #expect(ends == plant.expected.count)
        #expect(plant.live.records.map(\.meta.recordID).hasNoRepeats)
    }

    @Test(
        "I2, M09: no part is judged by another recipe than its order's, however changeovers race with parts",
        arguments: seeds
    )
    func neverByAnotherRecipe(seed: UInt64) throws {
        let plant = Plant(seed: seed, steps: 500)
        var judged = 0
        for expected in plant.expected {
            for part in try #require(expected.record).parts {
                judged += 1
                #expect(expected.judgedBy == approved(for: expected.context), "part \(part.partID)")
                #expect(part.recipeID == expected.judgedBy)
                #expect(part.recipeSha256 == "sha-\(part.recipeID)")
            }
        }
        #expect(judged > 20, "the run must judge something")
    }

    @Test("CHG-01, M09: parts belong to the context adopted last before them, to the very part", arguments: seeds)
    func contextSplitsExactly(seed: UInt64) throws {
        let plant = Plant(seed: seed, steps: 300)
        for expected in plant.expected {
            let record = try #require(expected.record)
            for gap in record.gaps { #expect(gap.context == expected.context) }
            for part in record.parts {
                var belonging = part.context
                #expect(belonging.controlPlanRevision == "plan of \(part.recipeID)", "CTX-13")
                belonging.controlPlanRevision = ""
                #expect(belonging == expected.context)
            }
        }
    }

    @Test("Own history alone gives the state back, however contexts, recipes and frames interleave", arguments: seeds)
    func historyGivesState(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        try expectHistoryGivesState(
            Plant(seed: seed, steps: 300).live,
            fresh: InspectionCore(lines: lines),
            &random
        )
    }

    @Test("A station of the plant file has a recipe to load, also where the snapshot is older than the station")
    func newStation() {
        var live = Live(InspectionCore(lines: ["vision-1": "line-1"]))
        live.adopt(context("WO-1", recipe: "a"))
        var grown = InspectionCore(lines: lines)
        grown.state = live.core.state
        #expect(grown.wantedRecipe(of: "vision-1") == RecipeWish(recipeID: "a", recipeSHA256: ""))
        #expect(grown.wantedRecipe(of: "vision-2") == RecipeWish(recipeID: "", recipeSHA256: ""))
        #expect(grown.wantedRecipe(of: "elsewhere") == nil)
    }

    @Test("A verdict carries all that was measured, its evidence link and its cause", arguments: [Verdict.pass, .fail])
    func verdictCarriesEverything(verdict: Verdict) throws {
        var live = inspecting()
        live.adopt(context("WO-1", batch: "B-1", recipe: "a"))
        live.submit(.recipeLoaded(activated("a")))
        let record = live.judge(9, verdict, by: "a", categories: verdict == .fail ? ["open"] : [])
        let part = try #require(record?.parts.first)
        let said = judgement(verdict, by: "a", categories: verdict == .fail ? ["open"] : [])
        #expect(part.partID == "vision-1/1/9")
        #expect(part.frame == .with { $0.sequence = 9 })
        #expect(part.pixelsSha256 == "pixels of vision-1/1/9")
        #expect(part.verdict == verdict)
        #expect(part.score == said.score && part.confidence == said.confidence)
        #expect(part.defects == said.defects && part.timings == said.timings)
        #expect(part.rejectionReason == said.rejectionReason)
        #expect(part.sourceName == "board-9.png")
        #expect(part.triggeredAtUs == 9_000 && part.decidedAtUs == live.nowUs)
        #expect(record?.meta.occurredAtUs == 9_000)
        #expect(record?.meta.place.workUnit == "vision-1" && record?.meta.place.workCenter == "line-1")
    }

    @Test("The same cause gives the same record id, in a verdict as in a gap")
    func sameCauseSameID() throws {
        var live = inspecting()
        live.adopt(context("WO-1", recipe: "a"))
        live.submit(.recipeLoaded(activated("a")))
        let frame = frame(TriggerId("vision-1", 9))
        let judged = InspectionCore.Input.judged(frame, frame: .init(), judgement(.pass, by: "a"))
        let unjudged = InspectionCore.Input.unjudged(frame, reason: "pixels are gone")
        let first = try #require(live.core.decide(judged, nowUs: 1))
        let again = try #require(live.core.decide(judged, nowUs: 2))
        let gap = try #require(live.core.decide(unjudged, nowUs: 3))
        #expect(first.recordID == again.recordID)
        #expect(first.recordID == gap.recordID, "a trigger ends once")
        #expect(first.occurredAtUs == gap.occurredAtUs, "when the part was triggered, not when somebody looked")
    }

    @Test(
        "MES-03: a failed part without a reject output is named; an uncertain one by the recipe's word",
        arguments: [Verdict.pass, .uncertain, .fail],
        [true, false]
    )
    func rejects(verdict: Verdict, rejectUncertain: Bool) {
        var live = inspecting()
        live.submit(.recipeLoaded(activated("d", plan: plan(rejectUncertain: rejectUncertain))))
        let record = live.judge(0, verdict, by: "d")
        let isRejected = verdict == .fail || verdict == .uncertain && rejectUncertain
        #expect(record?.unrejected.map(\.partID) == (isRejected ? ["vision-1/1/0"] : []))
    }

    @Test("A source's end is passed on with its count")
    func sourceInspected() {
        var live = inspecting()
        let record = live.submit(
            .exhausted(
                .with {
                    $0.station = "vision-1"
                    $0.triggers = 600
                }
            )
        )
        let expected = SourceInspected.with {
            $0.station = "vision-1"
            $0.triggers = 600
        }
        #expect(record?.kinds == [.sourceInspected(expected)])
    }
}

@Suite struct RecipeWishTests {
    private func wish(_ recipe: String, _ sha256: String = "") -> RecipeWish {
        RecipeWish(recipeID: recipe, recipeSHA256: sha256)
    }

    @Test("CHG-10: a station first wants its default recipe, then what its order names, and nothing once it has it")
    func follows() {
        var live = inspecting()
        #expect(live.core.wantedRecipe(of: "vision-1") == wish(""))
        live.submit(.recipeLoaded(activated("d")))
        #expect(live.core.wantedRecipe(of: "vision-1") == nil)
        live.adopt(context("WO-1", recipe: "a", sha256: "sha-a"))
        #expect(live.core.wantedRecipe(of: "vision-1") == wish("a", "sha-a"))
        #expect(live.core.activeRecipe(of: "vision-1") == nil, "the default recipe is not in force for this order")
        live.submit(.recipeLoaded(activated("a")))
        #expect(live.core.wantedRecipe(of: "vision-1") == nil)
        live.adopt(context("WO-2", recipe: "a", sha256: "sha-a"))
        #expect(live.core.wantedRecipe(of: "vision-1") == nil, "the next order keeps the recipe")
        live.adopt(context("WO-3", recipe: "a", sha256: "sha-a2"))
        #expect(live.core.wantedRecipe(of: "vision-1") == wish("a", "sha-a2"), "M09: content, not name")
    }

    @Test("I2: an order that names no recipe is not judged by the last order's, but by the default")
    func defaultIsNotTheLast() {
        var live = inspecting()
        live.adopt(context("WO-1", recipe: "a"))
        live.submit(.recipeLoaded(activated("a")))
        live.adopt(context("WO-2"))
        #expect(live.judge(0, .pass, by: "a")?.parts == [])
        #expect(live.core.wantedRecipe(of: "vision-1") == wish(""))
        // Also where the default turns out to be the same recipe, the wish ends.
        live.submit(.recipeLoaded(activated("a")))
        #expect(live.core.wantedRecipe(of: "vision-1") == nil)
        #expect(live.judge(1, .pass, by: "a")?.parts.count == 1)
    }

    @Test("CHG-05, CHG-08: a refused recipe leaves parts as named gaps and is not asked for again by the same order")
    func refusal() {
        var live = inspecting()
        live.adopt(context("WO-1", recipe: "a"))
        live.submit(.recipeLoaded(activated("a")))
        live.adopt(context("WO-2", recipe: "b"))
        live.submit(.recipeRefused(refused(wish("b"))))
        #expect(live.core.wantedRecipe(of: "vision-1") == nil)
        let record = live.judge(0, .pass, by: "a")
        #expect(record?.parts == [])
        #expect(record?.gaps.first?.reason.contains("sha-a") == true)
        // When the plant goes back to a recipe that is still loaded, it is in force at once
        live.adopt(context("WO-3", recipe: "a"))
        #expect(live.core.wantedRecipe(of: "vision-1") == nil)
        #expect(live.judge(1, .pass, by: "a")?.parts.count == 1)
        // And the refused one is tried again when an order asks for it again
        live.adopt(context("WO-4", recipe: "b"))
        #expect(live.core.wantedRecipe(of: "vision-1") == wish("b"))
        live.submit(.recipeLoaded(activated("b")))
        #expect(live.judge(2, .pass, by: "b")?.parts.count == 1)
    }

    @Test("A refusal outlives what does not change the wish: a new shift is no new recipe")
    func refusalOutlivesShift() {
        var live = inspecting()
        live.adopt(context("WO-1", recipe: "b"))
        live.submit(.recipeRefused(refused(wish("b"))))
        live.adopt(context("WO-1", recipe: "b", shift: "late"))
        #expect(live.core.wantedRecipe(of: "vision-1") == nil)
    }

    @Test("CHG-08: where the active recipe's content is gone, an order that does not name content gets what is there")
    func activeIsGone() {
        var live = inspecting()
        live.submit(.recipeLoaded(activated("d")))
        live.submit(.recipeRefused(refused(wish("d", "sha-d"))))
        #expect(live.judge(0, .pass, by: "d")?.parts == [])
        #expect(live.core.wantedRecipe(of: "vision-1") == wish(""))
        // An order that names the content stays without a recipe: nothing else is approved for it
        live.adopt(context("WO-1", recipe: "a", sha256: "sha-a"))
        live.submit(.recipeLoaded(activated("a")))
        live.submit(.recipeRefused(refused(wish("a", "sha-a"))))
        #expect(live.core.wantedRecipe(of: "vision-1") == nil)
        #expect(live.judge(1, .pass, by: "a")?.parts == [])
    }

    @Test("Recipes loaded again are events of their own: their record ids differ")
    func loadingsHaveTheirOwnIDs() throws {
        var live = inspecting()
        for order in 0..<6 {
            let recipe = ["a", "b", "gone"][order % 3]
            live.adopt(context("WO-\(order)", recipe: recipe))
            let input: InspectionCore.Input =
                recipe == "gone" ? .recipeRefused(refused(wish(recipe))) : .recipeLoaded(activated(recipe))
            let before = try #require(live.core.decide(input, nowUs: 1))
            #expect(live.core.decide(input, nowUs: 2)?.recordID == before.recordID)
            live.submit(input)
        }
        #expect(live.records.map(\.meta.recordID).hasNoRepeats)
    }

    @Test("CHG-01: one record adopts a line's context at all its stations, and no other's")
    func adoption() {
        var live = inspecting()
        let record = live.adopt(context("WO-1"))
        let stations = record?.kinds.map { kind -> String in
            if case .contextAdopted(let adopted) = kind { adopted.station } else { "" }
        }
        #expect(stations == ["vision-1", "vision-2"])
        #expect(live.core.context(of: "vision-3") == nil)
        #expect(live.adopt(context("WO-1")) == nil, "nothing changed")
    }
}
