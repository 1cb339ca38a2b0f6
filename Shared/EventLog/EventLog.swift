/// A partition of a topic in a log, by the topic's full name.
package struct TopicPartition: Hashable, Sendable, Codable, Comparable, CustomStringConvertible {
    package let topic: String
    package let partition: Int32

    package init(_ topic: String, _ partition: Int32 = 0) {
        self.topic = topic
        self.partition = partition
    }

    package static func < (left: Self, right: Self) -> Bool {
        (left.topic, left.partition) < (right.topic, right.partition)
    }

    package var description: String { "\(topic)/\(partition)" }
}

/// A record header, as Kafka has them.
package struct LogHeader: Hashable, Sendable {
    package let name: String
    package let value: String

    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

/// A record on its way into the log.
package struct LogRecord: Equatable, Sendable {
    package var key: [UInt8]
    package var value: [UInt8]
    package var headers: [LogHeader]

    package init(key: [UInt8], value: [UInt8], headers: [LogHeader] = []) {
        self.key = key
        self.value = value
        self.headers = headers
    }
}

/// A record as the log holds it.
package struct StoredRecord: Equatable, Sendable {
    package let place: TopicPartition
    /// Position in the partition; it means something in this log only.
    package let offset: Int64
    /// When the log took it, microseconds since 1970.
    package let appendedAtUs: Int64
    package let record: LogRecord
    /// Set when the stored bytes are not what was appended: this record's (checksum), or those of a whole range of
    /// offsets beginning with this one, which it names. The reader parks it and goes on.
    package let damage: String?

    package init(place: TopicPartition, offset: Int64, appendedAtUs: Int64, record: LogRecord, damage: String? = nil) {
        self.place = place
        self.offset = offset
        self.appendedAtUs = appendedAtUs
        self.record = record
        self.damage = damage
    }
}

/// Why the log did not do what was asked, and so what the caller does next.
package enum LogFailure: Error, Equatable, CustomStringConvertible {
    /// The log cannot be reached just now: keep the records and try again.
    case unavailable(String)
    /// The disk or quota is full: keep the records, tell someone, try again.
    case full(String)
    /// This record, or all records of the call together, will never fit.
    case recordTooLarge(bytes: Int, limit: Int)
    /// Another process writes this topic.
    case writerExists(String)
    /// No such topic or partition.
    case unknown(TopicPartition)
    /// The stored form is damaged beyond reading on.
    case corrupt(String)
    /// The address of the log is not understood.
    case badAddress(String)
    /// The log does not let this client in, or not do this: certificate, password or right.
    case denied(String)
    /// Not a topic that every log can hold.
    case badTopic(String)
    /// The log was closed.
    case closed

    /// Whether the same call may succeed later.
    package var isRetriable: Bool {
        switch self {
        case .unavailable, .full: true
        case .recordTooLarge, .writerExists, .unknown, .corrupt, .badAddress, .denied, .badTopic, .closed: false
        }
    }

    package var description: String {
        switch self {
        case .unavailable(let detail): "log unavailable: \(detail)"
        case .full(let detail): "log full: \(detail)"
        case .recordTooLarge(let bytes, let limit): "\(bytes) bytes to append; the log takes at most \(limit)"
        case .writerExists(let detail): "another process writes here: \(detail)"
        case .unknown(let place): "no such topic or partition: \(place)"
        case .corrupt(let detail): "log damaged: \(detail)"
        case .badAddress(let detail):
            "log address not understood: \(detail); expected embedded:DIR, memory: or kafka://host:port,…"
        case .denied(let detail): "log does not allow it: \(detail)"
        case .badTopic(let detail): "not a topic: \(detail)"
        case .closed: "log closed"
        }
    }
}

/// Where every event goes first: topics of partitions of records in append order.
///
/// One contract suite (`Tests/ContractTests`) holds every implementation to this:
/// - `append` returns when the records are durable, in the order of the calls for one partition. The records of a call
///   become visible as a prefix: a reader never sees a later record without the earlier ones.
/// - A call that failed with a retriable failure may have landed, wholly or as a prefix, or may land later, before
///   anything appended after it. Append the same records again; readers recognise the repeat by its origin.
/// - Offsets of a partition begin at 0 and have no holes that a reader notices: readers see them ascending.
/// - A reader reads while others append, in other processes too, and never holds a writer up.
/// - A position beyond the end is refused, never read as if it were the end.
/// - Everything is bounded: record size (`maximumRecordBytes`), batch size, the bytes a reader buffers (`LogLimits`).
package protocol EventLog: Sendable {
    /// The largest record that fits: key, value and headers, bytes.
    var maximumRecordBytes: Int { get }
    /// Makes sure that the topic exists; an existing one keeps its partitions.
    func create(topic: String, partitions: Int32) async throws(LogFailure)
    /// All topics of this log, sorted.
    func topics() async throws(LogFailure) -> [String]
    /// How many partitions the topic has.
    func partitionCount(of topic: String) async throws(LogFailure) -> Int32
    /// Appends and waits until durable; returns the offset of the first record.
    @discardableResult
    func append(_ records: [LogRecord], to place: TopicPartition) async throws(LogFailure) -> Int64
    /// The offset that the next record of the partition will get.
    func endOffset(of place: TopicPartition) async throws(LogFailure) -> Int64
    /// Opens a reader of exactly these partitions, each from the given offset on.
    func reader(from positions: [TopicPartition: Int64]) async throws(LogFailure) -> any LogReader
    /// Ends all readers and waits for appends under way.
    func close() async
}

/// Reads a fixed set of partitions forward; one caller at a time.
package protocol LogReader: Sendable {
    /// Up to `max` records, in order within each partition; empty when none came within `wait`.
    func next(max: Int, wait: Duration) async throws(LogFailure) -> [StoredRecord]
    /// Stops reading; a waiting `next` returns or throws `closed`.
    func close() async
}
