import Foundation
import PlantCore
import PlantEvents
import SeededRandom
import SwiftProtobuf
import Testing

private let limits = AlarmFold.Limits(burstFailures: 4, burstWindow: 10, silentAfterUs: 60_000_000)

/// A record of any topic that alerting reads, or a look at the clock.
private enum Seen {
    case frames(FrameRecord)
    case inspections(InspectionRecord)
    case deliveries(DeliveryRecord)
    case clock(Int64)
}

extension AlarmFold {
    fileprivate mutating func take(_ seen: Seen, _ limits: Limits = limits) -> [Draft] {
        switch seen {
        case .frames(let record): fold(record, limits)
        case .inspections(let record): fold(record, limits)
        case .deliveries(let record): fold(record, limits)
        case .clock(let nowUs): tick(nowUs: nowUs, limits)
        }
    }

    fileprivate mutating func takeAll(_ seen: [Seen]) -> [Draft] { seen.flatMap { take($0) } }
}

extension AlarmFold.Draft {
    fileprivate var raised: AlarmRaised? {
        if case .alarmRaised(let raised)? = kind.message.kind { raised } else { nil }
    }

    fileprivate var returned: AlarmReturnedToNormal? {
        if case .alarmReturnedToNormal(let returned)? = kind.message.kind { returned } else { nil }
    }

    /// `+kind` or `-kind`.
    fileprivate var sign: String { raised.map { "+\($0.kind)" } ?? returned.map { "-\($0.kind)" } ?? "?" }
}

private func trigger(_ number: Int, _ station: String, atUs: Int64, isMissed: Bool = false) -> Seen {
    let trigger = TriggerId(station, UInt64(number))
    return .frames(
        foreign(
            "frame:\(trigger.text)",
            [isMissed ? .frameMissed(.with { $0.trigger = trigger }) : .frameCaptured(.with { $0.trigger = trigger })],
            station: station,
            atUs: atUs,
            sequence: UInt64(number)
        )
    )
}

private func session(_ station: String, atUs: Int64) -> Seen {
    .frames(
        foreign(
            "session:\(station)/\(atUs)",
            [.triggerSessionStarted(.with { $0.station = station })],
            station: station,
            atUs: atUs
        )
    )
}

private func end(_ station: String, atUs: Int64) -> Seen {
    .frames(
        foreign(
            "exhausted:\(station)/\(atUs)",
            [.sourceExhausted(.with { $0.station = station })],
            station: station,
            atUs: atUs
        )
    )
}

private func part(_ number: Int, _ verdict: Verdict, _ station: String = "vision-1", holds: [String] = []) -> Seen {
    let trigger = TriggerId(station, UInt64(number))
    let part = PartInspected.with {
        $0.trigger = trigger
        $0.verdict = verdict
    }
    let placed = holds.map { hold in
        InspectionRecord.Event.OneOf_Kind.holdPlaced(
            .with {
                $0.holdID = hold
                $0.subjectKind = .batch
                $0.subjectID = "B-1"
            }
        )
    }
    return .inspections(foreign("part:\(trigger.text)", [.partInspected(part)] + placed, station: station))
}

private func delivery(_ id: String, _ kind: DeliveryRecord.Event.OneOf_Kind) -> Seen {
    .deliveries(foreign(id, [kind]))
}

