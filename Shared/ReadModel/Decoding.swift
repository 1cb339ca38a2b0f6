import CPlantEvents
import EventLog
import PlantEvents
import SwiftProtobuf

/// A kind that is rare enough for SwiftProtobuf.
enum RareKind {
    case frames(FrameRecord.Event.Kind)
    case inspections(InspectionRecord.Event.Kind)
    case production(ProductionRecord.Event.Kind)
    case materials(MaterialRecord.Event.Kind)
    case deliveries(DeliveryRecord.Event.Kind)
    case alarms(AlarmRecord.Event.Kind)
    case decisions(DecisionRecord.Event.Kind)
}

/// A record as libprotobuf-c read it; it points into the arena of its chunk.
struct ReadRecord {
    let meta: MetaView
    let topic: PlantTopic
    /// Its rare events are the chunk's from this one on.
    let firstRare: Int
    private let events: UnsafePointer<UnsafeMutablePointer<ProtobufCMessage>?>
    let eventCount: Int

    init?(_ record: PlantRecord, _ topic: PlantTopic, instance: Bytes, firstRare: Int) {
        guard let meta = record.meta, let events = record.events, record.event_count > 0,
            let view = MetaView(meta, instance: instance)
        else { return nil }
        self.meta = view
        self.topic = topic
        self.firstRare = firstRare
        self.events = events
        eventCount = record.event_count
    }

    /// Nil never, after a successful read.
    @inline(__always)
    func message(_ index: Int) -> MessageView? { events[index] }

    @inline(__always)
    func event(_ index: Int) -> ReadEvent {
        guard let message = events[index] else { return .unknown }
        return ReadEvent(message, of: topic)
    }
}

/// Consecutive records of one partition, read into one arena: the frequent kinds by libprotobuf-c, the others by
/// SwiftProtobuf. What it does not take, `Codec` has the last word on.
///
/// Sendable because one thread has it at a time: `DecodePool` hands it over under its lock.
final class RecordChunk: @unchecked Sendable {
    /// Records of a chunk: their arena stays within a core's cache.
    static let capacity = 128
    /// What one record may take of the arena. The worst is a record of nothing but empty events, each 2 bytes long and
    /// some 130 in memory.
    static let arenaLimit = 128 * LogLimits.recordBytes
    private static let arenaBlock = 512 << 10

    /// One for each record; nil for those that were not taken.
    @exclusivity(unchecked) private(set) var records: [ReadRecord?] = []
    @exclusivity(unchecked) private(set) var rare: [RareKind] = []
    private let arena: OpaquePointer
    /// What most records repeat: found sound once, recognised by comparing.
    @exclusivity(unchecked) private var soundPlaces: [[UInt8]] = []
    private static let soundPlaceLimit = 8
    @exclusivity(unchecked) private var soundContext: [UInt8] = []
    @exclusivity(unchecked) private var soundProducer: [UInt8] = []
    /// Where the instance stands in `soundProducer`.
    @exclusivity(unchecked) private var instance = 0..<0

    init() {
        guard let arena = plant_arena_new(Self.arenaBlock) else {
            preconditionFailure("no memory for \(Self.arenaBlock) bytes to read records into")
        }
        self.arena = arena
        records.reserveCapacity(Self.capacity)
    }

    deinit {
        plant_arena_free(arena)
    }

    /// Bytes that the arena holds.
    var arenaBytes: Int { plant_arena_bytes(arena) }

    /// Reads the records, all of one topic, in place of those before.
    func read(_ batch: UnsafeBufferPointer<StoredRecord>, of topic: Topic?) {
        clear()
        for index in batch.indices {
            guard let topic, batch[index].damage == nil else {
                records.append(nil)
                continue
            }
            records.append(batch[index].record.value.withUnsafeBytes { read($0, of: topic) })
        }
    }

    func clear() {
        records.removeAll(keepingCapacity: true)
        rare.removeAll(keepingCapacity: true)
        plant_arena_reset(arena)
    }

    /// Reads one record more; nil unless it is plainly encoded and sound. What `Normaliser` wrote is plain as it is.
    func read(_ bytes: Bytes, of topic: Topic, isNormalised: Bool = false) -> ReadRecord? {
        guard let plantTopic = topic.plantTopic ?? (isNormalised ? PLANT_ALARMS : nil),
            bytes.count <= LogLimits.recordBytes
        else { return nil }
        var found = PlantRecord()
        guard
            plant_record_read(arena, plantTopic, bytes.baseAddress, bytes.count, Self.arenaLimit, isNormalised, &found),
            let meta = found.meta, isSound(place: meta.pointee.place_message.bytes),
            let instance = instance(of: meta.pointee.producer_message.bytes),
            let record = ReadRecord(found, plantTopic, instance: instance, firstRare: rare.count)
        else { return nil }
        for index in 0..<record.eventCount where !take(record, index, topic) {
            rare.removeLast(rare.count - record.firstRare)
            return nil
        }
        return record
    }

