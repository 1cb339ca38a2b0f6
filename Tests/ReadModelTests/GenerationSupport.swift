import EventLog
import Foundation
import PlantEvents
import ReadModel
import SeededRandom
import Synchronization
import Testing

/// A random plant whose records reach a log bit by bit, and a projection that follows.
struct GrowingPlant {
    let log = MemoryLog()
    private var waiting: [[StoredRecord]]
    private var random: SplitMix64

    init(seed: UInt64, parts: Int = 80) async throws {
        random = SplitMix64(seed: seed &* 31)
        var plant = RandomPlant(seed: seed)
        waiting = try plant.make(parts: parts)
        for topic in Topic.written {
            try await log.create(topic: TopicName(site: PartitionWriter.site, topic: topic).description, partitions: 2)
        }
    }

    var isComplete: Bool { waiting.allSatisfy(\.isEmpty) }

    /// Appends some records of some partitions.
    mutating func grow() async throws {
        for index in waiting.indices where random.chance(0.6) && !waiting[index].isEmpty {
            let chunk = waiting[index].prefix(1 + random.below(30))
            waiting[index].removeFirst(chunk.count)
            try await log.append(chunk.map(\.record), to: chunk[chunk.startIndex].place)
        }
    }

    mutating func growAll() async throws {
        while !isComplete { try await grow() }
    }

    /// Batches are small, so that a generation needs many turns to come up.
    func projection(_ generations: Generations) throws -> Projection {
        try Projection(
            generations,
            site: PartitionWriter.site,
            log: log,
            liveBatch: 60,
            candidateBatch: 40,
            nowUs: { 1_800_000_000_000_000 }
        )
    }

    func rebuild(_ generations: Generations) -> ModelRebuild {
        ModelRebuild(log: log, generations: generations, site: PartitionWriter.site)
    }

    /// The digests of a model that has read the whole log at once.
    func expected() async throws -> [TableDigest] {
        let folder = try Folder()
        _ = try await ReadModel.rebuild(
            log: log,
            into: folder.path("expected"),
            site: PartitionWriter.site,
            upTo: try await SiteTopics.ends(of: PartitionWriter.site, in: log),
            clockUs: { 0 },
            progress: { _, _ in }
        )
        return try Queries(path: folder.path("expected")).tableDigests()
    }
}

extension Projection {
    func turn() async throws -> [Happening] {
        try await turn(wait: .zero) { _ in }.happenings
    }

    /// Takes turns until all of the log is folded and nothing is under way.
    func settle(_ log: any EventLog) async throws -> [Happening] {
        var happenings: [Happening] = []
        for _ in 0..<2_000 {
            happenings += try await turn()
            let ends = try await SiteTopics.ends(of: PartitionWriter.site, in: log)
            let isBehind = ends.contains { positions[$0.key] ?? 0 < $0.value }
            if status.next == nil, status.generation != nil, !isBehind { return happenings }
        }
        Issue.record("not settled: \(status)")
        return happenings
    }
}

/// Reads a folder of generations as a reader does, and holds what it sees against the log.
final class CriticalReader {
    private let folder: String
    private let log: MemoryLog
    private let reference: ReadModel
    private var seen: [TopicPartition: Int64] = [:]
    private(set) var generations: Set<Int> = []

    init(_ folder: String, _ log: MemoryLog, reference path: String) throws {
        self.folder = folder
        self.log = log
        reference = try ReadModel(path: path, site: PartitionWriter.site)
    }

    /// Positions never go back, and the model is what the log says up to them, table by table.
    func look(_ note: String) async throws {
        let queries = try Queries(path: folder)
        let state = try queries.stated()
        for (place, position) in seen { #expect(state.positions[place] ?? 0 >= position, "\(note): \(place)") }
        seen = state.positions
        if let generation = queries.generation { generations.insert(generation) }
        let known = reference.positions
        let reader = try await log.reader(from: state.positions.mapValues { _ in 0 }.merging(known) { max($0, $1) })
        while reference.positions.contains(where: { state.positions[$0.key] ?? 0 > $0.value }) {
            let batch = try await reader.next(max: 500, wait: .seconds(5)).filter {
                $0.offset < state.positions[$0.place] ?? 0
            }
            try #require(!batch.isEmpty)
            _ = try reference.apply(batch, nowUs: 1)
        }
        await reader.close()
        #expect(try reference.tableDigests() == state.tables, "\(note): generation \(queries.generation ?? 0)")
    }
}

/// Lets so many steps pass, then fails each: as if the process had died there.
final class CrashPoint: Sendable {
    struct Crash: Error {}

    private let left: Atomic<Int>

    init(after steps: Int) { left = Atomic(steps) }

    func pass(_: Generations.Step) throws {
        if left.subtract(1, ordering: .relaxed).newValue < 0 { throw Crash() }
    }

    /// Whether a step was kept from happening.
    var hasCrashed: Bool { left.load(ordering: .relaxed) < 0 }
}

/// What a killed process would leave: the files as they are now, without the memory shared between processes.
func crashImage(of folder: String, to copy: String) throws {
    try FileManager.default.createDirectory(atPath: copy, withIntermediateDirectories: true)
    for name in try FileManager.default.contentsOfDirectory(atPath: folder) where !name.hasSuffix("-shm") {
        try FileManager.default.copyItem(atPath: "\(folder)/\(name)", toPath: "\(copy)/\(name)")
    }
}
