package import EventLog
import Foundation

/// What a rebuild read and came to.
package struct RebuildReport: Sendable, Codable, Equatable {
    package let records: Int64
    package let events: Int64
    package let parked: Int64
    /// By the clock that was passed in; reading, folding and indexing, without the digest.
    package let seconds: Double
    package let digest: String
}

/// How far a model is to read, and whether there is anything left that it could read.
struct ReadTarget {
    /// Next offset of each partition.
    private(set) var wanted: [TopicPartition: Int64]
    private var damagedLast: Set<TopicPartition> = []
    private var idle = 0
    private static let idleLimit = 6

    init(_ wanted: [TopicPartition: Int64]) {
        self.wanted = wanted.filter { $0.value > 0 }
    }

    var records: Int64 { wanted.values.reduce(0, +) }

    /// The first partition that `positions` has not reached.
    func firstBehind(_ positions: [TopicPartition: Int64]) -> TopicPartition? {
        wanted.keys.filter { positions[$0] ?? 0 < wanted[$0] ?? 0 }.min()
    }

    /// Takes note of what the log gave while partition `behind` was waited for.
    mutating func note(
        _ batch: [StoredRecord],
        behind: TopicPartition,
        _ positions: [TopicPartition: Int64]
    ) throws(ReadModelFailure) {
        for record in batch {
            if record.damage == nil { damagedLast.remove(record.place) } else { damagedLast.insert(record.place) }
        }
        idle = batch.isEmpty ? idle + 1 : 0
        guard idle > 0 else { return }
        if damagedLast.contains(behind) {
            // The damage took all that was left of the partition.
            wanted[behind] = nil
        } else if idle >= Self.idleLimit {
            throw .stalled(behind, at: positions[behind] ?? 0, wanted: wanted[behind] ?? 0)
        }
    }
}

extension ReadModel {
    /// What was read on the way to a target.
    struct Followed {
        var records: Int64 = 0
        var events: Int64 = 0
        var parked: Int64 = 0
    }

    /// Reads the log on from the model's positions, exactly up to the given ones; partitions without an entry are not
    /// read. Damaged records are counted, as the live model did.
    func follow(
        _ log: any EventLog,
        upTo positions: [TopicPartition: Int64],
        batchSize: Int = 10_000,
        nowUs: Int64,
        progress: (Int64) -> Void = { _ in }
    ) async throws -> Followed {
        var target = ReadTarget(positions)
        for (place, position) in target.wanted.sorted(by: { $0.key < $1.key }) {
            let end = try await log.endOffset(of: place)
            guard position <= end else { throw ReadModelFailure.beyondEnd(place, wanted: position, end: end) }
        }
        var followed = Followed()
        let known = self.positions
        guard target.firstBehind(known) != nil else { return followed }
        let starts = target.wanted.reduce(into: [:]) { $0[$1.key] = known[$1.key] ?? 0 }
        let reader = try await log.reader(from: starts)
        do {
            while let behind = target.firstBehind(self.positions) {
                let batch = try await reader.next(max: batchSize, wait: .seconds(5)).filter {
                    $0.offset < positions[$0.place] ?? 0
                }
                if !batch.isEmpty {
                    let applied = try apply(batch, nowUs: nowUs)
                    followed.records += Int64(batch.count)
                    followed.events += Int64(applied.events)
                    followed.parked += Int64(applied.parked.count)
                    progress(followed.records)
                }
                try target.note(batch, behind: behind, self.positions)
            }
        } catch {
            await reader.close()
            throw error
        }
        await reader.close()
        return followed
    }

    /// Reads the log from its beginning into a new file, up to the given positions (next offset of each partition).
    ///
    /// `clockUs` is asked for the time, microseconds; `progress` is told the records read and the records to read.
    /// A file that could not be completed is removed.
    package static func rebuild(
        log: any EventLog,
        into path: String,
        site: String,
        upTo positions: [TopicPartition: Int64],
        batchSize: Int = 10_000,
        clockUs: () -> Int64,
        progress: (Int64, Int64) -> Void
    ) async throws -> RebuildReport {
        let model = try ReadModel(path: path, site: site, purpose: .rebuild)
        guard model.positions.values.allSatisfy({ $0 == 0 }) else { throw ReadModelFailure.exists(path: path) }
        do {
            let startedAtUs = clockUs()
            let total = ReadTarget(positions).records
            let followed = try await model.follow(
                log,
                upTo: positions,
                batchSize: batchSize,
                nowUs: startedAtUs
            ) { progress($0, total) }
            try model.complete()
            return RebuildReport(
                records: followed.records,
                events: followed.events,
                parked: followed.parked,
                seconds: Double(clockUs() - startedAtUs) / 1e6,
                digest: try model.digest()
            )
        } catch {
            let failure = error
            try DurableFile.remove(path)
            throw failure
        }
    }
}
