package import PlantEvents
import SwiftProtobuf

/// The core of camera-ingest: numbers triggers, so that each ends in exactly one frame or one named gap (I1).
package struct CaptureCore: Core {
    package typealias Record = FrameRecord

    package enum Input: Sendable {
        /// The adapter of a station was opened, or its counter began again: triggers are counted anew.
        case opened(station: String, adapter: String, device: String, reason: String)
        /// What the open camera says about itself.
        case configured(CameraConfigured)
        /// A picture came for the next trigger of the station; `frame.trigger` must be `nextTrigger(of:)`.
        case captured(FrameCaptured)
        /// The next trigger of the station has no picture.
        case missed(FrameMissed)
        /// A second picture for a trigger that has its frame.
        case repeated(FrameRepeated, atUs: Int64)
        /// A picture that belongs to no trigger.
        case unmatched(FrameUnmatched, atUs: Int64)
        /// The camera is gone.
        case lost(station: String, device: String, reason: String)
        case degraded(PictureQualityDegraded)
        case restored(PictureQualityRestored)
        case skewEstimated(ClockSkewEstimated)
        case evidenceStored(EvidenceStored)
        case evidenceNotStored(EvidenceNotStored)
        case processImageStored(ProcessImageStored)
        /// The keeping policy lets a picture of the station go; it is deleted once this is durable.
        case expired(EvidenceExpired, station: String)
        /// A picture whose expiry is on record was held before it was deleted: it is kept after all.
        case keptAfterAll([FrameRecord.Event.OneOf_Kind], pixelsSHA256: String, station: String)
        /// A finite source has no more pictures.
        case exhausted(station: String)
    }

    package struct Station: Codable, Sendable, Equatable {
        package var session: UInt64 = 0
        package var nextSequence: UInt64 = 0
        /// Triggers over all sessions: where a finite source goes on after a restart.
        package var triggers: UInt64 = 0
        package var isExhausted = false
        /// The newest trigger that has its frame.
        package var lastFrame: LastFrame?
        /// Set while the camera is gone.
        package var loss: Loss?
        package var configuration: Coded<CameraConfigured>?
        /// What is wrong with the pictures now; values of `PictureFault`.
        package var faults: Set<Int> = []
        /// Pictures captured whose evidence has no outcome yet, by trigger; bounded by the evidence queue.
        package var awaitingEvidence: [String: AwaitedEvidence] = [:]
    }

    package struct LastFrame: Codable, Sendable, Equatable {
        package var session: UInt64
        package var sequence: UInt64
        package var pixelsSHA256: String
    }

    /// A camera that is gone.
    package struct Loss: Codable, Sendable, Equatable {
        package var sinceUs: Int64
        package var reason: String
    }

    package struct AwaitedEvidence: Codable, Sendable, Equatable {
        package var trigger: Coded<TriggerId>
        package var pixelsSHA256: String
    }

    package static let version = 2
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
            return opened(station, adapter: adapter, device: device, reason: reason, nowUs)
        case .configured(let found):
            let known = state.stations[found.station]
            guard known?.configuration?.message != found else { return nil }
            let id = "configured:\(nextTrigger(of: found.station).text)/\(nowUs)"
            return step(id, .cameraConfigured(found), station: found.station, atUs: nowUs)
        case .captured(let frame):
            precondition(frame.trigger == nextTrigger(of: frame.trigger.station), "captured out of turn")
            return step("frame", .frameCaptured(frame), of: frame.trigger, atUs: frame.triggeredAtUs)
        case .missed(let gap):
            precondition(gap.trigger == nextTrigger(of: gap.trigger.station), "missed out of turn")
            return step("frame", .frameMissed(gap), of: gap.trigger, atUs: gap.triggeredAtUs)
        case .repeated(let second, let atUs):
            let id = "repeated:\(second.trigger.text)/\(atUs)"
            return step(id, .frameRepeated(second), station: second.trigger.station, atUs: atUs)
        case .unmatched(let stray, let atUs):
            return step(
                "unmatched:\(stray.station)/\(atUs)",
                .frameUnmatched(stray),
                station: stray.station,
                atUs: atUs
            )
        case .lost(let station, let device, let reason):
            return lost(station, device: device, reason: reason, nowUs)
        case .degraded(let fault):
            guard state.stations[fault.station]?.faults.contains(fault.fault.rawValue) == false else { return nil }
            return step(
                "degraded-\(fault.fault.rawValue)",
                .pictureQualityDegraded(fault),
                of: fault.trigger,
                atUs: nowUs
            )
        case .restored(let fault):
            guard state.stations[fault.station]?.faults.contains(fault.fault.rawValue) == true else { return nil }
            return step(
                "restored-\(fault.fault.rawValue)",
                .pictureQualityRestored(fault),
                of: fault.trigger,
                atUs: nowUs
            )
        case .skewEstimated(let estimate):
            let id = "skew:\(nextTrigger(of: estimate.station).text)"
            return step(id, .clockSkewEstimated(estimate), station: estimate.station, atUs: nowUs)
        case .evidenceStored(let stored):
            guard isAwaited(stored.trigger) else { return nil }
            return step("evidence", .evidenceStored(stored), of: stored.trigger, atUs: nowUs)
        case .evidenceNotStored(let lost):
            guard isAwaited(lost.trigger) else { return nil }
            return step("evidence", .evidenceNotStored(lost), of: lost.trigger, atUs: nowUs)
        case .processImageStored(let image):
            let id = "process:\(image.station)/\(image.takenAtUs)"
            return step(id, .processImageStored(image), station: image.station, atUs: image.takenAtUs)
        case .expired(let expired, let station):
            let id = "expired:\(expired.pixelsSha256)/\(expired.storedAtUs)"
            return step(id, .evidenceExpired(expired), station: station, atUs: nowUs)
        case .keptAfterAll(let kinds, let pixels, let station):
            return step("kept:\(pixels)/\(nowUs)", kinds, station: station, subject: station, atUs: nowUs)
        case .exhausted(let station):
            return exhausted(station, nowUs)
        }
    }

    private func exhausted(_ station: String, _ nowUs: Int64) -> Step<FrameRecord>? {
        guard let known = state.stations[station], !known.isExhausted else { return nil }
        let exhausted = SourceExhausted.with {
            $0.station = station
            $0.triggers = known.triggers
        }
        return step(
            "exhausted:\(station)/\(known.session)",
            .sourceExhausted(exhausted),
            station: station,
            atUs: nowUs
        )
    }

    /// A new trigger session; a camera that was lost is back with it.
    private func opened(
        _ station: String,
        adapter: String,
        device: String,
        reason: String,
        _ nowUs: Int64
    ) -> Step<FrameRecord> {
        let known = state.stations[station] ?? Station()
        var kinds: [FrameRecord.Event.OneOf_Kind] = []
        if let loss = known.loss {
            let returned = CameraReturned.with {
                $0.station = station
                $0.device = device
                $0.lostForUs = max(0, nowUs - loss.sinceUs)
            }
            kinds.append(.cameraReturned(returned))
        }
        let started = TriggerSessionStarted.with {
            $0.station = station
            $0.session = known.session + 1
            $0.adapter = adapter
            $0.device = device
            $0.reason = reason
        }
        kinds.append(.triggerSessionStarted(started))
        let id = "session:\(station)/\(started.session)"
        return step(id, kinds, station: station, subject: station, atUs: nowUs)
    }

    private func lost(_ station: String, device: String, reason: String, _ nowUs: Int64) -> Step<FrameRecord>? {
        let known = state.stations[station] ?? Station()
        guard known.loss == nil else { return nil }
        let lost = CameraLost.with {
            $0.station = station
            $0.device = device
            $0.reason = reason
            $0.lostAtUs = nowUs
            guard let last = known.lastFrame else { return }
            $0.lastTrigger = .with {
                $0.station = station
                $0.session = last.session
                $0.sequence = last.sequence
            }
        }
        return step("lost:\(nextTrigger(of: station).text)", .cameraLost(lost), station: station, atUs: nowUs)
    }

    package mutating func evolve(with kind: FrameRecord.Event.OneOf_Kind) {
        switch kind {
        case .writerTookOver, .clockSkewEstimated, .evidenceExpired, .processImageStored, .frameRepeated,
            .frameUnmatched:
            break
        case .triggerSessionStarted(let started):
            state.stations[started.station, default: Station()].session = started.session
            state.stations[started.station]?.nextSequence = 0
            state.stations[started.station]?.isExhausted = false
        case .cameraConfigured(let found):
            state.stations[found.station, default: Station()].configuration = Coded(found)
        case .cameraLost(let lost):
            state.stations[lost.station, default: Station()].loss = Loss(sinceUs: lost.lostAtUs, reason: lost.reason)
        case .cameraReturned(let returned):
            state.stations[returned.station]?.loss = nil
        case .pictureQualityDegraded(let fault):
            state.stations[fault.station, default: Station()].faults.insert(fault.fault.rawValue)
        case .pictureQualityRestored(let fault):
            state.stations[fault.station]?.faults.remove(fault.fault.rawValue)
        case .frameCaptured(let frame):
            count(frame.trigger)
            state.stations[frame.trigger.station]?.lastFrame = LastFrame(
                session: frame.trigger.session,
                sequence: frame.trigger.sequence,
                pixelsSHA256: frame.pixelsSha256
            )
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

    /// A step about one trigger; `cause` tells it from the other steps about that trigger.
    private func step(
        _ cause: String,
        _ kind: FrameRecord.Event.OneOf_Kind,
        of trigger: TriggerId,
        atUs: Int64
    ) -> Step<FrameRecord> {
        let id = "\(cause):\(trigger.text)"
        return step(id, [kind], station: trigger.station, subject: trigger.text, atUs: atUs)
    }

    /// A step about a station.
    private func step(
        _ recordID: String,
        _ kind: FrameRecord.Event.OneOf_Kind,
        station: String,
        atUs: Int64
    ) -> Step<FrameRecord> {
        step(recordID, [kind], station: station, subject: station, atUs: atUs)
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
