import EventLog
import Foundation
import PlantEvents
import ReadModel
import Uplink

/// An outage, compressed: event chains written to a station's embedded log as fast as the disk takes them, then mirrored
/// while other partitions go on at the line's normal rate (REL-01, REL-04).
struct UplinkBench {
    struct Percentiles: Codable, Sendable, Equatable {
        let count: Int
        let p50Ms: Double
        let p99Ms: Double
        let maxMs: Double

        init(_ values: [Double]) {
            let sorted = values.sorted()
            func at(_ share: Double) -> Double {
                sorted.isEmpty ? 0 : sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]
            }
            count = sorted.count
            (p50Ms, p99Ms, maxMs) = (at(0.5), at(0.99), sorted.last ?? 0)
        }
    }

    struct Result: Codable, Sendable {
        let hours: Double
        /// Parts a minute, of the outage and of the live partitions each.
        let rate: Int
        let to: String
        let chains: Int
        let records: Int64
        let bytes: Int64
        let fillSeconds: Double
        /// From the target's return until the backlog is there.
        let drainSeconds: Double
        let recordsPerSecond: Double
        let megabytesPerSecond: Double
        /// From the append at the source to the record's arrival with a reader of the target.
        let liveBefore: Percentiles
        let liveDuring: Percentiles
        let peakMemoryBytes: Int
        let sourceDiskBytes: Int64
        /// 0 where the target is no folder of this machine.
        let targetDiskBytes: Int64
        let machine: String
    }

    let hours: Double
    let rate: Int
    /// Where to mirror to; nil for another embedded log.
    let address: String?
    let openTarget: @Sendable (String) throws -> any EventLog
    let progress: @Sendable (_ what: String, _ share: Double) -> Void

    private static let chainsAtOnce = 2_000
    private static let baseline = Duration.seconds(20)
    /// Backlog in partition 0, live records in partition 1 of the topics that a station writes.
    private static let partitions: Int32 = 2
    private static let liveTopics: [Topic] = [.frames, .inspections]

    private var site: String { "uplink-bench-\(ProcessInfo.processInfo.processIdentifier)" }
    private var chains: Int { Int(hours * 60 * Double(rate)) }
    private var topics: [String] { Topic.written.map { TopicName(site: site, topic: $0).description } }

    func run() async throws -> Result {
        let folder = NSTemporaryDirectory() + site
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let sourceFolder = "\(folder)/station"
        let targetAddress = address ?? "embedded:\(folder)/plant"
        // Writers, mirror and reader open the logs for themselves, as processes of their own would.
        let writing = try EmbeddedLog(directory: sourceFolder)
        let reading = try EmbeddedLog(directory: sourceFolder)
        let target = try openTarget(targetAddress)
        let arriving = try openTarget(targetAddress)
        for topic in topics {
            try await writing.create(topic: topic, partitions: Self.partitions)
            try await target.create(topic: topic, partitions: Self.partitions)
        }
        let live = LiveTraffic(
            places: Self.liveTopics.map { TopicPartition(TopicName(site: site, topic: $0).description, 1) },
            perSecond: Double(rate) / 60,
            from: writing,
            to: arriving
        )
        progress("live records alone", 0)
        let before = try await mirrored(reading, target) { _ in try await live.run(for: Self.baseline) }
        let filledAt = ContinuousClock.now
        try await fill(writing)
        let fillSeconds = filledAt.duration(to: .now) / .seconds(1)
        var ends: [TopicPartition: Int64] = [:]
        for topic in topics {
            ends[TopicPartition(topic)] = try await writing.endOffset(of: TopicPartition(topic))
        }
        let memory = MemoryWatch()
        let drainedAt = ContinuousClock.now
        let (during, status) = try await mirrored(reading, target) { mirror in
            try await live.run(until: { try await drained(mirror, ends) })
        }
        let drainSeconds = drainedAt.duration(to: .now) / .seconds(1)
        let peak = memory.stop()
        let records = ends.values.reduce(0, +)
        for log in [reading, writing, target, arriving] as [any EventLog] { await log.close() }
        return Result(
            hours: hours,
            rate: rate,
            to: address ?? "embedded log",
            chains: chains,
            records: records,
            bytes: status.sentBytes,
            fillSeconds: fillSeconds,
            drainSeconds: drainSeconds,
            recordsPerSecond: Double(records) / drainSeconds,
            megabytesPerSecond: Double(status.sentBytes) / drainSeconds / 1e6,
            liveBefore: Percentiles(before.0),
            liveDuring: Percentiles(during),
            peakMemoryBytes: peak,
            sourceDiskBytes: try Self.size(of: sourceFolder),
            targetDiskBytes: address == nil ? try Self.size(of: "\(folder)/plant") : 0,
            machine: Machine.description
        )
    }

    private func mirrored<Value: Sendable>(
        _ source: any EventLog,
        _ target: any EventLog,
        _ body: (Mirror) async throws -> Value
    ) async throws -> (Value, MirrorStatus) {
        let mirror = Mirror(from: source, to: target, topics: topics)
        let running = Task { await mirror.run() }
        defer { running.cancel() }
        let value = try await body(mirror)
        let status = await mirror.status()
        running.cancel()
        await running.value
        return (value, status)
    }

    /// Whether the backlog is at the target; fails where a partition stopped.
    private func drained(_ mirror: Mirror, _ ends: [TopicPartition: Int64]) async throws -> Bool {
        let status = await mirror.status()
        if let stopped = status.stopped.first { throw BenchFailure(description: stopped.reason) }
        let backlog = status.partitions.filter { $0.partition == 0 }
        let total = max(1, ends.values.reduce(0, +))
        let left = backlog.reduce(0) { $0 + max(0, ends[TopicPartition($1.topic)].map { $0 } ?? 0) - $1.sourceNext }
        progress("draining, \(Int(status.recordsPerSecond)) records/s", 1 - Double(left) / Double(total))
        return backlog.count == ends.count && left <= 0
    }

    private func fill(_ log: EmbeddedLog) async throws {
        var synthetic = SyntheticChains(seed: 1)
        var made = 0
        while made < chains {
            let count = min(Self.chainsAtOnce, chains - made)
            var byTopic: [String: [LogRecord]] = [:]
            for stored in try synthetic.records(parts: count) {
                guard let name = TopicName(stored.place.topic) else { continue }
                var record = stored.record
                record.headers = Self.headers
                byTopic[name.topic, default: []].append(record)
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (topic, records) in byTopic {
                    let name = topics.first { TopicName($0)?.topic == topic } ?? topic
                    group.addTask { try await Self.append(records, to: TopicPartition(name), of: log) }
                }
                try await group.waitForAll()
            }
            made += count
            progress("writing \(made) of \(chains) chains", Double(made) / Double(chains))
        }
    }

    private static func append(_ records: [LogRecord], to place: TopicPartition, of log: EmbeddedLog) async throws {
        for start in stride(from: 0, to: records.count, by: LogLimits.batchRecords) {
            let part = Array(records[start..<min(start + LogLimits.batchRecords, records.count)])
            try await log.append(part, to: place)
        }
    }

    /// As large as those that services write.
    fileprivate static let headers = [
        LogHeader("content-type", "application/protobuf"), LogHeader("ce_specversion", "1.0"),
        LogHeader("ce_id", "part:vision-1/1/1234567"), LogHeader("ce_type", "lineledger.v1.InspectionRecord"),
        LogHeader("ce_source", "/berlin/inspections/inspector"), LogHeader("ce_time", "2024-05-17T05:00:00.000000Z"),
        LogHeader("events", "part_inspected"), LogHeader("ce_subject", "vision-1/1/1234567"),
    ]

    private static func size(of folder: String) throws -> Int64 {
        try FileManager.default.contentsOfDirectory(atPath: folder).reduce(0) { sum, name in
            let size = try FileManager.default.attributesOfItem(atPath: "\(folder)/\(name)")[.size] as? Int64
            return sum + (size ?? 0)
        }
    }
}

