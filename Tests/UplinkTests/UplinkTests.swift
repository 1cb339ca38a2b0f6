import EventLog
import PlantEvents
import SeededRandom
import SwiftProtobuf
import Synchronization
import Testing
import Uplink

@Suite(.timeLimit(.minutes(2)))
struct UplinkTests {
    private static let places = (0..<3).map { TopicPartition(frames, $0) } + [TopicPartition(inspections)]

    @Test(
        "REL-01 REL-02 M05: whatever fails at random, the target ends as the source, record for record",
        arguments: 0..<40
    )
    func randomFaults(seed: Int) async throws {
        var random = SplitMix64(seed: UInt64(seed))
        let source = MemoryLog()
        try await source.create(topic: frames, partitions: 3)
        try await source.create(topic: inspections, partitions: 1)
        let target = FaultyLog(MemoryLog())
        var plant = Plant(source)
        for _ in 0..<12 {
            try await mirroring(source, target) { mirror in
                for _ in 0..<Int.random(in: 1...6, using: &random) {
                    try await plant.act(&random)
                    try await Self.spoil(target, &random)
                    if random.once(in: 3) { try await Self.progress(mirror) }
                }
            }
        }
        target.change { state in
            state.isAway = false
            state.fault = { _, _ in nil }
        }
        try await mirroring(source, target) { mirror in
            for place in Self.places {
                let end = try await source.endOffset(of: place)
                try await wait(for: "\(place) of seed \(seed)") {
                    // Not there until the mirror has made the topic.
                    (try? await target.endOffset(of: place)) ?? 0 >= end
                }
            }
        }
        for place in Self.places {
            let sent = try await contents(source, place)
            let copies = try await contents(target, place)
            #expect(copies.map(\.record) == sent.map(\.record), "\(place) of seed \(seed)")
            #expect(accepted(copies) == accepted(sent))
        }
    }

    /// Waits until the mirror has sent something more, or has nothing to send, or cannot.
    private static func progress(_ mirror: Mirror) async throws {
        let before = await mirror.status().sentRecords
        try await wait(for: "progress") {
            let status = await mirror.status()
            return status.sentRecords > before || status.unsentRecords == 0
                || status.partitions.contains { $0.state == .waiting }
        }
    }

    private static func spoil(_ target: FaultyLog, _ random: inout SplitMix64) async throws {
        switch Int.random(in: 0..<6, using: &random) {
        case 0: target.change { $0.isAway.toggle() }
        case 1:
            let landed = Int.random(in: 0...6, using: &random)
            let every = Int.random(in: 1...4, using: &random)
            target.change { state in
                state.fault = { _, records in
                    (records.first?.value.count ?? 0) % every == 0
                        ? .failed(.unavailable("lost answer"), landed: min(landed, records.count)) : nil
                }
            }
        case 2: target.change { $0.fault = { _, _ in nil } }
        case 3:
            // Restored from a backup of some time ago.
            let old = target.state.withLock { $0.log }
            let restored = MemoryLog()
            for topic in try await old.topics() {
                try await restored.create(topic: topic, partitions: try await old.partitionCount(of: topic))
            }
            for place in places where (try? await old.endOffset(of: place)) ?? 0 > 0 {
                let all = try await contents(old, place)
                let kept = all.prefix(Int.random(in: 0...all.count, using: &random))
                if !kept.isEmpty { try await restored.append(kept.map(\.record), to: place) }
            }
            target.change { $0.log = restored }
        default: target.change { $0.isAway = false }
        }
    }

    /// Writers of all partitions: they append, are taken over from, and go on all the same for a while.
    private struct Plant {
        let log: MemoryLog
        var owners: [TopicPartition: PartitionWriter<FrameRecord>] = [:]
        var zombies: [TopicPartition: PartitionWriter<FrameRecord>] = [:]
        var count = 0

        init(_ log: MemoryLog) {
            self.log = log
        }

