import Foundation
import PlantCore
import PlantEvents
import SeededRandom
import SwiftProtobuf
import Testing

private let dayUs: Int64 = 86_400_000_000
private let recipes = [("pcb-7", "a" as Character), ("pcb-8", "b")].flatMap { id, digit in
    (0..<3).map { (id: id, sha256: hash($0, digit)) }
}
private let skus = ["PCB-7", "PCB-8"]

private func limits(_ days: Int64) -> AlarmFold.Limits {
    AlarmFold.Limits(burstFailures: 4, burstWindow: 10, silentAfterUs: 60_000_000, reviewEveryUs: days * dayUs)
}

/// Console's core and alerting's fold over one history, on one clock.
private struct Bench {
    var core = DecisionCore()
    var fold = AlarmFold()
    var history = AlarmHistory()
    var records: [DecisionRecord] = []
    var alarms: [AlarmRecord] = []
    var nowUs: Int64 = 1_715_922_000_000_000
    var limits = PlantCoreTests.limits(92)

    mutating func decide(_ person: String, _ decision: DecisionCore.Decision) -> Bool {
        let act = HumanAct.with {
            ($0.personID, $0.requestID, $0.reason) = (person, "r-\(records.count)-\(nowUs)", "why")
            $0.authentication = .systemUser
        }
        guard let step = core.decide(.init(act: act, decision: decision), nowUs: nowUs) else { return false }
        let record: DecisionRecord = foreign(
            step.recordID,
            step.kinds,
            atUs: nowUs,
            sequence: UInt64(records.count)
        )
        core.evolve(with: record)
        records.append(record)
        append(fold.fold(record))
        return true
    }

    /// As alerting does: what its history has is not appended again.
    mutating func append(_ drafts: [AlarmFold.Draft]) {
        for draft in drafts where !history.contains(draft) {
            let record = AlarmRecord.with {
                $0.meta.recordID = draft.recordID
                if let cause = draft.cause?.message { $0.meta.cause = cause }
                $0.meta.occurredAtUs = draft.occurredAtUs
                $0.events = [draft.kind.message]
            }
            alarms.append(record)
            history.take(record)
        }
    }

    mutating func tick() { append(fold.tick(nowUs: nowUs, limits)) }

    /// A lost state: all is read anew, and what the log has open is taken on.
    mutating func rebuild() {
        fold = AlarmFold()
        append(records.flatMap { fold.fold($0) })
        append(fold.resume(history.openTimers(unknownTo: fold, besides: []), nowUs: nowUs, limits))
        tick()
    }

    /// Hashes of the recipes whose alarm the log shows open; an alarm raised twice or returned unraised is an issue.
    func open() -> Set<String> {
        var open: [String: String] = [:]
        for record in alarms {
            for case let kind? in record.events.map(\.kind) {
                switch kind {
                case .alarmRaised(let raised):
                    let before = open.updateValue(raised.alarmID, forKey: raised.subject)
                    #expect(before == nil, "raised twice: \(raised.alarmID)")
                    #expect(raised.kind == "review-overdue" && raised.priority == .low)
                case .alarmReturnedToNormal(let returned):
                    #expect(open.removeValue(forKey: returned.subject) == returned.alarmID)
                case .writerTookOver: break
                }
            }
        }
        return Set(open.keys)
    }

    /// What the console's list says is overdue.
    var overdue: Set<String> {
        Set(core.state.recipes.filter { ($0.value.reviewDueUs(everyUs: limits.reviewEveryUs) ?? .max) <= nowUs }.keys)
    }

    func review(_ sha256: String, daysAgo: Int64) -> DecisionCore.Decision {
        .review(
            .with {
                ($0.subjectSha256, $0.reportSha256, $0.conclusion) = (sha256, hash(7), "keep")
                ($0.fromUs, $0.toUs) = (nowUs - (daysAgo + 30) * dayUs, nowUs - daysAgo * dayUs)
            }
        )
    }

