/// Seeds that failed once, each with what it found.
enum PinnedSeeds {
    struct Pinned: Sendable, CustomStringConvertible {
        let seed: UInt64
        let found: String

        var description: String { "seed \(seed): \(found)" }
    }

    static let all: [Pinned] = [
        Pinned(seed: 1, found: "a message that the MES sent again was adopted again, and an old order ran once more"),
        Pinned(seed: 16, found: "a message that the ERP sent again was adopted again"),
        Pinned(seed: 15, found: "the refusal of a default recipe was a record about nothing"),
        Pinned(seed: 8, found: "the projector's position moved beyond an unreadable record that was never parked"),
        Pinned(seed: 7, found: "a record whose parking failed was parked twice when another was parked in between"),
        Pinned(seed: 98, found: "a silent station's alarm was raised twice after alerting had lost its state"),
        Pinned(seed: 142, found: "a silent station's alarm stayed open after alerting had lost its state"),
        Pinned(seed: 248, found: "a doubt was kept for ever about a delivery that a person had skipped"),
    ]
}
