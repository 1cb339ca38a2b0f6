import EventLog
import Foundation
import KafkaLog
import PlantEvents
import SeededRandom
import SwiftProtobuf
import Testing

/// Numbering, fencing and repeats of the writers of one partition.
@Suite(.timeLimit(.minutes(2)))
struct PartitionWriterTests {
    @Test("Records are numbered without holes and carry CloudEvents headers", arguments: LogKind.present)
    func numbering(_ kind: LogKind) async throws {
        try await LogUnderTest.with(kind) { test in
            let bench = try await WriterBench(test)
            let writer = bench.writer("run-1")
            try await writer.takeOver(from: 0, fence: Fence(), nowUs: { 1_000 }) { _, _ in }
            let first = try await writer.append(drafts(0..<3), keys: keys(3), nowUs: 2_000)
            try await writer.append(drafts(3..<4), keys: keys(1), nowUs: 3_000)
            #expect(first.map(\.meta.origin.sequence) == [1, 2, 3])
            #expect(first.allSatisfy { $0.meta.recordedAtUs == 2_000 && $0.meta.producer.instance == "run-1" })
            let stored = try await take(5, from: try await test.log.reader(from: [bench.place: 0]))
            let read = try stored.map { try Codec.decode(InspectionRecord.self, from: $0.record.value) }
            #expect(read.map(\.meta.origin.sequence) == [0, 1, 2, 3, 4])
            #expect(read.allSatisfy { $0.meta.origin.epoch == 1 && $0.meta.origin.stream == bench.stream })
            #expect(Array(read[1...3]) == first)
            let headers = Dictionary(uniqueKeysWithValues: stored[1].record.headers.map { ($0.name, $0.value) })
            #expect(headers["ce_specversion"] == "1.0")
            #expect(headers["content-type"] == "application/protobuf")
            #expect(headers["ce_id"] == "part:0")
            #expect(headers["ce_type"] == "lineledger.v1.InspectionRecord")
            #expect(headers["ce_source"] == "/\(bench.stream.site)/inspections/inspector")
            #expect(headers["ce_time"] == "2024-02-29T12:34:56.789012Z")
            #expect(headers["events"] == "inspection_missed")
            #expect(headers["ce_subject"] == "part-0")
            #expect(headers["traceparent"] == nil)
            let position = await writer.position
            #expect(position.nextOffset == 5)
            #expect(position.nextSequence == 5)
            #expect(position.fence.currentEpoch == 1)
        }
    }

