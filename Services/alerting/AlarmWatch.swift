import EventLog
import Foundation
import Logging
import Metrics
import PlantCore
import PlantEvents
import SQLite
import ServiceLifecycle
import ServiceRuntime
import SwiftProtobuf

/// Folds the plant's events into alarms. State, input positions and decided alarms are kept in one transaction; then the
/// alarms are appended. Own history tells what was appended before, so nothing is raised twice.
actor AlarmWatch: Service {
    private static let stateVersion = 4
    private static let inputs: [Topic] = [.frames, .inspections, .mesDeliveries, .erpDeliveries]
    /// Services with inputs of their own, which they may have to set aside.
    private static let parkingServices = [
        PlantProgram.cameraIngest, .inspector, .mesBridge, .erpBridge, .traceabilityProjector, .alerting,
    ].map(\.rawValue)

    private let context: ServiceContext
    private let limits: AlarmFold.Limits
    private let store: OutboxStore<AlarmFold, AlarmFold.Draft>
    private let writer: PartitionWriter<AlarmRecord>
    private let intake: Intake
    private var fold: AlarmFold
    private let history: AlarmHistory
    /// More than can wait: a batch leads to a few alarms, and the next is read once they are in the log.
    private static let outboxLimit = 10_000
    /// Alarms of timers that the log shows open and a lost state does not.
    private var unresumed: [AlarmRaised]
    private let active: Gauge
    private let startedAtUs: Int64
    private var hostSeenAtUs: Int64 = 0
    /// A look at the clock that waits until all that was in the log then is read.
    private var look: (nowUs: Int64, ends: [TopicPartition: Int64])?
    private var lookedAtUs: Int64 = 0
    /// Between two looks at the clock, and at this host's disk and uplink, microseconds.
    private static let lookEveryUs: Int64 = 10_000_000

    init(_ context: ServiceContext) async throws {
        self.context = context
        let alerting = context.plant.alerting
        limits = AlarmFold.Limits(
            burstFailures: alerting.burstFailures,
            burstWindow: alerting.burstWindow,
            silentAfterUs: Int64(alerting.silentAfterSeconds) * 1_000_000,
            reviewEveryUs: Int64(context.plant.recipes.reviewDays) * 86_400_000_000
        )
        store = try OutboxStore(path: "\(context.plant.state)/alerting.sqlite", version: Self.stateVersion)
        if let note = store.setAside {
            context.logger.error("own state was damaged", metadata: .of([.reason: "\(note)"]))
        }
        writer = PartitionWriter(
            log: context.log,
            site: context.plant.site,
            topic: context.topic(.alarms),
            partition: context.plant.alarmPartition,
            producer: context.producer
        )
        try await context.log.create(
            topic: context.topic(.alarms).description,
            partitions: Int32(context.plant.partitions)
        )
        var history = AlarmHistory()
        try await writer.takeOver(from: 0, fence: Fence(), nowUs: context.nowUs) { record, _ in
            guard let record else { return }
            history.take(record)
        }
        self.history = history
        let kept = try store.load()
        fold = kept?.state ?? AlarmFold()
        unresumed = history.openTimers(
            unknownTo: fold,
            besides: try store.outbox(limit: Self.outboxLimit).map(\.draft)
        )
        intake = Intake(
            context,
            // Reviews are the plant's: a station host, where decisions come down, would raise its alarms again.
            topics: Self.inputs + (context.plant.writesDecisions ? [.decisions] : []),
            parkedBy: Self.parkingServices,
            from: kept?.positions ?? IntakePositions(),
            parker: Parker(context),
            owner: .watcher
        )
        active = Gauge(label: "lineledger_alarms_active")
        startedAtUs = context.nowUs()
    }

    func run() async throws {
        try await cancelWhenGracefulShutdown { try await self.watchForever() }
    }

    private func watchForever() async throws {
        try await appendOutbox()
        while !Task.isCancelled {
            let batch: Intake.Batch
            do {
                batch = try await intake.next(max: 256, wait: .seconds(1))
            } catch is CancellationError {
                return
            }
            var drafts = batch.records.flatMap { take($0.record) }
            if let nowUs = try await clock(isIdle: batch.records.isEmpty) {
                drafts += fold.resume(unresumed, nowUs: nowUs, limits)
                unresumed = []
                drafts += fold.tick(nowUs: nowUs, limits)
            }
            drafts += lookAtHost(nowUs: context.nowUs())
            guard !batch.records.isEmpty || !drafts.isEmpty else { continue }
            let late = Set(batch.records.lazy.filter { $0.askedBy != nil }.map(\.record.meta.origin))
            let fresh = drafts.filter { !history.contains($0, late: late) }
            try await whenThereIsRoom { try store.commit(fold, batch.positions, drafts: fresh) }
            active.record(fold.activeAlarms.count)
            try await appendOutbox()
        }
    }

    /// The time that timers are judged at, microseconds since 1970; nil while something from before it is still to be read.
    /// A plant where something always comes is looked at every `lookEveryUs`.
    private func clock(isIdle: Bool) async throws -> Int64? {
        let nowUs = context.nowUs()
        if isIdle {
            (look, lookedAtUs) = (nil, nowUs)
            return nowUs
        }
        if let look {
            guard await intake.hasRead(to: look.ends) else { return nil }
            (self.look, lookedAtUs) = (nil, nowUs)
            return look.nowUs
        }
        // A clock set back counts as time passed.
        guard !(0..<Self.lookEveryUs).contains(nowUs - lookedAtUs) else { return nil }
        do {
            look = (nowUs, try await intake.ends())
        } catch let failure as LogFailure where failure.isRetriable {
            context.logger.warning("log not readable; timers wait", metadata: .of([.reason: "\(failure)"]))
        }
        return nil
    }

    /// Writes to the store; a full disk is waited out.
    private func whenThereIsRoom(_ write: () throws -> Void) async throws {
        var backoff = Backoff()
        while true {
            do {
                return try write()
            } catch let failure as SQLiteError where failure.isFull {
                context.logger.error("disk is full; alarms wait", metadata: .of([.reason: "\(failure)"]))
                try await Task.sleep(for: backoff.next())
            }
        }
    }

    private func take(_ record: AnyRecord) -> [AlarmFold.Draft] {
        switch record {
        case .frames(let record): fold.fold(record, limits)
        case .inspections(let record): fold.fold(record, limits)
        case .deliveries(let record): fold.fold(record, limits)
        case .parked(let record): fold.fold(record)
        case .decisions(let record): fold.fold(record)
        case .production, .materials, .alarms: []
        }
    }

    /// The disk of this host's log, and what its uplink says, now and then; an embedded log only.
    private func lookAtHost(nowUs: Int64) -> [AlarmFold.Draft] {
        // A clock set back counts as time passed.
        guard !(0..<Self.lookEveryUs).contains(nowUs - hostSeenAtUs) else { return [] }
        hostSeenAtUs = nowUs
        do {
            guard let disk = try LogDisk(log: context.plant.log) else { return [] }
            let sample = AlarmFold.HostSample(
                host: ProcessInfo.processInfo.hostName,
                logBytes: disk.logBytes,
                freeBytes: disk.freeBytes,
                stoppedPartitions: context.plant.uplink == nil
                    ? [:]
                    : UplinkNote.stopped(
                        .read(state: context.plant.state),
                        nowUs: nowUs,
                        sinceUs: startedAtUs
                    )
            )
            return fold.look(at: sample, nowUs: nowUs)
        } catch {
            context.logger.error("the log's disk cannot be looked at", metadata: .of([.reason: "\(error)"]))
            return []
        }
    }

    /// Appends what is decided, in order; a log that is away is waited for.
    private func appendOutbox() async throws {
        var backoff = Backoff()
        while true {
            let waiting = try store.outbox(limit: 256)
            guard let last = waiting.last else { return }
            let fresh = waiting.map(\.draft).filter { !history.contains($0.recordID) }
            do {
                if !fresh.isEmpty {
                    try await writer.append(
                        fresh.map(record),
                        keys: fresh.map { Array($0.subject.utf8) },
                        nowUs: context.nowUs()
                    )
                }
                try await whenThereIsRoom { try store.sent(upTo: last.number) }
            } catch let failure as LogFailure where failure.isRetriable {
                context.logger.error("log does not take alarms; they wait", metadata: .of([.reason: "\(failure)"]))
                try await Task.sleep(for: backoff.next())
            }
        }
    }

    private func record(_ draft: AlarmFold.Draft) -> AlarmRecord {
        .with {
            $0.meta.recordID = draft.recordID
            if let cause = draft.cause?.message { $0.meta.cause = cause }
            $0.meta.occurredAtUs = draft.occurredAtUs
            $0.meta.place = context.place(line: draft.line, station: draft.station)
            $0.meta.subject = draft.subject
            $0.meta.correlationID = draft.subject
            $0.meta.actor = context.service
            $0.events = [draft.kind.message]
        }
    }
}
