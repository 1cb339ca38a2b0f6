package import PlantEvents
import SwiftProtobuf

/// The core of camera-ingest: numbers triggers, so that each ends in exactly one frame or one named gap (I1).
package struct CaptureCore: Core {
    package typealias Record = FrameRecord

    package enum Input: Sendable {
        /// The adapter of a station was opened.
        case opened(station: String, adapter: String, device: String, reason: String)
        /// A picture came for the next trigger of the station; `frame.trigger` must be `nextTrigger(of:)`.
        case captured(FrameCaptured)
        /// The next trigger of the station has no picture.
        case missed(FrameMissed)
        case evidenceStored(EvidenceStored)
        case evidenceNotStored(EvidenceNotStored)
        /// A finite source has no more pictures.
        case exhausted(station: String)
    }

    package struct Station: Codable, Sendable, Equatable {
        package var session: UInt64 = 0
        package var nextSequence: UInt64 = 0
        /// Triggers over all sessions: where a finite source goes on after a restart.
        package var triggers: UInt64 = 0
        package var isExhausted = false
        /// Pictures captured whose evidence has no outcome yet, by trigger; bounded by the evidence queue.
        package var awaitingEvidence: [String: AwaitedEvidence] = [:]
    }

    package struct AwaitedEvidence: Codable, Sendable, Equatable {
        package var trigger: Coded<TriggerId>
        package var pixelsSHA256: String
    }

    package static let version = 1
    package struct State: Codable, Sendable {
        package var stations: [String: Station] = [:]
    }

    package var state = State()
    /// Line of each station: configuration, not state.
    private let lines: [String: String]
    /// Whether pictures are kept as evidence.
    private let keepsEvidence: Bool

    package init(lines: [String: String], keepsEvidence: Bool) {
        self.lines = lines
        self.keepsEvidence = keepsEvidence
    }

    /// The trigger that the station's next frame or gap belongs to.
    package func nextTrigger(of station: String) -> TriggerId {
        let known = state.stations[station] ?? Station()
        return .with {
            $0.station = station
            $0.session = known.session
            $0.sequence = known.nextSequence
        }
    }

    package func decide(_ input: Input, nowUs: Int64) -> Step<FrameRecord>? {
        switch input {
        case .opened(let station, let adapter, let device, let reason):
            let session = (state.stations[station]?.session ?? 0) + 1
            let started = TriggerSessionStarted.with {
                $0.station = station
                $0.session = session
                $0.adapter = adapter
                $0.device = device
                $0.reason = reason
            }
            return step(
                "session:\(station)/\(session)",
                [.triggerSessionStarted(started)],
                station: station,
                subject: station,
                atUs: nowUs
            )
        case .captured(let frame):
            precondition(frame.trigger == nextTrigger(of: frame.trigger.station), "captured out of turn")
            return step(
                "frame:\(frame.trigger.text)",
                [.frameCaptured(frame)],
                station: frame.trigger.station,
                subject: frame.trigger.text,
                atUs: frame.triggeredAtUs
            )
        case .missed(let gap):
            precondition(gap.trigger == nextTrigger(of: gap.trigger.station), "missed out of turn")
            return step(
                "frame:\(gap.trigger.text)",
                [.frameMissed(gap)],
                station: gap.trigger.station,
                subject: gap.trigger.text,
                atUs: gap.triggeredAtUs
            )
        case .evidenceStored(let stored):
            guard isAwaited(stored.trigger) else { return nil }
            return step(
                "evidence:\(stored.trigger.text)",
                [.evidenceStored(stored)],
                station: stored.trigger.station,
                subject: stored.trigger.text,
                atUs: nowUs
            )
        case .evidenceNotStored(let lost):
            guard isAwaited(lost.trigger) else { return nil }
            return step(
                "evidence:\(lost.trigger.text)",
                [.evidenceNotStored(lost)],
                station: lost.trigger.station,
                subject: lost.trigger.text,
                atUs: nowUs
            )
        case .exhausted(let station):
            guard let known = state.stations[station], !known.isExhausted else { return nil }
            let exhausted = SourceExhausted.with {
                $0.station = station
                $0.triggers = known.triggers
            }
            return step(
                "exhausted:\(station)/\(known.session)",
                [.sourceExhausted(exhausted)],
                station: station,
                subject: station,
                atUs: nowUs
            )
        }
    }

    package mutating func evolve(with kind: FrameRecord.Event.OneOf_Kind) {
        switch kind {
        case .writerTookOver:
            break
        case .triggerSessionStarted(let started):
            state.stations[started.station, default: Station()].session = started.session
            state.stations[started.station]?.nextSequence = 0
            state.stations[started.station]?.isExhausted = false
        case .frameCaptured(let frame):
            count(frame.trigger)
            guard keepsEvidence else { break }
            state.stations[frame.trigger.station]?.awaitingEvidence[frame.trigger.text] = AwaitedEvidence(
                trigger: Coded(frame.trigger),
                pixelsSHA256: frame.pixelsSha256
            )
        case .frameMissed(let gap):
            count(gap.trigger)
        case .evidenceStored(let stored):
            state.stations[stored.trigger.station]?.awaitingEvidence[stored.trigger.text] = nil
        case .evidenceNotStored(let lost):
            state.stations[lost.trigger.station]?.awaitingEvidence[lost.trigger.text] = nil
        case .sourceExhausted(let exhausted):
            state.stations[exhausted.station]?.isExhausted = true
        }
    }

    /// Each picture's evidence has one outcome: what comes after it is not news.
    private func isAwaited(_ trigger: TriggerId) -> Bool {
        state.stations[trigger.station]?.awaitingEvidence[trigger.text] != nil
    }

    private mutating func count(_ trigger: TriggerId) {
        state.stations[trigger.station, default: Station()].session = trigger.session
        state.stations[trigger.station]?.nextSequence = trigger.sequence + 1
        state.stations[trigger.station]?.triggers += 1
    }

    private func step(
        _ recordID: String,
        _ kinds: [FrameRecord.Event.OneOf_Kind],
        station: String,
        subject: String,
        atUs: Int64
    ) -> Step<FrameRecord> {
        Step(
            recordID: recordID,
            kinds: kinds,
            key: station,
            subject: subject,
            line: lines[station] ?? "",
            station: station,
            occurredAtUs: atUs
        )
    }
}

extension TriggerId {
    /// `station/session/sequence`: the trigger, and the part it saw, as one word.
    package var text: String { "\(station)/\(session)/\(sequence)" }
}
