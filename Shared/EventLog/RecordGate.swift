package import PlantEvents

/// Tells of each stored record of a topic whether it counts: sound, decodable and from the writer in force.
package struct RecordGate<Record: TopicRecord>: Sendable {
    package enum Reading: Sendable {
        case accepted(Record)
        /// Accepted, but the writer's records numbered `missing` are not in the log.
        case acceptedAfterGap(Record, missing: Range<UInt64>)
        /// From a writer that had lost the partition, or a repeat: skip it.
        case void(reason: String)
        /// Damaged or not decodable: park it.
        case unreadable(reason: String)

        /// The record where it counts.
        package var record: Record? {
            switch self {
            case .accepted(let record), .acceptedAfterGap(let record, _): record
            case .void, .unreadable: nil
            }
        }
    }

    /// The fence of each partition after what was read so far; a snapshot keeps them with the positions.
    package private(set) var fences: [TopicPartition: Fence]

    package init(fences: [TopicPartition: Fence] = [:]) {
        self.fences = fences
    }

    package mutating func read(_ stored: StoredRecord) -> Reading {
        if let damage = stored.damage { return .unreadable(reason: damage) }
        let record: Record
        do {
            record = try Codec.decode(from: stored.record.value)
        } catch {
            return .unreadable(reason: error.description)
        }
        switch fences[stored.place, default: Fence()].admit(record.meta) {
        case .accepted: return .accepted(record)
        case .acceptedAfterGap(let expected, let found): return .acceptedAfterGap(record, missing: expected..<found)
        case .void(let reason): return .void(reason: reason)
        }
    }
}
