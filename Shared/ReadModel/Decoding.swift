import EventLog
import PlantEvents
import SwiftProtobuf

/// One event of a record, checked and ready to be folded; it borrows the record's bytes and owns nothing.
enum ReadEvent {
    case frame(FrameView)
    case evidence(EvidenceView)
    case part(PartView)
    case intent(IntentView)
    case confirmed(ConfirmedView)
    /// Index of a kind that SwiftProtobuf has read.
    case rare(Int)
    /// A kind that leaves no row.
    case known
    /// A kind from a newer writer.
    case unknown
}

/// A kind that is rare enough for SwiftProtobuf.
enum RareKind {
    case frames(FrameRecord.Event.Kind)
    case inspections(InspectionRecord.Event.Kind)
    case production(ProductionRecord.Event.Kind)
    case materials(MaterialRecord.Event.Kind)
    case deliveries(DeliveryRecord.Event.Kind)
    case alarms(AlarmRecord.Event.Kind)
}

/// Reads the records of one input partition: the frequent kinds in place, the others with SwiftProtobuf.
struct RecordReader {
    private(set) var events: [ReadEvent] = []
    private(set) var rare: [RareKind] = []
    /// Context bytes found sound before; each part has one, nearly always the same.
    private var soundContext: [UInt8] = []
    /// Place and producer of the record before, found sound.
    private var soundMeta = MetaMemo()

    /// Reads a whole record into `events`, or nothing of it.
    mutating func read(_ bytes: Bytes, of topic: Topic) throws(UnusualEncoding) -> MetaView {
        events.removeAll(keepingCapacity: true)
        if !rare.isEmpty { rare.removeAll(keepingCapacity: true) }
        var meta: MetaView?
        var wire = try Wire(bytes)
        while try wire.next() {
            switch wire.field {
            case 1:
                guard meta == nil else { throw UnusualEncoding() }
                meta = try MetaView(try wire.message(), &soundMeta)
            case 2: events.append(try event(try wire.message(), of: topic))
            default: throw UnusualEncoding()
            }
        }
        guard let meta, !events.isEmpty else { throw UnusualEncoding() }
        return meta
    }

    private mutating func event(_ bytes: Bytes, of topic: Topic) throws(UnusualEncoding) -> ReadEvent {
        var wire = try Wire(bytes)
        guard try wire.next() else { return .unknown }
        let field = wire.field
        let kind = try wire.message()
        guard try !wire.next() else { throw UnusualEncoding() }
        switch (topic, field) {
        case (.frames, 3): return .frame(try FrameView(kind))
        case (.frames, 5): return .evidence(try EvidenceView(kind))
        case (.inspections, 5):
            let part = try PartView(kind)
            try check(context: part.context)
            return .part(part)
        case (.mesDeliveries, 2), (.erpDeliveries, 2): return .intent(try IntentView(kind))
        case (.mesDeliveries, 3), (.erpDeliveries, 3): return .confirmed(try ConfirmedView(kind))
        case (.mesDeliveries, 9), (.erpDeliveries, 9):
            try checkPartsCounted(kind)
            return .known
        default: return try readRare(bytes, of: topic)
        }
    }

    private mutating func check(context: Bytes) throws(UnusualEncoding) {
        guard !context.equals(soundContext) else { return }
        do { _ = try ProductionContext(serializedBytes: [UInt8](context)) } catch { throw UnusualEncoding() }
        soundContext = [UInt8](context)
    }

    private mutating func readRare(_ bytes: Bytes, of topic: Topic) throws(UnusualEncoding) -> ReadEvent {
        let plain = [UInt8](bytes)
        do {
            switch topic {
            case .frames: return try kind(try FrameRecord.Event(serializedBytes: plain), RareKind.frames)
            case .inspections: return try kind(try InspectionRecord.Event(serializedBytes: plain), RareKind.inspections)
            case .production: return try kind(try ProductionRecord.Event(serializedBytes: plain), RareKind.production)
            case .materials: return try kind(try MaterialRecord.Event(serializedBytes: plain), RareKind.materials)
            case .mesDeliveries, .erpDeliveries:
                return try kind(try DeliveryRecord.Event(serializedBytes: plain), RareKind.deliveries)
            case .alarms: return try kind(try AlarmRecord.Event(serializedBytes: plain), RareKind.alarms)
            case .decisions, .access, .ledger: return .unknown
            }
        } catch {
            throw UnusualEncoding()
        }
    }

    private mutating func kind<Event: TopicEvent>(
        _ event: Event,
        _ wrap: (Event.Kind) -> RareKind
    ) throws(UnusualEncoding) -> ReadEvent {
        guard let kind = event.kind else { return .unknown }
        let read = wrap(kind)
        guard read.isWithinLimits else { throw UnusualEncoding() }
        rare.append(read)
        return .rare(rare.count - 1)
    }
}

extension RareKind {
    /// Whether the trigger named by a rare event fits the model's key.
    fileprivate var isWithinLimits: Bool {
        switch self {
        case .frames(.triggerSessionStarted(let event)): event.session <= Int64.max
        case .frames(.frameMissed(let event)): event.trigger.isWithinLimits
        case .frames(.evidenceNotStored(let event)): event.trigger.isWithinLimits
        case .inspections(.inspectionMissed(let event)): event.trigger.isWithinLimits
        default: true
        }
    }
}

extension TriggerId {
    fileprivate var isWithinLimits: Bool { session <= Int64.max && sequence <= Schema.sequenceMask }
}

/// What the codec makes of a record that is not plainly encoded.
enum Normaliser {
    /// The same record as every usual encoder writes it, without fields that this build does not know.
    static func plain(_ value: [UInt8], of topic: Topic) throws(InvalidRecord) -> [UInt8] {
        switch topic {
        case .frames: try plain(value, as: FrameRecord.self)
        case .inspections: try plain(value, as: InspectionRecord.self)
        case .production: try plain(value, as: ProductionRecord.self)
        case .materials: try plain(value, as: MaterialRecord.self)
        case .mesDeliveries, .erpDeliveries: try plain(value, as: DeliveryRecord.self)
        case .alarms: try plain(value, as: AlarmRecord.self)
        case .decisions, .access, .ledger: try envelope(value)
        }
    }

    private static func plain<Record: TopicRecord>(
        _ value: [UInt8],
        as _: Record.Type
    ) throws(InvalidRecord) -> [UInt8] {
        _ = try Codec.decode(Record.self, from: value)
        var options = BinaryDecodingOptions()
        options.discardUnknownFields = true
        do {
            return try Record(serializedBytes: value, options: options).serializedBytes()
        } catch {
            throw InvalidRecord("not a \(Record.protoMessageName): \(error)")
        }
    }

    /// A topic that this build has no kinds of: one event of unknown kind stands for all.
    private static func envelope(_ value: [UInt8]) throws(InvalidRecord) -> [UInt8] {
        var record = AlarmRecord()
        record.meta = try Codec.decodeMeta(from: value)
        record.events = [AlarmRecord.Event()]
        return try Codec.encode(record)
    }
}
