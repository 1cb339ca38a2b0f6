import EventLog
import Logging
import Metrics
import PlantEvents
import ReadModel
import ServiceLifecycle
import ServiceRuntime

/// Feeds the read model: reads every topic from the positions that the model itself keeps, and commits rows and positions
/// together.
actor ProjectionLoop: Service {
    private static let batchLimit = 2_000
    /// How often new partitions are looked for.
    private static let idleWait = Duration.seconds(1)

    private let context: ServiceContext
    private let model: ReadModel
    private let parker: Parker
    private(set) var isCaughtUp = false
    private let projected: Counter
    private let delay: Metrics.Timer

    init(_ context: ServiceContext, path: String) throws {
        self.context = context
        do {
            model = try ReadModel(path: path, site: context.plant.site)
        } catch let failure as ReadModelFailure {
            throw ServiceProgram.Stop.wrongUse("\(failure)")
        }
        parker = Parker(context)
        projected = Counter(label: "lineledger_events_projected_total")
        delay = Metrics.Timer(label: "lineledger_verdict_to_projected_seconds")
    }

    func run() async throws {
        try await cancelWhenGracefulShutdown { try await self.projectForever() }
    }

    private func projectForever() async throws {
        var backoff = Backoff()
        while !Task.isCancelled {
            do {
                let reader = try await context.log.reader(from: try await startingPositions())
                try await project(from: reader, backoff: &backoff)
                await reader.close()
            } catch let failure as LogFailure where failure.isRetriable {
                context.logger.warning("log not readable; waiting", metadata: .of([.reason: "\(failure)"]))
                try await Task.sleep(for: backoff.next())
            } catch is CancellationError {
                return
            }
        }
    }

    private func project(from reader: any LogReader, backoff: inout Backoff) async throws {
        while !Task.isCancelled {
            let batch = try await reader.next(max: Self.batchLimit, wait: Self.idleWait)
            backoff.reset()
            isCaughtUp = batch.count < Self.batchLimit
            guard !batch.isEmpty else { continue }
            let applied = try model.apply(batch, nowUs: context.nowUs())
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
            for unreadable in applied.parked {
                context.logger.error(
                    "record parked",
                    metadata: .of([
                        .topic: "\(unreadable.record.place)", .offset: "\(unreadable.record.offset)",
                        .reason: "\(unreadable.reason)",
                    ])
                )
                try await parker.park(unreadable.record, reason: unreadable.reason)
            }
        }
    }

    /// The model's positions, for every partition of every topic.
    private func startingPositions() async throws -> [TopicPartition: Int64] {
        let known = model.positions
        var positions: [TopicPartition: Int64] = [:]
        for topic in Topic.written {
            let name = context.topic(topic).description
            try await context.log.create(topic: name, partitions: Int32(context.plant.partitions))
            for number in 0..<(try await context.log.partitionCount(of: name)) {
                let place = TopicPartition(name, number)
                positions[place] = known[place] ?? 0
            }
        }
        return positions
    }
}
