import EventLog
import Foundation
import ReadModel
import SQLite
import SeededRandom
import Synchronization
import Testing

@Suite struct SwitchTests {
    @Test(
        "I5 M12: rebuilt and switched while records come in; every reader sees one whole model, and time goes on",
        arguments: 1...6
    )
    func switchesUnderReaders(seed: UInt64) async throws {
        let folder = try Folder()
        let generations = Generations(folder: folder.path("model"))
        var random = SplitMix64(seed: seed)
        var plant = try await GrowingPlant(seed: seed)
        let projection = try plant.projection(generations)
        let reader = try CriticalReader(generations.folder, plant.log, reference: folder.path("reference"))
        var asked = 0
        var switches = 0
        while !plant.isComplete || generations.isAsked {
            try await plant.grow()
            if !generations.isAsked, random.chance(0.25) {
                asked += 1
                if asked % 3 == 0, let previous = try generations.active()?.previous {
                    try generations.ask(.activate(previous, .rollback))
                } else {
                    let outcome = try await plant.rebuild(generations).run(clockUs: { 1 }, progress: { _ in })
                    #expect(outcome.isEqual, "seed \(seed): \(outcome.differences)")
                    try await plant.grow()
                    let switched = try await plant.rebuild(generations).generations.switchOver(
                        to: try #require(outcome.generation),
                        .rebuild,
                        log: plant.log,
                        site: PartitionWriter.site,
                        nowUs: 1
                    )
                    #expect(switched == .asked)
                }
            }
            for case .switched in try await projection.turn() { switches += 1 }
            if random.chance(0.4) { try await reader.look("seed \(seed)") }
        }
        _ = try await projection.settle(plant.log)
        try await reader.look("seed \(seed), at the end")
        #expect(try await Queries(path: generations.folder).tableDigests() == plant.expected())
        #expect(switches >= asked && asked > 0, "seed \(seed): \(switches) switches, \(asked) asked")
        let files = try FileManager.default.contentsOfDirectory(atPath: generations.folder)
        #expect(files.count { $0.hasSuffix(".sqlite") } <= Generations.kept, "I11: \(files)")
        await projection.close()
    }

