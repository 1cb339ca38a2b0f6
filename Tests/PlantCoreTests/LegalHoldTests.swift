import PlantCore
import PlantEvents
import SeededRandom
import SwiftProtobuf
import Testing

private func act(_ person: String, _ request: Int, reason: String = "case 12") -> HumanAct {
    .with {
        $0.personID = person
        $0.requestID = "r-\(request)"
        $0.reason = reason
        $0.authentication = .systemUser
    }
}

private func place(_ subjects: [String]) -> DecisionCore.Decision {
    .placeLegalHold(.with { $0.subjectIds = subjects })
}

private func lift(_ id: String) -> DecisionCore.Decision { .liftLegalHold(.with { $0.legalHoldID = id }) }

@Suite struct LegalHoldTests {
    private func refusal(_ core: DecisionCore, _ act: HumanAct, _ decision: DecisionCore.Decision) -> String? {
        guard case .refused(let refusal) = core.outcome(of: .init(act: act, decision: decision)) else { return nil }
        return refusal.description
    }

    @Test("TRC-16, I9: a legal hold has a number, who placed it and why; it stands until it is lifted, once")
    func life() throws {
        var live = Live(DecisionCore())
        let appended = live.submit(.init(act: act("lea", 1), decision: place(["B-1", "SN-7"])))
        let record = try #require(appended)
        guard case .legalHoldPlaced(let placed)? = record.kinds.first else {
            Issue.record("\(record)")
            return
        }
        #expect(placed.legalHoldID == "LH-1" && placed.subjectIds == ["B-1", "SN-7"])
        #expect(placed.act.personID == "lea" && placed.act.reason == "case 12" && placed.act.actedAtUs == live.nowUs)
        #expect(record.meta.subject == "LH-1" && record.meta.mustUnderstand)
        #expect(live.core.state.legalHolds["LH-1"]?.subjects == ["B-1", "SN-7"])
        #expect(live.submit(.init(act: act("lea", 1), decision: place(["B-2"]))) == nil, "the same request")
        #expect(live.submit(.init(act: act("lea", 2), decision: place(["B-1"]))) != nil)
        let ended = live.submit(.init(act: act("max", 3), decision: lift("LH-1")))
        #expect(ended?.meta.subject == "LH-1" && ended?.meta.mustUnderstand == true)
        #expect(refusal(live.core, act("max", 4), lift("LH-1"))?.contains("no legal hold LH-1 stands") == true)
        #expect(live.core.state.legalHolds.keys.sorted() == ["LH-2"])
        live.submit(.init(act: act("lea", 5), decision: place(["B-9"])))
        #expect(live.core.state.legalHolds.keys.sorted() == ["LH-2", "LH-3"], "a number is never given twice")
        var random = SplitMix64(seed: 16)
        try expectHistoryGivesState(live, fresh: DecisionCore(), &random)
    }

    @Test("TRC-16, I11: what is refused says what is expected")
    func refused() {
        var core = DecisionCore()
        #expect(refusal(core, act("lea", 1, reason: "  "), place(["B-1"]))?.contains("expected why") == true)
        #expect(refusal(core, act("lea", 1), place([]))?.contains("expected 1 to 256") == true)
        #expect(refusal(core, act("lea", 1), place(["B-1", "B-1"]))?.contains("each once") == true)
        #expect(refusal(core, act("lea", 1), place(["B-1\nB-2"]))?.contains("expected a word") == true)
        #expect(refusal(core, act("lea", 1), place((0..<257).map { "B-\($0)" }))?.contains("257 subjects") == true)
        for number in 0..<DecisionCore.legalHoldLimit {
            core.evolve(
                with: .legalHoldPlaced(
                    .with {
                        $0.legalHoldID = "LH-\(number + 1)"
                        $0.subjectIds = ["B-\(number)"]
                    }
                )
            )
        }
        #expect(refusal(core, act("lea", 1), place(["B-1"]))?.contains("expected at most 1000") == true)
        #expect(refusal(core, act("lea", 1, reason: ""), lift("LH-1"))?.contains("expected why") == true)
    }
}
