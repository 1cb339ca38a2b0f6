package import PlantEvents

/// Which open intents of a delivery core are carried out now, and which may have been carried out before (I4). Pure: the
/// delivery loop and the simulator make the calls.
///
/// An intent is carried out only when it is durable. After a restart, and after any doubt, the peer is asked before the
/// intent is sent again, once it can be relied on to know what reached it. Times are of a clock that is never set.
package struct DeliveryDispatch: Sendable {
    /// What a call came to.
    package enum Answer: Sendable, Equatable {
        case carriedOut(reference: String, foundByLookUp: Bool)
        /// The peer understood and will not do it.
        case refused(reason: String)
        /// Nothing reached the peer, or nobody knows whether it did.
        case unanswered(reason: String)
    }

    /// What to do about one intent now.
    package enum Call: Sendable, Equatable {
        /// Ask whether it was carried out; where it was not, `sending` and send it.
        case lookUp
        case send
        /// Nothing yet: what was sent before may not show at the peer until then.
        case wait(untilUs: Int64)
    }

    /// Calls at once while the peer answers; one, as a probe, while it is lost.
    package static let concurrentCalls = 8
    private static let firstPauseUs: Int64 = 100_000
    private static let longestPauseUs: Int64 = 5_000_000

    /// Intents that a call is under way for.
    package private(set) var inFlight: Set<String> = []
    /// Intents that may have been sent before, and since when: all that were open at the start, and those in doubt.
    package private(set) var doubtfulSinceUs: [String: Int64]
    private var pauseUs = Self.firstPauseUs
    /// After how long the peer knows of everything that can still reach it, microseconds: the longest time that a call
    /// may be under way plus the peer's own delay before a look-up shows it; 0 for a peer that recognises repeats.
    private let settlingUs: Int64

    package init(open intentIDs: [String], settlingUs: Int64 = 0, nowUs: Int64) {
        self.settlingUs = settlingUs
        doubtfulSinceUs = Dictionary(uniqueKeysWithValues: intentIDs.map { ($0, nowUs) })
    }

    /// Picks what is to be carried out now and counts it as under way. Make sure that the core's decisions are durable
    /// between this and the first call.
    package mutating func start(_ core: DeliveryCore) -> [DeliveryIntended] {
        // A person may have skipped what was in doubt.
        for id in doubtfulSinceUs.keys.filter({ !core.isOpen($0) && !inFlight.contains($0) }) {
            doubtfulSinceUs[id] = nil
        }
        let limit = core.state.isPeerLost ? 1 : Self.concurrentCalls
        let free = max(0, limit - inFlight.count)
        let due = core.due(limit: limit + inFlight.count).filter { !inFlight.contains($0.intentID) }.prefix(free)
        for intent in due { inFlight.insert(intent.intentID) }
        return Array(due)
    }

    /// The next call for an intent under way.
    package func call(for intentID: String, nowUs: Int64) -> Call {
        guard let sinceUs = doubtfulSinceUs[intentID] else { return .send }
        let settledUs = sinceUs + settlingUs
        return nowUs >= settledUs ? .lookUp : .wait(untilUs: settledUs)
    }

    /// The intent is about to be sent: from here on it may have been done, whatever is heard.
    package mutating func sending(_ intentID: String, nowUs: Int64) {
        doubtfulSinceUs[intentID] = nowUs
    }

    /// What the core must hear of an answer, in this order, and how long to pause before the intent's call ends.
    package mutating func settle(_ intentID: String, _ answer: Answer) -> (inputs: [DeliveryCore.Input], pauseUs: Int64)
    {
        switch answer {
        case .carriedOut(let reference, let foundByLookUp):
            doubtfulSinceUs[intentID] = nil
            pauseUs = Self.firstPauseUs
            let outcome = DeliveryCore.Outcome.confirmed(reference: reference, foundByLookUp: foundByLookUp)
            return ([.peerRestored, .outcome(intentID: intentID, outcome)], 0)
        case .refused(let reason):
            doubtfulSinceUs[intentID] = nil
            pauseUs = Self.firstPauseUs
            return ([.peerRestored, .outcome(intentID: intentID, .refused(reason: reason))], 0)
        case .unanswered(let reason):
            defer { pauseUs = min(pauseUs * 2, Self.longestPauseUs) }
            return ([.peerLost(reason: reason)], pauseUs)
        }
    }

    /// The intent's call is over.
    package mutating func finish(_ intentID: String) {
        inFlight.remove(intentID)
    }
}
