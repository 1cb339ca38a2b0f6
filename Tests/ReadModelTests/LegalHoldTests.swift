import EventLog
import PlantEvents
import ReadModel
import SwiftProtobuf
import Testing

private func placed(_ id: String, _ subjects: String...) -> DecisionRecord.Event {
    .init(
        .legalHoldPlaced(
            .with {
                $0.legalHoldID = id
                $0.subjectIds = subjects
                $0.act.personID = "lea"
                $0.act.reason = "case \(id)"
            }
        )
    )
}

private func lifted(_ id: String) -> DecisionRecord.Event {
    .init(
        .legalHoldLifted(
            .with {
                $0.legalHoldID = id
                $0.act.personID = "max"
                $0.act.reason = "settled"
            }
        )
    )
}

@Suite struct LegalHoldTests {
    @Test("TRC-16: a legal hold is listed with who, why and since when, and a lifted one with who lifted it")
    func listed() throws {
        let folder = try Folder()
        let model = try ReadModel(path: folder.path("m"), site: PartitionWriter.site)
        var decisions = PartitionWriter(.decisions)
        try decisions.takeOver(as: DecisionRecord.self)
        try decisions.write(DecisionRecord.self, [placed("LH-1", "B-1", "SN-7")], subject: "LH-1")
        try decisions.write(DecisionRecord.self, [placed("LH-2", "B-2")], subject: "LH-2")
        try decisions.write(DecisionRecord.self, [lifted("LH-1")], subject: "LH-1")
        _ = try model.apply(decisions.records, nowUs: 1)
        let queries = try Queries(path: folder.path("m"))
        let holds = try queries.legalHolds()
        #expect(holds.map(\.legalHoldID) == ["LH-2", "LH-1"])
        #expect(holds.map(\.stands) == [true, false])
        #expect(holds.last?.subjectIds == ["B-1", "SN-7"] && holds.last?.liftedBy == "max")
        #expect(holds.first?.placedBy == "lea" && holds.first?.reason == "case LH-2")
        #expect(holds.allSatisfy { $0.placedAtUs > 0 } && holds.last?.liftReason == "settled")
    }

    @Test("TRC-16: a trace names the legal holds on a part, its batch, order, customer order, lot, station or line")
    func traced() throws {
        for subject in ["SN-7", "vision-1/1/4", "B-1", "WO-1", "CO-1", "ML-1", "vision-1", "line-1"] {
            let folder = try Folder()
            let model = try ReadModel(path: folder.path("m"), site: PartitionWriter.site)
            var inspections = PartitionWriter(.inspections)
            var decisions = PartitionWriter(.decisions)
            try inspections.takeOver(as: InspectionRecord.self)
            try decisions.takeOver(as: DecisionRecord.self)
            let part = PartInspected.with {
                $0.trigger = TriggerId.with("vision-1", 1, 4)
                $0.partID = "SN-7"
                $0.verdict = .fail
                $0.context.batchID = "B-1"
                $0.context.orderID = "WO-1"
                $0.context.customerOrder = "CO-1"
                $0.context.line = "line-1"
                $0.context.materialLots = ["ML-1"]
                $0.defects = [
                    .with {
                        $0.category = "short"
                        $0.tool = "traces"
                        $0.severity = "critical"
                    }
                ]
            }
            try inspections.write(InspectionRecord.self, [.init(.partInspected(part))])
            try decisions.write(DecisionRecord.self, [placed("LH-1", subject), placed("LH-2", "another")])
            _ = try model.apply(inspections.records + decisions.records, nowUs: 1)
            let trace = try #require(try Queries(path: folder.path("m")).trace("SN-7"))
            #expect(trace.legalHolds.map(\.legalHoldID) == ["LH-1"], "\(subject)")
            let defect = try #require(trace.parts.first?.defects.first)
            #expect(defect.tool == "traces" && defect.severity == "critical")
        }
    }
}
