import EventLog
import PlantEvents
import SwiftProtobuf
import Synchronization
import Testing
import Uplink

/// What a test waited for did not come.
struct DidNotCome: Error, CustomStringConvertible {
    let description: String
}

/// Waits until `condition` holds, in bounded time, without sleeping: other tasks run meanwhile.
func wait(for what: String, until condition: () async throws -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(600)
    let bell = Bell()
    while !(try await condition()) {
        guard ContinuousClock.now < deadline else { throw DidNotCome(description: "\(what) within 600 s") }
        await bell.wait(since: 0, atMost: .milliseconds(1))
    }
}

/// A log in front of another that fails as it is told to, and that can be replaced as by a restored backup.
final class FaultyLog: EventLog {
    enum Fault {
        /// Fails after the first `landed` records got in.
        case failed(LogFailure, landed: Int)
        /// Fails, and lands all the same: before the next append to the partition.
        case late
        /// Answers when `release` is called.
        case hangs
    }

    struct State {
        var log: any EventLog
        var isAway = false
        var damaged: [TopicPartition: Set<Int64>] = [:]
        var fault: @Sendable (TopicPartition, [LogRecord]) -> Fault? = { _, _ in nil }
        var late: [TopicPartition: [[LogRecord]]] = [:]
        var appends = 0
    }

    let maximumRecordBytes = LogLimits.recordBytes
    let state: Mutex<State>
    private let gate = Bell()

    init(_ log: any EventLog) {
        state = Mutex(State(log: log))
    }

    func change(_ body: (inout sending State) -> Void) { state.withLock { body(&$0) } }
    func release() { gate.ring() }

    private func inner() throws(LogFailure) -> any EventLog {
        let (log, isAway) = state.withLock { ($0.log, $0.isAway) }
        guard !isAway else { throw .unavailable("away, says the test") }
        return log
    }

    func create(topic: String, partitions: Int32) async throws(LogFailure) {
        try await inner().create(topic: topic, partitions: partitions)
    }

    func topics() async throws(LogFailure) -> [String] { try await inner().topics() }
    func partitionCount(of topic: String) async throws(LogFailure) -> Int32 {
        try await inner().partitionCount(of: topic)
    }
    func endOffset(of place: TopicPartition) async throws(LogFailure) -> Int64 {
        try await inner().endOffset(of: place)
    }

    func append(_ records: [LogRecord], to place: TopicPartition) async throws(LogFailure) -> Int64 {
        let log = try inner()
        let (fault, late) = state.withLock { state in
            state.appends += 1
            let late = state.late.removeValue(forKey: place) ?? []
            return (state.fault(place, records), late)
        }
        for batch in late { try await log.append(batch, to: place) }
        switch fault {
        case nil: return try await log.append(records, to: place)
        case .failed(let failure, let landed):
            if landed > 0 { try await log.append(Array(records.prefix(landed)), to: place) }
            throw failure
        case .late:
            state.withLock { $0.late[place, default: []].append(records) }
            throw .unavailable("lands later, says the test")
        case .hangs:
            await gate.wait(since: 0, atMost: .seconds(60))
            throw .unavailable("hung, says the test")
        }
    }

    func reader(from positions: [TopicPartition: Int64]) async throws(LogFailure) -> any LogReader {
        FaultyReader(try await inner().reader(from: positions), of: self)
    }

    func close() async {}
}

private struct FaultyReader: LogReader {
    let reader: any LogReader
    let log: FaultyLog

    init(_ reader: any LogReader, of log: FaultyLog) {
        self.reader = reader
        self.log = log
    }

    func next(max: Int, wait: Duration) async throws(LogFailure) -> [StoredRecord] {
        let (isAway, damaged) = log.state.withLock { ($0.isAway, $0.damaged) }
        guard !isAway else { throw .unavailable("away, says the test") }
        return try await reader.next(max: max, wait: wait).map { stored in
            guard damaged[stored.place]?.contains(stored.offset) == true else { return stored }
            return StoredRecord(
                place: stored.place,
                offset: stored.offset,
                appendedAtUs: 0,
                record: LogRecord(key: [], value: []),
                damage: "damaged at \(stored.offset), says the test"
            )
        }
    }

    func close() async { await reader.close() }
}

let site = "berlin"
let frames = TopicName(site: site, topic: .frames).description
let inspections = TopicName(site: site, topic: .inspections).description

/// A writer that has taken its partition over.
func owner(
    of partition: Int32,
    in log: any EventLog,
    instance: String,
    topic: Topic = .frames
) async throws -> PartitionWriter<FrameRecord> {
    let writer = PartitionWriter<FrameRecord>(
        log: log,
        site: site,
        topic: TopicName(site: site, topic: topic),
        partition: partition,
        producer: .with {
            $0.service = "camera-ingest"
            $0.instance = instance
        }
    )
    try await writer.takeOver(from: 0, fence: Fence(), nowUs: { 1 }) { _, _ in }
    return writer
}

func drafts(_ names: [String]) -> [FrameRecord] {
    names.map { name in
        .with {
            $0.meta.recordID = name
            $0.meta.occurredAtUs = 1
            $0.events = [.init(.sourceExhausted(.with { $0.station = name }))]
        }
    }
}

extension PartitionWriter<FrameRecord> {
    func write(_ names: [String]) async throws {
        try await append(drafts(names), keys: names.map { Array($0.utf8) }, nowUs: 2)
    }
}

/// Everything that a partition holds.
func contents(_ log: any EventLog, _ place: TopicPartition) async throws -> [StoredRecord] {
    let end = try await log.endOffset(of: place)
    let reader = try await log.reader(from: [place: 0])
    var found: [StoredRecord] = []
    while Int64(found.count) < end { found += try await reader.next(max: 1_000, wait: .seconds(10)) }
    await reader.close()
    return found
}

/// The records that count for a reader, by their ids.
func accepted(_ records: [StoredRecord]) -> [String] {
    var gate = RecordGate<FrameRecord>()
    return records.compactMap { gate.read($0).record?.meta.recordID }
}

extension Mirror.Settings {
    /// Small batches and waits of milliseconds.
    static var eager: Mirror.Settings {
        var settings = Mirror.Settings()
        settings.liveRecords = 4
        settings.batchRecords = 8
        settings.longestTurn = .milliseconds(5)
        settings.idleWait = .milliseconds(5)
        settings.firstWait = .milliseconds(1)
        settings.longestWait = .milliseconds(4)
        settings.stoppedWait = .milliseconds(4)
        settings.discoveryWait = .milliseconds(2)
        settings.growthWait = .milliseconds(2)
        return settings
    }
}

/// Runs a mirror while `body` runs.
func mirroring<Value>(
    _ source: any EventLog,
    _ target: any EventLog,
    topics: [String] = [frames, inspections],
    settings: Mirror.Settings = .eager,
    _ body: (Mirror) async throws -> Value
) async throws -> Value {
    let mirror = Mirror(from: source, to: target, topics: topics, settings: settings, nowUs: { 7 })
    let running = Task { await mirror.run() }
    defer { running.cancel() }
    let value = try await body(mirror)
    running.cancel()
    await running.value
    return value
}

extension MirrorStatus {
    func partition(_ place: TopicPartition) -> PartitionStatus? {
        partitions.first { $0.topic == place.topic && $0.partition == place.partition }
    }
}
