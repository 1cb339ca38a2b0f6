import EventLog
import PlantEvents
import ReadModel
import SeededRandom
import SwiftProtobuf
import Testing

@Suite struct FoldTests {
    @Test("Interleavings, batch sizes, restarts, repeats and zombies do not change the digest", arguments: 1...12)
    func digestDoesNotDependOnArrival(seed: UInt64) throws {
        let folder = try Folder()
        var random = SplitMix64(seed: seed)
        var plant = RandomPlant(seed: seed)
        let partitions = try plant.make(parts: 200)
        let plain = try ReadModel(path: folder.path("plain"), site: PartitionWriter.site)
        for partition in partitions { _ = try plain.apply(partition, nowUs: 1) }
        let expected = try plain.tableDigests()
        for round in 0..<4 {
            let shuffled = partitions.shuffled(using: &random)
            let model = try interleave(shuffled, into: folder.path("m\(round)"), &random, restarts: round % 2 == 0)
            #expect(try model.tableDigests() == expected, "seed \(seed), round \(round)")
            #expect(model.positions == plain.positions)
        }
        #expect(expected.filter { $0.rows > 0 }.count > 30, "the plant must reach nearly every table")
    }

    @Test("Zombies and repeats leave no trace", arguments: 1...6)
    func voidRecordsChangeNothing(seed: UInt64) throws {
        let folder = try Folder()
        var noisy = RandomPlant(seed: seed)
        var quiet = RandomPlant(seed: seed, isNoisy: false)
        let first = try ReadModel(path: folder.path("noisy"), site: PartitionWriter.site)
        let second = try ReadModel(path: folder.path("quiet"), site: PartitionWriter.site)
        var skipped = 0
        for partition in try noisy.make(parts: 150) {
            let applied = try first.apply(partition, nowUs: 1)
            skipped += applied.void + applied.repeats
        }
        for partition in try quiet.make(parts: 150) { #expect(try second.apply(partition, nowUs: 1).void == 0) }
        #expect(skipped > 0)
        // Times differ, as a zombie's record takes time too; what was counted does not.
        #expect(try Queries(path: folder.path("noisy")).balance() == Queries(path: folder.path("quiet")).balance())
    }

    @Test("Records count as a fence asked about each of them says", arguments: 1...20)
    func agreesWithTheFence(seed: UInt64) throws {
        let folder = try Folder()
        var random = SplitMix64(seed: seed)
        var writer = PartitionWriter(.alarms)
        var fence = Fence()
        var expected = (applied: 0, skipped: 0, gaps: 0)
        var sequence: UInt64 = 0
        for number in 0..<300 {
            var record = AlarmRecord()
            sequence = random.chance(0.8) ? sequence + 1 : UInt64(random.below(12))
            record.meta.origin.site = PartitionWriter.site
            record.meta.origin.topic = "alarms"
            record.meta.origin.epoch = UInt64(1 + number / 60 + (random.chance(0.2) ? random.below(3) : 0))
            record.meta.origin.sequence = sequence
            record.meta.producer.instance = random.chance(0.85) ? "a" : "b"
            record.meta.recordID = "r"
            record.meta.recordedAtUs = 1
            record.events = [AlarmRecord.Event()]
            writer.append(try Codec.encode(record))
            switch fence.admit(record.meta) {
            case .accepted: expected.applied += 1
            case .void: expected.skipped += 1
            case .acceptedAfterGap: (expected.applied, expected.gaps) = (expected.applied + 1, expected.gaps + 1)
            }
        }
        var model = try ReadModel(path: folder.path("m"), site: PartitionWriter.site)
        var found = (applied: 0, skipped: 0, gaps: 0)
        var next = 0
        while next < writer.records.count {
            let upTo = min(writer.records.count, next + 1 + random.below(20))
            let applied = try model.apply(Array(writer.records[next..<upTo]), nowUs: 1)
            found.applied += applied.applied
            found.skipped += applied.void + applied.repeats
            found.gaps += applied.gaps.count
            next = upTo
            if random.chance(0.2) { model = try ReadModel(path: folder.path("m"), site: PartitionWriter.site) }
        }
        #expect(found == expected, "seed \(seed)")
    }

    @Test("A rebuild from the log equals the live model", arguments: 1...3)
    func rebuildEqualsLive(seed: UInt64) async throws {
        let folder = try Folder()
        var random = SplitMix64(seed: seed)
        var plant = RandomPlant(seed: seed)
        let partitions = try plant.make(parts: 200)
        let log = MemoryLog()
        for topic in Topic.written {
            try await log.create(topic: TopicName(site: PartitionWriter.site, topic: topic).description, partitions: 2)
        }
        for partition in partitions {
            guard let place = partition.first?.place else { continue }
            try await log.append(partition.map(\.record), to: place)
        }
        let live = try interleave(partitions, into: folder.path("live"), &random, restarts: true)
        var told: (done: Int64, total: Int64) = (0, 0)
        var nowUs: Int64 = 0
        let report = try await ReadModel.rebuild(
            log: log,
            into: folder.path("rebuilt"),
            site: PartitionWriter.site,
            upTo: live.positions,
            batchSize: 97,
            clockUs: {
                nowUs += 1_000_000
                return nowUs
            },
            progress: { told = ($0, $1) }
        )
        #expect(try report.digest == live.digest())
        #expect(report.records == live.positions.values.reduce(0, +))
        #expect(told == (report.records, report.records))
        #expect(report.seconds > 0)
        #expect(try Queries(path: folder.path("rebuilt")).digest() == report.digest)
        await #expect(throws: ReadModelFailure.self) {
            try await ReadModel.rebuild(
                log: log,
                into: folder.path("rebuilt"),
                site: PartitionWriter.site,
                upTo: live.positions,
                clockUs: { 0 },
                progress: { _, _ in }
            )
        }
        await log.close()
    }

