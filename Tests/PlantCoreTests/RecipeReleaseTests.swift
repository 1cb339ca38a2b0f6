import PlantCore
import PlantEvents
import SeededRandom
import SwiftProtobuf
import Testing

private func inspecting(_ approval: RecipeApproval) -> Live<InspectionCore> {
    Live(InspectionCore(lines: lines, approval: approval))
}

private func order(_ number: Int, product: String, recipe: String = "", sha256: String = "") -> ProductionContext {
    .with {
        $0 = context("WO-\(number)", recipe: recipe, sha256: sha256)
        $0.sku = product
    }
}

private func wish(_ recipe: String, _ sha256: String) -> RecipeWish {
    RecipeWish(recipeID: recipe, recipeSHA256: sha256)
}

extension Live<InspectionCore> {
    @discardableResult
    fileprivate mutating func release(
        _ recipe: String,
        _ sha256: String,
        for skus: [String],
        at stations: [String] = ["vision-1"]
    ) -> InspectionRecord? {
        decide(
            .recipeReleased(
                .with {
                    $0.recipeID = recipe
                    $0.recipeSha256 = sha256
                    $0.skus = skus
                    $0.stations = stations
                }
            )
        )
    }

    @discardableResult
    fileprivate mutating func retire(_ recipe: String, _ sha256: String) -> InspectionRecord? {
        decide(
            .recipeRetired(
                .with {
                    $0.recipeID = recipe
                    $0.recipeSha256 = sha256
                }
            )
        )
    }

    private mutating func decide(_ kind: DecisionRecord.Event.OneOf_Kind) -> InspectionRecord? {
        submit(.decisions(foreign("decision \(records.count)", [kind], line: "")))
    }

    fileprivate mutating func load(
        _ wish: RecipeWish,
        at station: String = "vision-1",
        default content: String = "plant"
    ) {
        submit(
            .recipeLoaded(
                .with {
                    $0.station = station
                    $0.recipeID = wish.recipeID.isEmpty ? "standard" : wish.recipeID
                    $0.recipeSha256 = wish.recipeSHA256.isEmpty ? content : wish.recipeSHA256
                }
            )
        )
    }
}

@Suite struct RecipeReleaseTests {
    @Test("CHG-01, CHG-10, CHG-11: a release counts from the next part on, for its products and stations only")
    func release() {
        var live = inspecting(.plantFile)
        live.adopt(order(1, product: "A"))
        live.load(wish("", ""))
        #expect(live.core.activeRecipe(of: "vision-1")?.recipeSha256 == "plant")
        live.release("pcb", "one", for: ["B"])
        live.release("pcb", "one", for: ["A"], at: ["vision-2"])
        #expect(live.core.wantedRecipe(of: "vision-1") == nil, "neither is for this product at this station")
        live.release("pcb", "one", for: ["A", "B"])
        #expect(live.core.activeRecipe(of: "vision-1") == nil)
        #expect(live.core.wantedRecipe(of: "vision-1") == wish("pcb", "one"))
        live.load(wish("pcb", "one"))
        #expect(live.core.activeRecipe(of: "vision-1")?.recipeSha256 == "one")
        live.release("pcb", "two", for: ["A"])
        #expect(live.core.wantedRecipe(of: "vision-1") == wish("pcb", "two"))
        live.adopt(order(2, product: "B"))
        #expect(live.core.activeRecipe(of: "vision-1")?.recipeSha256 == "one", "product B keeps the first")
    }

    @Test("CHG-08: an order chooses among the released recipes by id; one that names what is not released is refused")
    func chooses() throws {
        var live = inspecting(.plantFile)
        live.release("pcb", "one", for: ["A"])
        live.release("label", "two", for: ["A"])
        live.adopt(order(1, product: "A"))
        #expect(live.core.wantedRecipe(of: "vision-1") == wish("label", "two"), "the newest")
        live.adopt(order(2, product: "A", recipe: "pcb"))
        #expect(live.core.wantedRecipe(of: "vision-1") == wish("pcb", "one"))
        live.adopt(order(3, product: "A", recipe: "other"))
        #expect(live.core.wantedRecipe(of: "vision-1") == nil)
        let refused = try #require(live.core.refusal(of: "vision-1"))
        #expect(refused.recipeID == "other" && refused.reason.contains("label two"))
        live.submit(.recipeRefused(refused))
        #expect(live.core.refusal(of: "vision-1") == nil, "told once")
    }