        mutating func act(_ random: inout SplitMix64) async throws {
            let place = places[Int.random(in: places.indices, using: &random)]
            let topic: Topic = place.topic == frames ? .frames : .inspections
            count += 1
            guard let writer = owners[place], !random.once(in: 6) else {
                zombies[place] = owners[place]
                owners[place] = try await owner(of: place.partition, in: log, instance: "run-\(count)", topic: topic)
                return
            }
            if let zombie = zombies[place], random.once(in: 2) {
                // Its record lands and is void; then it learns that it lost the partition.
                await #expect(throws: LogFailure.self) { try await zombie.write(["zombie-\(count)"]) }
                zombies[place] = nil
            }
            let names = (0..<Int.random(in: 1...40, using: &random)).map { "\(place)-\(count)-\($0)" }
            if random.once(in: 5) {
                // The answer is lost, so the writer repeats what landed: the source holds repeats.
                await log.failNextAppend(with: .unavailable("lost"), landed: Int.random(in: 0...2, using: &random))
                await #expect(throws: LogFailure.self) { try await writer.write(names) }
            }
            try await writer.write(names)
        }
    }

    @Test("REL-02: what lands late lands twice at most, and no reader counts it twice", arguments: 0..<10)
    func lateLanding(seed: Int) async throws {
        let source = MemoryLog()
        try await source.create(topic: frames, partitions: 1)
        let place = TopicPartition(frames)
        let target = FaultyLog(MemoryLog())
        let calls = Counter()
        target.change { state in
            state.fault = { _, _ in calls.next() % (3 + seed % 3) == 1 ? .late : nil }
        }
        let writer = try await owner(of: 0, in: source, instance: "a")
        for number in 0..<20 { try await writer.write((0...(number % 5)).map { "\(number)-\($0)" }) }
        try await mirroring(source, target, topics: [frames]) { mirror in
            try await wait(for: "everything sent") {
                let status = await mirror.status()
                return status.partition(place)?.state == .level && status.unsentRecords == 0
            }
        }
        let copies = try await contents(target, place)
        #expect(accepted(copies) == accepted(try await contents(source, place)))
    }

    @Test("REL-04: a target that is ahead stops its partition, says where, and holds nothing else up")
    func targetAhead() async throws {
        let source = MemoryLog()
        let target = MemoryLog()
        try await source.create(topic: frames, partitions: 2)
        for log in [source, target] { try await log.create(topic: frames, partitions: 2) }
        try await owner(of: 0, in: target, instance: "lost").write((0..<40).map { "ahead-\($0)" })
        try await owner(of: 0, in: source, instance: "restored").write(["behind"])
        try await owner(of: 1, in: source, instance: "other").write(["a", "b"])
        try await mirroring(source, target, topics: [frames]) { mirror in
            try await wait(for: "the other partition") { try await target.endOffset(of: .init(frames, 1)) == 3 }
            try await wait(for: "the stop") {
                await mirror.status().partition(.init(frames, 0))?.state == .stopped
            }
            let stopped = try #require(await mirror.status().stopped.first)
            #expect(stopped.reason.contains("the target is ahead: it holds epoch 1, sequence 40"))
            #expect(stopped.reason.contains("restored from a backup"))
        }
        #expect(try await target.endOffset(of: .init(frames, 0)) == 41, "nothing was written there")
    }

    @Test("REL-04: another writer at the target is found at the next record")
    func foreignWriter() async throws {
        let source = MemoryLog()
        let target = MemoryLog()
        try await source.create(topic: frames, partitions: 1)
        let place = TopicPartition(frames)
        let writer = try await owner(of: 0, in: source, instance: "a")
        try await mirroring(source, target, topics: [frames]) { mirror in
            try await wait(for: "the takeover") { (try? await target.endOffset(of: place)) == 1 }
            try await target.append([LogRecord(key: [], value: [1, 2, 3])], to: place)
            try await writer.write(["x"])
            try await wait(for: "the stop") { await mirror.status().partition(place)?.state == .stopped }
            let reason = await mirror.status().partition(place)?.reason ?? ""
            #expect(reason.contains("another program writes to the target"))
        }
        #expect(try await target.endOffset(of: place) == 2)
    }

