/// A log in memory, for simulation and tests; gone with its process.
package actor MemoryLog: EventLog {
    package nonisolated let maximumRecordBytes = LogLimits.recordBytes

    private let nowUs: @Sendable () -> Int64
    private let capacityBytes: Int
    private var partitions: [String: [[StoredRecord]]] = [:]
    private var readers: [MemoryReader] = []
    private var heldBytes = 0
    private var isClosed = false
    private var faults: [(failure: LogFailure, landed: Int)] = []

    /// - Parameters:
    ///   - nowUs: stamps `appendedAtUs`; simulations pass their own clock.
    ///   - capacityBytes: what all records together may take; beyond it appends say `.full`.
    package init(capacityBytes: Int = 1 << 30, nowUs: @escaping @Sendable () -> Int64 = { WallClock.nowUs() }) {
        self.capacityBytes = capacityBytes
        self.nowUs = nowUs
    }

    package func create(topic: String, partitions count: Int32) throws(LogFailure) {
        guard !isClosed else { throw .closed }
        try LogLimits.check(topic: topic, partitions: count)
        if partitions[topic] == nil { partitions[topic] = Array(repeating: [], count: Int(count)) }
    }

    package func topics() throws(LogFailure) -> [String] {
        guard !isClosed else { throw .closed }
        return partitions.keys.sorted()
    }

    package func partitionCount(of topic: String) throws(LogFailure) -> Int32 {
        guard !isClosed else { throw .closed }
        guard let held = partitions[topic] else { throw .unknown(TopicPartition(topic)) }
        return Int32(held.count)
    }

    @discardableResult
    package func append(_ records: [LogRecord], to place: TopicPartition) throws(LogFailure) -> Int64 {
        let first = try endOffset(of: place)
        let bytes = try LogLimits.check(records)
        guard heldBytes + bytes <= capacityBytes else {
            throw .full("in memory: \(heldBytes) of \(capacityBytes) bytes held; \(bytes) more asked for")
        }
        let fault = faults.isEmpty ? nil : faults.removeFirst()
        let atUs = nowUs()
        let landing = fault.map { records.prefix($0.landed) } ?? records[...]
        let stored = landing.enumerated().map { index, record in
            StoredRecord(place: place, offset: first + Int64(index), appendedAtUs: atUs, record: record)
        }
        partitions[place.topic]?[Int(place.partition)].append(contentsOf: stored)
        heldBytes += bytes
        for reader in readers where reader.isReading(place) { reader.bell.ring() }
        if let fault { throw fault.failure }
        return first
    }

    package func endOffset(of place: TopicPartition) throws(LogFailure) -> Int64 {
        guard !isClosed else { throw .closed }
        guard let held = partitions[place.topic], held.indices.contains(Int(place.partition)) else {
            throw .unknown(place)
        }
        return Int64(held[Int(place.partition)].count)
    }

    package func reader(from positions: [TopicPartition: Int64]) throws(LogFailure) -> any LogReader {
        for (place, offset) in positions { try LogLimits.check(offset, of: place, end: try endOffset(of: place)) }
        let reader = MemoryReader(self, from: positions)
        readers.append(reader)
        return reader
    }

    package func close() async {
        isClosed = true
        for reader in readers { await reader.close() }
        readers = []
    }

    /// Makes the next append fail after its first `landed` records got in, as a broker does whose answer was lost.
    package func failNextAppend(with failure: LogFailure, landed: Int = 0) {
        faults.append((failure, landed))
    }

    fileprivate func read(_ place: TopicPartition, from offset: Int64, max: Int) throws(LogFailure) -> [StoredRecord] {
        guard !isClosed else { throw .closed }
        guard let held = partitions[place.topic]?[Int(place.partition)] else { throw .unknown(place) }
        return Array(held.dropFirst(Int(offset)).prefix(max))
    }

    fileprivate func forget(_ reader: MemoryReader) {
        readers.removeAll { $0 === reader }
    }
}

private actor MemoryReader: LogReader {
    nonisolated let bell = Bell()
    private nonisolated let places: Set<TopicPartition>
    private let log: MemoryLog
    private var cursor: ReadCursor
    private var isClosed = false

    init(_ log: MemoryLog, from positions: [TopicPartition: Int64]) {
        self.log = log
        places = Set(positions.keys)
        cursor = ReadCursor(positions)
    }

    nonisolated func isReading(_ place: TopicPartition) -> Bool { places.contains(place) }

    func next(max: Int, wait: Duration) async throws(LogFailure) -> [StoredRecord] {
        let deadline = ContinuousClock.now + wait
        while true {
            guard !isClosed else { throw .closed }
            let seen = bell.rings
            var found: [StoredRecord] = []
            for place in cursor.turn() where found.count < max {
                let next = try await log.read(place, from: cursor[place], max: max - found.count)
                cursor[place] += Int64(next.count)
                found += next
            }
            let left = ContinuousClock.now.duration(to: deadline)
            if !found.isEmpty || left <= .zero || Task.isCancelled { return found }
            await bell.wait(since: seen, atMost: left)
        }
    }

    func close() async {
        guard !isClosed else { return }
        isClosed = true
        bell.ring()
        await log.forget(self)
    }
}
