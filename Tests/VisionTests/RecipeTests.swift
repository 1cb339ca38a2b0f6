import SeededRandom
import Testing
import Vision

@Suite struct RecipeTests {
    private let sound = """
        recipe: board-7
        revision: 3
        station: cell-1
        product: SKU-1
        control_plan: CP-7 rev B
        scale: {mm_per_pixel: 0.02, calibration: "glass scale GS-4"}
        regions:
          connector: [10, 20, 30, 40]
        tools:
          - name: board
            golden_template:
              template: golden.png
              max_shift: 24
              copper: bright
          - name: finish
            region: connector
            surface_model: {model: finish.model}
            limits: {fail_at: 2}
            verdict: uncertain
            severity: minor
        limits: {fail_at: 1.0, uncertain_at: 0.8}
        reaction:
          hold_on: [open, short]
          hold_after: {failures: 3, window: 20}
          stop_on: [short]
          alarm_on: [surface]
          reject_uncertain: true
        challenge_pieces:
          - {piece: CP-07, picture: cp-07.png, expect: short}
        """

    @Test("RES-12 a recipe holds all that decides about a part")
    func readsWhatIsWritten() throws {
        let recipe = try Recipe.parse(text: sound, file: "board-7.yaml")
        #expect(recipe.id == "board-7" && recipe.revision == "3" && recipe.product == "SKU-1")
        #expect(recipe.tools.map(\.name) == ["board", "finish"])
        #expect(recipe.tools.map { type(of: $0.settings).key } == ["golden_template", "surface_model"])
        #expect(recipe.tools.map(\.limits.uncertainAt) == [0.8, 2])
        #expect(recipe.tools.map(\.effect) == [.fail, .uncertain])
        #expect(recipe.tools.map(\.severity) == [.major, .minor])
        #expect(recipe.tools[1].region == "connector")
        #expect(recipe.regions == ["connector": Box(x: 10, y: 20, width: 30, height: 40)])
        #expect(recipe.scale?.millimetresPerPixel == 0.02)
        #expect(recipe.reaction.holdOn == ["open", "short"] && recipe.reaction.stopOn == ["short"])
        #expect(recipe.reaction.alarmOn == ["surface"])
        #expect(recipe.reaction.holdAfter == Recipe.HoldAfter(failures: 3, window: 20))
        #expect(recipe.challengePieces.map(\.expect) == ["short"])
        #expect(recipe.sha256 == hexSHA256(Array(sound.utf8)))
    }