/// A measurement that cannot be finished.
struct BenchFailure: Error, CustomStringConvertible {
    let description: String
}

/// Records that arrive at the line's rate, and how long each takes to reach a reader of the target.
private struct LiveTraffic {
    let places: [TopicPartition]
    let perSecond: Double
    let from: any EventLog
    let to: any EventLog

    func run(for duration: Duration) async throws -> [Double] {
        let end = ContinuousClock.now + duration
        return try await run(until: { ContinuousClock.now >= end })
    }

    /// Milliseconds of each record, until `isOver`.
    func run(until isOver: () async throws -> Bool) async throws -> [Double] {
        let places = places
        return try await withThrowingTaskGroup(of: [Double].self) { group in
            let stop = StopFlag()
            for place in places { group.addTask { try await measure(place, stop) } }
            do {
                while !(try await isOver()) { try await Task.sleep(for: .milliseconds(250)) }
            } catch {
                group.cancelAll()
                throw error
            }
            stop.set()
            return try await group.reduce(into: []) { $0 += $1 }
        }
    }

    /// One record after the other: each is appended when its time has come and its predecessor has arrived.
    private func measure(_ place: TopicPartition, _ stop: StopFlag) async throws -> [Double] {
        var latencies: [Double] = []
        let reader = try await to.reader(from: [place: try await to.endOffset(of: place)])
        let value = [UInt8](repeating: 7, count: 600)
        var dueAt = ContinuousClock.now
        while !stop.isSet {
            dueAt += .seconds(1 / perSecond)
            if dueAt > .now { try await Task.sleep(until: dueAt, clock: .continuous) } else { dueAt = .now }
            let sentAt = ContinuousClock.now
            let record = LogRecord(key: Array("vision-2".utf8), value: value, headers: UplinkBench.headers)
            try await from.append([record], to: place)
            while try await reader.next(max: 100, wait: .seconds(10)).isEmpty { try Task.checkCancellation() }
            latencies.append(sentAt.duration(to: .now) / .milliseconds(1))
        }
        await reader.close()
        return latencies
    }
}
