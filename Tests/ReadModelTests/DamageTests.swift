import EventLog
import Foundation
import PlantEvents
import ReadModel
import SQLite
import SeededRandom
import Testing

@Suite struct DamageTests {
    /// A folder with one complete, closed generation.
    private func complete(_ plant: inout GrowingPlant, _ generations: Generations) async throws {
        try await plant.growAll()
        let projection = try plant.projection(generations)
        _ = try await projection.settle(plant.log)
        await projection.close()
    }

    @Test("A model of another version is served as it is until the new one is complete")
    func versionBump() async throws {
        let folder = try Folder()
        let generations = Generations(folder: folder.path("model"))
        var plant = try await GrowingPlant(seed: 11)
        try await complete(&plant, generations)
        let old = try #require(try generations.active())
        try Database(path: generations.path(of: old.generation)).execute("UPDATE model SET version = 0")
        try generations.activate(
            ActiveGeneration(generation: 1, previous: nil, version: 0, site: old.site, reason: .first)
        )
        let projection = try plant.projection(generations)
        #expect(projection.status.isStale && projection.status.version == 0)
        #expect(throws: ReadModelFailure.self) { try Queries(path: generations.folder) }
        let stale = try Queries(path: generations.folder, understood: 0...1)
        #expect(stale.isStale && stale.generation == 1)
        let happenings = try await projection.settle(plant.log)
        #expect(happenings.first == .building(2, .version))
        #expect(try generations.active()?.reason == .version)
        #expect(!projection.status.isStale)
        #expect(try await Queries(path: generations.folder).tableDigests() == plant.expected())
        // Who still reads the old one keeps it.
        #expect(try stale.balance().triggers > 0)
        await projection.close()
    }

