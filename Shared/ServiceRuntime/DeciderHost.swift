import EventLog
import Logging
import Metrics
package import PlantCore
package import PlantEvents
import ServiceLifecycle
import SwiftProtobuf

/// Runs one core on its own partition: take over, restore, then for each input decide, evolve, append.
///
/// Deciding and evolving happen at once and in memory, appending follows in order and in groups; so a slow or absent log
/// delays what depends on durability, never the decision itself. What is decided and not yet durable is bounded.
package actor DeciderHost<C: Core>: Service {
    /// Decided records that may wait for the log; beyond it `submit` waits.
    private static var pendingLimit: Int { 4_096 }
    private static var batchLimit: Int { 256 }
    /// Records between snapshots.
    private static var snapshotInterval: Int { 5_000 }

    private let context: ServiceContext
    private let topic: Topic
    private let partition: Int32
    private let writer: PartitionWriter<C.Record>
    private let snapshots: SnapshotFile<C.State>
    private let bell = Doorbell()
    /// Rings when the core's state changed.
    package nonisolated let changes = Doorbell()

    package private(set) var core: C
    private var handled = HighWater()
    private var inputs = IntakePositions()
    private var pending: [(record: C.Record, key: [UInt8])] = []
    /// Records decided, and of them durable, since the start.
    private var decidedCount = 0
    private var durableCount = 0
    private var snapshotAt = 0
    private var waiters: [(count: Int, continuation: CheckedContinuation<Void, any Error>)] = []
    private var failure: (any Error)?
    private let appended: Counter
    private let waiting: Gauge

    package init(_ core: C, context: ServiceContext, topic: Topic, partition: Int32 = 0) {
        self.core = core
        self.context = context
        self.topic = topic
        self.partition = partition
        writer = PartitionWriter(
            log: context.log,
            site: context.plant.site,
            topic: context.topic(topic),
            partition: partition,
            producer: context.producer
        )
        snapshots = SnapshotFile(
            path: "\(context.plant.state)/snapshots/\(context.service)-\(topic.rawValue)-\(partition).json"
        )
        appended = Counter(label: "lineledger_records_appended_total", dimensions: [("topic", topic.rawValue)])
        waiting = Gauge(label: "lineledger_records_waiting", dimensions: [("topic", topic.rawValue)])
    }

    /// Where inputs were handled up to when the snapshot was taken; repeats after it are recognised.
    package var inputPositions: IntakePositions { inputs }

    /// Takes the partition over and brings the state back: snapshot if usable, then own history.
    package func restore() async throws {
        try await context.log.create(
            topic: context.topic(topic).description,
            partitions: Int32(context.plant.partitions)
        )
        var from: Int64 = 0
        var fence = Fence()
        var restored = core
        var marks = HighWater()
        switch snapshots.read(coreVersion: C.version) {
        case .found(let snapshot):
            restored.state = snapshot.state
            marks = snapshot.handled
            inputs = snapshot.inputs
            from = snapshot.ownOffset
            fence = snapshot.ownFence
        case .absent:
            break
        case .unusable(let reason):
            context.logger.warning(
                "snapshot not used; replaying the whole history",
                metadata: ["path": "\(snapshots.path)", "reason": "\(reason)"]
            )
        }
        var replayed = 0
        try await writer.takeOver(from: from, fence: fence, nowUs: context.nowUs) { record, _ in
            guard let record else { return }
            restored.evolve(with: record)
            if record.meta.hasCause { marks.raise(to: record.meta.cause) }
            replayed += 1
        }
        core = restored
        handled = marks
        context.logger.info(
            "took over",
            metadata: ["topic": "\(topic.rawValue)", "partition": "\(partition)", "replayed": "\(replayed)"]
        )
    }

    /// Decides on an input; `cause` is the origin of the record it came from, and an input whose cause was handled
    /// before is recognised. Returns the record as it will be appended; nil when nothing follows.
    @discardableResult
    package func submit(_ input: C.Input, cause: Origin? = nil) async throws -> C.Record? {
        if pending.count >= Self.pendingLimit { try await durable(upTo: decidedCount - Self.pendingLimit / 2) }
        if let failure { throw failure }
        if let cause {
            if handled.covers(cause) { return nil }
            handled.raise(to: cause)
        }
        guard let step = core.decide(input, nowUs: context.nowUs()) else { return nil }
        var record = C.Record()
        record.meta = .with {
            $0.recordID = step.recordID
            if let cause { $0.cause = cause }
            $0.occurredAtUs = step.occurredAtUs
            $0.place = context.place(line: step.line, station: step.station)
            $0.subject = step.subject
            $0.correlationID = step.correlationID
            $0.actor = context.service
            $0.mustUnderstand = step.mustUnderstand
        }
        record.events = step.kinds.map { C.Record.Event($0) }
        core.evolve(with: record)
        pending.append((record, Array(step.key.utf8)))
        decidedCount += 1
        bell.ring()
        changes.ring()
        return record
    }

    /// Whether the input record named by `origin` was handled before.
    package func covers(_ origin: Origin) -> Bool { handled.covers(origin) }

    /// Returns when everything decided so far is durable.
    package func durable() async throws {
        try await durable(upTo: decidedCount)
    }

    /// Notes that inputs up to `positions` have been submitted; the next snapshot says so.
    package func handled(upTo positions: IntakePositions) {
        inputs = positions
    }

    package func run() async throws {
        try await withGracefulShutdownHandler {
            do {
                try await appendForever()
            } catch {
                stop(with: error)
                throw error
            }
        } onGracefulShutdown: {
            self.bell.close()
        }
    }

    private func appendForever() async throws {
        var backoff = Backoff()
        var isStopping = false
        while true {
            try Task.checkCancellation()
            if pending.isEmpty {
                if isStopping { break }
                await bell.wait()
                isStopping = pending.isEmpty && Task.isShuttingDownGracefully
                if pending.isEmpty { continue }
            }
            let batch = Array(pending.prefix(Self.batchLimit))
            do {
                try await writer.append(batch.map(\.record), keys: batch.map(\.key), nowUs: context.nowUs())
                backoff.reset()
                pending.removeFirst(batch.count)
                durableCount += batch.count
                appended.increment(by: Int64(batch.count))
                waiting.record(pending.count)
                resumeWaiters()
                if pending.isEmpty, decidedCount - snapshotAt >= Self.snapshotInterval { try await takeSnapshot() }
            } catch let failure as LogFailure where failure.isRetriable {
                context.logger.error(
                    "log does not take records; they wait",
                    metadata: ["topic": "\(topic.rawValue)", "waiting": "\(pending.count)", "reason": "\(failure)"]
                )
                waiting.record(pending.count)
                try await Task.sleep(for: backoff.next())
            }
        }
        try await takeSnapshot()
    }

    private func takeSnapshot() async throws {
        guard pending.isEmpty else { return }
        let position = await writer.position
        guard pending.isEmpty else { return }
        let snapshot = Snapshot(
            coreVersion: C.version,
            state: core.state,
            handled: handled,
            ownOffset: position.nextOffset,
            ownFence: position.fence,
            inputs: inputs
        )
        do {
            try snapshots.write(snapshot)
            snapshotAt = decidedCount
        } catch {
            // A snapshot only saves time; without it the next start replays.
            context.logger.warning(
                "snapshot not written",
                metadata: ["path": "\(snapshots.path)", "reason": "\(error)"]
            )
            snapshotAt = decidedCount
        }
    }

    private func durable(upTo count: Int) async throws {
        if let failure { throw failure }
        if durableCount >= count { return }
        try await withCheckedThrowingContinuation { waiters.append((count, $0)) }
    }

    private func resumeWaiters() {
        let due = waiters.filter { $0.count <= durableCount }
        waiters.removeAll { $0.count <= durableCount }
        for waiter in due { waiter.continuation.resume() }
    }

    private func stop(with error: any Error) {
        failure = error
        let all = waiters
        waiters = []
        for waiter in all { waiter.continuation.resume(throwing: error) }
    }
}
