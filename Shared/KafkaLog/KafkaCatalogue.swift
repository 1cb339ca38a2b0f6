import CRdKafka
import EventLog

/// Asks brokers about topics, partitions and ends, off Swift's thread pool.
actor KafkaCatalogue {
    private static let timeoutMs: Int32 = 5_000

    private nonisolated let executor = BlockingExecutor("kafka topics")
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private let properties: KafkaProperties
    private let needs: TopicNeeds
    private let bell = Bell()
    private var running: (client: ClientHandle, events: QueueHandle)?
    private var trouble = KafkaTrouble()
    private var isClosed = false

    init(_ properties: KafkaProperties, needs: TopicNeeds) {
        self.properties = properties
        self.needs = needs
    }

    func close() {
        isClosed = true
        running = nil
    }

    /// What brokers say of a topic without being asked for its settings.
    struct Shape: Sendable {
        let partitions: Int32
        /// Fewest replicas of its partitions.
        let replicas: Int32
    }

    /// All topics. Asking for one topic by name would make brokers create it.
    func shapes() throws(LogFailure) -> [String: Shape] {
        let client = try client()
        var metadata: UnsafePointer<rd_kafka_metadata>?
        let code = rd_kafka_metadata(client.pointer, 1, nil, &metadata, Self.timeoutMs)
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR, let metadata else { throw failure(code, "listing topics") }
        defer { rd_kafka_metadata_destroy(metadata) }
        let topics = UnsafeBufferPointer(start: metadata.pointee.topics, count: Int(metadata.pointee.topic_cnt))
        var shapes: [String: Shape] = [:]
        for topic in topics where topic.err == RD_KAFKA_RESP_ERR_NO_ERROR && topic.partition_cnt > 0 {
            let partitions = UnsafeBufferPointer(start: topic.partitions, count: Int(topic.partition_cnt))
            shapes[String(cString: topic.topic)] = Shape(
                partitions: topic.partition_cnt,
                replicas: partitions.map(\.replica_cnt).min() ?? 0
            )
        }
        return shapes
    }

    /// The settings of a topic as its brokers have them in force.
    func settings(of topic: String) throws(LogFailure) -> [String: String] {
        let client = try client()
        guard let resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic) else {
            throw .badTopic(topic)
        }
        defer { rd_kafka_ConfigResource_destroy(resource) }
        var settings: [String: String] = [:]
        var resources: [OpaquePointer?] = [resource]
        let reason = try ask(client, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, "settings of \(topic)") { options, answers in
            rd_kafka_DescribeConfigs(client.pointer, &resources, 1, options, answers)
        } answered: { event in
            var count = 0
            let result = rd_kafka_event_DescribeConfigs_result(event)
            let found = rd_kafka_DescribeConfigs_result_resources(result, &count)
            for resource in UnsafeBufferPointer(start: found, count: count) {
                let code = rd_kafka_ConfigResource_error(resource)
                guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { return code }
                var entries = 0
                let list = rd_kafka_ConfigResource_configs(resource, &entries)
                for entry in UnsafeBufferPointer(start: list, count: entries) {
                    guard let name = rd_kafka_ConfigEntry_name(entry) else { continue }
                    settings[String(cString: name)] = rd_kafka_ConfigEntry_value(entry).map { String(cString: $0) }
                }
            }
            return RD_KAFKA_RESP_ERR_NO_ERROR
        }
        if reason != RD_KAFKA_RESP_ERR_NO_ERROR { throw failure(reason, "asking for the settings of \(topic)") }
        return settings
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
        let new = try Self.newTopic(topic, partitions, needs)
        defer { rd_kafka_NewTopic_destroy(new) }
        var topics: [OpaquePointer?] = [new]
        var said = ""
        let code = try ask(client, RD_KAFKA_ADMIN_OP_CREATETOPICS, "creating \(topic)") { options, answers in
            rd_kafka_CreateTopics(client.pointer, &topics, 1, options, answers)
        } answered: { event in
            var count = 0
            let results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count)
            for result in UnsafeBufferPointer(start: results, count: count) {
                let code = rd_kafka_topic_result_error(result)
                if code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS { continue }
                said = rd_kafka_topic_result_error_string(result).map { ": \(String(cString: $0))" } ?? ""
                return code
            }
            return RD_KAFKA_RESP_ERR_NO_ERROR
        }
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
            throw failure(code, "creating \(topic)\(said)", TopicPartition(topic))
        }
    }

    private static func newTopic(
        _ topic: String,
        _ partitions: Int32,
        _ needs: TopicNeeds
    ) throws(LogFailure) -> OpaquePointer {
        var new: OpaquePointer?
        let replicas = needs.replication.map(Int32.init) ?? -1
        let mistake = withErrorText { text, size in
            new = rd_kafka_NewTopic_new(topic, partitions, replicas, text, size)
            return new != nil
        }
        guard let new else { throw .badTopic("\(topic): \(mistake ?? "refused")") }
        for (name, value) in needs.settings.sorted(by: { $0.key < $1.key }) {
            rd_kafka_NewTopic_set_config(new, name, value)
        }
        return new
    }

    /// Sends an administrator's request and hands the answer over; returns what the brokers said of it.
    private func ask(
        _ client: ClientHandle,
        _ operation: rd_kafka_admin_op_t,
        _ what: String,
        send: (_ options: OpaquePointer?, _ answers: OpaquePointer) -> Void,
        answered: (OpaquePointer) -> rd_kafka_resp_err_t
    ) throws(LogFailure) -> rd_kafka_resp_err_t {
        guard let answers = rd_kafka_queue_new(client.pointer) else { throw .unavailable("\(what): out of memory") }
        defer { rd_kafka_queue_destroy(answers) }
        let options = rd_kafka_AdminOptions_new(client.pointer, operation)
        defer { rd_kafka_AdminOptions_destroy(options) }
        let mistake = withErrorText { text, size in
            rd_kafka_AdminOptions_set_request_timeout(options, Self.timeoutMs, text, size)
                == RD_KAFKA_RESP_ERR_NO_ERROR
        }
        if let mistake { throw .unavailable("\(what): \(mistake)") }
        send(options, answers)
        guard let event = rd_kafka_queue_poll(answers, 2 * Self.timeoutMs) else {
            throw failure(RD_KAFKA_RESP_ERR__TIMED_OUT, what)
        }
        defer { rd_kafka_event_destroy(event) }
        let code = rd_kafka_event_error(event)
        return code == RD_KAFKA_RESP_ERR_NO_ERROR ? answered(event) : code
    }

    private func client() throws(LogFailure) -> ClientHandle {
        guard !isClosed else { throw .closed }
        if let running { return running.client }
        let client = try properties.makeConsumer(["statistics.interval.ms": "0"])
        running = (client, .main(of: client, bell: bell))
        return client
    }

    /// Adds what the client noticed meanwhile, such as a refused connection.
    private func failure(
        _ code: rd_kafka_resp_err_t,
        _ what: String,
        _ place: TopicPartition = TopicPartition("all topics")
    ) -> LogFailure {
        let what = "\(what) at \(properties.brokers.joined(separator: ","))"
        running?.events.drain { event in
            if rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR { trouble.note(event) }
        }
        defer { trouble = KafkaTrouble() }
        let isUnanswered =
            code == RD_KAFKA_RESP_ERR__TRANSPORT || code == RD_KAFKA_RESP_ERR__TIMED_OUT
            || code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN
        if isUnanswered, let running, let refusal = trouble.refusal(running.client, what) { return refusal }
        return KafkaFailure.failure(code, place, what + (trouble.text.map { " (\($0))" } ?? ""))
    }
}
