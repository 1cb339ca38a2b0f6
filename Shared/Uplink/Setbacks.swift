package import EventLog

/// Which of the two logs something is about.
package enum Side: String, Sendable, Codable {
    case source, target
}

/// What a failure means for a partition, and how long to wait: doubling from `first` to `longest` while nothing works.
package struct Setbacks: Sendable {
    package enum Reaction: Equatable, Sendable {
        /// In doubt: it may have landed. Look at the target's tail after this wait, then send what is missing.
        case lookAgain(after: Duration)
        /// Send fewer records at a time.
        case halve
        /// Make the topic at the target.
        case create
        /// Only a person can mend it; look again after this wait all the same.
        case stop(String, after: Duration)
        /// The log was closed.
        case end
    }

    private let first: Duration
    private let longest: Duration
    private let stopped: Duration
    private var current: Duration
    private var hasCreated = false
    /// Failures in a row.
    package private(set) var count = 0

    /// - Parameter stopped: wait after what only a person can mend.
    package init(first: Duration, longest: Duration, stopped: Duration) {
        self.first = first
        self.longest = longest
        self.stopped = stopped
        current = first
    }

    package mutating func succeeded() {
        current = first
        count = 0
        hasCreated = false
    }

    /// - Parameter records: how many were to be appended; 0 for anything else.
    package mutating func failed(_ failure: LogFailure, _ side: Side, records: Int = 0) -> Reaction {
        count += 1
        switch failure {
        case .closed: return .end
        case .unavailable, .full: return .lookAgain(after: wait())
        // Brokers refuse a batch for its sum, too.
        case .recordTooLarge where records > 1: return .halve
        case .recordTooLarge(let bytes, let limit):
            return .stop(
                "a record of \(bytes) bytes is more than the \(side.rawValue) takes (\(limit) at most); raise the "
                    + "broker's max.message.bytes: leaving it out would be a hole for ever",
                after: stopped
            )
        case .unknown where side == .target && !hasCreated:
            hasCreated = true
            return .create
        case .unknown(let place):
            return .stop(
                "\(side.rawValue): \(failure); give the topic at least \(place.partition + 1) partitions",
                after: stopped
            )
        case .writerExists, .corrupt, .badAddress, .denied, .badTopic:
            return .stop("\(side.rawValue): \(failure)", after: stopped)
        }
    }

    /// A wait for something that is expected to come by itself.
    package mutating func wait() -> Duration {
        defer { current = min(current * 2, longest) }
        return current
    }
}

/// After an append in doubt: whether to look again before the rest is sent.
///
/// A part of a batch at the target means that the rest may be under way still (a Kafka client's queue). It is given
/// two more looks; what lands later all the same is a repeat, which readers' fences void.
package struct Doubt: Equatable, Sendable {
    private static let looks = 2
    private var landed: Int?
    private var seen = 0

    package init() {}

    package mutating func shouldLookAgain(landed: Int, of count: Int) -> Bool {
        guard landed > 0, landed < count else { return false }
        if self.landed != landed { (self.landed, seen) = (landed, 0) }
        seen += 1
        return seen <= Self.looks
    }
}