    @Test(
        "A new run gets the whole history and the next epoch; the old run finds out and its records are void",
        arguments: [LogKind.memory, .kafkaMock]
    )
    func takeover(_ kind: LogKind) async throws {
        try await LogUnderTest.with(kind) { test in
            let bench = try await WriterBench(test)
            let old = bench.writer("old")
            try await old.takeOver(from: 0, fence: Fence(), nowUs: { 1 }) { _, _ in }
            try await old.append(drafts(0..<5), keys: keys(5), nowUs: 1)
            let new = bench.writer("new")
            var history: [InspectionRecord?] = []
            try await new.takeOver(from: 0, fence: Fence(), nowUs: { 2 }) { record, _ in history.append(record) }
            #expect(history.map { $0?.meta.origin.sequence } == [0, 1, 2, 3, 4, 5])
            #expect(await new.position.epoch == 2)
            let failure = await #expect(throws: LogFailure.self) {
                try await old.append(drafts(5..<6), keys: keys(1), nowUs: 1)
            }
            if case .writerExists? = failure {} else { Issue.record("found \(String(describing: failure))") }
            try await new.append(drafts(6..<7), keys: keys(1), nowUs: 2)
            #expect(try await bench.accepted() == [0, 1, 2, 3, 4, 6])
            var later: [String] = []
            let third = bench.writer("third")
            let position = await new.position
            try await third.takeOver(from: position.nextOffset, fence: position.fence, nowUs: { 3 }) { record, _ in
                later.append(record?.meta.recordID ?? "")
            }
            #expect(later.isEmpty, "a snapshot's position leaves nothing to replay")
            #expect(await third.position.epoch == 3)
        }
    }

    @Test(
        "Of many runs that take over at once each gets an epoch of its own, and one stays",
        arguments: [LogKind.memory, .kafkaMock]
    )
    func race(_ kind: LogKind) async throws {
        try await LogUnderTest.with(kind) { test in
            let bench = try await WriterBench(test)
            let writers = (0..<6).map { bench.writer("run-\($0)") }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for writer in writers {
                    group.addTask { try await writer.takeOver(from: 0, fence: Fence(), nowUs: { 1 }) { _, _ in } }
                }
                try await group.waitForAll()
            }
            var epochs: [UInt64] = []
            for writer in writers { epochs.append(await writer.position.epoch) }
            #expect(Set(epochs).count == writers.count)
            let highest = try #require(epochs.max())
            var taken: [Int] = []
            for (index, writer) in writers.enumerated() {
                do {
                    try await writer.append(drafts(index..<index + 1), keys: keys(1), nowUs: 2)
                    taken.append(index)
                } catch {
                    if case LogFailure.writerExists = error {} else { Issue.record("found \(error)") }
                }
            }
            #expect(taken.map { epochs[$0] } == [highest])
            #expect(try await bench.accepted() == taken)
        }
    }

    @Test("A repeat after an unclear failure keeps its numbers, and readers count it once", arguments: 0...3)
    func unclear(_ landed: Int) async throws {
        let log = MemoryLog()
        let bench = try await WriterBench(log)
        let writer = bench.writer("run")
        try await writer.takeOver(from: 0, fence: Fence(), nowUs: { 1 }) { _, _ in }
        await log.failNextAppend(with: .unavailable("the answer was lost"), landed: landed)
        await #expect(throws: LogFailure.self) { try await writer.append(drafts(0..<3), keys: keys(3), nowUs: 1) }
        let retried = try await writer.append(drafts(0..<5), keys: keys(5), nowUs: 9)
        #expect(retried.map(\.meta.origin.sequence) == [1, 2, 3, 4, 5])
        #expect(retried.map(\.meta.recordedAtUs) == [1, 1, 1, 9, 9], "what waited goes again exactly as it was")
        #expect(try await bench.accepted() == [0, 1, 2, 3, 4])
        #expect(try await log.endOffset(of: bench.place) == Int64(1 + landed + 5))
        #expect(await writer.position.nextOffset == Int64(1 + landed + 5))
    }

    @Test("Other drafts go after those that wait")
    func otherDrafts() async throws {
        let log = MemoryLog()
        let bench = try await WriterBench(log)
        let writer = bench.writer("run")
        try await writer.takeOver(from: 0, fence: Fence(), nowUs: { 1 }) { _, _ in }
        await log.failNextAppend(with: .full("no space"))
        await #expect(throws: LogFailure.full("no space")) {
            try await writer.append(drafts(0..<2), keys: keys(2), nowUs: 1)
        }
        try await writer.append(drafts(2..<3), keys: keys(1), nowUs: 2)
        try await writer.retry()
        #expect(try await bench.accepted() == [0, 1, 2])
    }

    @Test("A record that never fits uses up no number")
    func tooLarge() async throws {
        let bench = try await WriterBench(MemoryLog())
        let writer = bench.writer("run")
        try await writer.takeOver(from: 0, fence: Fence(), nowUs: { 1 }) { _, _ in }
        var big = drafts(1..<2)
        big[0].meta.correlationID = String(repeating: "x", count: LogLimits.recordBytes)
        await #expect(throws: LogFailure.self) { try await writer.append(drafts(0..<1) + big, keys: keys(2), nowUs: 1) }
        let next = try await writer.append(drafts(2..<3), keys: keys(1), nowUs: 1)
        #expect(next.map(\.meta.origin.sequence) == [1])
        #expect(try await bench.accepted() == [2])
    }

    @Test("What cannot be decoded in the history comes as nil with its bytes; a failing fold owns nothing")
    func strangeHistory() async throws {
        struct Stop: Error {}
        let bench = try await WriterBench(MemoryLog())
        try await bench.log.append([record("not protobuf")], to: bench.place)
        let writer = bench.writer("run")
        await #expect(throws: Stop.self) {
            try await writer.takeOver(from: 0, fence: Fence(), nowUs: { 1 }) { _, _ in throw Stop() }
        }
        #expect(await writer.position.epoch == 0)
        var strange: [String] = []
        try await writer.takeOver(from: 0, fence: Fence(), nowUs: { 1 }) { record, stored in
            if record == nil { strange.append(stored.text) }
        }
        #expect(strange == ["not protobuf"])
    }

    /// Random failures, partial landings, restarts and takeovers; what was acknowledged counts exactly once, in order.
    @Test("Acknowledged records count once and in order, whatever fails", arguments: 1...20 as ClosedRange<UInt64>)
    func anyFailures(_ seed: UInt64) async throws {
        var random = SplitMix64(seed: seed)
        let log = MemoryLog()
        let bench = try await WriterBench(log)
        var run = 0
        var writer = bench.writer("run-0")
        try await writer.takeOver(from: 0, fence: Fence(), nowUs: { 1 }) { _, _ in }
        var next = 0
        var waiting = 0
        var handled = HighWater()
        for _ in 0..<60 {
            let count = waiting + Int.random(in: (waiting == 0 ? 1 : 0)...4, using: &random)
            if Int.random(in: 0..<3, using: &random) == 0 {
                let landed = Int.random(in: 0...Swift.max(1, waiting), using: &random)
                await log.failNextAppend(with: .unavailable("injected"), landed: landed)
            }
            do {
                let batch = drafts(next..<next + count)
                let stamped = try await writer.append(batch, keys: keys(count), nowUs: 1)
                for record in stamped {
                    #expect(!handled.covers(record.meta.origin))
                    handled.raise(to: record.meta.origin)
                }
                next += count
                waiting = 0
            } catch {
                waiting = count
                guard Int.random(in: 0..<4, using: &random) == 0 else { continue }
                // The run dies in doubt: the next one learns from its history what landed.
                run += 1
                writer = bench.writer("run-\(run)")
                var landed = 0
                try await writer.takeOver(from: 0, fence: Fence(), nowUs: { 1 }) { record, _ in
                    if record?.events.first?.kindName == "inspection_missed" { landed += 1 }
                }
                next = landed
                waiting = 0
            }
        }
        let accepted = try await bench.accepted()
        #expect(Array(accepted.prefix(next)) == Array(0..<next))
        #expect(accepted == Array(0..<accepted.count))
    }
}

