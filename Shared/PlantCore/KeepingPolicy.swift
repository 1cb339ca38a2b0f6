package import PlantEvents

/// Which pictures are kept as evidence, and how long (RES-04, RES-13). Pure decisions; who keeps and deletes is camera-ingest.
package struct KeepingPolicy: Equatable, Sendable {
    package enum Keep: String, CaseIterable, Sendable {
        case all
        /// Failed and uncertain parts, parts without a verdict, and every Nth good one.
        case fails
        case none
    }

    /// How long pictures of one kind are kept.
    package enum Retention: Equatable, Sendable {
        case forever
        /// As long as the budget has room; then the oldest goes first.
        case whileRoom
        /// Never shorter and, but for holds, not longer, seconds.
        case seconds(Int64)
    }

    package var keep: Keep
    /// Keeps the first good one and every Nth after it under `fails`; nil keeps none.
    package var goodEvery: Int?
    /// Stored pictures give back the judged pixels exactly, so that they may be judged again.
    package var lossless: Bool
    /// Quality of what is not kept lossless, 1 to 100.
    package var jpegQuality: Int
    /// Between two pictures of the process of one station, seconds; nil keeps none.
    package var processEverySeconds: Int?
    package var pass: Retention
    package var fail: Retention
    package var process: Retention
    /// Most bytes of pictures on this machine.
    package var budgetBytes: Int64

    package init(
        keep: Keep = .all,
        goodEvery: Int? = nil,
        lossless: Bool = true,
        jpegQuality: Int = 90,
        processEverySeconds: Int? = nil,
        pass: Retention = .forever,
        fail: Retention = .forever,
        process: Retention = .forever,
        budgetBytes: Int64 = 10_737_418_240
    ) {
        self.keep = keep
        self.goodEvery = goodEvery
        self.lossless = lossless
        self.jpegQuality = jpegQuality
        self.processEverySeconds = processEverySeconds
        self.pass = pass
        self.fail = fail
        self.process = process
        self.budgetBytes = budgetBytes
    }

    /// What is known of the part on a picture.
    package enum Outcome: Int, Sendable {
        case unknown = 0
        case pass = 1
        /// Failed, uncertain, or without a verdict.
        case fail = 2

        package init(_ verdict: Verdict) {
            self = verdict == .pass ? .pass : .fail
        }
    }

    /// Kind of a kept picture, by which its retention goes; the strictest of all that it shows.
    package enum Kind: Int, CaseIterable, Sendable {
        case process = 0
        case pass = 1
        case fail = 2
    }

    /// Whether pictures wait for the verdict before they are kept.
    package var waitsForVerdict: Bool { keep == .fails }

    /// Whether any picture may ever be deleted.
    package var deletes: Bool { Kind.allCases.contains { retention(of: $0) != .forever } }

    /// Whether a picture is kept; a verdict that is not known counts as a failed one.
    ///
    /// - Parameter goodBefore: good parts of the station seen since the start.
    package func keeps(_ outcome: Outcome, goodBefore: Int) -> Bool {
        switch keep {
        case .all: true
        case .none: false
        case .fails: outcome != .pass || goodEvery.map { goodBefore.isMultiple(of: $0) } ?? false
        }
    }

    package func retention(of kind: Kind) -> Retention {
        switch kind {
        case .process: process
        case .pass: pass
        case .fail: fail
        }
    }

    /// Kind of a picture that shows parts of these outcomes; nil while one is unknown, so that it is kept.
    package static func kind(of outcomes: [Outcome], isProcess: Bool) -> Kind? {
        if outcomes.contains(.unknown) { return nil }
        if outcomes.contains(.fail) { return .fail }
        return outcomes.isEmpty ? (isProcess ? .process : nil) : .pass
    }

    /// When a picture of this kind, stored then, is to be deleted, microseconds since 1970; nil for never by time.
    package func dueUs(_ kind: Kind, storedAtUs: Int64) -> Int64? {
        guard case .seconds(let seconds) = retention(of: kind) else { return nil }
        return storedAtUs + seconds * 1_000_000
    }

    /// The rule that lets a picture go, as `EvidenceExpired` names it.
    package func rule(_ kind: Kind) -> String {
        switch retention(of: kind) {
        case .forever: "\(kind): for ever"
        case .whileRoom: "\(kind): while there is room"
        case .seconds(let seconds): "\(kind): \(Self.text(seconds: seconds))"
        }
    }

    /// Whole units, the largest that fits: "30d", "36h", "90s".
    package static func text(seconds: Int64) -> String {
        for (unit, length) in units where seconds % length == 0 { return "\(seconds / length)\(unit)" }
        return "\(seconds)s"
    }

    /// Seconds of "2y", "30d", "12h", "90s"; nil where it is none, or more than a hundred years.
    package static func seconds(text: String) -> Int64? {
        guard let unit = text.last, let length = units.first(where: { $0.unit == unit })?.seconds,
            let count = Int64(text.dropLast()), count > 0
        else { return nil }
        let (seconds, isTooLarge) = count.multipliedReportingOverflow(by: length)
        return isTooLarge || seconds > 100 * 365 * 86_400 ? nil : seconds
    }

    private static let units: [(unit: Character, seconds: Int64)] = [
        ("y", 365 * 86_400), ("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1),
    ]
}

extension KeepingPolicy.Retention {
    /// As plant files write it.
    package var text: String {
        switch self {
        case .forever: "forever"
        case .whileRoom: "while_room"
        case .seconds(let seconds): KeepingPolicy.text(seconds: seconds)
        }
    }

    package init?(text: String) {
        switch text {
        case "forever": self = .forever
        case "while_room": self = .whileRoom
        default:
            guard let seconds = KeepingPolicy.seconds(text: text) else { return nil }
            self = .seconds(seconds)
        }
    }
}
