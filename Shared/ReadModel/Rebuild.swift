package import EventLog

/// What a rebuild read and came to.
package struct RebuildReport: Sendable, Codable, Equatable {
    package let records: Int64
    package let events: Int64
    package let parked: Int64
    /// By the clock that was passed in; reading, folding and indexing, without the digest.
    package let seconds: Double
    package let digest: String
}

extension ReadModel {
    /// Reads the log from its beginning into a new file, up to the given positions (next offset of each partition).
    ///
    /// `clockUs` is asked for the time, microseconds; `progress` is told the records read and the records to read.
    /// Partitions without an entry are not read. Damaged records are counted, as the live model did.
    package static func rebuild(
        log: any EventLog,
        into path: String,
        site: String,
        upTo positions: [TopicPartition: Int64],
        batchSize: Int = 10_000,
        clockUs: () -> Int64,
        progress: (Int64, Int64) -> Void
    ) async throws -> RebuildReport {
        var wanted = positions.filter { $0.value > 0 }
        for (place, position) in wanted.sorted(by: { $0.key < $1.key }) {
            let end = try await log.endOffset(of: place)
            guard position <= end else { throw ReadModelFailure.beyondEnd(place, wanted: position, end: end) }
        }
        let model = try ReadModel(path: path, site: site, purpose: .rebuild)
        guard model.positions.values.allSatisfy({ $0 == 0 }) else { throw ReadModelFailure.exists(path: path) }
        let startedAtUs = clockUs()
        let total = wanted.values.reduce(0, +)
        var report = (records: Int64(0), events: Int64(0), parked: Int64(0))
        let reader = try await log.reader(from: wanted.mapValues { _ in 0 })
        do {
            var idle = 0
            var damagedLast: Set<TopicPartition> = []
            while let behind = model.firstBehind(wanted) {
                let batch = try await reader.next(max: batchSize, wait: .seconds(5)).filter {
                    $0.offset < positions[$0.place] ?? 0
                }
                idle = batch.isEmpty ? idle + 1 : 0
                if batch.isEmpty, damagedLast.contains(behind) {
                    // The damage took all that was left of the partition.
                    wanted[behind] = nil
                    continue
                }
                guard idle < 6 else {
                    throw ReadModelFailure.stalled(
                        behind,
                        at: model.positions[behind] ?? 0,
                        wanted: wanted[behind] ?? 0
                    )
                }
                let applied = try model.apply(batch, nowUs: startedAtUs)
                for record in batch {
                    if record.damage == nil {
                        damagedLast.remove(record.place)
                    } else {
                        damagedLast.insert(record.place)
                    }
                }
                report.records += Int64(batch.count)
                report.events += Int64(applied.events)
                report.parked += Int64(applied.parked.count)
                progress(report.records, total)
            }
        } catch {
            await reader.close()
            throw error
        }
        await reader.close()
        try model.complete()
        let seconds = Double(clockUs() - startedAtUs) / 1e6
        return RebuildReport(
            records: report.records,
            events: report.events,
            parked: report.parked,
            seconds: seconds,
            digest: try model.digest()
        )
    }

    /// The first partition that has not been read up to `wanted`.
    private func firstBehind(_ wanted: [TopicPartition: Int64]) -> TopicPartition? {
        let positions = positions
        return wanted.keys.filter { positions[$0] ?? 0 < wanted[$0] ?? 0 }.min()
    }
}
