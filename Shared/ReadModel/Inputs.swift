import EventLog
import Foundation
package import PlantEvents
import SQLite

/// Sequence numbers `expected ..< found` of a stream's epoch never came: records are missing.
package struct OriginGap: Hashable, Sendable, Codable {
    package let stream: OriginStream
    package let epoch: UInt64
    package let expected: UInt64
    package let found: UInt64

    package init(stream: OriginStream, epoch: UInt64, expected: UInt64, found: UInt64) {
        self.stream = stream
        self.epoch = epoch
        self.expected = expected
        self.found = found
    }
}

/// How far each input has been read, and which of its records count.
///
/// The fence of a stream is its high-water mark too: epoch and next sequence, one mark however long the history.
final class Inputs {
    /// What was done with the records of one input partition.
    struct Counters: Equatable {
        var nextOffset: Int64 = 0
        var applied: Int64 = 0
        var events: Int64 = 0
        var void: Int64 = 0
        var repeats: Int64 = 0
        var unknown: Int64 = 0
        var parked: Int64 = 0
    }

    /// One input partition while it is read.
    final class Input {
        let place: TopicPartition
        /// Nil when it is none of this site's topics.
        let topic: Topic?
        /// The topic as origins name it.
        let topicName: [UInt8]
        @exclusivity(unchecked) var counters = Counters()
        /// The stream of the record before.
        @exclusivity(unchecked) var stream: (partition: Int64, stream: Stream)?
        var isTouched = false

        init(place: TopicPartition, topic: Topic?) {
            self.place = place
            self.topic = topic
            topicName = Array((topic?.rawValue ?? "").utf8)
        }
    }

    enum Admission {
        case accepted
        case acceptedAfterGap(OriginGap)
        case void
        case `repeat`
    }

    /// The fence of one stream. Records that simply follow one another are counted here and told to the fence when it
    /// is asked next, which comes to the same and costs nothing for each record.
    final class Stream {
        private let meta: Meta
        private var fence: Fence
        @exclusivity(unchecked) private var instance: [UInt8]
        @exclusivity(unchecked) private var epoch: UInt64
        @exclusivity(unchecked) private var lastSequence: UInt64?
        @exclusivity(unchecked) private var isBehind = false

        init(_ meta: Meta, _ fence: Fence) {
            self.meta = meta
            self.fence = fence
            instance = Array(fence.currentInstance.utf8)
            epoch = fence.currentEpoch
        }

        func admit(_ view: MetaView) -> Admission {
            if let last = lastSequence, view.sequence == last + 1, view.epoch == epoch, view.instance.equals(instance) {
                lastSequence = view.sequence
                isBehind = true
                return .accepted
            }
            return ask(view)
        }

        private func ask(_ view: MetaView) -> Admission {
            var fence = current()
            let instance = view.instance.text
            let admission = fence.admit(named(view.epoch, view.sequence, instance))
            let isOwn = view.epoch == fence.currentEpoch && instance == fence.currentInstance
            self.fence = fence
            switch admission {
            case .void: return isOwn ? .repeat : .void
            case .accepted:
                follow(view)
                return .accepted
            case .acceptedAfterGap(let expected, let found):
                follow(view)
                return .acceptedAfterGap(
                    OriginGap(stream: meta.origin.stream, epoch: view.epoch, expected: expected, found: found)
                )
            }
        }

        private func follow(_ view: MetaView) {
            epoch = view.epoch
            instance = [UInt8](view.instance)
            lastSequence = view.sequence
        }

        /// The fence as if it had been asked about every record.
        func current() -> Fence {
            if isBehind, let last = lastSequence {
                _ = fence.admit(named(epoch, last, fence.currentInstance))
                isBehind = false
            }
            return fence
        }

        private func named(_ epoch: UInt64, _ sequence: UInt64, _ instance: String) -> Meta {
            var named = meta
            named.origin.epoch = epoch
            named.origin.sequence = sequence
            named.producer.instance = instance
            return named
        }
    }

    private struct StreamKey: Hashable {
        let topic: Topic
        let partition: Int64
    }

    private let site: String
    private var inputs: [TopicPartition: Input] = [:]
    private var streams: [StreamKey: Stream] = [:]
    private var changed: Set<StreamKey> = []
    private let putInput, putFence, putGap: Statement
    private let database: Database

