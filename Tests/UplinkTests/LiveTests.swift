import EventLog
import Foundation
import KafkaLog
import PlantEvents
import SwiftProtobuf
import Synchronization
import Testing
import Uplink

/// Counts calls.
final class Counter: Sendable {
    private let count = Mutex(0)

    func next() -> Int {
        count.withLock { count in
            count += 1
            return count
        }
    }
}

@Suite(.timeLimit(.minutes(2)))
struct LiveTests {
    @Test("REL-01: a target that hangs keeps no writer, no other partition and no question waiting")
    func hangingTarget() async throws {
        let source = MemoryLog()
        let target = FaultyLog(MemoryLog())
        try await source.create(topic: frames, partitions: 5)
        target.change { state in state.fault = { place, _ in place.partition < 3 ? .hangs : nil } }
        var writers: [PartitionWriter<FrameRecord>] = []
        for number in 0..<5 {
            writers.append(try await owner(of: Int32(number), in: source, instance: "w\(number)"))
        }
        try await mirroring(source, target, topics: [frames]) { mirror in
            for round in 0..<40 {
                for writer in writers { try await writer.write(["r\(round)"]) }
            }
            // Partitions 0 to 2 hang; 3 and 4 are level all the same.
            try await wait(for: "the others") {
                let three = (try? await target.endOffset(of: .init(frames, 3))) ?? 0
                let four = (try? await target.endOffset(of: .init(frames, 4))) ?? 0
                return three == 41 && four == 41
            }
            let status = await mirror.status()
            #expect(status.partition(.init(frames, 0))?.unsentRecords == 41)
            #expect(status.partition(.init(frames, 4))?.unsentRecords == 0)
            target.change { $0.fault = { _, _ in nil } }
            target.release()
            try await wait(for: "the rest") { try await target.endOffset(of: .init(frames, 0)) == 41 }
        }
    }

    @Test("REL-03: since when the target is away, what waits, and that it is over")
    func away() async throws {
        let source = MemoryLog()
        let target = FaultyLog(MemoryLog())
        try await source.create(topic: frames, partitions: 1)
        let place = TopicPartition(frames)
        let writer = try await owner(of: 0, in: source, instance: "a")
        try await writer.write(["a"])
        try await mirroring(source, target, topics: [frames]) { mirror in
            try await wait(for: "level") { (try? await target.endOffset(of: place)) == 2 }
            try await wait(for: "the state") { await mirror.status().partition(place)?.state == .level }
            target.change { $0.isAway = true }
            try await writer.write((0..<10).map { "b\($0)" })
            try await wait(for: "the trouble") { await mirror.status().targetAwaySinceUs == 7 }
            let away = await mirror.status()
            #expect(away.unsentRecords == 10)
            #expect(away.unsentBytesEstimated > 100)
            #expect(away.partition(place)?.state == .waiting)
            #expect(away.partition(place)?.reason.contains("away, says the test") == true)
            #expect(away.partition(place)?.lastOrigin == "berlin/frames/0/1/1")
            target.change { $0.isAway = false }
            try await wait(for: "the end") { await mirror.status().unsentRecords == 0 }
            try await wait(for: "the state") { await mirror.status().partition(place)?.state == .level }
            let status = await mirror.status()
            #expect(status.targetAwaySinceUs == nil)
            #expect(status.partition(place)?.lastOrigin == "berlin/frames/0/1/11")
        }
    }

    @Test("Once: everything the source has, then it ends; a target that is away ends it after its patience")
    func once() async throws {
        let source = MemoryLog()
        try await source.create(topic: frames, partitions: 2)
        let writer = try await owner(of: 1, in: source, instance: "a")
        try await writer.write((0..<100).map { "r\($0)" })
        let target = FaultyLog(MemoryLog())
        let mirror = Mirror(from: source, to: target, topics: [frames], settings: .eager)
        let done = await mirror.runOnce(patience: .seconds(20))
        #expect(done.sentRecords == 101)
        #expect(done.unsentRecords == 0)
        target.change { $0.isAway = true }
        try await writer.write(["late"])
        let again = Mirror(from: source, to: target, topics: [frames], settings: .eager)
        let failed = await again.runOnce(patience: .milliseconds(50))
        #expect(failed.unsentRecords > 0)
        #expect(failed.targetAwaySinceUs != nil)
    }

    @Test("M05: from an embedded log to Kafka's protocol and back to another embedded log")
    func throughKafka() async throws {
        let folder = NSTemporaryDirectory() + "lineledger-uplink-\(UUID().uuidString)"
        let station = try EmbeddedLog(directory: "\(folder)/station")
        let enterprise = try EmbeddedLog(directory: "\(folder)/enterprise")
        let mock = try MockKafka()
        try mock.createTopic(frames, partitions: 2)
        let plant = try KafkaLog(brokers: mock.brokers, properties: ["fetch.wait.max.ms": "5"])
        let place = TopicPartition(frames, 1)
        try await station.create(topic: frames, partitions: 2)
        let writer = try await owner(of: 1, in: station, instance: "a")
        var settings = Mirror.Settings()
        settings.idleWait = .milliseconds(50)
        try await writer.write((0..<500).map { "r\($0)" })
        try await mirroring(station, plant, topics: [frames], settings: settings) { up in
            try await mirroring(plant, enterprise, topics: [frames], settings: settings) { down in
                try await wait(for: "the first half") { await down.status().sentRecords == 501 }
                mock.setBroker(1, isUp: false)
                try await writer.write((0..<500).map { "s\($0)" })
                mock.setBroker(1, isUp: true)
                try await wait(for: "the second half") {
                    let newest = await down.status().partition(place)?.lastOrigin
                    return await up.status().unsentRecords == 0 && newest == "berlin/frames/1/1/1000"
                }
            }
        }
        // The mock knows no producer's sequence numbers: what was under way when it went may stand there twice, and void.
        let sent = try await contents(station, place)
        let copies = try await contents(enterprise, place)
        #expect(accepted(copies) == accepted(sent))
        #expect(Set(copies.map(\.record.value)) == Set(sent.map(\.record.value)))
        for log in [station, enterprise, plant] as [any EventLog] { await log.close() }
        #expect(throws: Never.self) { try FileManager.default.removeItem(atPath: folder) }
    }
}
