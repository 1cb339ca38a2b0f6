import EventLog
import PlantEvents
import ReadModel
import SeededRandom
import SwiftProtobuf
import Testing

@Suite struct ToolScoreTests {
    /// Recipes of one model: what their tools are called, and in which order.
    private static let tools = [
        "r1": ["copper", "print"], "r2": ["print", "copper", "glue"], "r3": ["copper"], "old": [],
    ]

    @Test(
        "ML-04: each tool's scores are found by its name, whatever its place in the recipe; parts without are passed over",
        arguments: 1...12
    )
    func toolScores(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let folder = try Folder()
        let model = try ReadModel(path: folder.path("m"), site: PartitionWriter.site)
        var inspections = PartitionWriter(.inspections)
        try inspections.takeOver(as: InspectionRecord.self)
        for (recipe, tools) in Self.tools.sorted(by: { $0.key < $1.key }) {
            let activated = RecipeActivated.with {
                ($0.station, $0.recipeID, $0.recipeSha256, $0.tools) = ("vision-1", recipe, recipe, tools)
            }
            try inspections.write(InspectionRecord.self, [.init(.recipeActivated(activated))])
        }
        var expected: [String: [(atUs: Int64, score: Double)]] = [:]
        for number in 0..<80 {
            let recipe = random.pick(Self.tools.keys.sorted())
            let tools = Self.tools[recipe] ?? []
            // A part that was not found has no scores, but a verdict.
            let scores = random.once(in: 5) ? [] : tools.map { _ in Float(random.below(1_000)) / 7 }
            let part = PartInspected.with {
                ($0.trigger.station, $0.trigger.session, $0.trigger.sequence) = ("vision-1", 1, UInt64(number))
                ($0.partID, $0.recipeSha256, $0.verdict, $0.scores) = ("SN-\(number)", recipe, .pass, scores)
                $0.triggeredAtUs = Int64(random.below(1_000_000)) * 100 + Int64(number)
            }
            try inspections.write(InspectionRecord.self, [.init(.partInspected(part))])
            guard recipe != "r3" else { continue }
            for (tool, score) in zip(tools, scores) {
                expected[tool, default: []].append((part.triggeredAtUs, Double(score)))
            }
        }
        _ = try model.apply(inspections.records, nowUs: 1)
        let queries = try Queries(path: folder.path("m"))
        let recipes = ["r1", "r2", "old"]
        #expect(try queries.tools(of: recipes) == ["r1": ["copper", "print"], "r2": ["print", "copper", "glue"]])
        let (known, recent) = (1 + random.below(10), 1 + random.below(40))
        for (tool, scores) in expected {
            let found = try queries.scores(of: recipes, at: "vision-1", tool: tool, known: known, recent: recent)
            let ordered = scores.sorted { $0.atUs < $1.atUs }.map(\.score)
            #expect(found.known.map(\.score) == Array(ordered.prefix(known)), "\(tool)")
            #expect(found.recent.map(\.score) == Array(ordered.dropFirst(known).suffix(recent)), "\(tool)")
        }
        #expect(try queries.scores(of: recipes, at: "vision-1", tool: "none", known: 5, recent: 5).known.isEmpty)
        #expect(try queries.scores(of: recipes, at: "vision-2", tool: "copper", known: 5, recent: 5).known.isEmpty)
    }

    @Test("ML-02: a model trained elsewhere shows its origin and licence")
    func origin() throws {
        let folder = try Folder()
        let model = try ReadModel(path: folder.path("m"), site: PartitionWriter.site)
        var decisions = PartitionWriter(.decisions)
        try decisions.takeOver(as: DecisionRecord.self)
        let trained = ModelTrained.with {
            ($0.modelSha256, $0.tool, $0.origin, $0.licence) = ("m1", "neural", "Acme Vision", "Apache-2.0")
        }
        try decisions.write(DecisionRecord.self, [.init(.modelTrained(trained))], subject: "m1")
        _ = try model.apply(decisions.records, nowUs: 1)
        let found = try #require(try Queries(path: folder.path("m")).models().first)
        #expect(found.origin == "Acme Vision" && found.licence == "Apache-2.0" && found.pictures == 0)
    }
}
