import Foundation
import PlantEvents
import SeededRandom
import Testing

/// Numbers records the way a writer does.
private struct Writer {
    let epoch: UInt64
    let instance: String
    var sequence: UInt64 = 0

    mutating func next(topic: String = "frames", partition: UInt32 = 0) -> Meta {
        var meta = Meta()
        meta.origin.site = "berlin"
        meta.origin.topic = topic
        meta.origin.partition = partition
        meta.origin.epoch = epoch
        meta.origin.sequence = sequence
        meta.producer.instance = instance
        sequence += 1
        return meta
    }
}

/// The run that owns an epoch; a run may lose the partition and take it over again.
private func owner(of epoch: UInt64) -> String { "run-\(epoch % 2)" }

/// What the owners of a partition wrote, epoch after epoch, without gaps.
private func ownersLog(
    epochs: Int,
    topic: String = "frames",
    partition: UInt32 = 0,
    _ random: inout SplitMix64
) -> [Meta] {
    (1...epochs).flatMap { epoch in
        var writer = Writer(epoch: UInt64(epoch), instance: owner(of: UInt64(epoch)))
        return (0..<Int.random(in: 1...12, using: &random)).map { _ in writer.next(topic: topic, partition: partition) }
    }
}

@Suite struct HighWaterTests {
    /// Readers may see partitions interleaved in any way and start again anywhere before their position: each record is
    /// handled once, in the stream's order.
    @Test(arguments: UInt64(1)...200)
    func interleavingAndRepeatsDoNotMatter(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let streams = (0..<4).map {
            ownersLog(epochs: 3, topic: $0 < 2 ? "frames" : "alarms", partition: UInt32($0 % 2), &random)
        }
        var positions = [Int](repeating: 0, count: streams.count)
        var mark = HighWater()
        var handled = [[Origin]](repeating: [], count: streams.count)
        var steps = 0
        while positions.indices.contains(where: { positions[$0] < streams[$0].count }) {
            let stream = Int.random(in: 0..<streams.count, using: &random)
            steps += 1
            if steps < 400, Int.random(in: 0..<10, using: &random) == 0 {
                positions[stream] = Int.random(in: 0...positions[stream], using: &random)
            }
            guard positions[stream] < streams[stream].count else { continue }
            let origin = streams[stream][positions[stream]].origin
            positions[stream] += 1
            guard !mark.covers(origin) else { continue }
            mark.raise(to: origin)
            handled[stream].append(origin)
        }
        #expect(handled == streams.map { $0.map(\.origin) })
        #expect(mark.marks.count == streams.count, "one mark a stream")
    }

    @Test func marksNeverFall() {
        var writer = Writer(epoch: 2, instance: "a")
        let early = writer.next().origin
        let late = writer.next().origin
        var mark = HighWater()
        #expect(!mark.covers(early))
        mark.raise(to: late)
        mark.raise(to: early)
        #expect(mark.covers(late) && mark.marks[late.stream] == late.mark)
        var older = late
        older.epoch = 1
        older.sequence = 900
        #expect(mark.covers(older), "a lower epoch lies before, whatever its sequence")
        var elsewhere = early
        elsewhere.partition = 1
        #expect(!mark.covers(elsewhere))
    }

    @Test func survivesASnapshot() throws {
        var random = SplitMix64(seed: 7)
        var mark = HighWater()
        for meta in ownersLog(epochs: 3, &random) { mark.raise(to: meta.origin) }
        #expect(try JSONDecoder().decode(HighWater.self, from: JSONEncoder().encode(mark)) == mark)
    }
}