    @Test("I7 I12: damaged records are named, the rest goes on, and a new mirror finds its place behind them")
    func damage() async throws {
        let log = MemoryLog()
        let source = FaultyLog(log)
        let target = MemoryLog()
        try await source.create(topic: frames, partitions: 1)
        let place = TopicPartition(frames)
        let writer = try await owner(of: 0, in: source, instance: "a")
        try await writer.write((0..<30).map { "r\($0)" })
        source.change { $0.damaged = [place: [0, 7, 8, 30]] }
        for round in 1...3 {
            try await mirroring(source, target, topics: [frames]) { mirror in
                try await wait(for: "round \(round)") {
                    let status = await mirror.status()
                    return status.partition(place)?.state == .level && status.unsentRecords == 0
                }
                if round == 1 {
                    let status = try #require(await mirror.status().partition(place))
                    #expect(status.gapCount == 4)
                    #expect(status.gaps.map(\.offset) == [0, 7, 8, 30])
                    #expect(status.gaps.first?.reason.contains("damaged at 0") == true)
                }
            }
            try await writer.write((0..<3).map { "late-\(round)-\($0)" })
        }
        let sent = try await contents(log, place).filter { ![0, 7, 8, 30].contains($0.offset) }
        let copies = try await contents(target, place)
        #expect(copies.map(\.record) == sent.prefix(copies.count).map(\.record))
        #expect(copies.count >= 27 + 6)
        var gate = RecordGate<FrameRecord>()
        let gaps = copies.count { if case .acceptedAfterGap = gate.read($0) { true } else { false } }
        #expect(gaps == 3, "readers of the target see the holes")
    }

    @Test("A broker that takes small batches gets small ones; a record that never fits stops its partition")
    func tooLarge() async throws {
        let source = MemoryLog()
        let target = FaultyLog(MemoryLog())
        try await source.create(topic: frames, partitions: 2)
        target.change { state in
            state.fault = { _, records in
                let bytes = records.reduce(0) { $0 + $1.byteCount }
                return bytes > 2_000 ? .failed(.recordTooLarge(bytes: bytes, limit: 2_000), landed: 0) : nil
            }
        }
        try await owner(of: 0, in: source, instance: "a").write((0..<50).map { "r\($0)" })
        let other = try await owner(of: 1, in: source, instance: "b")
        try await other.write(["fits", String(repeating: "x", count: 3_000), "behind"])
        try await mirroring(source, target, topics: [frames]) { mirror in
            try await wait(for: "small batches") { (try? await target.endOffset(of: .init(frames, 0))) == 51 }
            try await wait(for: "the stop") { await mirror.status().stopped.count == 1 }
            let stopped = try #require(await mirror.status().stopped.first)
            #expect(stopped.partition == 1)
            #expect(stopped.reason.contains("max.message.bytes"))
            #expect(try await target.endOffset(of: .init(frames, 1)) == 2)
            target.change { $0.fault = { _, _ in nil } }
            try await wait(for: "the mended broker") { try await target.endOffset(of: .init(frames, 1)) == 4 }
            #expect(await mirror.status().stopped.isEmpty)
        }
    }

    @Test("Topics are made with the source's partitions; a target with fewer stops the rest")
    func topics() async throws {
        let source = MemoryLog()
        let target = MemoryLog()
        try await source.create(topic: frames, partitions: 5)
        try await target.create(topic: inspections, partitions: 1)
        try await owner(of: 4, in: source, instance: "a").write(["x"])
        try await mirroring(source, target) { mirror in
            try await wait(for: "the topic") { (try? await target.endOffset(of: .init(frames, 4))) == 2 }
            #expect(try await target.partitionCount(of: frames) == 5)
            #expect(await mirror.status().missingTopics == [inspections])
            try await source.create(topic: inspections, partitions: 2)
            try await owner(of: 0, in: source, instance: "b", topic: .inspections).write(["y"])
            try await owner(of: 1, in: source, instance: "c", topic: .inspections).write(["z"])
            try await wait(for: "the late topic") { try await target.endOffset(of: .init(inspections, 0)) == 2 }
            try await wait(for: "the stop") {
                await mirror.status().stopped.first?.reason.contains("at least 2 partitions") == true
            }
        }
    }
}
