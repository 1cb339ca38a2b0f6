import CPlantEvents

// The messages of which a plant writes one or more for each part, as libprotobuf-c leaves them in a chunk's arena.

typealias FrameView = UnsafePointer<Plant__FrameCaptured>
typealias EvidenceView = UnsafePointer<Plant__EvidenceStored>
typealias PartView = UnsafePointer<Plant__PartInspected>
typealias DefectView = UnsafeMutablePointer<Plant__Defect>
typealias IntentView = UnsafePointer<Plant__DeliveryIntended>
typealias ConfirmedView = UnsafePointer<Plant__DeliveryConfirmed>
typealias MessageView = UnsafeMutablePointer<ProtobufCMessage>

extension ProtobufCBinaryData {
    @inline(__always)
    var bytes: Bytes { Bytes(start: data, count: len) }
}

/// What every record says of itself, as far as a fold needs it; checked by the codec's rules.
struct MetaView {
    private let meta: UnsafePointer<Plant__Meta>
    private let origin: UnsafePointer<Plant__Origin>
    /// Who wrote the record.
    let instance: Bytes

    /// Nil when the codec has something to say about it.
    init?(_ meta: UnsafePointer<Plant__Meta>, instance: Bytes) {
        guard let origin = meta.pointee.origin, origin.pointee.site.len > 0, origin.pointee.topic.len > 0,
            meta.pointee.record_id.len > 0, meta.pointee.recorded_at_us > 0,
            (1...UInt64(Int64.max)).contains(origin.pointee.epoch), origin.pointee.sequence < UInt64(Int64.max)
        else { return nil }
        self.meta = meta
        self.origin = UnsafePointer(origin)
        self.instance = instance
    }

    var site: Bytes { origin.pointee.site.bytes }
    var topic: Bytes { origin.pointee.topic.bytes }
    var partition: Int64 { Int64(origin.pointee.partition) }
    var epoch: UInt64 { origin.pointee.epoch }
    var sequence: UInt64 { origin.pointee.sequence }
    var occurredAtUs: Int64 { meta.pointee.occurred_at_us }
    var subject: Bytes { meta.pointee.subject.bytes }
    var mustUnderstand: Bool { meta.pointee.must_understand != 0 }
}

/// `TriggerId`.
struct TriggerView {
    var station = Bytes.none
    var session: UInt64 = 0
    var sequence: UInt64 = 0

    init() {}

    @inline(__always)
    init(_ trigger: UnsafeMutablePointer<Plant__TriggerId>?) {
        guard let trigger else { return }
        station = trigger.pointee.station.bytes
        session = trigger.pointee.session
        sequence = trigger.pointee.sequence
    }

    /// Whether it fits the model's key.
    @inline(__always)
    var isWithinLimits: Bool { session <= UInt64(Int64.max) && sequence <= UInt64(Schema.sequenceMask) }

    /// Whether `id` is the three joined by "/", the id of a part whose serial number was not read.
    func isNamed(_ id: Bytes) -> Bool {
        guard id.count > station.count, Bytes(rebasing: id[..<station.count]).equals(station) else { return false }
        var at = station.count
        return Self.match(session, in: id, at: &at) && Self.match(sequence, in: id, at: &at) && at == id.count
    }

    /// Whether "/" and the number in decimal stand at `at`; moves behind them.
    private static func match(_ number: UInt64, in id: Bytes, at: inout Int) -> Bool {
        guard at < id.count, id[at] == UInt8(ascii: "/") else { return false }
        at += 1
        let start = at
        var value: UInt64 = 0
        while at < id.count, at - start < 19, case let digit = id[at] &- 48, digit <= 9 {
            value = value * 10 + UInt64(digit)
            at += 1
        }
        guard at > start, value == number else { return false }
        return at - start == 1 || id[start] != 48
    }
}

/// One event of a record, checked and ready to be folded; it points into the chunk's arena.
enum ReadEvent {
    case frame(FrameView)
    case evidence(EvidenceView)
    case part(PartView)
    /// An intent to report yield, told for each part.
    case yield(IntentView)
    case confirmed(ConfirmedView)
    /// A kind that leaves no row.
    case counted
    /// A kind that SwiftProtobuf reads.
    case rare
    /// A kind from a newer writer.
    case unknown

