import EventLog
import SeededRandom

/// The simulated log: one for all hosts, as a broker is. Acknowledged records stay; what a failed append leaves behind is
/// what the contract of `EventLog` allows and no more.
struct SimLog {
    private struct Late {
        let records: [LogRecord]
        let writer: String
    }

    private var records: [TopicPartition: [StoredRecord]] = [:]
    private var late: [TopicPartition: [Late]] = [:]
    let places: [TopicPartition]
    /// Depends on every byte in the log and its order.
    private(set) var hash: UInt64 = 0

    init(_ places: [TopicPartition]) {
        self.places = places.sorted()
        for place in places { records[place] = [] }
    }

    func end(of place: TopicPartition) -> Int64 { Int64(records[place]?.count ?? 0) }

    func read(_ place: TopicPartition, from offset: Int64, max: Int) -> ArraySlice<StoredRecord> {
        guard let held = records[place], offset < held.count else { return [] }
        return held[Int(offset)..<min(held.count, Int(offset) + max)]
    }

    mutating func append(_ new: some Collection<LogRecord>, to place: TopicPartition, nowUs: Int64) -> Int64 {
        let first = end(of: place)
        for record in new {
            let offset = end(of: place)
            records[place]?.append(
                StoredRecord(place: place, offset: offset, appendedAtUs: nowUs, record: record)
            )
            for byte in record.value { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
            hash = SplitMix64.mixed(hash ^ UInt64(offset))
        }
        return first
    }

    /// Keeps an append in the air: it lands later, before anything that the same writer appends after it.
    mutating func delay(_ new: [LogRecord], to place: TopicPartition, writer: String) {
        late[place, default: []].append(Late(records: new, writer: writer))
    }

    /// Lands what `writer` has in the air at `place`; all writers' where nil.
    mutating func land(at place: TopicPartition, writer: String?, nowUs: Int64) {
        guard let waiting = late[place], !waiting.isEmpty else { return }
        let landing = waiting.filter { writer == nil || $0.writer == writer }
        late[place] = waiting.filter { writer != nil && $0.writer != writer }
        for batch in landing { _ = append(batch.records, to: place, nowUs: nowUs) }
    }

    mutating func damage(_ place: TopicPartition, _ offset: Int64) {
        guard let stored = records[place]?[Int(offset)] else { return }
        records[place]?[Int(offset)] = StoredRecord(
            place: place,
            offset: offset,
            appendedAtUs: stored.appendedAtUs,
            record: LogRecord(key: [], value: stored.record.value, headers: []),
            damage: "checksum of record \(offset) does not match"
        )
    }
}
