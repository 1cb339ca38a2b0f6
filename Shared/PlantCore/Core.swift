package import PlantEvents

/// A decider: the pure heart of a service.
///
/// State changes only in `evolve`, which sees nothing but the core's own events; so the core's own history alone gives
/// the state back, however its inputs interleaved. What comes from elsewhere arrives as an `Input` and becomes an own
/// event first. Time and measurements come in as arguments; there is no I/O, no clock and no randomness in here.
package protocol Core: Sendable {
    /// The topic's record type; one step appends one of them.
    associatedtype Record: TopicRecord
    associatedtype Input: Sendable
    /// What history adds up to; what is configured stands beside it and is never in a snapshot.
    associatedtype State: Codable & Sendable
    /// Raised when the stored state changes its meaning: older snapshots are then not used.
    static var version: Int { get }
    var state: State { get set }
    /// What follows from `input` in this state; nil when nothing does.
    func decide(_ input: Input, nowUs: Int64) -> Step<Record>?
    /// Takes one own event in.
    mutating func evolve(with kind: Record.Event.Kind)
}

/// What one step of a core appends: one record, with everything but the writer's own stamps.
package struct Step<Record: TopicRecord>: Sendable {
    /// Derived from the root cause, so that the same cause gives the same id again.
    package var recordID: String
    package var kinds: [Record.Event.Kind]
    /// Partition key: a full ISA-95 path or the subject's id.
    package var key: String
    package var subject: String
    package var correlationID: String
    /// Line, the ISA-95 work center; empty for what belongs to none.
    package var line: String
    /// Station, the ISA-95 work unit; empty for what belongs to none.
    package var station: String
    package var occurredAtUs: Int64
    package var mustUnderstand: Bool

    package init(
        recordID: String,
        kinds: [Record.Event.Kind],
        key: String,
        subject: String,
        correlationID: String = "",
        line: String = "",
        station: String = "",
        occurredAtUs: Int64,
        mustUnderstand: Bool = false
    ) {
        self.recordID = recordID
        self.kinds = kinds
        self.key = key
        self.subject = subject
        self.correlationID = correlationID.isEmpty ? subject : correlationID
        self.line = line
        self.station = station
        self.occurredAtUs = occurredAtUs
        self.mustUnderstand = mustUnderstand
    }
}

extension Core {
    /// Takes all events of an own record in.
    package mutating func evolve(with record: Record) {
        for event in record.events {
            if let kind = event.kind { evolve(with: kind) }
        }
    }
}
