import EventLog
import Foundation
import PlantEvents
import SeededRandom
import ServiceRuntime
import Synchronization
import Testing

/// I11: poison does not fill the disk, and what is left out can be had from its source.
@Suite struct ParkerLimitTests {
    @Test func aFloodIsParkedByReferenceAndStaysReadable() async throws {
        let bench = ParkedBench()
        let poison = (0..<5_000).map { [0xff, UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)] }
        try await bench.append(poison)
        let intake = bench.intake(Parker(bench.context))
        while try await intake.next(max: 1_000, wait: .zero).positions.partitions[bench.place]?.nextOffset != 5_000 {}
        let entries = try await bench.shelf.entries().entries
        #expect(entries.map(\.item.offset) == Array(0..<5_000))
        #expect(entries.count(where: \.isWhole) < 1_000)
        let topic = TopicPartition(TopicName(site: ParkedBench.site, parkedBy: "mes-bridge").description)
        #expect(try await bench.log.endOffset(of: topic) < 1_000, "references share records")
        for index in [0, 700, 4_999] {
            #expect(try await bench.shelf.content(of: entries[index].item).value == poison[index])
        }
    }

    /// Parked whole it would not fit: the largest record that a topic takes is parked by reference.
    @Test func theLargestPoisonIsParked() async throws {
        let bench = ParkedBench()
        let largest = [UInt8](repeating: 0xff, count: LogLimits.recordBytes - 1)
        try await bench.append([largest])
        let intake = bench.intake(Parker(bench.context))
        #expect(try await intake.next(max: 1, wait: .zero).positions.partitions[bench.place]?.nextOffset == 1)
        let entry = try #require(try await bench.shelf.entries().entries.first)
        #expect(!entry.isWhole && entry.bytes == UInt64(largest.count))
        #expect(try await bench.shelf.content(of: entry.item).value == largest)
    }

    /// A full log takes no parked record: reading goes on, the positions do not, and nothing is lost.
    @Test func aFullLogDoesNotKeepTheStreamUp() async throws {
        let memory = MemoryLog()
        let bench = ParkedBench(log: memory)
        try await bench.append([try ParkedBench.record(0), [0xff], try ParkedBench.record(2)])
        let parker = Parker(bench.context)
        try await parker.load()
        let intake = bench.intake(parker)
        await memory.failNextAppend(with: .full("test"))
        let batch = try await intake.next(max: 10, wait: .zero)
        #expect(batch.records.map(\.offset) == [0, 2])
        #expect(batch.positions.partitions[bench.place]?.nextOffset == 1)
        #expect(try await intake.next(max: 10, wait: .zero).positions.partitions[bench.place]?.nextOffset == 3)
        #expect(try await bench.parkedItems().map(\.offset) == [1])
    }

    /// Two instances of a service park into one topic; neither stops for the other.
    @Test func instancesShareAParkedTopic() async throws {
        let bench = ParkedBench()
        let other = ParkedBench(log: bench.log)
        let (one, two) = (Parker(bench.context), Parker(other.context))
        for offset in 0..<6 {
            let stored = StoredRecord(
                place: bench.place,
                offset: Int64(offset),
                appendedAtUs: 1,
                record: LogRecord(key: [], value: [0xff])
            )
            try await (offset.isMultiple(of: 2) ? one : two).park(stored, reason: "test")
        }
        #expect(try await bench.parkedItems().map(\.offset) == Array(0..<6))
    }

    @Test func offsetsAreKeptAsRanges() {
        var random = SplitMix64(seed: 7)
        var set = OffsetSet()
        var plain: Set<Int64> = []
        for _ in 0..<4_000 {
            let offset = Int64.random(in: 0..<300, using: &random)
            if Bool.random(using: &random) {
                #expect(set.insert(offset) == plain.insert(offset).inserted)
            } else {
                set.remove(offset)
                plain.remove(offset)
            }
            #expect(set.count == Int64(plain.count) && set.first == plain.min() && set.isEmpty == plain.isEmpty)
        }
        for offset in Int64(-1)...301 { #expect(set.contains(offset) == plain.contains(offset)) }
    }
}