    init(_ database: Database, site: String) throws {
        self.database = database
        self.site = site
        putInput = try database.prepare(
            """
            INSERT OR REPLACE INTO input(topic, partition, next_offset, applied, events, void, repeats, unknown, parked)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
            """
        )
        putFence = try database.prepare("INSERT OR REPLACE INTO fence(topic, partition, state) VALUES (?, ?, ?)")
        putGap = try database.prepare(
            "INSERT OR IGNORE INTO gap(topic, partition, epoch, expected, found) VALUES (?, ?, ?, ?, ?)"
        )
        try load()
    }

    private func load() throws {
        for topic in Topic.written {
            _ = input(of: TopicPartition(TopicName(site: site, topic: topic).description))
        }
        let rows = try database.prepare(
            "SELECT topic, partition, next_offset, applied, events, void, repeats, unknown, parked FROM input"
        )
        while try rows.step() {
            let place = TopicPartition(rows.text(0), Int32(truncatingIfNeeded: rows.int(1)))
            input(of: place).counters = Counters(
                nextOffset: rows.int(2),
                applied: rows.int(3),
                events: rows.int(4),
                void: rows.int(5),
                repeats: rows.int(6),
                unknown: rows.int(7),
                parked: rows.int(8)
            )
        }
        let fences = try database.prepare("SELECT topic, partition, state FROM fence")
        while try fences.step() {
            guard let topic = Topic(rawValue: fences.text(0)) else {
                throw ReadModelFailure.damaged("fence: unknown topic \(fences.text(0))")
            }
            let fence: Fence
            do {
                fence = try JSONDecoder().decode(Fence.self, from: Data(fences.text(2).utf8))
            } catch {
                throw ReadModelFailure.damaged("fence of \(topic.rawValue)/\(fences.int(1)): \(error)")
            }
            streams[StreamKey(topic: topic, partition: fences.int(1))] = stream(topic, fences.int(1), fence)
        }
    }

    private func stream(_ topic: Topic, _ partition: Int64, _ fence: Fence) -> Stream {
        var meta = Meta()
        meta.origin.site = site
        meta.origin.topic = topic.rawValue
        meta.origin.partition = UInt32(truncatingIfNeeded: partition)
        return Stream(meta, fence)
    }

    var positions: [TopicPartition: Int64] { inputs.mapValues(\.counters.nextOffset) }

    /// The input that records of `place` belong to.
    func input(of place: TopicPartition) -> Input {
        if let input = inputs[place] { return input }
        let topic = TopicName(place.topic).flatMap { $0.site == site ? Topic(rawValue: $0.topic) : nil }
        let input = Input(place: place, topic: topic)
        inputs[place] = input
        return input
    }

    /// The stream of a record's origin; its fence is stored with the batch.
    func stream(_ topic: Topic, _ partition: Int64) -> Stream {
        let key = StreamKey(topic: topic, partition: partition)
        changed.insert(key)
        if let stream = streams[key] { return stream }
        let stream = stream(topic, partition, Fence())
        streams[key] = stream
        return stream
    }

    func note(_ gap: OriginGap) throws {
        try putGap.run([
            .text(gap.stream.topic), .int(Int64(gap.stream.partition)), .int(Int64(gap.epoch)),
            .int(Int64(gap.expected)), .int(Int64(gap.found)),
        ])
    }

    /// Writes what changed, within the caller's transaction.
    func store() throws {
        for (place, input) in inputs where input.isTouched {
            input.isTouched = false
            input.stream = nil
            let row = input.counters
            try putInput.run([
                .text(place.topic), .int(Int64(place.partition)), .int(row.nextOffset), .int(row.applied),
                .int(row.events), .int(row.void), .int(row.repeats), .int(row.unknown), .int(row.parked),
            ])
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        for key in changed {
            guard let fence = streams[key]?.current() else { continue }
            let state = String(decoding: try encoder.encode(fence), as: UTF8.self)
            try putFence.run([.text(key.topic.rawValue), .int(key.partition), .text(state)])
        }
        changed.removeAll(keepingCapacity: true)
    }
}
