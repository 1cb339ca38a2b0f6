import EventLog
import Logging
import Metrics
import PlantEvents
import ReadModel
import ServiceLifecycle
import ServiceRuntime

/// Feeds the read model: reads every topic from the positions that the model itself keeps, commits rows and positions
/// together, and switches generations between two batches.
actor ProjectionLoop: Service {
    /// How long the log is given to bring a record before requests are looked for.
    private static let idleWait = Duration.seconds(1)

    private let context: ServiceContext
    private let projection: Projection
    private let parker: Parker
    private let projected: Counter
    private let delay: Metrics.Timer

    init(_ context: ServiceContext) throws {
        self.context = context
        do {
            projection = try Projection(
                Generations(folder: context.plant.readModelPath),
                site: context.plant.site,
                log: context.log,
                nowUs: context.nowUs
            )
        } catch let failure as ReadModelFailure {
            throw ServiceProgram.Stop.wrongUse("\(failure)")
        }
        parker = Parker(context)
        projected = Counter(label: "lineledger_events_projected_total")
        delay = Metrics.Timer(label: "lineledger_verdict_to_projected_seconds")
    }

    var status: Projection.Status { projection.status }

    /// A query found the file damaged.
    func noteDamage(_ reason: String, of generation: Int) {
        projection.noteDamage(reason, of: generation)
    }

    func run() async throws {
        try await cancelWhenGracefulShutdown { try await self.projectForever() }
        await projection.close()
    }

    private func projectForever() async throws {
        var backoff = Backoff()
        while !Task.isCancelled {
            do {
                try await createTopics()
                while !Task.isCancelled {
                    let turn = try await projection.turn(wait: Self.idleWait) { try await self.park($0) }
                    backoff.reset()
                    for happening in turn.happenings {
                        tell(happening)
                        try await settleParked(after: happening)
                    }
                    if let applied = turn.applied { tell(applied) }
                }
            } catch let failure as LogFailure where failure.isRetriable {
                context.logger.warning("log not readable; waiting", metadata: .of([.reason: "\(failure)"]))
                try await Task.sleep(for: backoff.next())
            } catch is CancellationError {
                return
            }
        }
    }

    /// Waits until the copy is durable: only then may the model's position move beyond the record.
    private func park(_ unreadable: UnreadableRecord) async throws {
        context.logger.error(
            "record parked",
            metadata: .of([
                .topic: "\(unreadable.record.place)", .offset: "\(unreadable.record.offset)",
                .reason: "\(unreadable.reason)",
            ])
        )
        var backoff = Backoff()
        while true {
            do {
                return try await parker.park(unreadable.record, reason: unreadable.reason)
            } catch let failure as LogFailure where failure.isRetriable {
                context.logger.warning("cannot park; waiting", metadata: .of([.reason: "\(failure)"]))
                try await Task.sleep(for: backoff.next())
            }
        }
    }

    /// A model that this build made from the beginning has read what the one before could not (decision 0016).
    private func settleParked(after happening: Projection.Happening) async throws {
        guard case .switched(let active, _) = happening, active.reason != .rollback else { return }
        try await context.desk.rebuilt(upTo: projection.positions, context)
    }

    private func tell(_ applied: Applied) {
        projected.increment(by: Int64(applied.events))
        for us in applied.verdictToProjectedUs { delay.recordMicroseconds(us) }
        for gap in applied.gaps {
            context.logger.error(
                "records missing",
                metadata: .of([
                    .topic: "\(gap.stream.topic)", .epoch: "\(gap.epoch)", .expected: "\(gap.expected)",
                    .found: "\(gap.found)",
                ])
            )
        }
    }

    private func tell(_ happening: Projection.Happening) {
        switch happening {
        case .switched(let active, let old):
            let from = old.map { "generation \($0)" } ?? "none"
            context.logger.info(
                "read model switched",
                metadata: .of([.reason: "\(active.reason.rawValue): generation \(active.generation) for \(from)"])
            )
        case .setAside(let generation, let reason):
            context.logger.error(
                "read model damaged, set aside",
                metadata: .of([.reason: "generation \(generation): \(reason)"])
            )
        case .building(let generation, let reason):
            context.logger.warning(
                "read model being rebuilt",
                metadata: .of([.reason: "\(reason.rawValue): generation \(generation)"])
            )
        case .catchingUp(let generation, let reason):
            context.logger.info(
                "read model catching up",
                metadata: .of([.reason: "\(reason.rawValue): generation \(generation)"])
            )
        case .refused(let reason):
            context.logger.warning("read model not switched", metadata: .of([.reason: "\(reason)"]))
        }
    }

    private func createTopics() async throws {
        for topic in Topic.written {
            try await context.log.create(
                topic: context.topic(topic).description,
                partitions: Int32(context.plant.partitions)
            )
        }
    }
}

extension Projection.Status {
    /// What keeps the answers from being of now; nil when nothing does.
    var hindrance: String? {
        let behind = nextBehind.map { ", \($0) records to go" } ?? ""
        if let next, generation == nil { return "read model generation \(next) is being rebuilt\(behind)" }
        if isStale {
            return "read model of version \(version ?? 0) is served as it was; version \(expectedVersion) is being "
                + "built\(behind)"
        }
        return isCaughtUp ? nil : "the read model is still reading history"
    }
}
