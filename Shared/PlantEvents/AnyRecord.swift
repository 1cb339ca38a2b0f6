/// A record of any topic that services read, decoded by the topic it stands in.
package enum AnyRecord: Sendable {
    case frames(FrameRecord)
    case inspections(InspectionRecord)
    case production(ProductionRecord)
    case materials(MaterialRecord)
    case deliveries(DeliveryRecord)
    case alarms(AlarmRecord)

    /// Decodes a value of `topic`; topics without a running writer have no records yet.
    package init(topic: Topic, value: [UInt8]) throws(InvalidRecord) {
        switch topic {
        case .frames: self = .frames(try Codec.decode(from: value))
        case .inspections: self = .inspections(try Codec.decode(from: value))
        case .production: self = .production(try Codec.decode(from: value))
        case .materials: self = .materials(try Codec.decode(from: value))
        case .mesDeliveries, .erpDeliveries: self = .deliveries(try Codec.decode(from: value))
        case .alarms: self = .alarms(try Codec.decode(from: value))
        case .decisions, .access, .ledger:
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
        }
    }
}
