package import EventLog
package import Logging
package import ServiceLifecycle

/// Works for the partitions that this process owns: for each one a core and its parts of their own, started when the
/// partition is gained and stopped before it passes on.
///
/// Gaining a partition takes it over with a higher epoch (`DeciderHost.restore`), so a former owner that has not noticed
/// yet writes nothing that counts; it ends here with `LogFailure.writerExists` and stands by.
package actor PartitionHosting: Service {
    /// What one partition runs, in the order in which its parts start; they stop in reverse.
    package struct Work: Sendable {
        package var parts: [any Service]
        package var checks: [HealthCheck]

        package init(_ parts: [any Service], checks: [HealthCheck] = []) {
            self.parts = parts
            self.checks = checks
        }
    }

    private struct Hosted {
        let number: Int
        let task: Task<Void, Never>
        var group: ServiceGroup?
        var checks: [HealthCheck] = []
        var isDeposed = false
        var isStopping = false
    }

    private let ownership: any PartitionOwnership
    private let partitions: Set<Int32>
    private let logger: Logger
    private let patience: Patience
    private let compose: @Sendable (Int32) async throws -> Work
    private var hosted: [Int32: Hosted] = [:]
    private var starts = 0
    private var failure: (any Error)?

    /// How long to wait for what should happen by itself.
    package struct Patience: Sendable {
        /// For the parts of a lost partition to finish what they have begun.
        package var stopping = Duration.seconds(10)
        /// For the news that a partition was lost, after another owner's takeover was seen in it.
        package var deposed = Duration.seconds(60)

        package init(stopping: Duration = .seconds(10), deposed: Duration = .seconds(60)) {
            self.stopping = stopping
            self.deposed = deposed
        }
    }

    /// - Parameters:
    ///   - partitions: those with work in them; owning another one asks for nothing.
    ///   - compose: takes the partition over and makes its parts; called again after a failure that may pass.
    package init(
        _ ownership: any PartitionOwnership,
        partitions: Set<Int32>,
        logger: Logger,
        patience: Patience = Patience(),
        compose: @escaping @Sendable (Int32) async throws -> Work
    ) {
        self.ownership = ownership
        self.partitions = partitions
        self.logger = logger
        self.patience = patience
        self.compose = compose
    }

    /// The partitions whose parts run now.
    package var running: Set<Int32> { Set(hosted.filter { $0.value.group != nil }.keys) }

    /// Right when every owned partition runs and its own checks are right; a process that owns none stands by.
    package nonisolated var check: HealthCheck {
        HealthCheck("partitions") { await self.state() }
    }

    package func run() async throws {
        try await withGracefulShutdownHandler {
            do {
                while let change = try await ownership.next() {
                    await stop(change.lost)
                    for partition in change.gained.intersection(partitions).sorted() { start(partition) }
                    tell(change)
                }
            } catch {
                failure = failure ?? error
            }
            await stop(Set(hosted.keys))
            await ownership.close()
            if let failure { throw failure }
        } onGracefulShutdown: {
            Task { await self.ownership.close() }
        }
    }

    private func state() async -> HealthCheck.State {
        for (partition, host) in hosted.sorted(by: { $0.key < $1.key }) {
            if host.isDeposed { return .failing("partition \(partition): another instance took over") }
            if host.group == nil { return .failing("partition \(partition) is being taken over") }
            for check in host.checks {
                if case .failing(let reason) = await check.state() { return .failing(reason) }
            }
        }
        return .ok
    }

    private func start(_ partition: Int32) {
        guard hosted[partition] == nil else { return }
        starts += 1
        let number = starts
        hosted[partition] = Hosted(number: number, task: Task { await self.work(for: partition, number) })
    }

    /// Until the partition is given up, or fails for good.
    private func work(for partition: Int32, _ number: Int) async {
        var backoff = Backoff()
        while !Task.isCancelled {
            do {
                let work = try await compose(partition)
                try Task.checkCancellation()
                let group = ServiceGroup(
                    configuration: ServiceGroupConfiguration(
                        services: work.parts.map { .init(service: $0) },
                        logger: logger
                    )
                )
                guard hosted[partition]?.number == number else { return }
                hosted[partition]?.group = group
                hosted[partition]?.checks = work.checks
                try await group.run()
                return
            } catch is CancellationError {
                return
            } catch let failure as LogFailure where failure.isRetriable {
                hosted[partition]?.group = nil
                logger.warning(
                    "partition waits for the log",
                    metadata: ["partition": "\(partition)", "reason": "\(failure)"]
                )
                // Cancelled when the partition is given up meanwhile.
                guard (try? await Task.sleep(for: backoff.next())) != nil else { return }
            } catch LogFailure.writerExists(let reason) where ownership.isShared {
                await deposed(partition, number, reason)
                return
            } catch {
                await fail(error)
                return
            }
        }
    }

    /// Another instance took over: the news that the partition is lost is under way, or two plants share one log.
    private func deposed(_ partition: Int32, _ number: Int, _ reason: String) async {
        logger.warning(
            "another instance took over; standing by",
            metadata: ["partition": "\(partition)", "reason": "\(reason)"]
        )
        guard let host = hosted[partition], host.number == number, !host.isStopping else { return }
        hosted[partition]?.group = nil
        hosted[partition]?.isDeposed = true
        // Cancelled when the news came.
        guard (try? await Task.sleep(for: patience.deposed)) != nil else { return }
        await fail(LogFailure.writerExists(reason))
    }

    private func fail(_ error: any Error) async {
        failure = failure ?? error
        await ownership.close()
    }

    private func stop(_ partitions: Set<Int32>) async {
        for partition in partitions { hosted[partition]?.isStopping = true }
        let stopping = hosted.filter { partitions.contains($0.key) }
        for host in stopping.values {
            if let group = host.group, !Task.isCancelled {
                await group.triggerGracefulShutdown()
            } else {
                host.task.cancel()
            }
        }
        let patience = patience.stopping
        for (partition, host) in stopping {
            let timer = Task {
                // Cancelled when the parts came to their end first.
                guard (try? await Task.sleep(for: patience)) != nil else { return }
                host.task.cancel()
            }
            await host.task.value
            timer.cancel()
            hosted[partition] = nil
        }
    }

    private func tell(_ change: OwnershipChange) {
        logger.info(
            "partitions changed",
            metadata: [
                "gained": "\(change.gained.sorted())", "lost": "\(change.lost.sorted())",
                "owned": "\(hosted.keys.sorted())",
            ]
        )
    }
}
