import PlantCore
import PlantEvents
import SwiftProtobuf
import Testing

/// Random life of two cameras: restarts, pictures, gaps, evidence that comes in any order, ends of the source.
private func run(seed: UInt64, inputs: Int, keepsEvidence: Bool = true) -> Live<CaptureCore> {
    var random = SeededGenerator(seed: seed)
    var live = Live(CaptureCore(lines: ["vision-1": "line-1", "vision-2": "line-1"], keepsEvidence: keepsEvidence))
    var unsettled: [TriggerId] = []
    for station in ["vision-1", "vision-2"] { live.submit(opened(station)) }
    for _ in 0..<inputs {
        let station = random.pick(["vision-1", "vision-2"])
        switch Int.random(in: 0..<20, using: &random) {
        case 0:
            live.submit(opened(station))
        case 1:
            live.submit(.exhausted(station: station))
        case 2...4:
            live.submit(.missed(.with { $0.trigger = live.core.nextTrigger(of: station) }))
        case 5...11 where !unsettled.isEmpty:
            let trigger = unsettled.remove(at: Int.random(in: unsettled.indices, using: &random))
            live.submit(outcome(of: trigger, isStored: !random.once(in: 4)))
        default:
            let frame = frame(live.core.nextTrigger(of: station))
            live.submit(.captured(frame))
            unsettled.append(frame.trigger)
        }
    }
    for trigger in unsettled { live.submit(outcome(of: trigger, isStored: true)) }
    return live
}

private func opened(_ station: String) -> CaptureCore.Input {
    .opened(station: station, adapter: "folder", device: "/srv/images", reason: "service start")
}

private func outcome(of trigger: TriggerId, isStored: Bool) -> CaptureCore.Input {
    isStored
        ? .evidenceStored(.with { $0.trigger = trigger })
        : .evidenceNotStored(
            .with {
                $0.trigger = trigger
                $0.reason = "disk full"
            }
        )
}

private let seeds = UInt64(1)...60

@Suite struct CaptureCoreTests {
    @Test(
        "I1: triggers are dense in each session, sessions rise, and each trigger is captured or missed once",
        arguments: seeds
    )
    func triggersAreDense(seed: UInt64) {
        let live = run(seed: seed, inputs: 200)
        var expected: [String: TriggerId] = [:]
        var counts: [String: UInt64] = [:]
        func take(_ trigger: TriggerId) {
            #expect(trigger == expected[trigger.station])
            expected[trigger.station]?.sequence += 1
            counts[trigger.station, default: 0] += 1
        }
        for kind in live.kinds {
            switch kind {
            case .triggerSessionStarted(let started):
                let before = expected[started.station]?.session ?? 0
                #expect(started.session == before + 1)
                expected[started.station] = TriggerId(started.station, started.session, 0)
            case .frameCaptured(let frame): take(frame.trigger)
            case .frameMissed(let gap): take(gap.trigger)
            case .sourceExhausted(let exhausted): #expect(exhausted.triggers == counts[exhausted.station, default: 0])
            case .evidenceStored, .evidenceNotStored, .writerTookOver: break
            }
        }
        for (station, count) in counts {
            #expect(live.core.state.stations[station]?.triggers == count)
            #expect(live.core.nextTrigger(of: station) == expected[station])
        }
        #expect(live.records.map(\.meta.recordID).hasNoRepeats)
    }

    @Test("RES-04: each captured picture's evidence has one outcome, then nothing is awaited", arguments: seeds)
    func evidenceSettles(seed: UInt64) {
        let live = run(seed: seed, inputs: 200)
        let captured = live.kinds.compactMap { kind in
            if case .frameCaptured(let frame) = kind { frame.trigger.text } else { nil }
        }
        let settled = live.kinds.compactMap { kind in
            switch kind {
            case .evidenceStored(let stored): stored.trigger.text
            case .evidenceNotStored(let lost): lost.trigger.text
            case .writerTookOver, .triggerSessionStarted, .frameCaptured, .frameMissed, .sourceExhausted: nil
            }
        }
        #expect(settled.sorted() == captured.sorted())
        for station in live.core.state.stations.values { #expect(station.awaitingEvidence.isEmpty) }
    }

    @Test("RES-04: a second outcome of the same picture is not news")
    func secondOutcomeIsIgnored() {
        // Given a picture whose evidence was given up at a restart
        var live = Live(CaptureCore(lines: ["vision-1": "line-1"], keepsEvidence: true))
        live.submit(opened("vision-1"))
        let trigger = live.core.nextTrigger(of: "vision-1")
        live.submit(.captured(frame(trigger)))
        #expect(live.core.state.stations["vision-1"]?.awaitingEvidence.keys.sorted() == ["vision-1/1/0"])
        live.submit(outcome(of: trigger, isStored: false))
        // When the store reports it after all, then nothing is appended that contradicts the first
        #expect(live.submit(outcome(of: trigger, isStored: true)) == nil)
    }

    @Test("A plant that keeps no pictures awaits none")
    func keepsNone() {
        let live = run(seed: 1, inputs: 200, keepsEvidence: false)
        for station in live.core.state.stations.values { #expect(station.awaitingEvidence.isEmpty) }
        #expect(!live.kinds.contains { if case .evidenceStored = $0 { true } else { false } })
    }

    @Test("A source ends once a session, and may go on after a restart")
    func exhaustsOnce() {
        var live = Live(CaptureCore(lines: ["vision-1": "line-1"], keepsEvidence: true))
        #expect(live.submit(.exhausted(station: "vision-1")) == nil, "a station never opened has no source")
        live.submit(opened("vision-1"))
        live.submit(.captured(frame(live.core.nextTrigger(of: "vision-1"))))
        #expect(live.submit(.exhausted(station: "vision-1")) != nil)
        #expect(live.submit(.exhausted(station: "vision-1")) == nil)
        live.submit(opened("vision-1"))
        #expect(live.core.nextTrigger(of: "vision-1") == TriggerId("vision-1", 2, 0))
        #expect(live.core.state.stations["vision-1"]?.triggers == 1, "the source goes on behind its first picture")
        #expect(live.submit(.exhausted(station: "vision-1")) != nil)
    }

    @Test("Records say where and when: key and station, line, the trigger's own time")
    func recordsSayWhere() throws {
        var live = Live(CaptureCore(lines: ["vision-1": "line-7"], keepsEvidence: true))
        live.submit(opened("vision-1"))
        var frame = frame(live.core.nextTrigger(of: "vision-1"))
        frame.triggeredAtUs = 42
        let step = try #require(live.core.decide(.captured(frame), nowUs: 50))
        #expect(step.key == "vision-1")
        #expect(step.station == "vision-1")
        #expect(step.line == "line-7")
        #expect(step.occurredAtUs == 42)
        #expect(step.subject == "vision-1/1/0")
        #expect(live.core.decide(.captured(frame), nowUs: 60)?.recordID == step.recordID, "the same cause, the same id")
    }

    @Test("Own history alone gives the state back", arguments: seeds)
    func historyGivesState(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let fresh = CaptureCore(lines: ["vision-1": "line-1", "vision-2": "line-1"], keepsEvidence: true)
        try expectHistoryGivesState(run(seed: seed, inputs: 150), fresh: fresh, &random)
    }
}
