import PlantCore
import PlantEvents
import SeededRandom
import SwiftProtobuf
import Testing

/// Random life of two cameras: restarts, pictures, gaps, evidence that comes in any order, ends of the source.
private func run(seed: UInt64, inputs: Int, keepsEvidence: Bool = true) -> Live<CaptureCore> {
    var random = SplitMix64(seed: seed)
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
        case 12:
            live.submit(.lost(station: station, device: "cam-1", reason: "no packet for 2 s"))
        case 13:
            live.submit(random.once(in: 2) ? .degraded(fault(live, station)) : .restored(restored(live, station)))
        case 14:
            live.submit(.repeated(.with { $0.trigger.station = station }, atUs: live.nowUs))
            live.submit(.unmatched(.with { $0.station = station }, atUs: live.nowUs))
        case 15:
            live.submit(.configured(configured(station, gain: Double(Int.random(in: 0...2, using: &random)))))
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

private func fault(_ live: Live<CaptureCore>, _ station: String) -> PictureQualityDegraded {
    .with {
        $0.station = station
        $0.trigger = TriggerId(station, 1, UInt64(live.records.count))
        $0.fault = .blurred
        $0.measure = 0.3
        $0.limit = 0.5
    }
}

private func restored(_ live: Live<CaptureCore>, _ station: String) -> PictureQualityRestored {
    .with {
        $0.station = station
        $0.trigger = TriggerId(station, 1, UInt64(live.records.count))
        $0.fault = .blurred
    }
}

private func configured(_ station: String, gain: Double) -> CameraConfigured {
    .with {
        $0.station = station
        $0.device = "cam-1"
        $0.settings = [
            .with {
                $0.name = "gain"
                $0.value = gain
                $0.unit = "2N"
            }
        ]
    }
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
            case .evidenceStored, .evidenceNotStored, .writerTookOver, .cameraLost, .cameraReturned,
                .pictureQualityDegraded, .pictureQualityRestored, .clockSkewEstimated, .evidenceExpired,
                .processImageStored, .cameraConfigured, .frameRepeated, .frameUnmatched:
                break
            }
        }
        for (station, count) in counts {
            #expect(live.core.state.stations[station]?.triggers == count)
            #expect(live.core.nextTrigger(of: station) == expected[station])
        }
        let isRepeated = !live.records.map(\.meta.recordID).hasNoRepeats
        #expect(!isRepeated)
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
            default: nil
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

    @Test(
        "REL-03, GL-08: losses and returns alternate, each return begins a session and says how long it took",
        arguments: seeds
    )
    func lossesAndReturns(seed: UInt64) {
        let live = run(seed: seed, inputs: 200)
        var lostAtUs: [String: Int64] = [:]
        var lastFrame: [String: TriggerId] = [:]
        for record in live.records {
            for (index, kind) in record.kinds.enumerated() {
                switch kind {
                case .frameCaptured(let frame): lastFrame[frame.trigger.station] = frame.trigger
                case .cameraLost(let lost):
                    #expect(lostAtUs.updateValue(lost.lostAtUs, forKey: lost.station) == nil, "lost once")
                    #expect(
                        lost.hasLastTrigger
                            ? lost.lastTrigger == lastFrame[lost.station] : lastFrame[lost.station] == nil
                    )
                case .cameraReturned(let returned):
                    let since = lostAtUs.removeValue(forKey: returned.station)
                    #expect(since.map { record.meta.occurredAtUs - $0 } == returned.lostForUs)
                    guard case .triggerSessionStarted(let started) = record.kinds[index + 1] else {
                        Issue.record("a return without a new session")
                        return
                    }
                    #expect(started.station == returned.station)
                case .triggerSessionStarted(let started):
                    #expect(lostAtUs[started.station] == nil, "a session of a lost camera")
                default: break
                }
            }
        }
        for (name, station) in live.core.state.stations { #expect((station.loss != nil) == (lostAtUs[name] != nil)) }
    }

    @Test("M23: a fault is named once until it is over, and its end once", arguments: seeds)
    func faultsAlternate(seed: UInt64) {
        var active: [String: Bool] = [:]
        for kind in run(seed: seed, inputs: 200).kinds {
            switch kind {
            case .pictureQualityDegraded(let fault):
                #expect(active.updateValue(true, forKey: fault.station) != true)
            case .pictureQualityRestored(let fault):
                #expect(active.updateValue(false, forKey: fault.station) == true)
            default: break
            }
        }
    }

    @Test("CHG-09: a camera's configuration is told when it is new")
    func configurations() {
        var live = Live(CaptureCore(lines: ["vision-1": "line-1"], keepsEvidence: true))
        live.submit(opened("vision-1"))
        #expect(live.submit(.configured(configured("vision-1", gain: 1))) != nil)
        live.submit(opened("vision-1"))
        #expect(live.submit(.configured(configured("vision-1", gain: 1))) == nil)
        #expect(live.submit(.configured(configured("vision-1", gain: 2))) != nil)
    }

    @Test("M18: no clock moves a part: triggers are numbered as they come, whatever device and host say the time is")
    func clocksMoveNothing() {
        var random = SplitMix64(seed: 5)
        var live = Live(CaptureCore(lines: ["vision-1": "line-1"], keepsEvidence: false))
        live.submit(opened("vision-1"))
        for index in UInt64(0)..<500 {
            var frame = frame(live.core.nextTrigger(of: "vision-1"))
            frame.triggeredAtUs = live.nowUs + Int64.random(in: -300_000_000...300_000_000, using: &random)
            frame.deviceTimeUs = Int64.random(in: 0...600_000_000, using: &random)
            frame.sourceName = "\(index)"
            live.submit(.captured(frame))
        }
        let order = live.kinds.compactMap { kind -> (UInt64, String)? in
            if case .frameCaptured(let frame) = kind { (frame.trigger.sequence, frame.sourceName) } else { nil }
        }
        #expect(order.map(\.0) == Array(0..<500) && order.map(\.1) == (0..<500).map(String.init))
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
        var random = SplitMix64(seed: seed)
        let fresh = CaptureCore(lines: ["vision-1": "line-1", "vision-2": "line-1"], keepsEvidence: true)
        try expectHistoryGivesState(run(seed: seed, inputs: 150), fresh: fresh, &random)
    }
}
