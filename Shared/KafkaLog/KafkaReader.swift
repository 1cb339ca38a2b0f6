import CRdKafka
import EventLog

/// Reads partitions by explicit assignment: librdkafka's simple consumer, as there is no group to join and no offset to
/// commit. It never blocks a thread: the fetch queue rings a bell.
actor KafkaReader: LogReader {
    private nonisolated let executor = BlockingExecutor("kafka reader")
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private struct Running {
        let client: ClientHandle
        let events: QueueHandle
        let records: QueueHandle
        let fetches: [FetchHandle]
    }

    private let bell = Bell()
    private let onClose: @Sendable (KafkaReader) -> Void
    private var running: Running?
    private var isClosed = false
    private var lastFailure: LogFailure?
    private var properties: KafkaProperties?

    init(onClose: @escaping @Sendable (KafkaReader) -> Void) {
        self.onClose = onClose
    }

    func open(_ positions: [TopicPartition: Int64], _ properties: KafkaProperties) throws(LogFailure) {
        let client = try properties.makeConsumer()
        let records = QueueHandle(client, bell: bell)
        let events = QueueHandle.main(of: client, bell: bell)
        var fetches: [FetchHandle] = []
        for (place, offset) in positions.sorted(by: { $0.key < $1.key }) {
            fetches.append(try FetchHandle(place, from: offset, client, into: records))
        }
        self.properties = properties
        running = Running(client: client, events: events, records: records, fetches: fetches)
    }

    func next(max: Int, wait: Duration) async throws(LogFailure) -> [StoredRecord] {
        let deadline = ContinuousClock.now + wait
        while true {
            guard !isClosed, let running else { throw .closed }
            let seen = bell.rings
            let found = try read(max, running)
            let left = ContinuousClock.now.duration(to: deadline)
            if !found.isEmpty || left <= .zero || Task.isCancelled { return found }
            await bell.wait(since: seen, atMost: min(left, .seconds(1)))
        }
    }

    func close() {
        guard !isClosed else { return }
        isClosed = true
        running = nil
        bell.ring()
        onClose(self)
    }

    private func read(_ max: Int, _ running: Running) throws(LogFailure) -> [StoredRecord] {
        if let failure = lastFailure {
            lastFailure = nil
            throw failure
        }
        running.events.drain { event in
            if rd_kafka_event_type(event) == RD_KAFKA_EVENT_STATS { properties?.report(event) }
            guard rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR else { return }
            let code = rd_kafka_event_error(event)
            guard code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || code == RD_KAFKA_RESP_ERR__AUTHENTICATION else {
                return
            }
            let what = String(cString: rd_kafka_event_error_string(event))
            lastFailure = KafkaFailure.failure(code, TopicPartition("all topics"), what)
        }
        let found = batch(min(max, LogLimits.batchRecords), running)
        if found.isEmpty, let failure = lastFailure {
            lastFailure = nil
            throw failure
        }
        return found
    }

    private func batch(_ max: Int, _ running: Running) -> [StoredRecord] {
        withUnsafeTemporaryAllocation(of: UnsafeMutablePointer<rd_kafka_message_t>?.self, capacity: max) { messages in
            messages.initialize(repeating: nil)
            let count = rd_kafka_consume_batch_queue(running.records.pointer, 0, messages.baseAddress, max)
            var found: [StoredRecord] = []
            for message in messages.prefix(Swift.max(0, count)).compactMap(\.self) {
                if let record = stored(message) { found.append(record) }
                rd_kafka_message_destroy(message)
            }
            return found
        }
    }

    private func stored(_ message: UnsafeMutablePointer<rd_kafka_message_t>) -> StoredRecord? {
        let topic = message.pointee.rkt.map { String(cString: rd_kafka_topic_name($0)) } ?? ""
        let place = TopicPartition(topic, message.pointee.partition)
        let offset = message.pointee.offset
        let code = message.pointee.err
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
            let reason = String(cString: rd_kafka_message_errstr(message))
            if code == RD_KAFKA_RESP_ERR__BAD_MSG, offset >= 0 {
                return StoredRecord(
                    place: place,
                    offset: offset,
                    appendedAtUs: 0,
                    record: LogRecord(key: [], value: []),
                    damage: "\(place), offset \(offset): \(reason)"
                )
            }
            lastFailure = KafkaFailure.failure(code, place, "reading \(place) at \(offset): \(reason)")
            return nil
        }
        var type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE
        let atMs = rd_kafka_message_timestamp(message, &type)
        let record = LogRecord(
            key: bytes(message.pointee.key, message.pointee.key_len),
            value: bytes(message.pointee.payload, message.pointee.len),
            headers: headers(message)
        )
        return StoredRecord(place: place, offset: offset, appendedAtUs: max(0, atMs) * 1_000, record: record)
    }

    private func headers(_ message: UnsafeMutablePointer<rd_kafka_message_t>) -> [LogHeader] {
        var all: OpaquePointer?
        guard rd_kafka_message_headers(message, &all) == RD_KAFKA_RESP_ERR_NO_ERROR else { return [] }
        var headers: [LogHeader] = []
        var name: UnsafePointer<CChar>?
        var value: UnsafeRawPointer?
        var size = 0
        while rd_kafka_header_get_all(all, headers.count, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR {
            let text = String(decoding: UnsafeRawBufferPointer(start: value, count: size), as: UTF8.self)
            headers.append(LogHeader(name.map { String(cString: $0) } ?? "", text))
        }
        return headers
    }

    private func bytes(_ start: UnsafeMutableRawPointer?, _ count: Int) -> [UInt8] {
        [UInt8](UnsafeRawBufferPointer(start: start, count: start == nil ? 0 : count))
    }
}
