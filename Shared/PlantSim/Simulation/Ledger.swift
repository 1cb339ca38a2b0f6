import EventLog
import PlantEvents
import SwiftProtobuf

/// What the log says, read by the checkers on their own: from raw bytes, with their own rule of which records count.
///
/// The rule (design, section 4): a record of a higher epoch than any before begins that epoch for its writer's run; of the
/// epoch in force count the records of that run whose numbers rise; all others are void.
struct Ledger {
    enum Content {
        case frames(FrameRecord)
        case inspections(InspectionRecord)
        case production(ProductionRecord)
        case materials(MaterialRecord)
        case deliveries(DeliveryRecord)
        case alarms(AlarmRecord)
        case decisions(DecisionRecord)
        case parked(ParkedRecord)
    }

    /// A record that counts.
    struct Entry {
        let offset: Int64
        let meta: Meta
        let content: Content
    }

    struct Page {
        var entries: [Entry] = []
        var unreadable: [Int64] = []
        var voids = 0
        /// Numbers that never came, by epoch.
        var gaps: [(epoch: UInt64, expected: UInt64, found: UInt64)] = []
        fileprivate(set) var next: Int64 = 0
        fileprivate var owner: (epoch: UInt64, run: String) = (0, "")
        fileprivate var last: UInt64 = 0
    }

    private(set) var pages: [TopicPartition: Page] = [:]
    /// Every intent that counts.
    private(set) var intents: [String: DeliveryIntended] = [:]
    /// Intents that the peer refused and nobody re-drove.
    private(set) var refused: Set<String> = []

    init(places: [TopicPartition]) {
        for place in places { pages[place] = Page() }
    }

    subscript(topic: Topic, partition: Int32 = 0) -> [Entry] {
        pages[TopicPartition(SimPlant.topic(topic), partition)]?.entries ?? []
    }

    /// Reads on to the end of `place`.
    mutating func advance(_ place: TopicPartition, in log: SimLog) {
        guard var page = pages[place] else { return }
        pages[place] = nil
        defer { pages[place] = page }
        for stored in log.read(place, from: page.next, max: .max / 2) {
            page.next = stored.offset + 1
            guard stored.damage == nil, let (meta, content) = Self.read(stored.record.value, of: place) else {
                page.unreadable.append(stored.offset)
                continue
            }
            let (epoch, run) = (meta.origin.epoch, meta.producer.instance)
            let expected: UInt64
            if epoch > page.owner.epoch {
                page.owner = (epoch, run)
                expected = 0
            } else if (epoch, run) == page.owner, meta.origin.sequence > page.last {
                expected = page.last + 1
            } else {
                page.voids += 1
                continue
            }
            page.last = meta.origin.sequence
            if meta.origin.sequence != expected { page.gaps.append((epoch, expected, meta.origin.sequence)) }
            page.entries.append(Entry(offset: stored.offset, meta: meta, content: content))
            if case .deliveries(let record) = content { note(record) }
        }
    }

    private mutating func note(_ record: DeliveryRecord) {
        for event in record.events {
            switch event.kind {
            case .deliveryIntended(let intent): intents[intent.intentID] = intent
            case .deliveryRefused(let event): refused.insert(event.intentID)
            case .deliveryRedriven(let event): refused.remove(event.intentID)
            default: break
            }
        }
    }

    private static func read(_ value: [UInt8], of place: TopicPartition) -> (Meta, Content)? {
        guard let name = TopicName(place.topic), let (meta, content) = decode(value, name.topic) else { return nil }
        guard meta.origin.site == name.site, meta.origin.topic == name.topic, meta.origin.epoch > 0,
            Int32(meta.origin.partition) == place.partition, !meta.recordID.isEmpty, meta.recordedAtUs > 0
        else { return nil }
        return (meta, content)
    }

    /// Nil where the bytes are no record: a failed decode is the answer here, not an error.
    private static func decode(_ value: [UInt8], _ topic: String) -> (Meta, Content)? {
        func parsed<Record: TopicRecord>(_: Record.Type, _ content: (Record) -> Content) -> (Meta, Content)? {
            guard let record = try? Record(serializedBytes: value), record.hasMeta, !record.events.isEmpty else {
                return nil
            }
            return (record.meta, content(record))
        }
        switch Topic(rawValue: topic) {
        case .frames: return parsed(FrameRecord.self, Content.frames)
        case .inspections: return parsed(InspectionRecord.self, Content.inspections)
        case .production: return parsed(ProductionRecord.self, Content.production)
        case .materials: return parsed(MaterialRecord.self, Content.materials)
        case .mesDeliveries, .erpDeliveries: return parsed(DeliveryRecord.self, Content.deliveries)
        case .alarms: return parsed(AlarmRecord.self, Content.alarms)
        case .decisions: return parsed(DecisionRecord.self, Content.decisions)
        case .access, .ledger: return nil
        case nil: return topic.hasSuffix("-parked") ? parsed(ParkedRecord.self, Content.parked) : nil
        }
    }
}

extension World {
    /// The intent must be in the log, as it is sent, before it reaches its peer (I4).
    func checkIsIntended(_ intent: DeliveryIntended, isMes: Bool, isStray: Bool) throws {
        guard damaged.isEmpty else { return }
        ledger.advance(TopicPartition(SimPlant.topic(isMes ? .mesDeliveries : .erpDeliveries)), in: log)
        try require(
            ledger.intents[intent.intentID] == intent,
            .oneEffect,
            intent.intentID,
            "\(intent.intentID) reached the peer before its intent was durable, or other than intended"
        )
        try require(
            isStray || !ledger.refused.contains(intent.intentID),
            .inOrder,
            intent.intentID,
            "\(intent.intentID) was refused and reached the peer again before a person re-drove it"
        )
    }

    /// The log as it is now, read anew.
    func readLedger() -> Ledger {
        var ledger = Ledger(places: log.places)
        for place in log.places { ledger.advance(place, in: log) }
        return ledger
    }
}