@Suite struct FenceTests {
    /// The owners' log with what does not count put between: writers that lost the partition, rivals of the same epoch
    /// that came second, and repeats.
    private func withNoise(_ owners: [Meta], _ random: inout SplitMix64) -> [Meta] {
        var log: [Meta] = []
        var zombies: [UInt64: Writer] = [:]
        for meta in owners {
            log.append(meta)
            let epoch = meta.origin.epoch
            for _ in 0..<Int.random(in: 0...2, using: &random) {
                switch Int.random(in: 0..<3, using: &random) {
                case 0 where epoch > 1:
                    let lost = UInt64.random(in: 1..<epoch, using: &random)
                    var zombie = zombies[lost] ?? Writer(epoch: lost, instance: owner(of: lost), sequence: 12)
                    log.append(zombie.next())
                    zombies[lost] = zombie
                case 1:
                    var rival = Writer(epoch: epoch, instance: "rival", sequence: meta.origin.sequence &+ 1)
                    log.append(rival.next())
                default:
                    log.append(log[Int.random(in: 0..<log.count, using: &random)])
                }
            }
        }
        return log
    }

    /// What the fence lets through, with or without a gap before it.
    private func accepted(_ log: [Meta], by fence: inout Fence) -> [Origin] {
        log.filter { meta in
            if case .void = fence.admit(meta) { return false }
            return true
        }
        .map(\.origin)
    }

    @Test(arguments: UInt64(1)...200)
    func zombiesRivalsAndRepeatsAreVoid(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let owners = ownersLog(epochs: 4, &random)
        let log = withNoise(owners, &random)
        var fence = Fence()
        #expect(accepted(log, by: &fence) == owners.map(\.origin))
        #expect(fence.currentEpoch == 4 && fence.currentInstance == owner(of: 4))

        // A reader that restarts from a snapshot at any place, and reads again from any place before it, sees the same.
        let stop = Int.random(in: 0...log.count, using: &random)
        var first = Fence()
        let before = accepted(Array(log[..<stop]), by: &first)
        var second = try JSONDecoder().decode(Fence.self, from: JSONEncoder().encode(first))
        let after = accepted(Array(log[Int.random(in: 0...stop, using: &random)...]), by: &second)
        #expect(before + after == owners.map(\.origin))
        #expect(second == fence)
    }

    @Test(arguments: UInt64(1)...50)
    func aMissingRecordIsNamed(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var writer = Writer(epoch: 3, instance: "a")
        var log = (0..<10).map { _ in writer.next() }
        let from = Int.random(in: 0..<9, using: &random)
        let to = Int.random(in: from + 1...9, using: &random)
        log.removeSubrange(from..<to)
        var fence = Fence()
        for (index, meta) in log.enumerated() {
            let expected: Fence.Admission =
                index == from ? .acceptedAfterGap(expected: UInt64(from), found: UInt64(to)) : .accepted
            #expect(fence.admit(meta) == expected)
        }
    }

    @Test func theFirstOfTwoEqualEpochsWins() {
        var first = Writer(epoch: 1, instance: "first")
        var second = Writer(epoch: 1, instance: "second")
        var fence = Fence()
        #expect(fence.admit(first.next()) == .accepted)
        #expect(fence.admit(second.next()) == .void(reason: "epoch 1 belongs to first, which took over first"))
        #expect(fence.admit(first.next()) == .accepted)
    }
}

@Suite struct CitedOriginsTests {
    @Test("I8: what others name as their cause and is not there is told, with who names it")
    func lostCausesAreTold() {
        var frames = Writer(epoch: 1, instance: "camera")
        var alarms = Writer(epoch: 1, instance: "alerting")
        let causes = (0..<4).map { _ in frames.next() }
        var cited = CitedOrigins()
        for (index, cause) in causes.enumerated() {
            if index < 3 { cited.note(cause, at: "frames/\(index)") }
            var effect = alarms.next(topic: "alarms")
            effect.cause = cause.origin
            cited.note(effect, at: "alarms/\(index)", citing: index < 3)
        }
        #expect(cited.missing.isEmpty)
        var effect = alarms.next(topic: "alarms")
        effect.cause = causes[3].origin
        cited.note(effect, at: "alarms/4")
        #expect(cited.missing.map(\.origin) == [causes[3].origin])
        #expect(cited.missing.map(\.place) == ["alarms/4"])
        cited.note(causes[3], at: "frames/3")
        #expect(cited.missing.isEmpty)
    }
}
