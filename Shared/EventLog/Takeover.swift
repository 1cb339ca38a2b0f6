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
            var gate = RecordGate<Record>(fences: [place: fence])
            var next = offset
            try await read(reader, &gate, &next, until: try await log.endOffset(of: place), history)
            while true {
                let epoch = (gate.fences[place] ?? fence).currentEpoch + 1
                let first = try await announce(epoch: epoch, nowUs: nowUs())
                try await read(reader, &gate, &next, until: first, history)
                try await read(reader, &gate, &next, until: first + 1) { _, _ in }
                let settled = gate.fences[place] ?? fence
                if settled.currentEpoch == epoch, settled.currentInstance == producer.instance {
                    await own(epoch: epoch, nextOffset: next, fence: settled)
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
        _ gate: inout RecordGate<Record>,
        _ next: inout Int64,
        until end: Int64,
        _ history: (Record?, StoredRecord) throws -> Void
    ) async throws {
        while next < end {
            try Task.checkCancellation()
            for stored in try await reader.next(max: Int(min(1_024, end - next)), wait: .seconds(1)) {
                next = stored.offset + 1
                switch gate.read(stored) {
                case .accepted(let record), .acceptedAfterGap(let record, _): try history(record, stored)
                case .unreadable: try history(nil, stored)
                case .void: break
                }
            }
        }
    }
}
