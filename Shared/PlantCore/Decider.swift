package import PlantEvents
import SwiftProtobuf

/// A core at work: recognises repeated inputs, decides, evolves, and drafts the record to append. Pure: `DeciderHost` and
/// the simulator append what it drafts, in the order in which it was drafted.
package struct Decider<C: Core>: Sendable {
    /// A record to append, complete but for the writer's stamps.
    package struct Draft: Sendable {
        package let record: C.Record
        package let key: [UInt8]

        package init(record: C.Record, key: [UInt8]) {
            self.record = record
            self.key = key
        }
    }

    /// A core's state at a place in its own history, so that a start need not replay everything.
    package struct Snapshot<Positions: Codable & Sendable>: Codable, Sendable {
        package var coreVersion: Int
        package var state: C.State
        /// How far each input stream is handled.
        package var handled: HighWater
        /// Own history is read on from here.
        package var ownOffset: Int64
        package var ownFence: Fence
        /// Inputs are read on from here.
        package var inputs: Positions
    }

    package private(set) var core: C
    package private(set) var handled = HighWater()
    /// Executable that acts, as in `Meta.actor`.
    private let actor: String
    /// The plant's part of every place; line and station come from the step.
    private let place: Place

    package init(_ core: C, actor: String, place: Place) {
        self.core = core
        self.actor = actor
        self.place = place
    }

    /// Goes on from a snapshot's state.
    package mutating func restore(_ state: C.State, handled: HighWater) {
        core.state = state
        self.handled = handled
    }

    /// Takes an own record in that was appended before.
    package mutating func replay(_ record: C.Record) {
        core.evolve(with: record)
        guard record.meta.hasCause else { return }
        // Somebody else acts where an input was set aside and re-driven.
        if record.meta.actor == actor {
            handled.raise(to: record.meta.cause)
        } else {
            handled.noteRedriven(record.meta.cause)
        }
    }

    /// Decides on an input; `cause` is the origin of the record it came from, and an input whose cause was handled before
    /// is recognised. `askedBy` is who had an input re-driven that was set aside: what came after it was handled before
    /// it, so the marks say nothing of it. Returns what is to be appended; nil when nothing follows.
    package mutating func take(_ input: C.Input, cause: Origin?, askedBy: String? = nil, nowUs: Int64) -> Draft? {
        if let cause {
            if covers(cause, askedBy: askedBy) { return nil }
            if askedBy == nil { handled.raise(to: cause) } else { handled.noteRedriven(cause) }
        }
        guard let step = core.decide(input, nowUs: nowUs) else { return nil }
        var record = C.Record()
        record.meta = .with {
            $0.recordID = step.recordID
            if let cause { $0.cause = cause }
            $0.occurredAtUs = step.occurredAtUs
            $0.place = place
            $0.place.workCenter = step.line
            $0.place.workUnit = step.station
            $0.subject = step.subject
            $0.correlationID = step.correlationID
            $0.actor = askedBy ?? actor
            $0.mustUnderstand = step.mustUnderstand
        }
        record.events = step.kinds.map { C.Record.Event($0) }
        core.evolve(with: record)
        return Draft(record: record, key: Array(step.key.utf8))
    }

    /// Whether the input record named by `origin` was handled before, in its turn or by a re-drive.
    package func covers(_ origin: Origin, askedBy: String? = nil) -> Bool {
        askedBy == nil ? handled.covers(origin) : handled.coversRedriven(origin)
    }

    /// The state as it stands; true only while everything drafted is in the log before `ownOffset`.
    package func snapshot<Positions: Codable & Sendable>(
        ownOffset: Int64,
        ownFence: Fence,
        inputs: Positions
    ) -> Snapshot<Positions> {
        Snapshot(
            coreVersion: C.version,
            state: core.state,
            handled: handled,
            ownOffset: ownOffset,
            ownFence: ownFence,
            inputs: inputs
        )
    }
}
