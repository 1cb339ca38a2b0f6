import EventLog
import Foundation
import Logging
import PlantCore
import PlantEvents
import SeededRandom
import ServiceLifecycle
import ServiceRuntime
import SwiftProtobuf
import Synchronization
import Testing

/// Several instances of a service, partitions moving between them in good order and in bad.
@Suite(.timeLimit(.minutes(3)))
struct PartitionHostingTests {
    @Test(
        "Each input is decided exactly once as readers see it, however partitions move (I1)",
        arguments: [(1, 2), (2, 2), (3, 3), (4, 3), (5, 3), (6, 2)] as [(UInt64, Int)]
    )
    func moving(_ seed: UInt64, _ instances: Int) async throws {
        let plant = try MovingPlant(instances: instances)
        try await plant.run { log, ownerships in
            var random = SplitMix64(seed: seed)
            for partition in Int32(0)..<MovingPlant.partitions {
                await ownerships[Int(partition) % instances].gain(partition)
            }
            for round in 0..<6 {
                try await plant.trigger(8, round: round)
                let partition = Int32.random(in: 0..<MovingPlant.partitions, using: &random)
                let owner = try await plant.owner(of: partition)
                let next = (owner + Int.random(in: 1..<instances, using: &random)) % instances
                if Bool.random(using: &random) {
                    // In good order: the old owner stops before the new one begins.
                    await ownerships[owner].lose(partition)
                    await ownerships[next].gain(partition)
                } else {
                    // The old owner learns of it last, as a process does that stood still.
                    await ownerships[next].gain(partition)
                    try await plant.trigger(4, round: 100 + round)
                    await ownerships[owner].lose(partition)
                }
            }
            try await plant.waitUntilDecided()
        }
        let decided = try await plant.decided()
        #expect(decided.count == Set(decided).count, "decided twice: \(decided.count - Set(decided).count)")
        #expect(Set(decided) == plant.triggered)
        await plant.end()
    }

    @Test("Where partitions cannot move, a second owner ends the first with writerExists")
    func fenced() async throws {
        let plant = try MovingPlant(instances: 2)
        let first = plant.hosting(0, StaticOwnership([0]))
        let second = plant.hosting(1, StaticOwnership([0]))
        let running = Task { try await first.run() }
        try await plant.wait("the first runs") { await first.running == [0] }
        let other = Task { try await second.run() }
        try await plant.wait("the second runs") { await second.running == [0] }
        try await plant.trigger(1, round: 0)
        let failure = await #expect(throws: LogFailure.self) { try await running.value }
        guard case .writerExists(let reason)? = failure else {
            Issue.record("found \(String(describing: failure))")
            return
        }
        #expect(reason.contains("instance-1"), "names who took over")
        other.cancel()
        _ = await other.result
        await plant.end()
    }

    @Test("A partition without stations is owned and asks for nothing")
    func empty() async throws {
        let plant = try MovingPlant(instances: 1)
        let ownership = SimulatedOwnership()
        let hosting = plant.hosting(0, ownership)
        let running = Task { try await hosting.run() }
        await ownership.gain(7)
        await ownership.lose(7)
        #expect(await hosting.running.isEmpty)
        #expect(await hosting.check.state() == .ok)
        running.cancel()
        await ownership.close()
        _ = await running.result
        await plant.end()
    }
}

/// An ownership that does what the test says; each change returns when it was carried out.
actor SimulatedOwnership: PartitionOwnership {
    nonisolated let isShared = true
    private var waiting: [(change: OwnershipChange, done: CheckedContinuation<Void, Never>)] = []
    private var underWay: CheckedContinuation<Void, Never>?
    private let bell = Bell()
    private var isClosed = false

    func gain(_ partition: Int32) async { await tell(OwnershipChange(gained: [partition])) }

    func lose(_ partition: Int32) async { await tell(OwnershipChange(lost: [partition])) }

    private func tell(_ change: OwnershipChange) async {
        guard !isClosed else { return }
        await withCheckedContinuation { done in
            waiting.append((change, done))
            bell.ring()
        }
    }

    func next() async -> OwnershipChange? {
        underWay?.resume()
        underWay = nil
        while true {
            let seen = bell.rings
            if !waiting.isEmpty {
                let next = waiting.removeFirst()
                underWay = next.done
                return next.change
            }
            if isClosed { return nil }
            await bell.wait(since: seen, atMost: .seconds(1))
        }
    }

    func close() {
        isClosed = true
        underWay?.resume()
        underWay = nil
        for one in waiting { one.done.resume() }
        waiting = []
        bell.ring()
    }
}