/// What a plant with two cameras and two peers writes, with looks at the clock between.
private func life(seed: UInt64) -> [Seen] {
    var random = SplitMix64(seed: seed)
    var nowUs: Int64 = 1_715_922_000_000_000
    var lost: Set<String> = []
    var refused: Set<String> = []
    return (0..<400).map { number in
        nowUs += Int64.random(in: 1...20_000_000, using: &random)
        let station = random.pick(["vision-1", "vision-2"])
        switch Int.random(in: 0..<16, using: &random) {
        case 0...2: return trigger(number, station, atUs: nowUs, isMissed: random.once(in: 4))
        case 3: return random.once(in: 3) ? end(station, atUs: nowUs) : session(station, atUs: nowUs)
        case 4...9:
            let verdict = random.pick([Verdict.pass, .fail, .uncertain])
            return part(
                number,
                verdict,
                station,
                holds: random.once(in: 8) ? ["hold-\(number)/a", "hold-\(number)/b"] : []
            )
        case 10:
            let peer = random.pick(["mes", "erp"])
            let kind: DeliveryRecord.Event.OneOf_Kind =
                lost.contains(peer)
                ? .peerRestored(.with { $0.peer = peer })
                : .peerLost(.with { $0.peer = peer })
            lost.formSymmetricDifference([peer])
            return delivery("peer \(number)", kind)
        case 11:
            let intent = "intent-\(Int.random(in: 0..<4, using: &random))"
            let kind: DeliveryRecord.Event.OneOf_Kind =
                refused.contains(intent)
                ? .deliveryRedriven(.with { $0.intentID = intent })
                : .deliveryRefused(.with { $0.intentID = intent })
            refused.formSymmetricDifference([intent])
            return delivery("outcome \(number)", kind)
        default: return .clock(nowUs)
        }
    }
}

@Suite struct AlarmFoldTests {
    @Test(
        "RES-11: a burst is raised and returns exactly when counting says so, with the dead band between",
        arguments: UInt64(1)...100
    )
    func burst(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let window = Int.random(in: 1...12, using: &random)
        let failures = Int.random(in: 1...window, using: &random)
        let limits = AlarmFold.Limits(burstFailures: failures, burstWindow: window, silentAfterUs: 1)
        let badness = random.pick([2, 3, 6])
        let verdicts = (0..<200).map { _ in random.once(in: badness) ? Verdict.fail : random.pick([.pass, .uncertain]) }
        var fold = AlarmFold()
        var isActive = false
        for number in verdicts.indices {
            let drafts = fold.take(part(number, verdicts[number]), limits)
            let last = verdicts[max(0, number - window + 1)...number]
            let failed = last.count { $0 == .fail }
            var expected: [String] = []
            if !isActive, failed >= failures {
                expected = ["+defect-burst"]
                isActive = true
            } else if isActive, Double(failed) <= Double(failures) / 2 {
                expected = ["-defect-burst"]
                isActive = false
            }
            #expect(drafts.map(\.sign) == expected, "\(failed) of \(last.count), limit \(failures) of \(window)")
            #expect(drafts.allSatisfy { $0.subject == "vision-1" && $0.station == "vision-1" && $0.line == "line-1" })
        }
    }

    @Test("MES-01: each hold is an alarm of its own, also two that one part caused")
    func holds() {
        var fold = AlarmFold()
        let drafts = fold.takeAll([
            part(0, .fail, holds: ["hold-1", "hold-2"]), part(1, .pass), part(2, .fail, holds: ["hold-3"]),
        ])
        #expect(drafts.map(\.sign) == Array(repeating: "+hold-placed", count: 3))
        #expect(drafts.map(\.subject) == ["hold-1", "hold-2", "hold-3"])
        #expect(drafts.compactMap(\.raised?.alarmID).hasNoRepeats)
        #expect(drafts.map(\.recordID).hasNoRepeats)
        #expect(fold.activeAlarms.count == 3)
    }

    @Test(
        "REL-06: silence is raised once, from the last trigger on, and returns with the next one",
        arguments: [true, false]
    )
    func silence(isNextMissed: Bool) throws {
        var fold = AlarmFold()
        #expect(fold.takeAll([session("vision-1", atUs: 0), trigger(0, "vision-1", atUs: 1_000)]).isEmpty)
        #expect(fold.take(.clock(60_000_999)).isEmpty)
        let raised = try #require(fold.takeAll([.clock(60_001_000), .clock(90_000_000)]).first)
        #expect(raised.sign == "+station-silent")
        #expect(raised.occurredAtUs == 60_001_000, "when it fell silent, not when somebody looked")
        #expect(raised.station == "vision-1" && raised.line == "line-1" && raised.cause == nil)
        let back = fold.take(trigger(1, "vision-1", atUs: 95_000_000, isMissed: isNextMissed))
        #expect(back.map(\.sign) == ["-station-silent"])
        #expect(back.first?.returned?.alarmID == raised.raised?.alarmID)
        // The next silence is another occurrence
        let next = fold.take(.clock(200_000_000))
        #expect(next.map(\.sign) == ["+station-silent"])
        #expect(next.first?.recordID != raised.recordID)
    }