/// A topic of inspections and writers for it.
struct WriterBench {
    let log: any EventLog
    let topic: TopicName
    let place: TopicPartition
    let stream: OriginStream

    /// On a broker that others use too, so under a site of its own.
    init(_ test: LogUnderTest) async throws {
        let site = "t\(UUID().uuidString.prefix(8))"
        try test.mock?.createTopic(TopicName(site: site, topic: .inspections).description, partitions: 1)
        try await self.init(test.log, site: site)
    }

    init(_ log: any EventLog, site: String = "test") async throws {
        self.log = log
        topic = TopicName(site: site, topic: .inspections)
        place = TopicPartition(topic.description)
        stream = OriginStream(site: site, topic: "inspections", partition: 0)
        try await log.create(topic: topic.description, partitions: 1)
    }

    func writer(_ instance: String) -> PartitionWriter<InspectionRecord> {
        let producer = Producer.with {
            $0.service = "inspector"
            $0.instance = instance
            $0.build = "1"
        }
        return PartitionWriter(log: log, site: topic.site, topic: topic, partition: 0, producer: producer)
    }

    /// The numbers of the drafts that count, as any reader sees them; takeovers left out.
    func accepted() async throws -> [Int] {
        let end = try await log.endOffset(of: place)
        let reader = try await log.reader(from: [place: 0])
        var gate = RecordGate<InspectionRecord>()
        var numbers: [Int] = []
        for stored in try await take(Int(end), from: reader) {
            guard let record = gate.read(stored).record else { continue }
            if let number = Int(record.meta.recordID.dropFirst("part:".count)) { numbers.append(number) }
        }
        await reader.close()
        return numbers
    }
}

/// Records as a core decides them, numbered.
func drafts(_ range: Range<Int>) -> [InspectionRecord] {
    range.map { number in
        InspectionRecord.with {
            $0.meta.recordID = "part:\(number)"
            $0.meta.subject = "part-\(number)"
            $0.meta.occurredAtUs = 1_709_210_096_789_012
            $0.events = [InspectionRecord.Event(.inspectionMissed(InspectionMissed()))]
        }
    }
}

func keys(_ count: Int) -> [[UInt8]] {
    [[UInt8]](repeating: Array("acme/test/a/line-1/vision-1".utf8), count: count)
}
