import Testing
import Vision

@Suite struct RecipeTests {
    private let sound = """
        recipe: board-7
        revision: 3
        station: cell-1
        product: SKU-1
        control_plan: CP-7 rev B
        tool:
          golden_template:
            template: golden.png
            max_shift: 24
            copper: bright
        limits: {fail_at: 1.0, uncertain_at: 0.8}
        reaction:
          hold_on: [open, short]
          hold_after: {failures: 3, window: 20}
          reject_uncertain: true
        """

    @Test func readsWhatIsWritten() throws {
        let recipe = try Recipe.parse(text: sound, file: "board-7.yaml")
        #expect(recipe.id == "board-7" && recipe.revision == "3" && recipe.product == "SKU-1")
        #expect(recipe.tool == .goldenTemplate(file: "golden.png", GoldenSettings(maxShift: 24, copper: .bright)))
        #expect(recipe.limits == Recipe.Limits(failAt: 1, uncertainAt: 0.8))
        #expect(recipe.reaction.holdOn == ["open", "short"])
        #expect(recipe.reaction.holdAfter == Recipe.HoldAfter(failures: 3, window: 20))
        #expect(recipe.sha256 == hexSHA256(Array(sound.utf8)))
    }

    @Test func namesEveryMistakeAtOnce() {
        let text = """
            recipe: board-7
            revision: ""
            sation: cell-1
            product: SKU-1
            control_plan: [a]
            tool:
              golden_template:
                template: ../secret.png
                max_shift: 2000
                threshold: many
            limits: {fail_at: 1.0, uncertain_at: 2}
            reaction:
              hold_on: [open, shrot]
              hold_after: {failures: 30, window: 20}
              reject_uncertain: perhaps
            """
        #expect {
            try Recipe.parse(text: text, file: "r.yaml")
        } throws: { error in
            guard let error = error as? RecipeError else { return false }
            let found = error.mistakes.map { "\($0.line) \($0.key)" }
            let expected = [
                "1 station", "2 revision", "3 sation", "5 control_plan", "8 tool.golden_template.template",
                "9 tool.golden_template.max_shift", "10 tool.golden_template.threshold", "11 limits.uncertain_at",
                "13 reaction.hold_on", "14 reaction.hold_after.failures", "15 reaction.reject_uncertain",
            ]
            #expect(found == expected)
            #expect(
                error.description.contains("r.yaml:9: tool.golden_template.max_shift: found \"2000\"; expected a whole")
            )
            return true
        }
    }

    @Test(arguments: ["", "- 1", "a: [", "recipe: a\nrecipe: b", "tool: {}\n", "tool: 5", "\u{0}", "? {a: b}\n: c"])
    func brokenFilesAreMistakesNotCrashes(text: String) {
        #expect(throws: RecipeError.self) { try Recipe.parse(text: text, file: "r.yaml") }
    }

    @Test(arguments: 0..<500) func damagedRecipesNeverCrash(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var bytes = Array(sound.utf8)
        for _ in 0..<Int.random(in: 1...6, using: &generator) {
            bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 9...126, using: &generator)
        }
        do {
            let recipe = try Recipe.parse(text: String(decoding: bytes, as: UTF8.self), file: "r.yaml")
            #expect(recipe.limits.uncertainAt <= recipe.limits.failAt)
        } catch {
            #expect(!error.mistakes.isEmpty)
        }
    }
}
