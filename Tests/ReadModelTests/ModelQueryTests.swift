import EventLog
import PlantEvents
import ReadModel
import SeededRandom
import SwiftProtobuf
import Testing

private func trained(_ sha256: String, active: String = "") -> DecisionRecord.Event {
    .init(
        .modelTrained(
            .with {
                $0.modelSha256 = sha256
                ($0.tool, $0.pictures, $0.strata) = ("anomaly", 12, ["A, vision-1, early", "A, vision-1, late"])
                ($0.figures.good, $0.figures.bad, $0.figures.auroc) = (8, 4, 0.75)
                if !active.isEmpty {
                    ($0.activeSha256, $0.activeFigures.escapes) = (active, 2)
                }
                ($0.act.personID, $0.act.reason) = ("ada", "new lamp")
            }
        )
    )
}

private func reviewed(_ sha256: String, _ toUs: Int64, _ conclusion: String) -> DecisionRecord.Event {
    .init(
        .performanceReviewed(
            .with {
                ($0.subjectSha256, $0.fromUs, $0.toUs) = (sha256, 1, toUs)
                ($0.conclusion, $0.reportSha256, $0.act.personID) = (conclusion, "report-\(toUs)", "ben")
            }
        )
    )
}

@Suite struct ModelQueryTests {
    @Test(
        "ML-02, ML-04: a model shows what it was learned from, what it was compared with, where it judged, its reviews"
    )
    func models() throws {
        let folder = try Folder()
        let model = try ReadModel(path: folder.path("m"), site: PartitionWriter.site)
        var (decisions, inspections) = (PartitionWriter(.decisions), PartitionWriter(.inspections))
        try decisions.takeOver(as: DecisionRecord.self)
        try decisions.write(DecisionRecord.self, [trained("m1")], subject: "m1")
        try decisions.write(DecisionRecord.self, [trained("m2", active: "m1")], subject: "m2")
        try decisions.write(DecisionRecord.self, [reviewed("m1", 9, "keep")], subject: "m1")
        try decisions.write(DecisionRecord.self, [reviewed("r1", 20, "retrain")], subject: "r1")
        try inspections.takeOver(as: InspectionRecord.self)
        let activated = RecipeActivated.with {
            ($0.station, $0.recipeID, $0.recipeSha256, $0.modelSha256) = ("vision-1", "pcb", "r1", ["m1", "x"])
        }
        try inspections.write(InspectionRecord.self, [.init(.recipeActivated(activated))])
        _ = try model.apply(decisions.records + inspections.records, nowUs: 1)
        let queries = try Queries(path: folder.path("m"))
        let models = try queries.models()
        #expect(models.map(\.modelSha256) == ["m2", "m1"])
        #expect(models.first?.active?.sha256 == "m1" && models.first?.active?.escapes == 2)
        let first = try #require(models.last)
        #expect(first.active == nil && first.auroc == 0.75 && first.strata.count == 2 && first.pictures == 12)
        #expect(first.uses.map(\.recipeSha256) == ["r1"] && first.trainedBy == "ada")
        #expect(first.reviews.map(\.conclusion) == ["retrain", "keep"], "also those of the recipes that name it")
        #expect(try queries.recipes(thatAreOrName: "m1") == ["r1"] && queries.recipes(thatAreOrName: "r1") == ["r1"])
        #expect(
            try queries.judgingContents() == ["m1", "r1", "x"] && queries.stations(judgingBy: ["r1"]) == ["vision-1"]
        )
    }

    @Test(
        "ML-04: scores come in the order of time, the first ones and the newest after them, of the station asked",
        arguments: 1...10
    )
    func scores(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let folder = try Folder()
        let model = try ReadModel(path: folder.path("m"), site: PartitionWriter.site)
        var inspections = PartitionWriter(.inspections)
        try inspections.takeOver(as: InspectionRecord.self)
        var expected: [(atUs: Int64, score: Double)] = []
        for number in 0..<60 {
            let isMeant = random.chance(0.7)
            let part = PartInspected.with {
                ($0.trigger.station, $0.trigger.session, $0.trigger.sequence) =
                    (isMeant || random.chance(0.5) ? "vision-1" : "vision-2", 1, UInt64(number))
                $0.partID = "SN-\(number)"
                $0.recipeSha256 =
                    isMeant ? ["r1", "r2"][number % 2] : ["r3", "r1"][$0.trigger.station == "vision-1" ? 0 : 1]
                $0.verdict = .pass
                ($0.score, $0.triggeredAtUs) = (
                    Double(random.below(1_000)), Int64(random.below(1_000_000)) * 100 + Int64(number)
                )
            }
            if isMeant { expected.append((part.triggeredAtUs, part.score)) }
            try inspections.write(InspectionRecord.self, [.init(.partInspected(part))])
        }
        _ = try model.apply(inspections.records, nowUs: 1)
        expected.sort { $0.atUs < $1.atUs }
        let (known, recent) = (5 + random.below(10), 5 + random.below(60))
        let found = try Queries(path: folder.path("m")).scores(
            of: ["r1", "r2"],
            at: "vision-1",
            known: known,
            recent: recent
        )
        #expect(found.known.map(\.score) == expected.prefix(known).map(\.score))
        #expect(found.recent.map(\.score) == expected.dropFirst(known).suffix(recent).map(\.score))
        #expect((found.known + found.recent).allSatisfy { $0.partID.hasPrefix("SN-") })
    }
}