    @Test("Readers on other threads always find a whole model while generations change", arguments: 1...2)
    func readersOnOtherThreads(seed: UInt64) async throws {
        let folder = try Folder()
        let generations = Generations(folder: folder.path("model"))
        var plant = try await GrowingPlant(seed: seed)
        let projection = try plant.projection(generations)
        let polled = Poll()
        let path = generations.folder
        Thread.detachNewThread { polled.run(path) }
        var round = 0
        while round < 12 || polled.generations < 3 && round < 1_000 {
            round += 1
            try await plant.grow()
            _ = try await projection.turn()
            let built = try await plant.rebuild(generations).run(clockUs: { 1 }, progress: { _ in })
            let reason: SwitchReason = round % 2 == 0 ? .rebuild : .rollback
            try generations.ask(.activate(try #require(built.generation), reason))
            while generations.isAsked { _ = try await projection.turn() }
        }
        await polled.stop()
        #expect(polled.problems == [])
        #expect(polled.generations >= 3, "after \(round) switches")
        await projection.close()
    }

    /// Asks again and again, on a thread of its own.
    private final class Poll: Sendable {
        private struct State {
            var isOver = false
            var hasStopped: CheckedContinuation<Void, Never>?
            var isDone = false
            var generations: Set<Int> = []
            var problems: [String] = []
        }

        private let state = Mutex(State())

        var generations: Int { state.withLock { $0.generations.count } }
        var problems: [String] { state.withLock { $0.problems } }

        func run(_ path: String) {
            var seen: [TopicPartition: Int64] = [:]
            while !state.withLock({ $0.isOver }) {
                do {
                    let queries = try Queries(path: path)
                    let positions = try queries.positions()
                    for (place, position) in seen where positions[place] ?? 0 < position {
                        state.withLock { $0.problems.append("\(place) went back from \(position)") }
                    }
                    seen = positions
                    _ = try queries.overview()
                    if let generation = queries.generation { state.withLock { _ = $0.generations.insert(generation) } }
                } catch {
                    state.withLock { $0.problems.append("\(error)") }
                }
            }
            let waiting = state.withLock { state in
                state.isDone = true
                return state.hasStopped
            }
            waiting?.resume()
        }

        func stop() async {
            await withCheckedContinuation { continuation in
                let isDone = state.withLock { state in
                    state.isOver = true
                    if !state.isDone { state.hasStopped = continuation }
                    return state.isDone
                }
                if isDone { continuation.resume() }
            }
        }
    }

    @Test("M01: killed at any step of a switch, the next start ends with the same model", arguments: 0...1)
    func crashesAtEachStep(isRollback: Int) async throws {
        var steps = 0
        while true {
            let crash = CrashPoint(after: steps)
            let folder = try Folder()
            var plant = try await GrowingPlant(seed: 7, parts: 30)
            try await plant.grow()
            let sound = Generations(folder: folder.path("model"))
            try await prepare(plant, sound)
            let hooked = Generations(folder: sound.folder) { try crash.pass($0) }
            do {
                let built = try await plant.rebuild(hooked).run(clockUs: { 1 }, progress: { _ in })
                try await plant.growAll()
                let projection = try plant.projection(hooked)
                let active = try #require(try hooked.active())
                try hooked.ask(
                    isRollback == 1
                        ? .activate(try #require(active.previous), .rollback)
                        : .activate(try #require(built.generation), .rebuild)
                )
                while hooked.isAsked { _ = try await projection.turn() }
            } catch is CrashPoint.Crash {}
            try await plant.growAll()
            // Between two steps a reader always finds a model.
            _ = try Queries(path: sound.folder).digest()
            let projection = try plant.projection(sound)
            _ = try await projection.settle(plant.log)
            while sound.isAsked { _ = try await projection.turn() }
            #expect(try await Queries(path: sound.folder).tableDigests() == plant.expected(), "step \(steps)")
            let files = try FileManager.default.contentsOfDirectory(atPath: sound.folder)
            #expect(!files.contains { $0.hasPrefix("building") || $0.hasSuffix(".new") }, "step \(steps): \(files)")
            await projection.close()
            guard crash.hasCrashed else { break }
            steps += 1
        }
        #expect(steps >= 4)
    }

    /// Two generations, so that there is one to go back to.
    private func prepare(_ plant: GrowingPlant, _ generations: Generations) async throws {
        let projection = try plant.projection(generations)
        _ = try await projection.settle(plant.log)
        let built = try await plant.rebuild(generations).run(clockUs: { 1 }, progress: { _ in })
        try generations.ask(.activate(try #require(built.generation), .rebuild))
        while generations.isAsked { _ = try await projection.turn() }
        await projection.close()
    }

    @Test("M01: killed at 100 random moments, the model is the same and nothing counts twice")
    func randomCrashes() async throws {
        let folder = try Folder()
        var random = SplitMix64(seed: 99)
        var plant = try await GrowingPlant(seed: 5, parts: 150)
        var path = folder.path("0")
        var projection: Projection? = try plant.projection(Generations(folder: path))
        var crashes = 0
        while !plant.isComplete || crashes < 100 {
            if random.chance(0.5) { try await plant.grow() }
            for _ in 0..<random.below(4) { _ = try await projection?.turn() }
            if random.chance(0.1), let projection, projection.status.next == nil {
                let built = try await plant.rebuild(Generations(folder: path)).run(clockUs: { 1 }, progress: { _ in })
                try Generations(folder: path).ask(.activate(try #require(built.generation), .rebuild))
            }
            crashes += 1
            let next = folder.path("\(crashes)")
            try crashImage(of: path, to: next)
            await projection?.close()
            projection = nil
            try FileManager.default.removeItem(atPath: path)
            path = next
            projection = try plant.projection(Generations(folder: path))
        }
        _ = try await projection?.settle(plant.log)
        #expect(try await Queries(path: path).tableDigests() == plant.expected())
        await projection?.close()
    }

    @Test("With the projector stopped the command switches itself, and goes back")
    func switchesOffline() async throws {
        let folder = try Folder()
        let generations = Generations(folder: folder.path("model"))
        var plant = try await GrowingPlant(seed: 3)
        try await plant.grow()
        try await prepare(plant, generations)
        let before = try #require(try generations.active())
        try await plant.growAll()
        let expected = try Queries(path: generations.folder).digest()
        let switched = try await generations.switchOver(
            to: try #require(before.previous),
            .rollback,
            log: plant.log,
            site: PartitionWriter.site,
            nowUs: 1
        )
        let active = try #require(try generations.active())
        #expect(switched == .done(active))
        #expect(active.generation == before.previous && active.previous == before.generation)
        // It reads on to where the model was, and leaves the rest to the projector.
        #expect(try Queries(path: generations.folder).digest() == expected)
        let projection = try plant.projection(generations)
        #expect(throws: ReadModelFailure.writerExists(path: generations.folder)) { try plant.projection(generations) }
        _ = try await projection.settle(plant.log)
        #expect(try await Queries(path: generations.folder).tableDigests() == plant.expected())
        await projection.close()
    }
}
