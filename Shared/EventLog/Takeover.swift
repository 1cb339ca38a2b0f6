package import PlantEvents
import SwiftProtobuf

extension PartitionWriter {
    /// Makes this run the partition's writer and hands its history to the new owner.
    ///
    /// Reads the partition from `offset` to its end, appends `WriterTookOver` with the next epoch and reads on until that
    /// record comes back. Where another run's takeover came first, tries again above it. `history` runs where the caller
    /// runs and gets every record that counts, in order, this run's own takeover left out; one that is damaged or
    /// cannot be decoded comes as nil with its stored bytes.
    ///
    /// After a failure nothing is owned: call again from the same offset and fence, with fresh state.
    package nonisolated(nonsending) func takeOver(
        from offset: Int64,
        fence: Fence,
        nowUs: @Sendable () -> Int64,
        history: (Record?, StoredRecord) throws -> Void
    ) async throws {
        let reader = try await log.reader(from: [place: offset])
        do {
            var takeover = TakeoverState<Record>(
                place: place,
                instance: producer.instance,
                from: offset,
                fence: fence
            )
            try await read(reader, &takeover, until: try await log.endOffset(of: place), history)
            while true {
                let epoch = takeover.bid
                let first = try await announce(epoch: epoch, nowUs: nowUs())
                try await read(reader, &takeover, until: first, history)
                try await read(reader, &takeover, until: first + 1) { _, _ in }
                if takeover.isWon(epoch: epoch) {
                    await own(epoch: epoch, nextOffset: takeover.next, fence: takeover.fence)
                    break
                }
            }
        } catch {
            await reader.close()
            throw error
        }
        await reader.close()
    }

    private nonisolated(nonsending) func read(
        _ reader: any LogReader,
        _ takeover: inout TakeoverState<Record>,
        until end: Int64,
        _ history: (Record?, StoredRecord) throws -> Void
    ) async throws {
        while takeover.next < end {
            try Task.checkCancellation()
            for stored in try await reader.next(max: Int(min(1_024, end - takeover.next)), wait: .seconds(1)) {
                switch takeover.read(stored) {
                case .accepted(let record), .acceptedAfterGap(let record, _): try history(record, stored)
                case .unreadable: try history(nil, stored)
                case .void: break
                }
            }
        }
    }
}