    @Test("A camera that opens and never delivers is silent; a source that ended is not, until it is opened again")
    func silenceOfEndedSource() {
        var fold = AlarmFold()
        #expect(fold.takeAll([session("vision-1", atUs: 0), .clock(60_000_000)]).map(\.sign) == ["+station-silent"])
        #expect(fold.take(end("vision-1", atUs: 61_000_000)).map(\.sign) == ["-station-silent"])
        #expect(fold.take(.clock(900_000_000)).isEmpty)
        let again = fold.takeAll([session("vision-1", atUs: 900_000_000), .clock(960_000_000)])
        #expect(again.map(\.sign) == ["+station-silent"])
    }

    @Test("A station is not silent because its verdicts are read before its frames")
    func verdictsBeforeFrames() {
        var fold = AlarmFold()
        #expect(fold.takeAll([part(0, .pass), .clock(1_715_922_000_000_000)]).isEmpty)
    }

    @Test("REL-01, REL-02: a lost peer is an alarm until it answers again; each peer for itself")
    func peers() {
        var fold = AlarmFold()
        let drafts = fold.takeAll([
            delivery("1", .peerLost(.with { $0.peer = "mes" })), delivery("2", .peerLost(.with { $0.peer = "erp" })),
            delivery("3", .peerRestored(.with { $0.peer = "mes" })),
            delivery("4", .peerRestored(.with { $0.peer = "mes" })),
            delivery("5", .peerLost(.with { $0.peer = "mes" })),
        ])
        #expect(
            drafts.map { $0.sign + " " + $0.subject } == [
                "+peer-lost mes", "+peer-lost erp", "-peer-lost mes", "+peer-lost mes",
            ]
        )
        #expect(fold.activeAlarms.keys.sorted() == ["peer-lost erp", "peer-lost mes"])
    }

    @Test("I4: a refused delivery is an alarm until it is re-driven or skipped")
    func refusedDeliveries() {
        var fold = AlarmFold()
        let drafts = fold.takeAll([
            delivery("1", .deliveryRefused(.with { $0.intentID = "a" })),
            delivery("2", .deliveryRefused(.with { $0.intentID = "b" })),
            delivery("3", .deliveryRedriven(.with { $0.intentID = "a" })),
            delivery("4", .deliverySkipped(.with { $0.intentID = "b" })),
            delivery("5", .deliveryRefused(.with { $0.intentID = "a" })),
        ])
        #expect(
            drafts.map { $0.sign + " " + $0.subject } == [
                "+delivery-refused a", "+delivery-refused b", "-delivery-refused a", "-delivery-refused b",
                "+delivery-refused a",
            ]
        )
        #expect(drafts.compactMap(\.raised?.alarmID).hasNoRepeats)
    }

    @Test("CHG-05: a refused recipe is an alarm until a recipe is active, or parts are judged again")
    func refusedRecipe() {
        func inspection(_ id: String, _ kind: InspectionRecord.Event.OneOf_Kind) -> Seen {
            .inspections(foreign(id, [kind], station: "vision-1"))
        }
        var fold = AlarmFold()
        let refused = RecipeRefused.with { $0.station = "vision-1" }
        let activated = RecipeActivated.with { $0.station = "vision-1" }
        let drafts = fold.takeAll([
            inspection("1", .recipeRefused(refused)), inspection("2", .recipeActivated(activated)),
            inspection("3", .recipeRefused(refused)), part(0, .pass), part(1, .pass),
        ])
        #expect(drafts.map(\.sign) == ["+recipe-refused", "-recipe-refused", "+recipe-refused", "-recipe-refused"])
    }

    @Test("RES-11: a stop and a defect that the plan names are alarms until parts without it come")
    func stopsAndNamedDefects() {
        func inspection(_ id: String, _ kind: InspectionRecord.Event.OneOf_Kind) -> Seen {
            .inspections(foreign(id, [kind], station: "vision-1"))
        }
        func failed(_ number: Int, _ category: String) -> InspectionRecord.Event.OneOf_Kind {
            .partInspected(
                .with {
                    $0.trigger = TriggerId("vision-1", UInt64(number))
                    $0.verdict = .fail
                    $0.defects = [.with { $0.category = category }]
                }
            )
        }
        var fold = AlarmFold()
        let activated = RecipeActivated.with {
            $0.station = "vision-1"
            $0.reactionPlan.alarmOnCategories = ["short"]
        }
        let stop = StopRequested.with { $0.station = "vision-1" }
        let wide = AlarmFold.Limits(burstFailures: 100, burstWindow: 100, silentAfterUs: 60_000_000)
        let seen = [
            inspection("0", failed(0, "short")), inspection("1", .recipeActivated(activated)),
            inspection("2", failed(1, "open")), inspection("3", failed(2, "short")),
            inspection("4", .stopRequested(stop)), inspection("5", failed(3, "short")),
            inspection("6", failed(4, "open")), part(5, .pass),
        ]
        let drafts = seen.flatMap { fold.take($0, wide) }
        #expect(drafts.map(\.sign) == ["+defect-found", "+stop-requested", "-defect-found", "-stop-requested"])
        #expect(drafts.compactMap(\.raised?.subject) == ["vision-1/short", "vision-1"])
    }

    @Test(
        "RES-11: alarms alternate: none is raised while active, none returns that was not raised",
        arguments: UInt64(1)...40
    )
    func alternates(seed: UInt64) throws {
        var fold = AlarmFold()
        var active: [String: String] = [:]
        let drafts = fold.takeAll(life(seed: seed))
        for draft in drafts {
            if let raised = draft.raised {
                let key = "\(raised.kind) \(raised.subject)"
                #expect(active.updateValue(raised.alarmID, forKey: key) == nil)
                #expect(!raised.text.isEmpty && !raised.response.isEmpty && raised.priority != .unspecified)
            } else {
                let returned = try #require(draft.returned)
                #expect(active.removeValue(forKey: "\(returned.kind) \(returned.subject)") == returned.alarmID)
            }
        }
        #expect(active == fold.activeAlarms)
        #expect(drafts.map(\.recordID).hasNoRepeats)
        #expect(drafts.count > 20, "the run must raise something")
    }

    @Test(
        "I5: replaying the same records gives the same alarms, also from state kept at any point",
        arguments: UInt64(1)...40
    )
    func replay(seed: UInt64) throws {
        let seen = life(seed: seed)
        var first = AlarmFold()
        let expected = first.takeAll(seen)
        var random = SplitMix64(seed: seed)
        let cut = Int.random(in: 0...seen.count, using: &random)
        var second = AlarmFold()
        let before = second.takeAll(Array(seen[..<cut]))
        var resumed = try JSONDecoder().decode(AlarmFold.self, from: try JSONEncoder().encode(second))
        #expect(before + resumed.takeAll(Array(seen[cut...])) == expected)
        #expect(try text(resumed) == text(first))
    }

    @Test("I5: alarms do not depend on how topics interleave", arguments: UInt64(1)...40)
    func interleaving(seed: UInt64) {
        var frames: [Seen] = []
        var others: [Seen] = []
        for seen in life(seed: seed) {
            switch seen {
            case .frames: frames.append(seen)
            case .inspections, .deliveries: others.append(seen)
            case .clock: break
            }
        }
        var left = AlarmFold()
        var right = AlarmFold()
        let leftDrafts = left.takeAll(frames + others)
        let rightDrafts = right.takeAll(others + frames)
        #expect(leftDrafts.map(\.recordID).sorted() == rightDrafts.map(\.recordID).sorted())
        let later = Seen.clock(1_725_922_000_000_000)
        #expect(left.take(later) == right.take(later))
    }
}
