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
        /// From one review of an active recipe to the next, microseconds.
        package var reviewEveryUs: Int64

        package init(
            burstFailures: Int,
            burstWindow: Int,
            silentAfterUs: Int64,
            reviewEveryUs: Int64 = 92 * 86_400_000_000
        ) {
            self.burstFailures = burstFailures
            self.burstWindow = burstWindow
            self.silentAfterUs = silentAfterUs
            self.reviewEveryUs = reviewEveryUs
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

    /// What alerting sees of the machine it runs on.
    package struct HostSample: Sendable, Equatable {
        package var host: String
        /// What the log's folder takes, bytes.
        package var logBytes: Int64
        /// What its disk has left, bytes.
        package var freeBytes: Int64
        /// Partitions whose uplink waits for a person, `topic/partition`; with why, where it is known.
        package var stoppedPartitions: [String: String]

        package init(host: String, logBytes: Int64, freeBytes: Int64, stoppedPartitions: [String: String] = [:]) {
            self.host = host
            self.logBytes = logBytes
            self.freeBytes = freeBytes
            self.stoppedPartitions = stoppedPartitions
        }
    }

    /// What a service has parked and nobody has seen to.
    struct SetAside: Codable, Sendable, Equatable {
        var unreadable = 0
        /// Records of subjects that are held.
        var held = 0

        mutating func close(wasHeld: Bool) {
            if wasHeld { held = max(0, held - 1) } else { unreadable = max(0, unreadable - 1) }
        }
    }

    private var setAside: [String: SetAside] = [:]
    /// Categories of which a single defect raises an alarm, by station: of its recipe's reaction plan.
    var alarmingCategories: [String: [String]] = [:]
    var stations: [String: Station] = [:]
    /// Recipes that were released and not retired, by content hash.
    var reviews: [String: ReviewedRecipe] = [:]
    private var runway = Runway()
    private var spool = SpoolLevel.normal
    /// Alarms that are active now, by `kind subject`, with the occurrence's id.
    private var active: [String: String] = [:]

    package init() {}

    /// Which alarms are active now: `kind subject` to alarm id.
    package var activeAlarms: [String: String] { active }

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

    /// Counts what a service has set aside and waits for somebody.
    package mutating func fold(_ record: ParkedRecord) -> [Draft] {
        var drafts: [Draft] = []
        let service = record.meta.producer.service
        for event in record.events {
            switch event.kind {
            case .recordParked(let parked) where !parked.again:
                let count = 1 + parked.furtherOffsets.count
                switch parked.cause {
                case .notUnderstood, .behind: setAside[service, default: SetAside()].held += count
                case .unspecified, .unreadable, .damaged, .UNRECOGNIZED:
                    setAside[service, default: SetAside()].unreadable += count
                }
                tell(of: parked, service, record.meta, into: &drafts)
            case .recordRedriven(let redriven):
                setAside[service, default: SetAside()].close(wasHeld: redriven.wasHeld)
            case .recordDiscarded(let discarded):
                setAside[service, default: SetAside()].close(wasHeld: discarded.wasHeld)
            case .recordParked, .writerTookOver, nil:
                break
            }
        }
        let left = setAside[service] ?? SetAside()
        if left.held == 0 { clear("record-not-understood", service, record.meta, into: &drafts) }
        if left.unreadable == 0 { clear("record-parked", service, record.meta, into: &drafts) }
        return drafts
    }

    /// One alarm a service and cause, however many records: a flood of them is one trouble.
    private mutating func tell(of parked: RecordParked, _ service: String, _ meta: Meta, into drafts: inout [Draft]) {
        let place = "\(parked.sourceTopic)/\(parked.sourcePartition)/\(parked.sourceOffset)"
        if parked.cause == .notUnderstood || parked.cause == .behind {
            raise(
                "record-not-understood",
                service,
                .high,
                meta,
                text: "\(service) holds \(parked.subject): \(place) must be understood and is not: \(parked.reason)",
                response: "Upgrade \(service), then re-drive what is parked; other subjects go on meanwhile.",
                into: &drafts
            )
        } else {
            raise(
                "record-parked",
                service,
                .medium,
                meta,
                text: "\(service) set \(place) aside: \(parked.reason)",
                response: "See what is parked and why, then re-drive it or give it up.",
                into: &drafts
            )
        }
    }

    /// Looks for stations gone silent and for reviews that are overdue.
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
        tickReviews(nowUs: nowUs, limits, into: &drafts)
        return drafts
    }

    /// Looks at the host: how long its disk lasts, and whether the uplink of a partition has stopped.
    package mutating func look(at sample: HostSample, nowUs: Int64) -> [Draft] {
        var drafts: [Draft] = []
        let meta = Meta.with {
            $0.recordID = "host:\(sample.host)/\(nowUs)"
            $0.occurredAtUs = nowUs
        }
        runway.note(usedBytes: sample.logBytes, freeBytes: sample.freeBytes, atUs: nowUs)
        judgeSpool(sample.host, meta, into: &drafts)
        for (place, reason) in sample.stoppedPartitions.sorted(by: { $0.key < $1.key }) {
            raise(
                "uplink-stopped",
                place,
                .high,
                meta,
                text: "nothing of \(place) is mirrored any more: \(reason)",
                response: "Find out which log is right before anything is written; records wait here meanwhile.",
                into: &drafts
            )
        }
        for key in active.keys.sorted() {
            guard key.hasPrefix("uplink-stopped ") else { continue }
            let place = String(key.dropFirst("uplink-stopped ".count))
            if sample.stoppedPartitions[place] == nil { clear("uplink-stopped", place, meta, into: &drafts) }
        }
        return drafts
    }

    private mutating func judgeSpool(_ host: String, _ meta: Meta, into drafts: inout [Draft]) {
        guard let level = spool.next(runway.estimate), level != spool else { return }
        spool = level
        clear("spool-filling", host, meta, into: &drafts)
        guard let priority = level.priority, case .hours(let hours) = runway.estimate else { return }
        raise(
            "spool-filling",
            host,
            priority,
            meta,
            text: "the log's disk on \(host) is full in \((hours * 10).rounded() / 10) h at the present rate",
            response: "Bring the uplink back or free space on that disk; parts are still judged and kept.",
            into: &drafts
        )
    }

    /// Takes alarms on that a timer of an earlier state raised and that are still open in the log: a station that is
    /// silent still, as no trigger came since, keeps its alarm, and so does a review that is overdue still; all others
    /// return. Call it once history was read, before the first `tick`.
    package mutating func resume(_ open: [AlarmRaised], nowUs: Int64, _ limits: Limits) -> [Draft] {
        var drafts: [Draft] = []
        for raised in open where active["\(raised.kind) \(raised.subject)"] == nil {
            active["\(raised.kind) \(raised.subject)"] = raised.alarmID
            let station = stations[raised.subject]
            // By the trigger that it was raised after: clocks may have been set since.
            let isSilent =
                station?.lastTriggerUs.map { raised.alarmID.hasSuffix(":silent:\(raised.subject)/\($0)") } ?? true
            if raised.kind == "station-silent", isSilent, station?.isExhausted != true { continue }
            if isOverdue(raised, limits) { continue }
            let meta = Meta.with {
                $0.recordID = "resumed:\(raised.alarmID)"
                $0.occurredAtUs = nowUs
                $0.place.workCenter = station?.line ?? ""
                $0.place.workUnit = station == nil ? "" : raised.subject
            }
            clear(raised.kind, raised.subject, meta, into: &drafts)
        }
        return drafts
    }

    mutating func touch(_ station: String, _ meta: Meta) {
        stations[station, default: Station()].lastTriggerUs = meta.occurredAtUs
        stations[station]?.line = meta.place.workCenter
    }

    mutating func countVerdict(
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

    mutating func raise(
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

    mutating func clear(_ kind: String, _ subject: String, _ meta: Meta, into drafts: inout [Draft]) {
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
