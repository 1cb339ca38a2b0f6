/// What every implementation takes, so that a record that fits one log fits the log it is mirrored to.
package enum LogLimits {
    /// Key, value and headers of one record, bytes: below Kafka's default `message.max.bytes` of 1 MiB by enough for
    /// the framing of a batch.
    package static let recordBytes = 1_000_000
    /// One append.
    package static let batchRecords = 10_000
    /// Records of one append together, bytes.
    package static let batchBytes = 32 << 20
    /// What one `next` returns at most, bytes, beyond its first record.
    package static let readBytes = 4 << 20
    package static let partitions: Int32 = 1_024
    /// Kafka allows 249; `.`, `_`, `-` and alphanumerics.
    package static let topicLength = 200

    /// The bytes of the batch, once each record and the whole are known to fit.
    package static func check(_ records: [LogRecord]) throws(LogFailure) -> Int {
        precondition(!records.isEmpty, "nothing to append")
        var total = 0
        for record in records {
            guard record.byteCount <= recordBytes else {
                throw .recordTooLarge(bytes: record.byteCount, limit: recordBytes)
            }
            total += record.byteCount
        }
        guard total <= batchBytes, records.count <= batchRecords else {
            throw .recordTooLarge(bytes: total, limit: batchBytes)
        }
        return total
    }

    package static func check(topic: String, partitions count: Int32) throws(LogFailure) {
        let isNamed = !topic.isEmpty && topic.utf8.count <= topicLength && topic.utf8.first != UInt8(ascii: ".")
        let isPlain = topic.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                true
            default: false
            }
        }
        guard isNamed, isPlain, (1...partitions).contains(count) else {
            throw .badTopic(
                "\"\(topic)\" with \(count) partitions; expected 1 to \(topicLength) of a-z A-Z 0-9 . _ - "
                    + "and 1 to \(partitions) partitions"
            )
        }
    }

    /// Refuses a position that this log never gave: reading on would skip records silently.
    package static func check(_ offset: Int64, of place: TopicPartition, end: Int64) throws(LogFailure) {
        guard (0...end).contains(offset) else {
            throw .corrupt(
                "\(place): asked to read from offset \(offset), but the partition ends at \(end); "
                    + "was the log restored or replaced? rebuild from offset 0"
            )
        }
    }
}

extension LogRecord {
    /// What counts against `maximumRecordBytes`: key, value and headers.
    package var byteCount: Int {
        headers.reduce(key.count + value.count) { $0 + $1.name.utf8.count + $1.value.utf8.count }
    }
}
