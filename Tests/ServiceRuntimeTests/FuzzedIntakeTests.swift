import EventLog
import Foundation
import PlantEvents
import ReadModel
import ServiceRuntime
import Testing

/// M19: however wrong the records are, nothing stops and nothing is lost. `LINELEDGER_FUZZ_RECORDS=1000000` and
/// `LINELEDGER_FUZZ_SEED` make the run a long or another one.
@Suite struct FuzzedIntakeTests {
    private static let records =
        ProcessInfo.processInfo.environment["LINELEDGER_FUZZ_RECORDS"].flatMap { Int($0) } ?? 20_000
    private static let seed =
        ProcessInfo.processInfo.environment["LINELEDGER_FUZZ_SEED"].flatMap { UInt64($0) } ?? 20_240_517
    private static let batch = 500
    private static let golden = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appending(path: "proto/golden")

    /// Every record of an input topic is handed on, void, or parked, exactly once; a second reading parks nothing.
    @Test func everyRecordIsAcceptedVoidOrParkedOnce() async throws {
        var fuzzer = try Fuzzer(seed: Self.seed, folder: Self.golden)
        let topics: [Topic] = [.frames, .inspections, .production, .mesDeliveries]
        let end = Int64(Self.records / topics.count)
        let bench = ParkedBench(log: MemoryLog(capacityBytes: 8 << 30))
        for topic in topics {
            let place = bench.context.partition(topic)
            try await bench.log.create(topic: place.topic, partitions: 1)
            for start in stride(from: 0, to: end, by: Self.batch) {
                let values = (start..<min(end, start + Int64(Self.batch))).map { _ in fuzzer.next(of: topic) }
                try await bench.log.append(values.map { LogRecord(key: [1], value: $0) }, to: place)
            }
        }
        let first = try await readAll(bench, topics, end)
        let listing = try await bench.shelf.entries(limit: Self.records)
        let parked = Set(listing.entries.map { "\($0.item.topic)/\($0.item.offset)" })
        #expect(listing.leftOut == 0 && parked.count == listing.entries.count, "parked once each")
        #expect(parked.isDisjoint(with: first), "handed on or parked, never both")
        #expect(listing.entries.allSatisfy { !$0.reason.isEmpty })
        #expect(
            listing.entries.contains { $0.cause == .notUnderstood } && listing.entries.contains { $0.cause == .behind }
        )
        #expect(listing.entries.contains { !$0.isWhole && $0.cause == .unreadable }, "a flood is parked by reference")
        #expect(first.count > Self.records / 10 && parked.count > Self.records / 10)

        // What is neither is void: told here by the bytes alone, without the intake.
        let void = try await voidOnes(bench, topics, end)
        #expect(first.count + parked.count + void.subtracting(parked).count == Int(end) * topics.count)
        #expect(first.isDisjoint(with: void))

        let again = try await readAll(bench, topics, end)
        #expect(again == first)
        #expect(try await bench.shelf.entries(limit: Self.records).entries.count == listing.entries.count)
    }

    private func readAll(_ bench: ParkedBench, _ topics: [Topic], _ end: Int64) async throws -> Set<String> {
        let intake = Intake(
            bench.context,
            topics: topics,
            from: IntakePositions(),
            parker: Parker(bench.context),
            owner: .decider {}
        )
        var handedOn: Set<String> = []
        while true {
            let batch = try await intake.next(max: Self.batch, wait: .zero)
            for incoming in batch.records {
                #expect(handedOn.insert("\(incoming.place.topic)/\(incoming.offset)").inserted)
            }
            if batch.positions.partitions.count == topics.count,
                batch.positions.partitions.values.allSatisfy({ $0.nextOffset == end })
            {
                await intake.close()
                return handedOn
            }
        }
    }

    /// The records that can be read and that a fence of their own refuses.
    private func voidOnes(_ bench: ParkedBench, _ topics: [Topic], _ end: Int64) async throws -> Set<String> {
        var void: Set<String> = []
        for topic in topics {
            let place = bench.context.partition(topic)
            let reader = try await bench.log.reader(from: [place: 0])
            var fence = Fence()
            var next: Int64 = 0
            while next < end {
                for stored in try await reader.next(max: Self.batch, wait: .zero) {
                    next = stored.offset + 1
                    guard let record = try? AnyRecord(topic: topic, value: stored.record.value) else { continue }
                    if case .void = fence.admit(record.meta) { void.insert("\(place.topic)/\(stored.offset)") }
                }
            }
            await reader.close()
        }
        return void
    }

    /// The read model takes every record for something: folded, void, a repeat, or to be parked.
    @Test func theReadModelGoesOn() throws {
        var fuzzer = try Fuzzer(seed: Self.seed &+ 1, folder: Self.golden)
        let path = NSTemporaryDirectory() + "lineledger-fuzz-\(UInt64.random(in: 0...UInt64.max)).sqlite"
        defer { for suffix in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: path + suffix) } }
        let model = try ReadModel(path: path, site: ParkedBench.site)
        var accounted = 0
        var folded = 0
        for (index, topic) in Topic.written.enumerated() {
            let place = TopicPartition(TopicName(site: ParkedBench.site, topic: topic).description)
            let end = Self.records / Topic.written.count
            for start in stride(from: 0, to: end, by: Self.batch) {
                let stored = (start..<min(end, start + Self.batch)).map { offset in
                    StoredRecord(
                        place: place,
                        offset: Int64(offset),
                        appendedAtUs: Int64(index),
                        record: LogRecord(key: [1], value: fuzzer.next(of: topic))
                    )
                }
                let applied = try model.apply(stored, nowUs: 1)
                #expect(applied.applied + applied.void + applied.repeats + applied.parked.count == stored.count)
                accounted += stored.count
                folded += applied.applied
            }
        }
        #expect(accounted == Self.records / Topic.written.count * Topic.written.count && folded > accounted / 20)
    }
}
