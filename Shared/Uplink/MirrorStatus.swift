/// A run of source records that cannot be mirrored: readers of the target are told by the hole in the sequence numbers.
package struct MirrorGap: Codable, Equatable, Sendable {
    /// Source offset at which it begins.
    package var offset: Int64
    package var reason: String
}

/// How a partition's mirror stands.
package struct PartitionStatus: Codable, Equatable, Sendable {
    package enum State: String, Codable, Sendable {
        /// Looking for the place to go on.
        case locating
        /// Nothing at the source yet.
        case empty
        /// Everything the source had is at the target.
        case level
        /// Sending what waited.
        case draining
        /// A log does not answer or does not take records; tried again and again.
        case waiting
        /// Nothing is sent until a person has decided.
        case stopped
    }

    package var topic: String
    package var partition: Int32
    package var state = State.locating
    /// Why it waits or stopped; empty otherwise.
    package var reason = ""
    /// Source offset of the next record to send.
    package var sourceNext: Int64 = 0
    package var sourceEnd: Int64 = 0
    package var unsentRecords: Int64 = 0
    /// By the mean size of what this run has read.
    package var unsentBytesEstimated: Int64 = 0
    package var sentRecords: Int64 = 0
    package var sentBytes: Int64 = 0
    /// Newest origin known to be at the target, `site/topic/partition/epoch/sequence`; empty before the first.
    package var lastOrigin = ""
    /// Since when the target fails, microseconds; nil while it works.
    package var targetAwaySinceUs: Int64?
    /// Damaged source records passed over by this run.
    package var gapCount: Int64 = 0
    /// The newest of them.
    package var gaps: [MirrorGap] = []
    /// Times that the target's tail was looked at to find the place.
    package var relocations: Int64 = 0

    /// Whether it holds nothing up that time would bring.
    package var isSettled: Bool { state == .level || state == .empty || state == .stopped }
}

/// How a mirror stands as a whole.
package struct MirrorStatus: Codable, Equatable, Sendable {
    package var atUs: Int64
    package var partitions: [PartitionStatus]
    /// Topics that the source does not have yet.
    package var missingTopics: [String] = []
    /// Sent lately, a second.
    package var recordsPerSecond: Double = 0
    package var bytesPerSecond: Double = 0

    package init(atUs: Int64, partitions: [PartitionStatus], missingTopics: [String] = []) {
        self.atUs = atUs
        self.partitions = partitions
        self.missingTopics = missingTopics
    }

    package var unsentRecords: Int64 { partitions.reduce(0) { $0 + $1.unsentRecords } }
    package var unsentBytesEstimated: Int64 { partitions.reduce(0) { $0 + $1.unsentBytesEstimated } }
    package var sentRecords: Int64 { partitions.reduce(0) { $0 + $1.sentRecords } }
    package var sentBytes: Int64 { partitions.reduce(0) { $0 + $1.sentBytes } }
    /// The longest that any partition has been kept waiting by the target; nil while all get through.
    package var targetAwaySinceUs: Int64? { partitions.compactMap(\.targetAwaySinceUs).min() }
    package var stopped: [PartitionStatus] { partitions.filter { $0.state == .stopped } }
}

/// Records and bytes a second over the last `windowUs`, from totals noted now and then.
package struct Throughput: Sendable {
    private struct Sample {
        let atUs: Int64
        let records: Int64
        let bytes: Int64
    }

    private static let sampleLimit = 64
    private let windowUs: Int64
    private var samples: [Sample] = []

    package init(windowUs: Int64 = 10_000_000) {
        self.windowUs = windowUs
    }

    package mutating func note(records: Int64, bytes: Int64, atUs: Int64) {
        if let last = samples.last, atUs < last.atUs { samples = [] }
        samples.removeAll { $0.atUs < atUs - windowUs }
        guard samples.last.map({ atUs - $0.atUs >= windowUs / Int64(Self.sampleLimit) }) ?? true else { return }
        samples.append(Sample(atUs: atUs, records: records, bytes: bytes))
    }

    /// 0 before two samples are there.
    package var perSecond: (records: Double, bytes: Double) {
        guard let first = samples.first, let last = samples.last, last.atUs > first.atUs else { return (0, 0) }
        let seconds = Double(last.atUs - first.atUs) / 1e6
        return (Double(last.records - first.records) / seconds, Double(last.bytes - first.bytes) / seconds)
    }
}