/// A plant of three stations, one a partition, whose inspectors run in this process.
private final class MovingPlant: Sendable {
    static let partitions: Int32 = 3

    let log = MemoryLog()
    let directory: String
    let contexts: [ServiceContext]
    private let frames: [PartitionWriter<FrameRecord>]
    init(instances: Int) throws {
        directory = NSTemporaryDirectory() + "lineledger-hosting-\(UUID().uuidString)"
        let stations = (0..<Self.partitions).map {
            PlantFile.Station(
                id: "vision-\($0)",
                camera: .scene(seed: 1, defectRate: 0, size: 64),
                recipe: "/none",
                partition: $0
            )
        }
        let log = log
        let directory = directory
        contexts = (0..<instances).map { number in
            ServiceContext(
                service: "inspector",
                instance: "instance-\(number)",
                plant: PlantFile(
                    enterprise: "acme",
                    site: "berlin",
                    area: "assembly",
                    log: "memory:",
                    state: "\(directory)/\(number)",
                    partitions: Int(Self.partitions),
                    lines: [PlantFile.Line(id: "line-1", stations: stations)]
                ),
                log: log,
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
                nowUs: { WallClock.nowUs() }
            )
        }
        frames = (0..<Self.partitions).map {
            PartitionWriter(
                log: log,
                site: "berlin",
                topic: TopicName(site: "berlin", topic: .frames),
                partition: $0,
                producer: .with {
                    $0.service = "camera-ingest"
                    $0.instance = "camera"
                }
            )
        }
    }

    private let names = Mutex(Set<String>())
    var triggered: Set<String> { names.withLock { $0 } }

    func hosting(_ instance: Int, _ ownership: any PartitionOwnership) -> PartitionHosting {
        let context = contexts[instance]
        let parker = Parker(context)
        return PartitionHosting(
            ownership,
            partitions: context.plant.stationPartitions,
            logger: context.logger
        ) { partition in
            let stations = context.plant.stations(in: partition)
            let host = DeciderHost(
                InspectionCore(lines: stations.mapValues(\.line)),
                context: context,
                topic: .inspections,
                partition: partition
            )
            try await host.restore()
            let intake = Intake(
                context,
                topics: [.frames],
                only: [.frames: [partition]],
                from: await host.inputPositions,
                parker: parker,
                owner: .decider(durable: { try await host.durable() })
            )
            return PartitionHosting.Work([host, GapLoop(host: host, intake: intake)])
        }
    }

    /// Runs all instances with simulated ownership around `body`.
    func run(_ body: (MemoryLog, [SimulatedOwnership]) async throws -> Void) async throws {
        let ownerships = contexts.map { _ in SimulatedOwnership() }
        let tasks = ownerships.enumerated().map { number, ownership in
            let hosting = hosting(number, ownership)
            return Task { try await hosting.run() }
        }
        do {
            try await body(log, ownerships)
        } catch {
            for ownership in ownerships { await ownership.close() }
            throw error
        }
        for ownership in ownerships { await ownership.close() }
        for task in tasks { try await task.value }
    }

