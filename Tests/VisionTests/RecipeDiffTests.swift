import Foundation
import Testing
import Vision

private let first = """
    recipe: pcb-7
    revision: "7"
    station: vision-1
    product: PCB-7
    control_plan: CP-7/3
    tools:
      - name: copper
        golden_template:
          template: {file: board.png, sha256: \(String(repeating: "a", count: 64))}
          threshold: 32
      - name: frame
        golden_template: {template: frame.png}
    limits: {fail_at: 1.0, uncertain_at: 0.9}
    reaction: {hold_on: [difference], reject_uncertain: true}
    """

@Suite struct RecipeDiffTests {
    @Test("CHG-09: order, comments, quotes and ways to write a number make no difference")
    func meaning() throws {
        let second = """
            # the same recipe
            reaction:
              reject_uncertain: true
              hold_on: ["difference"]
            limits: {uncertain_at: 0.90, fail_at: 1}
            tools:
              - golden_template: {template: frame.png}
                name: frame
              - name: "copper"
                golden_template:
                  threshold: 32
                  template: {sha256: \(String(repeating: "a", count: 64)), file: board.png}
            control_plan: CP-7/3
            product: PCB-7
            station: vision-1
            revision: 7
            recipe: pcb-7
            """
        #expect(try RecipeDiff.between(first, second) == [])
    }

    @Test("CHG-09: each difference is named by its key, tools by their names, models by their hashes")
    func differences() throws {
        var second = first.replacing("threshold: 32", with: "threshold: 40")
        second = second.replacing("sha256: aaaa", with: "sha256: baaa")
        second = second.replacing("- name: frame", with: "- name: border")
        second = second.replacing("uncertain_at: 0.9", with: "uncertain_at: 0.8")
        let found = try RecipeDiff.between(first, second)
        #expect(
            found.map(\.key) == [
                "limits.uncertain_at", "tools.border", "tools.copper.golden_template.template.sha256",
                "tools.copper.golden_template.threshold", "tools.frame",
            ]
        )
        #expect(found.first?.description == "limits.uncertain_at: 0.9 -> 0.8")
        #expect(found[1].old == nil && found[4].new == nil)
        let back = try RecipeDiff.between(second, first)
        #expect(back.map(\.key) == found.map(\.key), "and back the other way round")
        #expect(back.map(\.old) == found.map(\.new) && back.map(\.new) == found.map(\.old))
    }

    @Test func whatIsNoRecipeIsRefused() {
        #expect(throws: RecipeError.self) { try RecipeDiff.between(first, "recipe: [") }
    }

    @Test("The recipe that the documentation shows is one, but for the files that are not there")
    func documented() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let text = try String(contentsOf: root.appending(path: "deploy/docs/recipes.md"), encoding: .utf8)
        let blocks = text.components(separatedBy: "```yaml\n")
        let yaml = try #require(blocks.dropFirst().first?.components(separatedBy: "\n```").first)
        let recipe = try Recipe.parse(text: yaml, file: "recipes.md")
        #expect(recipe.files.map(\.file.name) == ["board.png", "cp-12.png"])
        #expect(recipe.unfixed(in: "/nowhere") == [], "it could be submitted")
        #expect(recipe.mistakes(in: "/nowhere").count == 2)
    }
}