    @Test func namesEveryMistakeAtOnce() {
        let text = """
            recipe: board-7
            revision: ""
            sation: cell-1
            product: SKU-1
            control_plan: [a]
            tools:
              - name: board
                golden_template:
                  template: ../secret.png
                  max_shift: 2000
                  threshold: many
                  colour: red
                region: nowhere
              - name: board
                surface_model: {model: {file: m, sha256: abc}}
              - name: both
                surface_model: {model: n}
                golden_pairs: {templates: t}
            limits: {fail_at: 1.0, uncertain_at: 2}
            reaction:
              hold_on: [difference, shrot]
              hold_after: {failures: 30, window: 20}
              reject_uncertain: perhaps
            """
        #expect {
            try Recipe.parse(text: text, file: "r.yaml")
        } throws: { error in
            guard let error = error as? RecipeError else { return false }
            let found = error.mistakes.map { "\($0.line) \($0.key)" }
            let expected = [
                "1 station", "2 revision", "3 sation", "5 control_plan", "9 tools[0].golden_template.template",
                "10 tools[0].golden_template.max_shift", "11 tools[0].golden_template.threshold",
                "12 tools[0].golden_template.colour", "13 tools[0].region", "14 tools[1].name",
                "15 tools[1].surface_model.model.sha256", "16 tools[2].name", "19 limits.uncertain_at",
                "21 reaction.hold_on", "22 reaction.hold_after.failures", "23 reaction.reject_uncertain",
            ]
            #expect(found == expected)
            #expect(
                error.description.contains(
                    "r.yaml:10: tools[0].golden_template.max_shift: found \"2000\"; expected a whole"
                )
            )
            return true
        }
    }

    @Test(
        arguments: [
            "", "- 1", "a: [", "recipe: a\nrecipe: b", "tools: {}\n", "tools: 5", "\u{0}", "? {a: b}\n: c",
            "tools: [5, {}]", "regions: {a: [1, 2]}", "tools: []",
        ]
    )
    func brokenFilesAreMistakesNotCrashes(text: String) {
        #expect(throws: RecipeError.self) { try Recipe.parse(text: text, file: "r.yaml") }
    }

    @Test(arguments: [
        ("recipe: a\nrevision: b\u{1}\n", "2: (file): found control characters are not allowed; expected"),
        ("recipe: a\n\t- b\n", "2: (file): found a tab character that violates indentation; expected"),
    ])
    func mistakesOfYamlAreToldByLine(text: String, told: String) {
        let error = #expect(throws: RecipeError.self) { try Recipe.parse(text: text, file: "r.yaml") }
        #expect("\(error.map { "\($0)" } ?? "")".hasPrefix("r.yaml:\(told)"))
    }

    @Test(arguments: 0..<500) func damagedRecipesNeverCrash(seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        var bytes = Array(sound.utf8)
        for _ in 0..<Int.random(in: 1...6, using: &generator) {
            bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 9...126, using: &generator)
        }
        do {
            let recipe = try Recipe.parse(text: String(decoding: bytes, as: UTF8.self), file: "r.yaml")
            #expect(recipe.tools.allSatisfy { $0.limits.uncertainAt <= $0.limits.failAt })
        } catch {
            #expect(!error.mistakes.isEmpty)
        }
    }

    @Test("RES-12 tools see their region, and their findings are in the part's pixels; the worst one decides")
    func worstToolDecides() throws {
        struct Bright: Tool {
            func inspect(_ part: PartView, timer: inout StepTimer) throws(ToolError) -> ToolResult {
                let score = Double(part.picture.pixels[0]) / 100
                let feature = Feature(name: "grey", value: score, unit: "C62", conforms: score < 1)
                let found = FoundDefect(category: "bright", x: 1, y: 2, width: 3, height: 3, area: 9, score: score)
                return ToolResult(score: score, defects: [found], features: [feature])
            }
        }
        struct BrightSettings: ToolSettings {
            static let key = "bright"
            static let task = VisionTask.detect
            let categories: [DefectCategory] = ["bright"]
            init(_ section: RecipeSection) {}
            init() {}
            func load(_ files: RecipeFiles) throws -> any Tool { Bright() }
        }
        var canvas = Canvas(40, 40, 50)
        canvas.fill(x: 20, y: 10, width: 10, height: 10, 150)
        func finding(_ effect: Recipe.Effect) throws -> Finding {
            let limits = Recipe.Limits(failAt: 1, uncertainAt: 0.9)
            let recipe = Recipe(
                id: "r",
                revision: "1",
                station: "s",
                product: "p",
                controlPlan: "c",
                regions: ["pad": Box(x: 20, y: 10, width: 10, height: 10)],
                tools: [
                    .init(name: "whole", settings: BrightSettings(), limits: limits),
                    .init(
                        name: "pad",
                        settings: BrightSettings(),
                        region: "pad",
                        limits: limits,
                        effect: effect,
                        severity: .critical
                    ),
                ],
                reaction: .init(holdOn: [], holdAfter: nil, rejectUncertain: true),
                sha256: ""
            )
            let judge = try Judge(recipe: recipe, directory: ".", nowUs: { 0 })
            return try judge.judge(try canvas.picture, sourceName: "x")
        }
        let failed = try finding(.fail)
        #expect(failed.verdict == .fail && failed.score == 1.5)
        #expect(failed.defects.map(\.found.x) == [21] && failed.defects.map(\.found.y) == [12])
        #expect(failed.defects.map(\.tool) == ["pad"] && failed.defects.map(\.severity) == [.critical])
        #expect(failed.features.map(\.feature.value) == [0.5, 1.5])
        #expect(failed.rejectionReason == "bright at (21, 12); grey 1.5; score 1.50 of limit 1")
        #expect(try finding(.uncertain).verdict == .uncertain)
        let recorded = try finding(.record)
        #expect(recorded.verdict == .pass && recorded.defects.isEmpty && recorded.features.count == 2)
    }
}