    mutating func release(_ recipe: (id: String, sha256: String), for products: [String]) -> Bool {
        let known = core.state.recipes[recipe.sha256]
        if known == nil {
            _ = decide(
                "ada",
                .submit(
                    .with {
                        ($0.recipeID, $0.recipeSha256) = (recipe.id, recipe.sha256)
                        ($0.station, $0.skus) = ("vision-1", skus)
                    }
                )
            )
            _ = decide(
                "ada",
                .test(
                    .with {
                        ($0.recipeSha256, $0.setSha256, $0.reportSha256) = (recipe.sha256, hash(2), hash(3))
                        $0.pictures = 9
                    }
                )
            )
            _ = decide("ben", .approve(.with { ($0.recipeSha256, $0.reportSha256) = (recipe.sha256, hash(3)) }))
        }
        return decide(
            "ben",
            .release(
                .with {
                    ($0.recipeSha256, $0.skus) = (recipe.sha256, products)
                }
            )
        )
    }
}

@Suite struct ReviewAlarmTests {
    @Test(
        "ML-04: at every look at the clock the open alarms are the reviews that the console calls overdue, each raised once",
        arguments: 1...25
    )
    func alarmsAreWhatIsOverdue(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        var bench = Bench()
        var raised = 0
        for _ in 0..<150 {
            bench.nowUs += Int64(random.below(21)) * dayUs + 1
            let recipe = random.pick(recipes)
            switch random.below(8) {
            case 0, 1: _ = bench.release(recipe, for: random.once(in: 2) ? skus : [random.pick(skus)])
            case 2, 3:
                let daysAgo = Int64(random.below(101))
                _ = bench.decide("ben", bench.review(recipe.sha256, daysAgo: daysAgo))
            case 4 where random.once(in: 4):
                _ = bench.decide("ben", .retire(.with { $0.recipeSha256 = recipe.sha256 }))
            case 5 where random.once(in: 2): bench.rebuild()
            case 6:
                bench.fold = try JSONDecoder().decode(AlarmFold.self, from: try JSONEncoder().encode(bench.fold))
            default: break
            }
            bench.tick()
            #expect(bench.open() == bench.overdue, "seed \(seed)")
            raised = max(raised, bench.open().count)
        }
        #expect(raised > 0, "a test in which nothing is overdue shows nothing")
    }

    @Test("ML-04: recording the review ends the alarm at once, by the record that did it")
    func reviewEndsTheAlarm() throws {
        var bench = Bench()
        let isReleased = bench.release(recipes[0], for: skus)
        #expect(isReleased)
        bench.nowUs += 92 * dayUs - 1
        bench.tick()
        #expect(bench.open().isEmpty, "not a microsecond early")
        bench.nowUs += 1
        bench.tick()
        #expect(bench.open() == [recipes[0].sha256])
        let isReviewed = bench.decide("ben", bench.review(recipes[0].sha256, daysAgo: 0))
        #expect(isReviewed)
        #expect(bench.open().isEmpty)
        #expect(bench.alarms.last?.meta.cause == bench.records.last?.meta.origin)
        let text = try #require(bench.alarms.first.flatMap { $0.events.first?.alarmRaised.text })
        #expect(text == "recipe pcb-7 (\(recipes[0].sha256.prefix(12))) was not reviewed for 92 days")
    }

    @Test("ML-04: a longer interval ends the alarm, a shorter one raises it; a clock set back does nothing")
    func intervals() {
        var bench = Bench()
        let isReleased = bench.release(recipes[0], for: skus)
        #expect(isReleased)
        bench.nowUs += 40 * dayUs
        bench.tick()
        #expect(bench.open().isEmpty)
        bench.limits = limits(30)
        bench.tick()
        #expect(bench.open().count == 1)
        bench.nowUs -= 20 * dayUs
        bench.tick()
        #expect(bench.open().count == 1)
        bench.nowUs += 21 * dayUs
        bench.limits = limits(92)
        bench.tick()
        #expect(bench.open().isEmpty)
    }
}