    /// Checks one event of a record; reads it if it is rare.
    private func take(_ record: ReadRecord, _ index: Int, _ topic: Topic) -> Bool {
        switch record.event(index) {
        case .rare:
            guard let message = record.message(index), let kind = RareKind(message, topic) else { return false }
            rare.append(kind)
            return true
        case .part(let part):
            return isSound(context: part.pointee.context_message.bytes)
                && TriggerView(part.pointee.trigger).isWithinLimits
        case let event: return event.isWithinLimits
        }
    }

    private func isSound(place: Bytes) -> Bool {
        if soundPlaces.contains(where: { place.equals($0) }) { return true }
        guard (try? Place(serializedBytes: [UInt8](place))) != nil else { return false }
        if soundPlaces.count == Self.soundPlaceLimit { soundPlaces.removeFirst() }
        soundPlaces.append([UInt8](place))
        return true
    }

    private func isSound(context: Bytes) -> Bool {
        if context.equals(soundContext) { return true }
        guard (try? ProductionContext(serializedBytes: [UInt8](context))) != nil else { return false }
        soundContext = [UInt8](context)
        return true
    }

    /// The instance within a producer's bytes; nil when they are none.
    private func instance(of producer: Bytes) -> Bytes? {
        if !producer.equals(soundProducer) {
            guard let read = try? Producer(serializedBytes: [UInt8](producer)) else { return nil }
            soundProducer = [UInt8](producer)
            instance = read.instance.withBytes { producer.range(of: $0) } ?? 0..<0
        }
        return Bytes(rebasing: producer[instance])
    }

    /// A copy of the text that stays as long as the chunk's records.
    func lend(_ text: String) -> Bytes {
        text.withBytes { bytes in
            guard let copy = plant_arena_copy(arena, bytes.baseAddress, bytes.count) else {
                preconditionFailure("no memory for \(bytes.count) bytes of a record")
            }
            return Bytes(start: copy, count: bytes.count)
        }
    }
}

extension Topic {
    /// Nil for topics of which this build has no kinds to read.
    fileprivate var plantTopic: PlantTopic? {
        switch self {
        case .frames: PLANT_FRAMES
        case .inspections: PLANT_INSPECTIONS
        case .production: PLANT_PRODUCTION
        case .materials: PLANT_MATERIALS
        case .mesDeliveries, .erpDeliveries: PLANT_DELIVERIES
        case .alarms: PLANT_ALARMS
        case .decisions: PLANT_DECISIONS
        case .access, .ledger: nil
        }
    }
}

extension RareKind {
    /// Nil when SwiftProtobuf does not take it or its numbers do not fit.
    fileprivate init?(_ message: MessageView, _ topic: Topic) {
        let bytes = [UInt8](unsafeUninitializedCapacity: protobuf_c_message_get_packed_size(message)) { buffer, count in
            count = protobuf_c_message_pack(message, buffer.baseAddress)
        }
        guard let kind = try? Self.read(bytes, topic), kind.isWithinLimits else { return nil }
        self = kind
    }

    private static func read(_ bytes: [UInt8], _ topic: Topic) throws -> RareKind? {
        switch topic {
        case .frames: try FrameRecord.Event(serializedBytes: bytes).kind.map(RareKind.frames)
        case .inspections: try InspectionRecord.Event(serializedBytes: bytes).kind.map(RareKind.inspections)
        case .production: try ProductionRecord.Event(serializedBytes: bytes).kind.map(RareKind.production)
        case .materials: try MaterialRecord.Event(serializedBytes: bytes).kind.map(RareKind.materials)
        case .mesDeliveries, .erpDeliveries:
            try DeliveryRecord.Event(serializedBytes: bytes).kind.map(RareKind.deliveries)
        case .alarms: try AlarmRecord.Event(serializedBytes: bytes).kind.map(RareKind.alarms)
        case .decisions: try DecisionRecord.Event(serializedBytes: bytes).kind.map(RareKind.decisions)
        case .access, .ledger: nil
        }
    }

    /// Whether the trigger named by a rare event fits the model's key.
    private var isWithinLimits: Bool {
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
        case .decisions: try plain(value, as: DecisionRecord.self)
        case .access, .ledger: try envelope(value)
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

    /// Why a record that the codec takes does not fit the model.
    static func refusal(_ plain: [UInt8]) -> String {
        plain.count > LogLimits.recordBytes
            ? "\(plain.count) bytes: expected at most \(LogLimits.recordBytes)"
            : "a number is out of range: expected a trigger sequence below 2^40 and others below 2^63"
    }
}
