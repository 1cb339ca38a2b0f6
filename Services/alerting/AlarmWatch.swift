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
    private static let stateVersion = 1
    private static let inputs: [Topic] = [.frames, .inspections, .mesDeliveries, .erpDeliveries]

    private let context: ServiceContext
    private let limits: AlarmFold.Limits
    private let store: OutboxStore<AlarmFold, AlarmFold.Draft>
    private let writer: PartitionWriter<AlarmRecord>
    private let intake: Intake
    private var fold: AlarmFold
    /// Inputs up to here led to alarms that are in the log already; matters when the state is built anew by replay.
    private let appendedCauses: HighWater
    /// Newest alarms of own history, to recognise those of timers and of an interrupted append.
    private let appendedIDs: Set<String>
    private static let recentIDsKept = 10_000
    private let active: Gauge

    init(_ context: ServiceContext) async throws {
        self.context = context
        let alerting = context.plant.alerting
        limits = AlarmFold.Limits(
            burstFailures: alerting.burstFailures,
            burstWindow: alerting.burstWindow,
            silentAfterUs: Int64(alerting.silentAfterSeconds) * 1_000_000
        )
        store = try OutboxStore(path: "\(context.plant.state)/alerting.sqlite", version: Self.stateVersion)
        writer = PartitionWriter(
            log: context.log,
            site: context.plant.site,
            topic: context.topic(.alarms),
            partition: 0,
            producer: context.producer
        )
        try await context.log.create(
            topic: context.topic(.alarms).description,
            partitions: Int32(context.plant.partitions)
        )
        var causes = HighWater()
        var recent: [String] = []
        try await writer.takeOver(from: 0, fence: Fence(), nowUs: context.nowUs) { record, _ in
            guard let record else { return }
            if record.meta.hasCause { causes.raise(to: record.meta.cause) }
            recent.append(record.meta.recordID)
            if recent.count > 2 * Self.recentIDsKept { recent.removeFirst(Self.recentIDsKept) }
        }
        appendedCauses = causes
        appendedIDs = Set(recent)
        let kept = try store.load()
        fold = kept?.state ?? AlarmFold()
        intake = Intake(
            context,
            topics: Self.inputs,
            from: kept?.positions ?? IntakePositions(),
            parker: Parker(context)
        )
        active = Gauge(label: "lineledger_alarms_active")
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
            // Silence is judged only by what is known up to now, not while history is still being read.
            if batch.records.isEmpty { drafts += fold.tick(nowUs: context.nowUs(), limits) }
            guard !batch.records.isEmpty || !drafts.isEmpty else { continue }
            let fresh = drafts.filter { !isAppended($0) }
            try await whenThereIsRoom { try store.commit(fold, batch.positions, drafts: fresh) }
            active.record(fold.activeAlarms.count)
            try await appendOutbox()
        }
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
        case .production, .materials, .alarms: []
        }
    }

    private func isAppended(_ draft: AlarmFold.Draft) -> Bool {
        if let cause = draft.cause?.message { return appendedCauses.covers(cause) }
        return appendedIDs.contains(draft.recordID)
    }

    /// Appends what is decided, in order; a log that is away is waited for.
    private func appendOutbox() async throws {
        var backoff = Backoff()
        while true {
            let waiting = try store.outbox(limit: 256)
            guard let last = waiting.last else { return }
            let fresh = waiting.map(\.draft).filter { !appendedIDs.contains($0.recordID) }
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
