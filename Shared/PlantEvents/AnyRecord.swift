/// A record of any topic that services read, decoded by the topic it stands in.
package enum AnyRecord: Sendable {
    case frames(FrameRecord)
    case inspections(InspectionRecord)
    case production(ProductionRecord)
    case materials(MaterialRecord)
    case deliveries(DeliveryRecord)
    case alarms(AlarmRecord)
    case decisions(DecisionRecord)
    /// Of a `<service>-parked` topic, which `Topic` does not list: each service has its own.
    case parked(ParkedRecord)

    /// Decodes a value of `topic`; topics without a running writer have no records yet.
    package init(topic: Topic, value: [UInt8]) throws(InvalidRecord) {
        switch topic {
        case .frames: self = .frames(try Codec.decode(from: value))
        case .inspections: self = .inspections(try Codec.decode(from: value))
        case .production: self = .production(try Codec.decode(from: value))
        case .materials: self = .materials(try Codec.decode(from: value))
        case .mesDeliveries, .erpDeliveries: self = .deliveries(try Codec.decode(from: value))
        case .alarms: self = .alarms(try Codec.decode(from: value))
        case .decisions: self = .decisions(try Codec.decode(from: value))
        case .access, .ledger:
            throw InvalidRecord("topic \(topic.rawValue) has no reader in this build")
        }
    }

    package var meta: Meta {
        switch self {
        case .frames(let record): record.meta
        case .inspections(let record): record.meta
        case .production(let record): record.meta
        case .materials(let record): record.meta
        case .deliveries(let record): record.meta
        case .alarms(let record): record.meta
        case .decisions(let record): record.meta
        case .parked(let record): record.meta
        }
    }

    /// Field numbers of the event kinds inside that this build does not know; 0 for an event without any kind.
    package var unknownKinds: [Int] {
        switch self {
        case .frames(let record): record.unknownKinds
        case .inspections(let record): record.unknownKinds
        case .production(let record): record.unknownKinds
        case .materials(let record): record.unknownKinds
        case .deliveries(let record): record.unknownKinds
        case .alarms(let record): record.unknownKinds
        case .decisions(let record): record.unknownKinds
        case .parked(let record): record.unknownKinds
        }
    }

    /// Why the record must not be acted on by this build; nil where it may. An unknown kind whose writer says that it
    /// must be understood holds its subject (design 3); without that it is passed over.
    package var notUnderstood: String? {
        guard meta.mustUnderstand else { return nil }
        let kinds = unknownKinds
        guard !kinds.isEmpty else { return nil }
        return
            "events.kind: field \(kinds.map(String.init).joined(separator: ", ")) is no kind that this build knows, and "
            + "its writer (\(meta.producer.service) \(meta.producer.build)) says that it must be understood"
    }
}
