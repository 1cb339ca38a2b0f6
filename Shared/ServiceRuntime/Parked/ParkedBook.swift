package import EventLog
package import PlantEvents

/// What a service has parked and what became of it, as its parked topic tells: offsets only, in little memory.
struct ParkedBook: Sendable {
    /// Every offset that was ever parked, and of them those that were handled or given up since.
    private var parked: [TopicPartition: OffsetSet] = [:]
    private var closed: [TopicPartition: OffsetSet] = [:]
    private(set) var held = HeldSubjects()
    /// Bytes of all records that were parked whole.
    private(set) var wholeBytes: Int64 = 0

    mutating func take(_ kind: ParkedRecord.Event.OneOf_Kind) {
        switch kind {
        case .recordParked(let event):
            wholeBytes += Int64(event.key.count + event.value.count)
            for offset in event.offsets {
                let isNew = parked[event.place, default: OffsetSet()].insert(offset)
                if isNew, event.cause.holdsSubject { held.add(event.subject, event.place, offset) }
            }
        case .recordRedriven(let event): close(event.place, event.sourceOffset)
        case .recordDiscarded(let event): close(event.place, event.sourceOffset)
        case .writerTookOver: break
        }
    }

    func wasParked(_ place: TopicPartition, _ offset: Int64) -> Bool { parked[place]?.contains(offset) ?? false }

    func isOpen(_ place: TopicPartition, _ offset: Int64) -> Bool {
        wasParked(place, offset) && !(closed[place]?.contains(offset) ?? false)
    }

    var openCount: Int64 {
        parked.values.reduce(0) { $0 + $1.count } - closed.values.reduce(0) { $0 + $1.count }
    }

    private mutating func close(_ place: TopicPartition, _ offset: Int64) {
        guard wasParked(place, offset) else { return }
        closed[place, default: OffsetSet()].insert(offset)
        held.release(place, offset)
    }
}

extension RecordParked {
    package var place: TopicPartition { TopicPartition(sourceTopic, Int32(truncatingIfNeeded: sourcePartition)) }

    /// All records that it speaks of.
    package var offsets: [Int64] {
        furtherOffsets.reduce(into: [sourceOffset]) { $0.append(($0.last ?? 0) &+ Int64(truncatingIfNeeded: $1)) }
    }
}

extension RecordRedriven {
    package var place: TopicPartition { TopicPartition(sourceTopic, Int32(truncatingIfNeeded: sourcePartition)) }
}

extension RecordDiscarded {
    package var place: TopicPartition { TopicPartition(sourceTopic, Int32(truncatingIfNeeded: sourcePartition)) }
}
