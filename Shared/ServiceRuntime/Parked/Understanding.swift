import EventLog
package import PlantEvents

/// What this build makes of a parked record.
package enum Understanding: Sendable {
    case understood(AnyRecord)
    /// Still not; the cause and the reason as of now.
    case not(ParkingCause, reason: String)

    /// - Parameter topic: full name of the topic that the record stands in.
    package init(topic: String, value: [UInt8]) {
        let record: AnyRecord
        do {
            record = try AnyRecord(fullTopic: topic, value: value)
        } catch {
            self = .not(.unreadable, reason: error.description)
            return
        }
        if let reason = record.notUnderstood {
            self = .not(.notUnderstood, reason: reason)
        } else {
            self = .understood(record)
        }
    }
}

extension AnyRecord {
    /// Decodes a value of the topic with this full name, parked topics among them.
    package init(fullTopic name: String, value: [UInt8]) throws(InvalidRecord) {
        guard let name = TopicName(name) else {
            throw InvalidRecord("topic \(name): expected \(TopicName.prefix).<site>.<topic>")
        }
        if name.topic.hasSuffix("-parked") {
            self = .parked(try Codec.decode(from: value))
        } else if let topic = Topic(rawValue: name.topic) {
            try self.init(topic: topic, value: value)
        } else {
            throw InvalidRecord("topic \(name.topic): not one that this build knows")
        }
    }
}
