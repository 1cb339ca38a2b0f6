/// How a simulated peer is to misbehave, from now on: the body of `PUT /faults`. What is left out is off.
package struct PeerFaults: Codable, Equatable, Sendable {
    /// Answers every call of the API with 503 and `Retry-After`.
    package var isDown = false
    /// Answers so many milliseconds late, after the work is done; at most `maximumSlowMs`.
    package var slowMs = 0
    /// Carries out every Nth effect, but answers 504 or, every second time, drops the connection; 0 never.
    package var lieEvery = 0
    /// Refuses every Nth effect with 422; 0 never.
    package var refuseEvery = 0
    /// Whether an intent that comes again only gets its receipt again.
    package var deduplicate = true

    package static let maximumSlowMs = 60_000

    package init() {}

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case isDown = "down"
        case slowMs = "slow_ms"
        case lieEvery = "lie_every"
        case refuseEvery = "refuse_every"
        case deduplicate
    }

    private struct AnyKey: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    package init(from decoder: any Decoder) throws {
        for key in try decoder.container(keyedBy: AnyKey.self).allKeys
        where CodingKeys(stringValue: key.stringValue) == nil {
            let known = CodingKeys.allCases.map(\.rawValue).joined(separator: ", ")
            throw PeerRefusal(words: "fault '\(key.stringValue)' is unknown; expected \(known)")
        }
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        isDown = try fields.decodeIfPresent(Bool.self, forKey: .isDown) ?? false
        slowMs = try fields.decodeIfPresent(Int.self, forKey: .slowMs) ?? 0
        lieEvery = try fields.decodeIfPresent(Int.self, forKey: .lieEvery) ?? 0
        refuseEvery = try fields.decodeIfPresent(Int.self, forKey: .refuseEvery) ?? 0
        deduplicate = try fields.decodeIfPresent(Bool.self, forKey: .deduplicate) ?? true
        guard (0...Self.maximumSlowMs).contains(slowMs), lieEvery >= 0, refuseEvery >= 0 else {
            throw PeerRefusal(
                words: "slow_ms \(slowMs), lie_every \(lieEvery), refuse_every \(refuseEvery); expected 0 or more, and "
                    + "slow_ms at most \(Self.maximumSlowMs)"
            )
        }
    }
}

/// The faults in force and how many effects have come since they were set.
actor PeerTemper {
    /// What becomes of one effect.
    enum Fate: Equatable, Sendable { case done, refused, doneButAnswered504, doneButDropped }

    private(set) var faults = PeerFaults()
    private var effects = 0
    private var lies = 0

    func set(_ faults: PeerFaults) {
        self.faults = faults
        effects = 0
        lies = 0
    }

    func fateOfNextEffect() -> Fate {
        effects += 1
        if faults.refuseEvery > 0, effects.isMultiple(of: faults.refuseEvery) { return .refused }
        guard faults.lieEvery > 0, effects.isMultiple(of: faults.lieEvery) else { return .done }
        lies += 1
        return lies.isMultiple(of: 2) ? .doneButDropped : .doneButAnswered504
    }
}
