package import EventLog

/// Copies topics of one log to another: the same names, the same partition numbers, every record byte for byte, in order
/// within each partition, going on after the newest record that the target holds.
///
/// Both ways of a station's uplink are one of these each. Nobody who writes to the source waits for it: it only reads there.
package actor Mirror {
    package struct Settings: Sendable {
        /// A partition with fewer waiting is level: what comes goes at once, without a turn.
        package var liveRecords = 256
        /// One append of a partition that drains.
        package var batchRecords = 1_000
        package var batchBytes = 512 << 10
        /// Partitions that drain at the same time.
        package var draining = 2
        /// A turn that takes longer no longer counts against `draining`.
        package var longestTurn = Duration.seconds(2)
        /// Partitions at most.
        package var partitions = 512
        /// How long a level partition waits for news before it looks whether both logs are still what they were.
        package var idleWait = Duration.seconds(5)
        /// Longest wait for records that are there.
        package var readWait = Duration.seconds(10)
        package var firstWait = Duration.milliseconds(50)
        package var longestWait = Duration.seconds(5)
        /// Between looks at what only a person can mend.
        package var stoppedWait = Duration.seconds(60)
        /// Between looks at a target that holds what the source does not; each look may read the whole source.
        package var divergedWait = Duration.seconds(3_600)
        /// Between looks for new topics.
        package var discoveryWait = Duration.seconds(2)
        /// Between looks for new partitions of topics that are there.
        package var growthWait = Duration.seconds(30)
        /// Told once for each time that a partition stops.
        package var report: @Sendable (TopicPartition, String) async -> Void = { _, _ in }

        package init() {}
    }

    private let source: any EventLog
    private let target: any EventLog
    private let topics: [String]
    private let settings: Settings
    private let nowUs: @Sendable () -> Int64
    private let turns: TurnKeeper
    private var lanes: [TopicPartition: Lane] = [:]
    private var order: [TopicPartition] = []
    private var missing: Set<String>
    private var throughput = Throughput()
    /// Why topics could not be listed; nil while they can.
    private var discoveryFailure: LogFailure?
    private var hasListed = false

    /// - Parameter topics: full names; those that the source does not have yet are waited for.
    package init(
        from source: any EventLog,
        to target: any EventLog,
        topics: [String],
        settings: Settings = Settings(),
        nowUs: @escaping @Sendable () -> Int64 = { WallClock.nowUs() }
    ) {
        self.source = source
        self.target = target
        self.topics = topics
        self.settings = settings
        self.nowUs = nowUs
        turns = TurnKeeper(Turns(limit: settings.draining), longest: settings.longestTurn)
        missing = Set(topics)
    }

    /// Mirrors until the task is cancelled or a log is closed.
    package func run() async {
        await withTaskGroup(of: Void.self) { group in
            while !Task.isCancelled, discoveryFailure != .closed {
                for lane in await discovered() { group.addTask { await lane.run() } }
                // Cancelled, it ends with the loop.
                try? await Task.sleep(for: missing.isEmpty ? settings.growthWait : settings.discoveryWait)
            }
            group.cancelAll()
        }
    }

    /// Mirrors until all that the source has is at the target, or `patience` passes without progress; tells how it
    /// stands about every half second.
    package func runOnce(
        patience: Duration,
        progress: (MirrorStatus) -> Void = { _ in }
    ) async -> MirrorStatus {
        let running = Task { await self.run() }
        var last = await status()
        var movedAt = ContinuousClock.now
        while !Task.isCancelled {
            let now = await status()
            if now.sentRecords != last.sentRecords || now.partitions.count != last.partitions.count {
                movedAt = .now
            }
            last = now
            progress(now)
            if isDone(now) || movedAt.duration(to: .now) > patience { break }
            // Cancelled, it ends with the loop.
            try? await Task.sleep(for: .milliseconds(now.partitions.isEmpty ? 20 : 200))
        }
        running.cancel()
        await running.value
        return last
    }

    /// How all partitions stand now, sorted.
    package func status() async -> MirrorStatus {
        var partitions: [PartitionStatus] = []
        for place in order {
            if let lane = lanes[place] { partitions.append(await lane.currentStatus()) }
        }
        var status = MirrorStatus(atUs: nowUs(), partitions: partitions, missingTopics: missing.sorted())
        throughput.note(records: status.sentRecords, bytes: status.sentBytes, atUs: status.atUs)
        (status.recordsPerSecond, status.bytesPerSecond) = throughput.perSecond
        return status
    }

    private func isDone(_ status: MirrorStatus) -> Bool {
        (!status.partitions.isEmpty || hasListed)
            && status.partitions.allSatisfy { $0.isSettled && ($0.unsentRecords == 0 || $0.state == .stopped) }
    }

    /// Lanes for partitions that were not there before.
    private func discovered() async -> [Lane] {
        var new: [Lane] = []
        for topic in topics {
            let count: Int32
            do {
                count = try await source.partitionCount(of: topic)
            } catch .unknown {
                continue
            } catch {
                discoveryFailure = error
                return new
            }
            missing.remove(topic)
            for place in (0..<count).map({ TopicPartition(topic, $0) }) where lanes[place] == nil {
                guard lanes.count < settings.partitions else {
                    await settings.report(place, "more than \(settings.partitions) partitions; mirror fewer topics")
                    break
                }
                let lane = Lane(
                    place,
                    id: lanes.count,
                    from: source,
                    to: target,
                    settings,
                    turns,
                    nowUs: nowUs
                )
                lanes[place] = lane
                new.append(lane)
            }
        }
        discoveryFailure = nil
        hasListed = true
        order = lanes.keys.sorted()
        return new
    }
}