    /// Lets each station see `count` triggers whose picture is missing: the shortest way to a decision.
    func trigger(_ count: Int, round: Int) async throws {
        let topic = TopicName(site: "berlin", topic: .frames).description
        for (partition, writer) in frames.enumerated() {
            try await log.create(topic: topic, partitions: Self.partitions)
            if await writer.position.epoch == 0 {
                try await writer.takeOver(from: 0, fence: Fence(), nowUs: { WallClock.nowUs() }) { _, _ in }
            }
            let drafts = (0..<count).map { number in
                let trigger = TriggerId.with {
                    $0.station = "vision-\(partition)"
                    $0.session = UInt64(round) + 1
                    $0.sequence = UInt64(number)
                }
                _ = names.withLock { $0.insert(trigger.text) }
                return FrameRecord.with {
                    $0.meta.recordID = "frame:\(trigger.text)"
                    $0.meta.occurredAtUs = 1
                    $0.meta.place.site = "berlin"
                    $0.meta.subject = trigger.text
                    $0.meta.correlationID = trigger.text
                    $0.meta.actor = "camera-ingest"
                    $0.events = [
                        FrameRecord.Event(
                            .frameMissed(
                                .with {
                                    $0.trigger = trigger
                                    $0.triggeredAtUs = 1
                                    $0.reason = "test"
                                }
                            )
                        )
                    ]
                }
            }
            try await writer.append(drafts, keys: drafts.map { Array($0.meta.subject.utf8) }, nowUs: WallClock.nowUs())
        }
    }

    /// The trigger of each decision that counts, in the order of the log.
    func decided() async throws -> [String] {
        let topic = TopicName(site: "berlin", topic: .inspections).description
        guard try await log.topics().contains(topic) else { return [] }
        var gate = RecordGate<InspectionRecord>()
        var decided: [String] = []
        for partition in 0..<Self.partitions {
            let place = TopicPartition(topic, partition)
            let end = try await log.endOffset(of: place)
            let reader = try await log.reader(from: [place: 0])
            var next: Int64 = 0
            while next < end {
                for stored in try await reader.next(max: 1_000, wait: .zero) {
                    next = stored.offset + 1
                    for event in gate.read(stored).record?.events ?? [] {
                        if case .inspectionMissed(let missed)? = event.kind { decided.append(missed.partID) }
                    }
                }
            }
            await reader.close()
        }
        return decided
    }

    /// The instance whose takeover of the partition is the newest.
    func owner(of partition: Int32) async throws -> Int {
        let place = TopicPartition(TopicName(site: "berlin", topic: .inspections).description, partition)
        var owner: Int?
        try await wait("somebody owns \(partition)") {
            var gate = RecordGate<InspectionRecord>()
            let end = try await self.log.endOffset(of: place)
            let reader = try await self.log.reader(from: [place: 0])
            var next: Int64 = 0
            while next < end {
                for stored in try await reader.next(max: 1_000, wait: .zero) {
                    next = stored.offset + 1
                    _ = gate.read(stored)
                }
            }
            await reader.close()
            let instance = gate.fences[place]?.currentInstance ?? ""
            owner = instance.split(separator: "-").last.flatMap { Int($0) }
            return owner != nil
        }
        return try #require(owner)
    }

    func waitUntilDecided() async throws {
        try await wait("all is decided") { Set(try await self.decided()) == self.triggered }
    }

    func wait(_ what: String, until isTrue: () async throws -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(600)
        let bell = Bell()
        while !(try await isTrue()) {
            guard ContinuousClock.now < deadline else { throw DidNotHappen(description: what) }
            await bell.wait(since: bell.rings, atMost: .milliseconds(5))
        }
    }

    func end() async {
        await log.close()
        // What a test leaves in the temporary folder is swept away with it.
        try? FileManager.default.removeItem(atPath: directory)
    }
}

private struct DidNotHappen: Error, CustomStringConvertible {
    let description: String
}

/// Decides on every gap among the frames.
private struct GapLoop: Service {
    let host: DeciderHost<InspectionCore>
    let intake: Intake

    func run() async throws {
        try await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                let batch: Intake.Batch
                do {
                    batch = try await intake.next(max: 16, wait: .milliseconds(50))
                } catch is CancellationError {
                    return
                }
                for incoming in batch.records {
                    guard case .frames(let record) = incoming.record else { continue }
                    for event in record.events {
                        guard case .frameMissed(let gap)? = event.kind else { continue }
                        try await host.submit(.frameMissed(gap), cause: record.meta.origin)
                    }
                }
                await host.handled(upTo: batch.positions)
            }
        }
    }
}
