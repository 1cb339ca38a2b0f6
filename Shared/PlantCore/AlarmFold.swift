package import PlantEvents
import SwiftProtobuf

/// The core of alerting: a fold over what other services wrote, which raises and clears alarms (ISA-18.2).
///
/// It is a watcher's state: kept with the input positions in one transaction, rebuilt by replay.
package struct AlarmFold: Codable, Sendable {
    package typealias Kind = AlarmRecord.Event.OneOf_Kind

    package struct Limits: Sendable, Equatable {
        /// Failed parts among the last `burstWindow` of a station that make a burst.
        package var burstFailures: Int
        package var burstWindow: Int
        /// A station whose source has not ended is silent after this long without a trigger, microseconds.
        package var silentAfterUs: Int64

        package init(burstFailures: Int, burstWindow: Int, silentAfterUs: Int64) {
            self.burstFailures = burstFailures
            self.burstWindow = burstWindow
            self.silentAfterUs = silentAfterUs
        }
    }

    /// One alarm event to append.
    package struct Draft: Codable, Sendable, Equatable {
        package var recordID: String
        package var kind: Coded<AlarmRecord.Event>
        package var subject: String
        package var occurredAtUs: Int64
        package var line: String
        package var station: String
        /// The record that led to it, serialized `Origin`; nil for a timer.
        package var cause: Coded<Origin>?
    }

    struct Station: Codable, Sendable {
        var line = ""
        var recentFailures: [Bool] = []
        /// Nil until the station's first trigger: its verdicts may be read before its frames.
        var lastTriggerUs: Int64?
        var isExhausted = false
    }

    private var stations: [String: Station] = [:]
    /// Alarms that are active now, by `kind subject`, with the occurrence's id.
    private var active: [String: String] = [:]

    package init() {}

    /// Which alarms are active now: `kind subject` to alarm id.
    package var activeAlarms: [String: String] { active }

    package mutating func fold(_ record: FrameRecord, _ limits: Limits) -> [Draft] {
        var drafts: [Draft] = []
        for event in record.events {
            switch event.kind {
            case .triggerSessionStarted(let started):
                touch(started.station, record.meta)
                stations[started.station]?.isExhausted = false
            case .frameCaptured(let frame):
                touch(frame.trigger.station, record.meta)
                clear("station-silent", frame.trigger.station, record.meta, into: &drafts)
            case .frameMissed(let gap):
                touch(gap.trigger.station, record.meta)
                clear("station-silent", gap.trigger.station, record.meta, into: &drafts)
            case .sourceExhausted(let exhausted):
                stations[exhausted.station, default: Station()].isExhausted = true
                clear("station-silent", exhausted.station, record.meta, into: &drafts)
            case .writerTookOver, .evidenceStored, .evidenceNotStored, nil:
                break
            }
        }
        return drafts
    }

    package mutating func fold(_ record: InspectionRecord, _ limits: Limits) -> [Draft] {
        var drafts: [Draft] = []
        for event in record.events {
            switch event.kind {
            case .partInspected(let part):
                clear("recipe-refused", part.trigger.station, record.meta, into: &drafts)
                countVerdict(part, record.meta, limits, into: &drafts)
            case .holdPlaced(let hold):
                raise(
                    "hold-placed",
                    hold.holdID,
                    .high,
                    record.meta,
                    text: "\(hold.subjectKind.word) \(hold.subjectID) is on hold: \(hold.reason)",
                    response: "Segregate \(hold.subjectKind.word) \(hold.subjectID) and decide its disposition.",
                    into: &drafts
                )
            case .recipeRefused(let refused):
                raise(
                    "recipe-refused",
                    refused.station,
                    .high,
                    record.meta,
                    text: "recipe \(refused.recipeID) cannot be used: \(refused.reason)",
                    response: "Stop the station or give it the approved recipe; parts are named gaps until then.",
                    into: &drafts
                )
            case .recipeActivated(let activated):
                clear("recipe-refused", activated.station, record.meta, into: &drafts)
            case .writerTookOver, .contextAdopted, .inspectionMissed, .rejectNotCommanded, .sourceInspected, nil:
                break
            }
        }
        return drafts
    }

    package mutating func fold(_ record: DeliveryRecord, _ limits: Limits) -> [Draft] {
        var drafts: [Draft] = []
        for event in record.events {
            switch event.kind {
            case .peerLost(let lost):
                raise(
                    "peer-lost",
                    lost.peer,
                    .medium,
                    record.meta,
                    text: "\(lost.peer) cannot be reached: \(lost.reason)",
                    response: "Check the network and the system; the line goes on and deliveries wait in order.",
                    into: &drafts
                )
            case .peerRestored(let restored):
                clear("peer-lost", restored.peer, record.meta, into: &drafts)
            case .deliveryRefused(let refused):
                raise(
                    "delivery-refused",
                    refused.intentID,
                    .high,
                    record.meta,
                    text: "delivery \(refused.intentID) was refused: \(refused.reason)",
                    response: "Mend the cause at the peer, then re-drive or skip the delivery.",
                    into: &drafts
                )
            case .deliveryRedriven(let redriven):
                clear("delivery-refused", redriven.intentID, record.meta, into: &drafts)
            case .deliverySkipped(let skipped):
                clear("delivery-refused", skipped.intentID, record.meta, into: &drafts)
            case .writerTookOver, .deliveryIntended, .deliveryConfirmed, .partsCounted, nil:
                break
            }
        }
        return drafts
    }

    /// Looks for stations gone silent.
    package mutating func tick(nowUs: Int64, _ limits: Limits) -> [Draft] {
        var drafts: [Draft] = []
        for (name, station) in stations.sorted(by: { $0.key < $1.key }) {
            guard !station.isExhausted, let lastTriggerUs = station.lastTriggerUs else { continue }
            let dueUs = lastTriggerUs + limits.silentAfterUs
            guard nowUs >= dueUs else { continue }
            let place = Place.with {
                $0.workCenter = station.line
                $0.workUnit = name
            }
            raise(
                "station-silent",
                name,
                .high,
                .with {
                    $0.recordID = "silent:\(name)/\(lastTriggerUs)"
                    $0.occurredAtUs = dueUs
                    $0.place = place
                },
                text: "no trigger for \(limits.silentAfterUs / 1_000_000) s",
                response: "Check camera, trigger and conveyor: parts may pass without inspection.",
                into: &drafts
            )
        }
        return drafts
    }

    private mutating func touch(_ station: String, _ meta: Meta) {
        stations[station, default: Station()].lastTriggerUs = meta.occurredAtUs
        stations[station]?.line = meta.place.workCenter
    }

    private mutating func countVerdict(
        _ part: PartInspected,
        _ meta: Meta,
        _ limits: Limits,
        into drafts: inout [Draft]
    ) {
        let name = part.trigger.station
        stations[name, default: Station()].recentFailures.append(part.verdict == .fail)
        let excess = (stations[name]?.recentFailures.count ?? 0) - limits.burstWindow
        if excess > 0 { stations[name]?.recentFailures.removeFirst(excess) }
        let failures = stations[name]?.recentFailures.count { $0 } ?? 0
        if failures >= limits.burstFailures {
            raise(
                "defect-burst",
                name,
                .high,
                meta,
                text: "\(failures) of the last \(limits.burstWindow) parts failed",
                response: "Look at the last rejected parts and at the process before the station.",
                into: &drafts
            )
        } else if failures * 2 <= limits.burstFailures {
            // Half the limit: the dead band that keeps one burst from being many alarms.
            clear("defect-burst", name, meta, into: &drafts)
        }
    }

    private mutating func raise(
        _ kind: String,
        _ subject: String,
        _ priority: AlarmPriority,
        _ meta: Meta,
        text: String,
        response: String,
        into drafts: inout [Draft]
    ) {
        let key = "\(kind) \(subject)"
        guard active[key] == nil else { return }
        let alarmID = "alarm:\(kind):\(subject):\(meta.recordID)"
        active[key] = alarmID
        let raised = AlarmRaised.with {
            $0.alarmID = alarmID
            $0.kind = kind
            $0.subject = subject
            $0.priority = priority
            $0.text = text
            $0.response = response
        }
        drafts.append(draft("raised:\(kind):\(subject):\(meta.recordID)", .alarmRaised(raised), subject, meta))
    }

    private mutating func clear(_ kind: String, _ subject: String, _ meta: Meta, into drafts: inout [Draft]) {
        guard let alarmID = active.removeValue(forKey: "\(kind) \(subject)") else { return }
        let returned = AlarmReturnedToNormal.with {
            $0.alarmID = alarmID
            $0.kind = kind
            $0.subject = subject
        }
        drafts.append(
            draft("returned:\(kind):\(subject):\(meta.recordID)", .alarmReturnedToNormal(returned), subject, meta)
        )
    }

    private func draft(_ recordID: String, _ kind: Kind, _ subject: String, _ meta: Meta) -> Draft {
        Draft(
            recordID: recordID,
            kind: Coded(AlarmRecord.Event(kind)),
            subject: subject,
            occurredAtUs: meta.occurredAtUs,
            line: meta.place.workCenter,
            station: meta.place.workUnit,
            cause: meta.hasOrigin ? Coded(meta.origin) : nil
        )
    }
}