    @Test("I2: an order that names content is judged by that content, and not by what was released since")
    func pinned() {
        var live = inspecting(.plantFile)
        live.release("pcb", "one", for: ["A"])
        live.release("pcb", "two", for: ["A"])
        live.adopt(order(1, product: "A", recipe: "pcb", sha256: "one"))
        #expect(live.core.wantedRecipe(of: "vision-1") == wish("pcb", "one"))
        live.adopt(order(2, product: "A", recipe: "pcb", sha256: "never released"))
        #expect(
            live.core.wantedRecipe(of: "vision-1") == wish("pcb", "never released"),
            "whoever wrote the order approved"
        )
        var strict = inspecting(.required)
        strict.release("pcb", "one", for: ["A"])
        strict.adopt(order(2, product: "A", recipe: "pcb", sha256: "never released"))
        #expect(strict.core.wantedRecipe(of: "vision-1") == nil)
        #expect(strict.core.refusal(of: "vision-1")?.reason.contains("pcb one") == true)
    }

    @Test("CHG-04, I2: where approval is required, nothing judges before a release, and the refusal says why")
    func required() throws {
        var live = inspecting(.required)
        #expect(live.core.wantedRecipe(of: "vision-1") == nil)
        #expect(live.core.refusal(of: "vision-1")?.reason.contains("no order") == true)
        live.adopt(order(1, product: "A", recipe: "pcb"))
        let refused = try #require(live.core.refusal(of: "vision-1"))
        #expect(refused.reason.contains("released for product A at vision-1: nothing"))
        live.submit(.recipeRefused(refused))
        live.release("pcb", "one", for: ["A"])
        #expect(live.core.wantedRecipe(of: "vision-1") == wish("pcb", "one"))
        live.load(wish("pcb", "one"))
        #expect(live.judge(1, .pass, by: "x")?.parts == [], "judged by other content than the released")
    }

    @Test("CHG-04: a retired recipe judges nothing more, also where the plant file or the order names it")
    func retired() {
        var live = inspecting(.plantFile)
        live.adopt(order(1, product: "A"))
        live.release("pcb", "one", for: ["A"])
        live.release("pcb", "two", for: ["A"])
        live.load(wish("pcb", "two"))
        live.retire("pcb", "two")
        #expect(live.core.activeRecipe(of: "vision-1") == nil)
        #expect(
            live.core.refusal(of: "vision-1")?.reason.contains("vision-1: nothing") == true,
            "neither what it replaced nor the plant file comes back by itself"
        )
        live.adopt(order(2, product: "B"))
        live.load(wish("", ""))
        live.retire("standard", "plant")
        #expect(live.core.activeRecipe(of: "vision-1") == nil && live.core.isRetired("plant"))
        live.adopt(order(3, product: "B", recipe: "standard", sha256: "plant"))
        #expect(live.core.refusal(of: "vision-1")?.reason.contains("was retired") == true)
    }

    @Test(
        "I2, I9: whatever is released, retired and ordered, each part is judged by what people allowed",
        arguments: 1...30
    )
    func random(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let approval = random.pick(RecipeApproval.allCases)
        var live = inspecting(approval)
        var released: [String: [RecipeWish]] = [:]
        var retired: Set<String> = []
        var running = order(0, product: "")
        var judged = 0
        for number in 0..<600 {
            let product = random.pick(["A", "B"])
            let recipe = random.pick(["a", "b"])
            let content = "\(recipe)\(Int.random(in: 1...3, using: &random))"
            switch Int.random(in: 0..<12, using: &random) {
            case 0 where !retired.contains(content):
                live.release(recipe, content, for: [product])
                released[product, default: []].removeAll { $0.recipeSHA256 == content }
                released[product, default: []].append(wish(recipe, content))
            case 1 where random.once(in: 8):
                live.retire(recipe, content)
                retired.insert(content)
                for product in released.keys { released[product]?.removeAll { $0.recipeSHA256 == content } }
            case 2, 3:
                let pin = random.once(in: 3)
                running = order(
                    number,
                    product: product,
                    recipe: pin || random.once(in: 2) ? recipe : "",
                    sha256: pin ? content : ""
                )
                live.adopt(running)
            case 4, 5, 6:
                guard let asked = live.core.wantedRecipe(of: "vision-1") else { continue }
                live.load(asked)
            default:
                let active = live.core.activeRecipe(of: "vision-1")
                let by = active?.recipeSha256 ?? content
                let input = InspectionCore.Input.judged(
                    frame(TriggerId("vision-1", UInt64(number))),
                    frame: .init(),
                    judgement(by: by)
                )
                for part in live.submit(input)?.parts ?? [] {
                    judged += 1
                    #expect(!retired.contains(part.recipeSha256))
                    let allowed = released[running.sku]
                    let isReleased = allowed?.contains { $0.recipeSHA256 == part.recipeSha256 } ?? false
                    let isPinned = !running.recipeSha256.isEmpty && part.recipeSha256 == running.recipeSha256
                    #expect(running.recipeSha256.isEmpty || isPinned)
                    #expect(running.recipeID.isEmpty || part.recipeID == running.recipeID)
                    #expect(isReleased || approval == .plantFile && (allowed == nil || isPinned))
                }
            }
        }
        #expect(judged > 5, "the run must judge something")
        try expectHistoryGivesState(live, fresh: InspectionCore(lines: lines, approval: approval), &random)
    }

    private func judgement(by content: String) -> InspectionCore.Judgement {
        InspectionCore.Judgement(
            verdict: .pass,
            score: 0,
            confidence: 1,
            defects: [],
            rejectionReason: "",
            timings: [],
            recipeSHA256: content
        )
    }
}
