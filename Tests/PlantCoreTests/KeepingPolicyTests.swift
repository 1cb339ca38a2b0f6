import PlantCore
import Testing

@Suite struct KeepingPolicyTests {
    @Test(
        "RES-13: fails keeps all but passed parts, and every Nth of those; a verdict that is not known counts as a fail"
    )
    func keepsFails() {
        let policy = KeepingPolicy(keep: .fails, goodEvery: 3)
        for outcome in [KeepingPolicy.Outcome.fail, .unknown] { #expect(policy.keeps(outcome, goodBefore: 1)) }
        #expect((0..<7).map { policy.keeps(.pass, goodBefore: $0) } == [true, false, false, true, false, false, true])
        #expect(!KeepingPolicy(keep: .fails).keeps(.pass, goodBefore: 0))
        #expect(KeepingPolicy(keep: .all).keeps(.pass, goodBefore: 1))
        #expect(!KeepingPolicy(keep: .none).keeps(.fail, goodBefore: 1))
    }

    @Test("RES-04: a picture is as strict as the strictest part it shows; nothing is due while one is unknown")
    func strictest() {
        #expect(KeepingPolicy.kind(of: [.pass, .fail], isProcess: true) == .fail)
        #expect(KeepingPolicy.kind(of: [.pass, .pass], isProcess: false) == .pass)
        #expect(KeepingPolicy.kind(of: [.pass, .unknown], isProcess: false) == nil)
        #expect(KeepingPolicy.kind(of: [], isProcess: true) == .process)
        #expect(KeepingPolicy.kind(of: [], isProcess: false) == nil)
        let policy = KeepingPolicy(pass: .seconds(60), fail: .forever, process: .whileRoom)
        #expect(policy.dueUs(.pass, storedAtUs: 5) == 60_000_005)
        #expect(policy.dueUs(.fail, storedAtUs: 5) == nil && policy.dueUs(.process, storedAtUs: 5) == nil)
        #expect(policy.deletes && !KeepingPolicy().deletes)
    }

    @Test("Times are written as they are read")
    func times() {
        for text in ["forever", "while_room", "30d", "2y", "12h", "90s", "5m", "731d"] {
            #expect(KeepingPolicy.Retention(text: text)?.text == text)
        }
        for text in ["", "d", "0d", "-3d", "3", "3w", "101y", "9223372036854775807y", "1.5d", "30 d"] {
            #expect(KeepingPolicy.Retention(text: text) == nil, "\(text)")
        }
        #expect(KeepingPolicy(pass: .seconds(2_592_000)).rule(.pass) == "pass: 30d")
    }
}
