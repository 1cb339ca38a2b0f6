import CRdKafka
import EventLog

// Every pointer of librdkafka has one owner here, whose deinit is the only place that destroys it. Destroy order: what
// belongs to a client holds the client, so the client goes last.

/// A configuration until a client takes it over.
struct ConfigurationHandle: ~Copyable {
    private let pointer: OpaquePointer

    init(_ properties: [String: String]) throws(LogFailure) {
        pointer = rd_kafka_conf_new()
        // librdkafka would write to standard error; what matters comes as events.
        rd_kafka_conf_set_log_cb(pointer, nil)
        rd_kafka_conf_set_events(
            pointer,
            RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_STATS | RD_KAFKA_EVENT_REBALANCE
        )
        for (name, value) in properties.sorted(by: { $0.key < $1.key }) {
            let reason = withErrorText { text, size in
                rd_kafka_conf_set(pointer, name, value, text, size) == RD_KAFKA_CONF_OK
            }
            let shown = KafkaProperties.isSecret(name) ? "(not shown)" : value
            if let reason { throw .badAddress("Kafka property \(name)=\(shown): \(reason)") }
        }
    }

    consuming func makeClient(_ type: rd_kafka_type_t) throws(LogFailure) -> ClientHandle {
        var client: OpaquePointer?
        let pointer = pointer
        let certificates = CertificateTrouble()
        certificates.watch(pointer)
        let reason = withErrorText { text, size in
            client = rd_kafka_new(type, pointer, text, size)
            return client != nil
        }
        guard let client else {
            _ = consume self
            throw .badAddress("Kafka client: \(reason ?? "refused")")
        }
        // The client owns the configuration from here on.
        discard self
        return ClientHandle(client, certificates)
    }

    deinit {
        rd_kafka_conf_destroy(pointer)
    }
}

/// One client. `@unchecked Sendable`: "librdkafka is completely thread-safe" (its INTRODUCTION.md, "Threads and
/// callbacks"), and the pointer never changes.
final class ClientHandle: @unchecked Sendable {
    let pointer: OpaquePointer
    /// Why a broker's certificate was refused.
    let certificates: CertificateTrouble

    fileprivate init(_ pointer: OpaquePointer, _ certificates: CertificateTrouble) {
        self.pointer = pointer
        self.certificates = certificates
    }

    deinit {
        // Ends librdkafka's threads, and with them the callbacks into `certificates`.
        rd_kafka_destroy(pointer)
    }

    /// The settings in force, those that topics begin with among them; secrets left out. librdkafka adjusts some when the
    /// client is made.
    var settings: [String: String] {
        var count = 0
        // Only read: the cast is what the C interface asks for.
        let own = rd_kafka_conf_dump(OpaquePointer(UnsafeRawPointer(rd_kafka_conf(pointer))), &count)
        var settings = Self.pairs(own, count)
        guard let topics = rd_kafka_default_topic_conf_dup(pointer) else { return settings }
        defer { rd_kafka_topic_conf_destroy(topics) }
        let shared = rd_kafka_topic_conf_dump(topics, &count)
        settings.merge(Self.pairs(shared, count)) { _, topic in topic }
        return settings
    }

    private static func pairs(_ list: UnsafeMutablePointer<UnsafePointer<CChar>?>?, _ count: Int) -> [String: String] {
        guard let list else { return [:] }
        defer { rd_kafka_conf_dump_free(list, count) }
        var settings: [String: String] = [:]
        for index in stride(from: 0, to: count - 1, by: 2) {
            guard let name = list[index].map({ String(cString: $0) }), !KafkaProperties.isSecret(name) else { continue }
            settings[name] = list[index + 1].map { String(cString: $0) } ?? ""
        }
        return settings
    }

    /// Why the client can do nothing more; nil while it can.
    var fatalReason: String? {
        withErrorText { text, size in rd_kafka_fatal_error(pointer, text, size) == RD_KAFKA_RESP_ERR_NO_ERROR }
    }
}

/// A queue of a client that rings a bell when news comes into it while it is empty.
///
/// `@unchecked Sendable`: queues are as thread-safe as their client, and nothing in it changes.
final class QueueHandle: @unchecked Sendable {
    let pointer: OpaquePointer
    private let client: ClientHandle
    private let bell: Bell

    /// The queue of the client's own events.
    static func main(of client: ClientHandle, bell: Bell) -> QueueHandle {
        QueueHandle(rd_kafka_queue_get_main(client.pointer), client, bell)
    }

    /// The queue of a group member's events.
    static func consumer(of client: ClientHandle, bell: Bell) -> QueueHandle {
        QueueHandle(rd_kafka_queue_get_consumer(client.pointer), client, bell)
    }

    /// A new queue, to fetch into.
    convenience init(_ client: ClientHandle, bell: Bell) {
        self.init(rd_kafka_queue_new(client.pointer), client, bell)
    }

    private init(_ pointer: OpaquePointer, _ client: ClientHandle, _ bell: Bell) {
        self.pointer = pointer
        self.client = client
        self.bell = bell
        // The bell lives as long as this object, and the callback ends before it does.
        let opaque = Unmanaged.passUnretained(bell).toOpaque()
        rd_kafka_queue_cb_event_enable(
            pointer,
            { _, opaque in
                guard let opaque else { return }
                Unmanaged<Bell>.fromOpaque(opaque).takeUnretainedValue().ring()
            },
            opaque
        )
    }

    deinit {
        rd_kafka_queue_cb_event_enable(pointer, nil, nil)
        rd_kafka_queue_destroy(pointer)
    }

    /// Hands over every event that is there now.
    func drain(_ body: (OpaquePointer) -> Void) {
        while let event = rd_kafka_queue_poll(pointer, 0) {
            body(event)
            rd_kafka_event_destroy(event)
        }
    }
}

/// A partition being fetched into a queue, until this goes.
final class FetchHandle {
    private let topic: OpaquePointer
    private let partition: Int32
    private let queue: QueueHandle

    init(
        _ place: TopicPartition,
        from offset: Int64,
        _ client: ClientHandle,
        into queue: QueueHandle
    ) throws(LogFailure) {
        guard let topic = rd_kafka_topic_new(client.pointer, place.topic, nil) else {
            throw KafkaFailure.failure(rd_kafka_last_error(), place, "opening \(place)")
        }
        guard rd_kafka_consume_start_queue(topic, place.partition, offset, queue.pointer) == 0 else {
            let code = rd_kafka_last_error()
            rd_kafka_topic_destroy(topic)
            throw KafkaFailure.failure(code, place, "reading \(place) from \(offset)")
        }
        self.topic = topic
        self.queue = queue
        partition = place.partition
    }

    deinit {
        rd_kafka_consume_stop(topic, partition)
        rd_kafka_topic_destroy(topic)
    }
}

/// Runs a call that explains its failure in a buffer; nil when it said true.
func withErrorText(_ call: (UnsafeMutablePointer<CChar>?, Int) -> Bool) -> String? {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 512) { text in
        text.initialize(repeating: 0)
        guard let start = text.baseAddress, !call(start, text.count) else { return nil }
        return String(cString: start)
    }
}