    @inline(__always)
    init(_ message: MessageView, of topic: PlantTopic) {
        let event = UnsafeRawPointer(message)
        switch topic {
        case PLANT_FRAMES: self = Self.frames(event.assumingMemoryBound(to: Plant__FrameRecord__Event.self))
        case PLANT_INSPECTIONS:
            self = Self.inspections(event.assumingMemoryBound(to: Plant__InspectionRecord__Event.self))
        case PLANT_DELIVERIES: self = Self.deliveries(event.assumingMemoryBound(to: Plant__DeliveryRecord__Event.self))
        default:
            // The kinds of the other topics are all rare, and all events are laid out as these.
            let event = event.assumingMemoryBound(to: Plant__AlarmRecord__Event.self)
            self = event.pointee.kind_case == PLANT__ALARM_RECORD__EVENT__KIND__NOT_SET ? .unknown : .rare
        }
    }

    @inline(__always)
    private static func frames(_ event: UnsafePointer<Plant__FrameRecord__Event>) -> ReadEvent {
        switch event.pointee.kind_case {
        case PLANT__FRAME_RECORD__EVENT__KIND_FRAME_CAPTURED: .frame(FrameView(event.pointee.frame_captured))
        case PLANT__FRAME_RECORD__EVENT__KIND_EVIDENCE_STORED: .evidence(EvidenceView(event.pointee.evidence_stored))
        case PLANT__FRAME_RECORD__EVENT__KIND__NOT_SET: .unknown
        default: .rare
        }
    }

    @inline(__always)
    private static func inspections(_ event: UnsafePointer<Plant__InspectionRecord__Event>) -> ReadEvent {
        switch event.pointee.kind_case {
        case PLANT__INSPECTION_RECORD__EVENT__KIND_PART_INSPECTED: .part(PartView(event.pointee.part_inspected))
        case PLANT__INSPECTION_RECORD__EVENT__KIND__NOT_SET: .unknown
        default: .rare
        }
    }

    @inline(__always)
    private static func deliveries(_ event: UnsafePointer<Plant__DeliveryRecord__Event>) -> ReadEvent {
        switch event.pointee.kind_case {
        case PLANT__DELIVERY_RECORD__EVENT__KIND_DELIVERY_INTENDED:
            event.pointee.delivery_intended.pointee.effect_case == PLANT__DELIVERY_INTENDED__EFFECT_ORDER_YIELD
                ? .yield(IntentView(event.pointee.delivery_intended)) : .rare
        case PLANT__DELIVERY_RECORD__EVENT__KIND_DELIVERY_CONFIRMED:
            .confirmed(ConfirmedView(event.pointee.delivery_confirmed))
        case PLANT__DELIVERY_RECORD__EVENT__KIND_PARTS_COUNTED: .counted
        case PLANT__DELIVERY_RECORD__EVENT__KIND__NOT_SET: .unknown
        default: .rare
        }
    }

    /// Whether its numbers fit the model.
    var isWithinLimits: Bool {
        switch self {
        case .frame(let frame): TriggerView(frame.pointee.trigger).isWithinLimits
        case .evidence(let evidence): TriggerView(evidence.pointee.trigger).isWithinLimits
        case .part(let part): TriggerView(part.pointee.trigger).isWithinLimits
        case .yield, .confirmed, .counted, .rare, .unknown: true
        }
    }
}

/// What a delivery does at its peer; the raw value is the field number in `DeliveryIntended`.
enum Effect: Int64 {
    /// From a newer writer.
    case unknown = 0
    case lotHold = 4
    case orderQualityStatus = 5
    case orderYield = 6
    case qualityNotification = 7
    case stockBlock = 8
    case orderConfirmation = 9

    var name: String {
        switch self {
        case .unknown: "unknown"
        case .lotHold: "lot_hold"
        case .orderQualityStatus: "order_quality_status"
        case .orderYield: "order_yield"
        case .qualityNotification: "quality_notification"
        case .stockBlock: "stock_block"
        case .orderConfirmation: "order_confirmation"
        }
    }
}
