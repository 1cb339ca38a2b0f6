/// Seeds that catch, when it is put back, a bug that the simulator found.
enum PinnedSeeds {
    struct Pinned: Sendable, CustomStringConvertible {
        let seed: UInt64
        let found: String

        var description: String { "seed \(seed): \(found)" }
    }

    static let all: [Pinned] = [
        Pinned(
            seed: 1,
            found: "a message that the MES or the ERP sent again was adopted again, and old orders ran once more"
        ),
        Pinned(seed: 20_261_362, found: "an old message of a peer, taken on late, was asked for after for ever"),
        Pinned(seed: 3, found: "the refusal of a default recipe was a record about nothing"),
        Pinned(seed: 21, found: "a silent station's alarm stayed open after alerting had lost its state"),
        Pinned(seed: 98, found: "a silent station's alarm was raised twice after alerting had lost its state"),
        Pinned(seed: 200_013, found: "a silent station's alarm returned twice after a clock was set back"),
        Pinned(seed: 86, found: "a recipe released for one product judged another that nothing was released for"),
        Pinned(seed: 561, found: "the default recipe of an order was one released for another product"),
        Pinned(seed: 200_430, found: "a recipe refused for one product was never asked for again for the next"),
    ]
}
