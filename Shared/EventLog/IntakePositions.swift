package import PlantEvents

/// How far a service has read its inputs, with each partition's fence.
package struct IntakePositions: Codable, Sendable, Equatable {
    package struct Partition: Codable, Sendable, Equatable {
        /// The next offset to read.
        package var nextOffset: Int64 = 0
        package var fence = Fence()

        package init() {}
    }

    /// What an input record is to its reader.
    package enum Reading: Sendable {
        case accepted(AnyRecord)
        /// Accepted, but the writer's records numbered `missing` are not in the log.
        case acceptedAfterGap(AnyRecord, missing: Range<UInt64>)
        /// From a writer that had lost the partition, or a repeat: skip it.
        case void(reason: String)
        /// Damaged or not decodable: park it, and only then take `position` on.
        case unreadable(reason: String)
    }

    package var partitions: [TopicPartition: Partition] = [:]

    package init() {}
}

extension IntakePositions.Partition {
    /// Tells whether a record of this partition counts, and goes on after it.
    package mutating func read(_ stored: StoredRecord, as topic: Topic) -> IntakePositions.Reading {
        read(stored) { value throws(InvalidRecord) in try AnyRecord(topic: topic, value: value) }
    }

    /// As above, for a `<service>-parked` topic.
    package mutating func readParked(_ stored: StoredRecord) -> IntakePositions.Reading {
        read(stored) { value throws(InvalidRecord) in .parked(try Codec.decode(from: value)) }
    }

    private mutating func read(
        _ stored: StoredRecord,
        _ decode: ([UInt8]) throws(InvalidRecord) -> AnyRecord
    ) -> IntakePositions.Reading {
        nextOffset = stored.offset + 1
        let record: AnyRecord
        do {
            if let damage = stored.damage { throw InvalidRecord("stored bytes are damaged: \(damage)") }
            record = try decode(stored.record.value)
        } catch {
            return .unreadable(reason: "\(error)")
        }
        return switch fence.admit(record.meta) {
        case .accepted: .accepted(record)
        case .acceptedAfterGap(let expected, let found): .acceptedAfterGap(record, missing: expected..<found)
        case .void(let reason): .void(reason: reason)
        }
    }
}
