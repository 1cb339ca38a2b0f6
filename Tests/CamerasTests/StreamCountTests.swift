import Cameras
import SeededRandom
import Testing

@Suite("A camera's counter and its stream's")
struct StreamCountTests {
    /// What becomes of one trigger.
    private enum Fate: CaseIterable {
        case picture
        /// Counted, and no frame made.
        case missed
        /// Not one packet arrived.
        case lost
        /// Packets missing: no chunk data, so no number of the camera's own.
        case damaged
        /// The leader packet missing too: no block id either.
        case leaderless
    }

    @Test("M18 TRC-13 together they account for each trigger, and tell one lost from one missed", arguments: 1...100)
    func eachTrigger(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var order = FrameOrder(modulus: .max, lowest: 0)
        var blocks = StreamCount(modulus: 1 << 16, lowest: 1)
        var counts = CameraStatistics()
        var (shots, missed, lost): (UInt64, UInt64, UInt64) = (0, 0, 0)
        var wanted: [Fate: UInt64] = [:]
        // Near its end, so that it runs over.
        var block: UInt64 = 65_500
        for counter in 0..<200 as Range<UInt64> {
            // The first and the last arrive: what is lost before or after all others is not told.
            let isEnd = counter == 0 || counter == 199
            let fate = isEnd ? .picture : Fate.allCases.randomElement(using: &random) ?? .picture
            wanted[fate, default: 0] += 1
            if fate != .missed { block = block == 65_535 ? 1 : block + 1 }
            guard fate != .missed, fate != .lost else { continue }
            let left = blocks.lost(before: fate == .leaderless ? nil : block)
            let none = NoPicture(reason: "seed \(seed)")
            let number = fate == .picture ? counter : nil
            let shot = Shot(picture: .failure(none), sourceName: "", hostTimeUs: 1, frameNumber: number)
            order.take(shot, lost: left, &counts)
            while let capture = order.next() {
                switch capture {
                case .shot: shots += 1
                case .skipped(let count, let reason) where reason.hasPrefix("no frame for the trigger"): missed += count
                case .skipped(let count, _): lost += count
                default: Issue.record("seed \(seed): \(capture)")
                }
            }
        }
        #expect(shots + missed + lost == 200 && counts.skipped == missed + lost)
        #expect(missed == wanted[.missed, default: 0] && lost == wanted[.lost, default: 0])
    }
}
