import PlantCore
import PlantEvents
import SeededRandom
import SwiftProtobuf
import Testing

private let startUs: Int64 = 1_715_922_000_000_000
private let limits = AlarmFold.Limits(burstFailures: 4, burstWindow: 10, silentAfterUs: 60_000_000)

@Suite struct RunwayTests {
    private static func hours(_ runway: Runway) -> Double? {
        if case .hours(let hours) = runway.estimate { hours } else { nil }
    }

    @Test("REL-04: a constant rate gives free bytes over rate, however often it is sampled", arguments: 0..<60)
    func constantRate(seed: Int) throws {
        var random = SplitMix64(seed: UInt64(seed))
        let rate = Int64.random(in: 1...50_000_000, using: &random)
        let freeAtStart = Int64.random(in: 1...4_000_000_000_000, using: &random) + rate * 8_000
        var runway = Runway()
        var second: Int64 = 0
        while second < 7_200 {
            let used = rate * second
            runway.note(usedBytes: used, freeBytes: freeAtStart - used, atUs: startUs + second * 1_000_000)
            if second < 300 { #expect(runway.estimate == .unknown) }
            second += Int64.random(in: 1...60, using: &random)
        }
        let expected = Double(runway.freeBytes) / Double(rate) / 3_600
        #expect(abs(try #require(Self.hours(runway)) / expected - 1) < 1e-9)
    }

    @Test("No growth, or a folder that shrinks, has no end")
    func noGrowth() {
        for step in [0, -1_000] as [Int64] {
            var runway = Runway()
            for minute in 0..<30 as Range<Int64> {
                runway.note(usedBytes: 1_000_000 + step * minute, freeBytes: 5, atUs: startUs + minute * 60_000_000)
            }
            #expect(runway.estimate == .notGrowing)
        }
    }

    @Test("Growth in steps, as files grow, is evened out to within one step of the window", arguments: 0..<40)
    func steps(seed: Int) throws {
        var random = SplitMix64(seed: UInt64(seed))
        let rate = Int64.random(in: 100_000...10_000_000, using: &random)
        let step = rate * Int64.random(in: 1...120, using: &random)
        var runway = Runway()
        for tick in 0..<720 as Range<Int64> {
            let used = rate * tick * 10 / step * step
            runway.note(usedBytes: used, freeBytes: 1_000_000_000_000, atUs: startUs + tick * 10_000_000)
        }
        let measured = try #require(runway.bytesPerSecond)
        #expect(abs(measured - Double(rate)) <= Double(step) / 3_500)
    }

    @Test("A rate that changes is followed within the window; a clock set back begins anew", arguments: 0..<20)
    func changes(seed: Int) throws {
        var random = SplitMix64(seed: UInt64(seed))
        let after = Int64.random(in: 1...9_000, using: &random)
        var runway = Runway()
        var used: Int64 = 0
        for minute in 0..<180 as Range<Int64> {
            used += minute < 100 ? 5_000 : after * 60
            runway.note(usedBytes: used, freeBytes: 1_000_000_000, atUs: startUs + minute * 60_000_000)
        }
        #expect(abs(try #require(runway.bytesPerSecond) / Double(after) - 1) < 1e-9)
        runway.note(usedBytes: used, freeBytes: 1, atUs: startUs)
        #expect(runway.estimate == .unknown)
    }
}

@Suite struct HostAlarmTests {
    /// A host whose log grows so that its disk lasts `hours` at each minute from `atMinute` on.
    private struct Host {
        var fold = AlarmFold()
        var used: Int64 = 0
        var minute: Int64 = 0

        mutating func run(hours: Double, minutes: Int, stopped: [String] = []) -> [AlarmFold.Draft] {
            var drafts: [AlarmFold.Draft] = []
            for _ in 0..<minutes {
                minute += 1
                used += 60_000
                // 1,000 bytes a second.
                let sample = AlarmFold.HostSample(
                    host: "station-1",
                    logBytes: used,
                    freeBytes: Int64(hours * 3_600 * 1_000),
                    stoppedPartitions: Dictionary(uniqueKeysWithValues: stopped.map { ($0, "ahead") })
                )
                drafts += fold.look(at: sample, nowUs: startUs + minute * 60_000_000)
            }
            return drafts
        }
    }

    private static func signs(_ drafts: [AlarmFold.Draft]) -> [String] {
        drafts.map { draft in
            switch draft.kind.message.kind {
            case .alarmRaised(let raised): "+\(raised.kind) \(raised.priority)"
            case .alarmReturnedToNormal(let returned): "-\(returned.kind)"
            default: "?"
            }
        }
    }

    @Test("REL-04: spool-filling is raised under 24 h, raised higher under 4 h, and returns with a dead band")
    func spoolFilling() {
        var host = Host()
        let step1 = host.run(hours: 30, minutes: 20)
        #expect(step1.isEmpty)
        let step2 = Self.signs(host.run(hours: 23, minutes: 20))
        #expect(step2 == ["+spool-filling medium"])
        let step3 = host.run(hours: 25, minutes: 20)
        #expect(step3.isEmpty, "within the dead band")
        let step4 = Self.signs(host.run(hours: 3.9, minutes: 20))
        #expect(step4 == ["-spool-filling", "+spool-filling high"])
        let step5 = host.run(hours: 4.5, minutes: 20)
        #expect(step5.isEmpty, "within the dead band")
        let step6 = Self.signs(host.run(hours: 6, minutes: 20))
        #expect(step6 == ["-spool-filling", "+spool-filling medium"])
        let step7 = Self.signs(host.run(hours: 40, minutes: 20))
        #expect(step7 == ["-spool-filling"])
    }

    @Test("Near a limit, whatever the estimate does within the dead band, there is one alarm", arguments: 0..<20)
    func deadBand(seed: Int) {
        var random = SplitMix64(seed: UInt64(seed))
        var host = Host()
        var drafts: [AlarmFold.Draft] = []
        for _ in 0..<60 { drafts += host.run(hours: Double.random(in: 20...29, using: &random), minutes: 1) }
        #expect(Self.signs(drafts).count <= 1)
        #expect(Set(drafts.map(\.recordID)).count == drafts.count)
    }

    @Test("A log that stops growing returns to normal, and not before that is known")
    func noGrowth() {
        var host = Host()
        let step8 = Self.signs(host.run(hours: 2, minutes: 10))
        #expect(step8 == ["+spool-filling high"])
        var drafts: [AlarmFold.Draft] = []
        for _ in 0..<62 {
            host.minute += 1
            let sample = AlarmFold.HostSample(host: "station-1", logBytes: host.used, freeBytes: 7_200_000)
            drafts += host.fold.look(at: sample, nowUs: startUs + host.minute * 60_000_000)
        }
        #expect(Self.signs(drafts).last == "-spool-filling")
        #expect(host.fold.activeAlarms.isEmpty)
    }

    @Test("REL-04: uplink-stopped is raised for each partition once and returns when it goes on")
    func uplinkStopped() {
        var host = Host()
        let step9 = Self.signs(host.run(hours: 90, minutes: 3, stopped: ["frames/1", "frames/2"]))
        #expect(step9.count == 2)
        #expect(host.fold.activeAlarms.keys.sorted() == ["uplink-stopped frames/1", "uplink-stopped frames/2"])
        let step10 = Self.signs(host.run(hours: 90, minutes: 3, stopped: ["frames/2"]))
        #expect(step10 == ["-uplink-stopped"])
        let step11 = Self.signs(host.run(hours: 90, minutes: 3))
        #expect(step11 == ["-uplink-stopped"])
    }
}
