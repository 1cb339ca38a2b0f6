import CRdKafka
import EventLog

/// Appends through one idempotent producer.
///
/// Records stay in librdkafka's queue until the broker has them, in order. A caller that has waited `patience` is told
/// `.unavailable`; its records stay queued, and when it comes back with the same ones it waits for those.
actor KafkaProducer {
    private struct Delivery {
        let place: TopicPartition
        let records: [LogRecord]
        var unsettled = 0
        /// Where the records landed that are settled.
        var offsets: ClosedRange<Int64>?
        var failure: LogFailure?
        var waiter: CheckedContinuation<Result<Int64, LogFailure>, Never>?

        func failed(_ code: rd_kafka_resp_err_t) -> LogFailure {
            KafkaFailure.failure(
                code,
                place,
                "appending to \(place)",
                bytes: records.map(\.byteCount).max() ?? 0
            )
        }

        /// The first offset, where the records landed next to each other. Otherwise another client wrote in between, or
        /// the broker did not say where; appended again they do, and readers recognise the repeat.
        var result: Result<Int64, LogFailure>? {
            guard unsettled == 0 else { return nil }
            if let failure { return .failure(failure) }
            if let offsets, offsets.lowerBound >= 0, offsets.count == records.count {
                return .success(offsets.lowerBound)
            }
            return .failure(
                .unavailable("\(place): landed at \(offsets.map { "\($0)" } ?? "an unknown offset"), not in one piece")
            )
        }
    }

    private struct Running {
        let client: ClientHandle
        let queue: QueueHandle
    }

    /// Records queued at most; the rest of the bound is librdkafka's.
    private static let queuedLimit = 50_000
    /// Deliveries that nobody waits for are remembered up to this number.
    private static let abandonedLimit = 64

    private nonisolated let executor = BlockingExecutor("kafka producer")
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private let properties: KafkaProperties
    private let patience: Duration
    private let bell = Bell()
    private var running: Running?
    private var pump: Task<Void, Never>?
    private var deliveries: [Int: Delivery] = [:]
    private var lastToken = 0
    private var queued = 0
    private var trouble = KafkaTrouble()
    private var lastTrouble = "no answer yet"
    private var isClosed = false

    init(_ properties: KafkaProperties, patience: Duration) {
        self.properties = properties
        self.patience = patience
    }

    func append(_ records: [LogRecord], to place: TopicPartition) async throws(LogFailure) -> Int64 {
        guard !isClosed else { throw .closed }
        if let token = abandoned(records, place) { return try await settled(token) }
        guard queued + records.count <= Self.queuedLimit else {
            throw .unavailable("\(queued) records wait for the broker already (\(lastTrouble)); append again later")
        }
        let running = try start()
        lastToken += 1
        let token = lastToken
        var delivery = Delivery(place: place, records: records)
        for record in records {
            let code = Self.produce(record, place, token, running.client)
            guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
                delivery.failure = delivery.failed(code)
                break
            }
            delivery.unsettled += 1
        }
        if let failure = delivery.failure, delivery.unsettled == 0 {
            if running.client.fatalReason != nil { retire() }
            throw failure
        }
        queued += delivery.unsettled
        deliveries[token] = delivery
        return try await settled(token)
    }

    /// Waits for what is under way, up to five seconds, and ends the client.
    func close() async {
        isClosed = true
        let deadline = ContinuousClock.now + .seconds(5)
        while deliveries.values.contains(where: { $0.waiter != nil }), ContinuousClock.now < deadline {
            let seen = bell.rings
            drain()
            await bell.wait(since: seen, atMost: .milliseconds(100))
        }
        fail(with: .unavailable("closed before the broker answered (\(lastTrouble)); the records may have landed"))
        pump?.cancel()
        running = nil
    }

    private func start() throws(LogFailure) -> Running {
        if let running { return running }
        let client = try properties.makeProducer()
        let running = Running(client: client, queue: .main(of: client, bell: bell))
        self.running = running
        if pump == nil { pump = Task { await self.drainForever() } }
        return running
    }

    /// Completes appends as their delivery reports come.
    private func drainForever() async {
        while !Task.isCancelled {
            let seen = bell.rings
            drain()
            await bell.wait(since: seen, atMost: .seconds(60))
        }
    }

    private func abandoned(_ records: [LogRecord], _ place: TopicPartition) -> Int? {
        deliveries.first { $0.value.waiter == nil && $0.value.place == place && $0.value.records == records }?.key
    }

    private func settled(_ token: Int) async throws(LogFailure) -> Int64 {
        let patience = patience
        let timer = Task {
            // Cancelled when the answer came first.
            guard (try? await Task.sleep(for: patience)) != nil else { return }
            self.abandon(token)
        }
        let result = await withCheckedContinuation { continuation in
            deliveries[token]?.waiter = continuation
            finish(token)
        }
        timer.cancel()
        return try result.get()
    }

    /// Tells the caller if all its records are settled.
    private func finish(_ token: Int) {
        guard let delivery = deliveries[token], let result = delivery.result, let waiter = delivery.waiter else {
            return
        }
        deliveries[token] = nil
        waiter.resume(returning: result)
    }

    private func abandon(_ token: Int) {
        guard let waiter = deliveries[token]?.waiter else { return }
        deliveries[token]?.waiter = nil
        let detail = "\(properties.brokers.joined(separator: ",")): no answer within \(patience); \(lastTrouble)"
        waiter.resume(returning: .failure(.unavailable("\(detail); the records stay queued")))
        let settled = deliveries.filter { $0.value.waiter == nil && $0.value.unsettled == 0 }.keys.sorted()
        for old in settled.dropLast(Self.abandonedLimit) { deliveries[old] = nil }
    }

    private func drain() {
        guard let running else { return }
        var touched: Set<Int> = []
        running.queue.drain { event in
            switch rd_kafka_event_type(event) {
            case RD_KAFKA_EVENT_DR:
                trouble = KafkaTrouble()
                while let message = rd_kafka_event_message_next(event) { touched.insert(settle(message.pointee)) }
            case RD_KAFKA_EVENT_ERROR:
                trouble.note(event)
                lastTrouble = trouble.refusal(running.client, "refused")?.description ?? trouble.text ?? lastTrouble
            case RD_KAFKA_EVENT_STATS:
                properties.report(event)
            default:
                break
            }
        }
        if let reason = running.client.fatalReason {
            lastTrouble = reason
            retire()
        }
        for token in touched { finish(token) }
    }

    private func settle(_ message: rd_kafka_message_t) -> Int {
        let token = Int(bitPattern: message._private)
        guard var delivery = deliveries[token] else { return token }
        delivery.unsettled -= 1
        queued -= 1
        if message.err == RD_KAFKA_RESP_ERR_NO_ERROR {
            let known = delivery.offsets ?? message.offset...message.offset
            delivery.offsets = min(known.lowerBound, message.offset)...max(known.upperBound, message.offset)
        } else {
            delivery.failure = delivery.failure ?? delivery.failed(message.err)
        }
        deliveries[token] = delivery
        return token
    }

    /// Gives up a client that librdkafka declared dead; the next append starts another. Readers recognise what landed
    /// twice by its origin.
    private func retire() {
        fail(with: .unavailable("the producer had to be replaced: \(lastTrouble); the records may have landed"))
        running = nil
    }

    private func fail(with failure: LogFailure) {
        let all = deliveries.values
        deliveries = [:]
        queued = 0
        for delivery in all { delivery.waiter?.resume(returning: .failure(failure)) }
    }

    private static func produce(
        _ record: LogRecord,
        _ place: TopicPartition,
        _ token: Int,
        _ client: ClientHandle
    ) -> rd_kafka_resp_err_t {
        let headers = rd_kafka_headers_new(record.headers.count)
        for header in record.headers {
            let code = rd_kafka_header_add(headers, header.name, -1, header.value, header.value.utf8.count)
            precondition(code == RD_KAFKA_RESP_ERR_NO_ERROR, "headers of a record being built can be added to")
        }
        return place.topic.withCString { topic in
            record.key.withUnsafeBytes { key in
                record.value.withUnsafeBytes { value in
                    var fields = [rd_kafka_vu_t](repeating: rd_kafka_vu_t(), count: 7)
                    fields[0].vtype = RD_KAFKA_VTYPE_TOPIC
                    fields[0].u.cstr = topic
                    fields[1].vtype = RD_KAFKA_VTYPE_PARTITION
                    fields[1].u.i32 = place.partition
                    fields[2].vtype = RD_KAFKA_VTYPE_MSGFLAGS
                    fields[2].u.i = RD_KAFKA_MSG_F_COPY
                    fields[3].vtype = RD_KAFKA_VTYPE_KEY
                    fields[3].u.mem = .init(ptr: UnsafeMutableRawPointer(mutating: key.baseAddress), size: key.count)
                    fields[4].vtype = RD_KAFKA_VTYPE_VALUE
                    fields[4].u.mem = .init(
                        ptr: UnsafeMutableRawPointer(mutating: value.baseAddress),
                        size: value.count
                    )
                    fields[5].vtype = RD_KAFKA_VTYPE_OPAQUE
                    fields[5].u.ptr = UnsafeMutableRawPointer(bitPattern: token)
                    fields[6].vtype = RD_KAFKA_VTYPE_HEADERS
                    fields[6].u.headers = headers
                    guard let error = rd_kafka_produceva(client.pointer, fields, fields.count) else {
                        return RD_KAFKA_RESP_ERR_NO_ERROR
                    }
                    defer { rd_kafka_error_destroy(error) }
                    rd_kafka_headers_destroy(headers)
                    return rd_kafka_error_code(error)
                }
            }
        }
    }
}
