import CRdKafka
import EventLog

/// Asks brokers about topics, partitions and ends, off Swift's thread pool.
actor KafkaCatalogue {
    private static let timeoutMs: Int32 = 5_000

    private nonisolated let executor = BlockingExecutor("kafka topics")
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private let properties: KafkaProperties
    private let bell = Bell()
    private var running: (client: ClientHandle, events: QueueHandle)?
    private var isClosed = false

    init(_ properties: KafkaProperties) {
        self.properties = properties
    }

    func close() {
        isClosed = true
        running = nil
    }

    /// Partition counts of all topics. Asking for one topic by name would make brokers create it.
    func partitionCounts() throws(LogFailure) -> [String: Int32] {
        let client = try client()
        var metadata: UnsafePointer<rd_kafka_metadata>?
        let code = rd_kafka_metadata(client.pointer, 1, nil, &metadata, Self.timeoutMs)
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR, let metadata else { throw failure(code, "listing topics") }
        defer { rd_kafka_metadata_destroy(metadata) }
        let topics = UnsafeBufferPointer(start: metadata.pointee.topics, count: Int(metadata.pointee.topic_cnt))
        var counts: [String: Int32] = [:]
        for topic in topics where topic.err == RD_KAFKA_RESP_ERR_NO_ERROR && topic.partition_cnt > 0 {
            counts[String(cString: topic.topic)] = topic.partition_cnt
        }
        return counts
    }

    /// The first offset still there, and the offset that the next record gets.
    func range(of place: TopicPartition) throws(LogFailure) -> Range<Int64> {
        let client = try client()
        var low: Int64 = 0
        var high: Int64 = 0
        let code = rd_kafka_query_watermark_offsets(
            client.pointer,
            place.topic,
            place.partition,
            &low,
            &high,
            Self.timeoutMs
        )
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { throw failure(code, "asking for the end of \(place)", place) }
        return low..<max(low, high)
    }

    /// Creates a topic that keeps everything for ever; one that exists is left as it is.
    func create(_ topic: String, _ partitions: Int32) throws(LogFailure) {
        let client = try client()
        var reason: String?
        let request = withErrorText { text, size in
            guard let new = rd_kafka_NewTopic_new(topic, partitions, -1, text, size) else { return false }
            defer { rd_kafka_NewTopic_destroy(new) }
            for (name, value) in [
                ("cleanup.policy", "delete"), ("retention.ms", "-1"), ("retention.bytes", "-1"),
                ("message.timestamp.type", "LogAppendTime"),
            ] {
                rd_kafka_NewTopic_set_config(new, name, value)
            }
            reason = send(new, client)
            return true
        }
        if let reason = request ?? reason { throw .unavailable("creating \(topic): \(reason)") }
    }

    /// Nil when the topic is there now; otherwise what the broker said.
    private func send(_ new: OpaquePointer, _ client: ClientHandle) -> String? {
        guard let answers = rd_kafka_queue_new(client.pointer) else { return "out of memory" }
        defer { rd_kafka_queue_destroy(answers) }
        let options = rd_kafka_AdminOptions_new(client.pointer, RD_KAFKA_ADMIN_OP_CREATETOPICS)
        defer { rd_kafka_AdminOptions_destroy(options) }
        let reason = withErrorText { text, size in
            let isSet =
                rd_kafka_AdminOptions_set_request_timeout(options, Self.timeoutMs, text, size)
                == RD_KAFKA_RESP_ERR_NO_ERROR
            return isSet
                && rd_kafka_AdminOptions_set_operation_timeout(options, Self.timeoutMs, text, size)
                    == RD_KAFKA_RESP_ERR_NO_ERROR
        }
        if let reason { return reason }
        var topics: [OpaquePointer?] = [new]
        rd_kafka_CreateTopics(client.pointer, &topics, 1, options, answers)
        guard let event = rd_kafka_queue_poll(answers, 2 * Self.timeoutMs) else { return "no answer" }
        defer { rd_kafka_event_destroy(event) }
        guard rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR_NO_ERROR else {
            return String(cString: rd_kafka_event_error_string(event))
        }
        var count = 0
        let results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count)
        for result in UnsafeBufferPointer(start: results, count: count) {
            let code = rd_kafka_topic_result_error(result)
            if code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS { continue }
            return rd_kafka_topic_result_error_string(result).map { String(cString: $0) }
                ?? String(cString: rd_kafka_err2str(code))
        }
        return nil
    }

    private func client() throws(LogFailure) -> ClientHandle {
        guard !isClosed else { throw .closed }
        if let running { return running.client }
        let client = try ConfigurationHandle(properties.consumer).makeClient(RD_KAFKA_CONSUMER)
        running = (client, .main(of: client, bell: bell))
        return client
    }

    /// Adds what the client noticed meanwhile, such as a refused connection.
    private func failure(
        _ code: rd_kafka_resp_err_t,
        _ what: String,
        _ place: TopicPartition = TopicPartition("all topics")
    ) -> LogFailure {
        var noticed: [String] = []
        running?.events.drain { event in
            if rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR {
                noticed.append(String(cString: rd_kafka_event_error_string(event)))
            }
        }
        let detail = noticed.last.map { " (\($0))" } ?? ""
        return KafkaFailure.failure(code, place, "\(what) at \(properties.brokers.joined(separator: ","))\(detail)")
    }
}