    @Test("Damaged, foreign and undecodable records come back to be parked; the stream goes on")
    func unreadableRecordsAreParked() throws {
        let folder = try Folder()
        let model = try ReadModel(path: folder.path("m"), site: PartitionWriter.site)
        var writer = PartitionWriter(.alarms)
        try writer.takeOver(as: AlarmRecord.self)
        writer.append(Array("not protobuf".utf8))
        writer.append([], damage: nil)
        writer.append(writer.records[0].record.value, damage: "checksum 1, expected 2")
        var raised = AlarmRaised()
        raised.alarmID = "A"
        try writer.write(AlarmRecord.self, [.init(.alarmRaised(raised))])
        var foreign = PartitionWriter(.frames)
        try foreign.takeOver(as: FrameRecord.self)
        let misplaced = StoredRecord(
            place: writer.place,
            offset: Int64(writer.records.count),
            appendedAtUs: 1,
            record: foreign.records[0].record
        )
        let stranger = StoredRecord(
            place: TopicPartition("someone.else"),
            offset: 0,
            appendedAtUs: 1,
            record: foreign.records[0].record
        )
        let applied = try model.apply(writer.records + [misplaced, stranger], nowUs: 1)
        #expect(applied.parked.map(\.record.offset) == [1, 2, 3, 5, 0])
        #expect(applied.parked[2].reason == "checksum 1, expected 2")
        #expect(applied.parked[3].reason.contains("berlin/frames"))
        #expect(applied.applied == 2)
        #expect(model.positions[writer.place] == 6)
        let overview = try Queries(path: folder.path("m")).overview()
        #expect(overview.alarms.map(\.alarmID) == ["A"])
        #expect(overview.inputs.first { $0.topic == writer.place.topic }?.parked == 4)
    }

    @Test("Missing records are named, and unknown kinds that must be understood are held visibly")
    func gapsAndUnknownKinds() throws {
        let folder = try Folder()
        let model = try ReadModel(path: folder.path("m"), site: PartitionWriter.site)
        var writer = PartitionWriter(.production)
        try writer.takeOver(as: ProductionRecord.self)
        writer.skip(3)
        try writer.write(ProductionRecord.self, [ProductionRecord.Event()], subject: "WO-9", mustUnderstand: true)
        try writer.write(ProductionRecord.self, [ProductionRecord.Event()], subject: "WO-10")
        let applied = try model.apply(writer.records, nowUs: 1)
        let stream = OriginStream(site: PartitionWriter.site, topic: "production", partition: 0)
        #expect(applied.gaps == [OriginGap(stream: stream, epoch: 1, expected: 1, found: 4)])
        #expect(applied.unknown == 2)
        let overview = try Queries(path: folder.path("m")).overview()
        #expect(overview.notUnderstood == ["WO-9"])
        #expect(overview.gaps == ["production/0 epoch 1: records 1 to 3 are missing"])
    }
}
