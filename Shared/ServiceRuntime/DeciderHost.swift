package import EventLog
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
    private let snapshots: SnapshotFile<C>
    private let bell = Doorbell()
    /// Rings when the core's state changed.
    package nonisolated let changes = Doorbell()

    private var decider: Decider<C>
    private var inputs = IntakePositions()
    private var pending: [Decider<C>.Draft] = []
    /// Records decided, and of them durable, since the start.
    private var decidedCount = 0
    private var durableCount = 0
    private var snapshotAt = 0
    private var waiters: [(count: Int, continuation: CheckedContinuation<Void, any Error>)] = []
    private var failure: (any Error)?
    private let appended: Counter
    private let waiting: Gauge

    package init(_ core: C, context: ServiceContext, topic: Topic, partition: Int32 = 0) {
        decider = Decider(core, actor: context.service, place: context.place(line: "", station: ""))
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

    package var core: C { decider.core }

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
        var restored = decider
        switch snapshots.read(coreVersion: C.version) {
        case .found(let snapshot):
            restored.restore(snapshot.state, handled: snapshot.handled)
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
            restored.replay(record)
            replayed += 1
        }
        decider = restored
        context.logger.info(
            "took over",
            metadata: ["topic": "\(topic.rawValue)", "partition": "\(partition)", "replayed": "\(replayed)"]
        )
    }

    /// Decides on an input; `cause` is the origin of the record it came from, and an input whose cause was handled
    /// before is recognised. Returns the record as it will be appended; nil when nothing follows.
    @discardableResult
    package func submit(
        _ input: C.Input,
        cause: Origin? = nil,
        askedBy: String? = nil
    ) async throws -> C.Record? {
        if pending.count >= Self.pendingLimit { try await durable(upTo: decidedCount - Self.pendingLimit / 2) }
        if let failure { throw failure }
        let nowUs = context.nowUs()
        guard let draft = decider.take(input, cause: cause, askedBy: askedBy, nowUs: nowUs) else { return nil }
        pending.append(draft)
        decidedCount += 1
        bell.ring()
        changes.ring()
        return draft.record
    }

    /// Whether the input record named by `origin` was handled before.
    package func covers(_ origin: Origin, askedBy: String? = nil) -> Bool {
        decider.covers(origin, askedBy: askedBy)
    }

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
        let snapshot = decider.snapshot(
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
