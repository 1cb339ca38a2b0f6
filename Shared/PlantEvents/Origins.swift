/// The stream an origin belongs to: the records of one partition, whoever wrote them and wherever they are read.
package struct OriginStream: Hashable, Sendable, Codable, Comparable {
    package var site: String
    package var topic: String
    package var partition: UInt32

    package init(site: String, topic: String, partition: UInt32) {
        self.site = site
        self.topic = topic
        self.partition = partition
    }

    package static func < (left: Self, right: Self) -> Bool {
        (left.site, left.topic, left.partition) < (right.site, right.topic, right.partition)
    }
}

/// A place in a stream: origins compare by epoch, then by sequence.
package struct OriginMark: Hashable, Sendable, Codable, Comparable {
    package var epoch: UInt64
    package var sequence: UInt64

    package init(epoch: UInt64, sequence: UInt64) {
        self.epoch = epoch
        self.sequence = sequence
    }

    package static func < (left: Self, right: Self) -> Bool {
        (left.epoch, left.sequence) < (right.epoch, right.sequence)
    }
}

extension Origin {
    package var stream: OriginStream { OriginStream(site: site, topic: topic, partition: partition) }
    package var mark: OriginMark { OriginMark(epoch: epoch, sequence: sequence) }

    /// `site/topic/partition/epoch/sequence`: the origin as one word.
    package var text: String { "\(site)/\(topic)/\(partition)/\(epoch)/\(sequence)" }
}

/// How far each stream has been handled: repeats are recognised with one mark a stream, however long the history.
package struct HighWater: Equatable, Sendable, Codable {
    package private(set) var marks: [OriginStream: OriginMark] = [:]
    /// Records that were set aside and handled again later, oldest first: for them the mark says nothing.
    private var redriven: [OriginStream: [OriginMark]] = [:]

    /// Re-driven records remembered for each stream. Its reader notes each as done before it hands the next one on, so
    /// that a crash leaves the newest in doubt only.
    package static let redrivenKept = 1_024

    package init() {}

    /// Whether the record named by `origin` was handled before.
    package func covers(_ origin: Origin) -> Bool {
        guard let mark = marks[origin.stream] else { return false }
        return origin.mark <= mark
    }

    /// Notes that everything up to `origin` is handled.
    package mutating func raise(to origin: Origin) {
        guard !covers(origin) else { return }
        marks[origin.stream] = origin.mark
    }

    /// Whether the record named by `origin`, which was set aside, was handled by a re-drive since.
    package func coversRedriven(_ origin: Origin) -> Bool {
        redriven[origin.stream]?.contains(origin.mark) ?? false
    }

    /// Notes that a record that was set aside is handled after all, whatever came after it in the meantime.
    package mutating func noteRedriven(_ origin: Origin) {
        guard !coversRedriven(origin) else { return }
        redriven[origin.stream, default: []].append(origin.mark)
        if redriven[origin.stream, default: []].count > Self.redrivenKept { redriven[origin.stream]?.removeFirst() }
        raise(to: origin)
    }
}

/// Which records others name as their cause, and which were read: what is named and was not read is lost, even where
/// nothing after it is left to tell of a hole (I8). One mark a stream, however long the history.
package struct CitedOrigins: Sendable {
    private var read = HighWater()
    private var cited: [OriginStream: (origin: Origin, place: String)] = [:]

    package init() {}

    /// - Parameters:
    ///   - place: Where the record is, as it is told.
    ///   - citing: Whether its cause must be there too.
    package mutating func note(_ meta: Meta, at place: String, citing: Bool = true) {
        read.raise(to: meta.origin)
        guard citing, meta.hasCause else { return }
        if let known = cited[meta.cause.stream], known.origin.mark >= meta.cause.mark { return }
        cited[meta.cause.stream] = (meta.cause, place)
    }

    /// The newest cause of each stream that is beyond all that was read of it, and where it is named; in the order of
    /// streams.
    package var missing: [(origin: Origin, place: String)] {
        cited.values.filter { !read.covers($0.origin) }.sorted { $0.origin.stream < $1.origin.stream }
    }
}

/// Decides for one partition which records count: after a takeover, what older writers still append is void.
package struct Fence: Equatable, Sendable, Codable {
    package enum Admission: Equatable, Sendable {
        case accepted
        /// From a writer that had lost the partition; every reader skips it.
        case void(reason: String)
        /// Accepted, but records before it are missing: sequence numbers `expected ..< found` of its epoch.
        case acceptedAfterGap(expected: UInt64, found: UInt64)
    }

    private var epoch: UInt64 = 0
    private var instance = ""
    private var nextSequence: UInt64 = 0

    package init() {}

    /// The fence as it stood when a record was set aside.
    package init(epoch: UInt64, instance: String, nextSequence: UInt64) {
        self.epoch = epoch
        self.instance = instance
        self.nextSequence = nextSequence
    }

    /// The number that the owner's next record has.
    package var expectedSequence: UInt64 { nextSequence }
    /// The epoch in force; 0 before the first record.
    package var currentEpoch: UInt64 { epoch }
    /// The writer run that owns the epoch in force.
    package var currentInstance: String { instance }

    package mutating func admit(_ meta: Meta) -> Admission {
        let origin = meta.origin
        if origin.epoch > epoch {
            let expected: UInt64 = 0
            epoch = origin.epoch
            instance = meta.producer.instance
            nextSequence = origin.sequence + 1
            return origin.sequence == expected
                ? .accepted : .acceptedAfterGap(expected: expected, found: origin.sequence)
        }
        if origin.epoch < epoch {
            return .void(reason: "epoch \(origin.epoch) ended when epoch \(epoch) took over")
        }
        if meta.producer.instance != instance {
            return .void(reason: "epoch \(epoch) belongs to \(instance), which took over first")
        }
        if origin.sequence < nextSequence { return .void(reason: "sequence \(origin.sequence) is a repeat") }
        let expected = nextSequence
        nextSequence = origin.sequence + 1
        return origin.sequence == expected ? .accepted : .acceptedAfterGap(expected: expected, found: origin.sequence)
    }
}