    @Test("A flipped byte in any page is found at once or by the comparison, and is gone after the switch")
    func flippedBytes() async throws {
        let folder = try Folder()
        var random = SplitMix64(seed: 6)
        let sound = Generations(folder: folder.path("sound"))
        var plant = try await GrowingPlant(seed: 6, parts: 60)
        try await complete(&plant, sound)
        let expected = try await plant.expected()
        let size = try #require(try FileManager.default.attributesOfItem(atPath: sound.path(of: 1))[.size] as? Int)
        var found = (bySQLite: 0, byComparison: 0, harmless: 0)
        for page in 0..<size / 4096 where page < 3 || random.chance(0.9) {
            let copy = Generations(folder: folder.path("page-\(page)"))
            try crashImage(of: sound.folder, to: copy.folder)
            // Headers are at the beginning of a page and rows at its end.
            let place = page * 4096 + (random.chance(0.3) ? random.below(16) : 4095 - random.below(300))
            try flip(copy.path(of: 1), at: place)
            let projection = try plant.projection(copy)
            let happenings = try await projection.settle(plant.log)
            if happenings.contains(where: { if case .setAside = $0 { true } else { false } }) {
                found.bySQLite += 1
                #expect(FileManager.default.fileExists(atPath: copy.folder + "/damaged-0001.sqlite"))
            } else {
                let outcome = try await plant.rebuild(copy).run(clockUs: { 1 }, progress: { _ in })
                if let problem = outcome.liveProblem {
                    found.bySQLite += 1
                    try copy.ask(.setAside(try #require(outcome.liveGeneration), problem))
                } else if outcome.isEqual {
                    found.harmless += 1
                    #expect(outcome.differences.isEmpty)
                } else {
                    found.byComparison += 1
                    #expect(!outcome.differences.isEmpty, "byte \(place)")
                    try copy.ask(.activate(try #require(outcome.generation), .rebuild))
                }
                while copy.isAsked { _ = try await projection.turn() }
                _ = try await projection.settle(plant.log)
            }
            #expect(try Queries(path: copy.folder).tableDigests() == expected, "byte \(place)")
            await projection.close()
            try FileManager.default.removeItem(atPath: copy.folder)
        }
        #expect(found.bySQLite > 5 && found.byComparison > 5, "\(found)")
    }

    @Test("A model whose file was deleted is named as gone, and built anew", arguments: [true, false])
    func deletedFile(isRunning: Bool) async throws {
        let folder = try Folder()
        let generations = Generations(folder: folder.path("model"))
        var plant = try await GrowingPlant(seed: 12, parts: 30)
        try await complete(&plant, generations)
        let running = isRunning ? try plant.projection(generations) : nil
        try FileManager.default.removeItem(atPath: generations.path(of: 1))
        let outcome = try await plant.rebuild(generations).run(clockUs: { 1 }, progress: { _ in })
        #expect(outcome.liveProblem == "\(generations.path(of: 1)) is gone")
        if let running {
            try generations.ask(.setAside(try #require(outcome.liveGeneration), "gone"))
            while generations.isAsked { _ = try await running.turn() }
        }
        let projection = try running ?? plant.projection(generations)
        _ = try await projection.settle(plant.log)
        #expect(try await Queries(path: generations.folder).tableDigests() == plant.expected())
        await projection.close()
    }

    private func flip(_ path: String, at place: Int) throws {
        let file = try #require(FileHandle(forUpdatingAtPath: path))
        try file.seek(toOffset: UInt64(place))
        let byte = try #require(try file.read(upToCount: 1)?.first)
        try file.seek(toOffset: UInt64(place))
        try file.write(contentsOf: [byte ^ 0x55])
        try file.close()
    }

    @Test("Killed at any step while a damaged model is replaced, the next start ends with a sound one")
    func crashesWhileReplacing() async throws {
        var steps = 0
        while true {
            let crash = CrashPoint(after: steps)
            let folder = try Folder()
            let sound = Generations(folder: folder.path("model"))
            var plant = try await GrowingPlant(seed: 4, parts: 30)
            try await complete(&plant, sound)
            try Data("not a database".utf8).write(to: URL(fileURLWithPath: sound.path(of: 1)))
            do {
                let projection = try plant.projection(Generations(folder: sound.folder) { try crash.pass($0) })
                _ = try await projection.settle(plant.log)
            } catch is CrashPoint.Crash {}
            let projection = try plant.projection(sound)
            _ = try await projection.settle(plant.log)
            #expect(try await Queries(path: sound.folder).tableDigests() == plant.expected(), "step \(steps)")
            await projection.close()
            guard crash.hasCrashed else { break }
            steps += 1
        }
        #expect(steps >= 3)
    }

    @Test("A damaged name of the active generation is not followed")
    func damagedName() async throws {
        let folder = try Folder()
        let generations = Generations(folder: folder.path("model"))
        var plant = try await GrowingPlant(seed: 2, parts: 30)
        try await complete(&plant, generations)
        try flip("\(generations.folder)/active", at: 80)
        #expect(throws: ReadModelFailure.self) { try Queries(path: generations.folder) }
        let projection = try plant.projection(generations)
        let happenings = try await projection.settle(plant.log)
        #expect(happenings.first == .building(2, .damage))
        #expect(try await Queries(path: generations.folder).tableDigests() == plant.expected())
        await projection.close()
    }

    @Test("The comparison says which rows of which table differ, by business key, at stated positions")
    func differences() async throws {
        let folder = try Folder()
        let generations = Generations(folder: folder.path("model"))
        var plant = try await GrowingPlant(seed: 8)
        try await complete(&plant, generations)
        try Database(path: generations.path(of: 1)).execute(
            """
            UPDATE part SET score = score + 1 WHERE key = (SELECT min(key) FROM part);
            DELETE FROM alarm WHERE alarm_id = (SELECT min(alarm_id) FROM alarm);
            INSERT INTO batch_closed VALUES ('B-none', 'line-9', 1, 0, 1, 1);
            """
        )
        let outcome = try await plant.rebuild(generations).run(clockUs: { 1 }, progress: { _ in })
        #expect(!outcome.isEqual && outcome.liveDigest.count == 64)
        #expect(outcome.differences.map(\.table).sorted() == ["alarm", "batch_closed", "part"])
        for difference in outcome.differences {
            switch difference.table {
            case "part":
                #expect(difference.changed == 1 && difference.onlyLive == 0 && difference.onlyRebuilt == 0)
                #expect(difference.examples == ["vision-0/1/0: changed"])
            case "alarm": #expect(difference.onlyRebuilt == 1 && difference.onlyLive == 0)
            default: #expect(difference.examples == ["B-none: only in the live model"])
            }
        }
        #expect(try Queries(path: outcome.path).positions().filter { $0.value > 0 } == outcome.positions)
    }

    @Test("M19: where parking fails for a while, the projection reads the batch again and loses nothing")
    func parksAgain() async throws {
        let folder = try Folder()
        let generations = Generations(folder: folder.path("model"))
        let plant = try await GrowingPlant(seed: 1, parts: 1)
        var writer = PartitionWriter(.alarms)
        try writer.takeOver(as: AlarmRecord.self)
        for _ in 0..<3 { writer.append(Array("not protobuf".utf8)) }
        try await plant.log.append(writer.records.map(\.record), to: writer.place)
        let projection = try plant.projection(generations)
        var tries = 0
        var parked: [Int64] = []
        for _ in 0..<20 {
            do {
                _ = try await projection.turn(wait: .zero) { unreadable in
                    tries += 1
                    if tries == 2 || tries == 5 { throw LogFailure.unavailable("away") }
                    if !parked.contains(unreadable.record.offset) { parked.append(unreadable.record.offset) }
                }
            } catch LogFailure.unavailable {
                #expect(projection.positions[writer.place] == 0)
            }
        }
        #expect(parked == [1, 2, 3])
        #expect(projection.positions[writer.place] == 4)
        await projection.close()
    }

    @Test("M19: a record is parked before its position moves; parked again after a failure, never passed over")
    func parksFirst() async throws {
        struct Away: Error {}
        let folder = try Folder()
        let model = try ReadModel(path: folder.path("m"), site: PartitionWriter.site)
        var writer = PartitionWriter(.alarms)
        try writer.takeOver(as: AlarmRecord.self)
        writer.append(Array("not protobuf".utf8))
        let before = model.positions
        await #expect(throws: Away.self) {
            try await model.apply(writer.records, nowUs: 1) { unreadable in
                #expect(unreadable.record.offset == 1)
                // What others see while the copy is made.
                #expect(try Queries(path: folder.path("m")).positions().isEmpty)
                throw Away()
            }
        }
        #expect(model.positions == before)
        var parked: [Int64] = []
        let applied = try await model.apply(writer.records, nowUs: 1) { parked.append($0.record.offset) }
        #expect(parked == [1] && applied.applied == 1)
        #expect(model.positions[writer.place] == 2)
    }
}
