import SQLite

/// Counts that a batch adds to the totals; written once at its end, so that a part costs no extra row.
final class Tallies {
    struct Triggers {
        var triggers: Int64 = 0
        var missed: Int64 = 0
        var last: Int64 = -1
    }

    struct PartsKey: Hashable {
        let source: Int64
        let context: Int64
    }

    struct Parts {
        /// Accepted, rejected, uncertain, missed.
        var counts = (accepted: Int64(0), rejected: Int64(0), uncertain: Int64(0), missed: Int64(0))
        var last: Int64 = -1

        mutating func add(_ outcome: Int64, _ amount: Int64) {
            switch outcome {
            case Outcome.missed: counts.missed += amount
            case Outcome.pass: counts.accepted += amount
            case Outcome.fail: counts.rejected += amount
            default: counts.uncertain += amount
            }
        }
    }

    struct Deliveries {
        var intended: Int64 = 0
        /// By state: pending (not kept), confirmed, refused, skipped.
        var states: (confirmed: Int64, refused: Int64, skipped: Int64) = (0, 0, 0)

        mutating func add(_ state: Int64, _ amount: Int64) {
            switch state {
            case DeliveryState.confirmed: states.confirmed += amount
            case DeliveryState.refused: states.refused += amount
            case DeliveryState.skipped: states.skipped += amount
            default: break
            }
        }
    }

    @exclusivity(unchecked) var triggers: [Int64: Triggers] = [:]
    @exclusivity(unchecked) var parts: [PartsKey: Parts] = [:]
    @exclusivity(unchecked) var deliveries: [Int64: Deliveries] = [:]
    private let addTriggers, addParts, addDeliveries: Statement

    init(_ database: Database) throws(SQLiteError) {
        addTriggers = try database.prepare(
            """
            INSERT INTO trigger_tally(source, triggers, missed, last_sequence) VALUES (?, ?, ?, ?)
            ON CONFLICT(source) DO UPDATE SET triggers = triggers + excluded.triggers,
                missed = missed + excluded.missed, last_sequence = max(last_sequence, excluded.last_sequence)
            """
        )
        addParts = try database.prepare(
            """
            INSERT INTO part_tally(source, context, accepted, rejected, uncertain, missed, last_sequence)
            VALUES (?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT(source, context) DO UPDATE SET accepted = accepted + excluded.accepted,
                rejected = rejected + excluded.rejected, uncertain = uncertain + excluded.uncertain,
                missed = missed + excluded.missed, last_sequence = max(last_sequence, excluded.last_sequence)
            """
        )
        addDeliveries = try database.prepare(
            """
            INSERT INTO delivery_tally(channel, intended, confirmed, refused, skipped) VALUES (?, ?, ?, ?, ?)
            ON CONFLICT(channel) DO UPDATE SET intended = intended + excluded.intended,
                confirmed = confirmed + excluded.confirmed, refused = refused + excluded.refused,
                skipped = skipped + excluded.skipped
            """
        )
    }

    func flush() throws(SQLiteError) {
        for (source, delta) in triggers {
            try addTriggers.run([.int(source), .int(delta.triggers), .int(delta.missed), .int(delta.last)])
        }
        for (key, delta) in parts {
            let counts = delta.counts
            try addParts.run([
                .int(key.source), .int(key.context), .int(counts.accepted), .int(counts.rejected),
                .int(counts.uncertain), .int(counts.missed), .int(delta.last),
            ])
        }
        for (channel, delta) in deliveries {
            try addDeliveries.run([
                .int(channel), .int(delta.intended), .int(delta.states.confirmed), .int(delta.states.refused),
                .int(delta.states.skipped),
            ])
        }
        clear()
    }

    func count(_ key: Int64, captured: Bool) {
        func add(_ tally: inout Triggers) {
            tally.triggers += 1
            if !captured { tally.missed += 1 }
            tally.last = max(tally.last, key & Schema.sequenceMask)
        }
        add(&triggers[key >> Schema.sequenceBits, default: .init()])
    }

    func count(_ key: Int64, _ outcome: Int64, _ context: Int64) {
        func add(_ tally: inout Parts) {
            tally.add(outcome, 1)
            tally.last = max(tally.last, key & Schema.sequenceMask)
        }
        add(&parts[PartsKey(source: key >> Schema.sequenceBits, context: context), default: .init()])
    }

    /// One delivery more, or fewer, in `state`.
    func count(_ channel: Int64, state: Int64, intended: Int64, by amount: Int64 = 1) {
        func add(_ tally: inout Deliveries) {
            tally.intended += intended
            tally.add(state, amount)
        }
        add(&deliveries[channel, default: .init()])
    }

    func clear() {
        triggers.removeAll(keepingCapacity: true)
        parts.removeAll(keepingCapacity: true)
        deliveries.removeAll(keepingCapacity: true)
    }
}

/// `part.outcome`.
enum Outcome {
    static let missed: Int64 = 0
    static let pass: Int64 = 1
    static let fail: Int64 = 2
    static let uncertain: Int64 = 3
    static let unknown: Int64 = 9

    static func of(verdict: Int64) -> Int64 { (1...3).contains(verdict) ? verdict : unknown }

    static func name(_ outcome: Int64) -> String {
        switch outcome {
        case missed: "missed"
        case pass: "pass"
        case fail: "fail"
        case uncertain: "uncertain"
        default: "unknown"
        }
    }
}

/// `delivery.state`.
enum DeliveryState {
    static let pending: Int64 = 0
    static let confirmed: Int64 = 1
    static let refused: Int64 = 2
    static let skipped: Int64 = 3

    static func name(_ state: Int64) -> String {
        switch state {
        case confirmed: "confirmed"
        case refused: "refused"
        case skipped: "skipped"
        default: "pending"
        }
    }
}
