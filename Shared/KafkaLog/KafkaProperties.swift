import CRdKafka
import EventLog

/// librdkafka's settings: what the log's contract needs, over what the caller asks for, over our defaults.
///
/// TLS and SASL go through `properties` (`security.protocol`, `ssl.ca.location`, `sasl.mechanisms`, …), by librdkafka's own
/// names: https://github.com/confluentinc/librdkafka/blob/v2.0.2/CONFIGURATION.md
struct KafkaProperties: Sendable {
    let brokers: [String]
    let properties: [String: String]
    /// Told every few seconds by each client; nil asks for no statistics.
    let onStatistics: (@Sendable (KafkaStatistics) -> Void)?

    private static let consumerOnly = ["fetch.", "queued.", "isolation.level", "check.crcs", "auto.offset.reset"]
    private static let producerOnly = ["linger.ms", "compression.", "batch.", "queue.buffering.", "message.timeout.ms"]

    /// Refuses a property that would break the contract.
    init(
        brokers: [String],
        properties: [String: String],
        onStatistics: (@Sendable (KafkaStatistics) -> Void)? = nil
    ) throws(LogFailure) {
        self.brokers = brokers
        self.properties = properties
        self.onStatistics = onStatistics
        let guaranteed = Self.producing.merging(Self.consuming) { value, _ in value }
        for (name, value) in properties.sorted(by: { $0.key < $1.key }) {
            guard let needed = guaranteed[Self.secondNames[name] ?? name], needed != value else { continue }
            throw .badAddress("Kafka property \(name)=\(value): the log needs \(needed)")
        }
    }

    /// Whether the value of this property must not be shown.
    static func isSecret(_ name: String) -> Bool {
        name.contains("password") || name.hasSuffix(".pem") || name.contains("secret") || name == "sasl.jaas.config"
    }

    /// Hands on what a client counts about itself.
    func report(_ event: OpaquePointer) {
        guard let onStatistics, let text = rd_kafka_event_stats(event),
            let statistics = KafkaStatistics(json: String(cString: text))
        else { return }
        onStatistics(statistics)
    }

    func makeProducer() throws(LogFailure) -> ClientHandle {
        try checked(ConfigurationHandle(producer).makeClient(RD_KAFKA_PRODUCER), Self.producing)
    }

    func makeConsumer(_ more: [String: String] = [:]) throws(LogFailure) -> ClientHandle {
        let all = consumer.merging(more) { _, value in value }
        return try checked(ConfigurationHandle(all).makeClient(RD_KAFKA_CONSUMER), Self.consuming)
    }

    /// What counts is what the client has in force.
    private func checked(
        _ client: ClientHandle,
        _ guaranteed: [String: String]
    ) throws(LogFailure) -> ClientHandle {
        let settings = client.settings
        for (name, value) in guaranteed.sorted(by: { $0.key < $1.key }) {
            let inForce = settings[Self.mainName[name] ?? name]
            guard inForce == Self.shown[name, default: value] else {
                throw .badAddress(
                    "Kafka property \(name) would be \(inForce ?? "unknown to this librdkafka"): the log needs \(value)"
                )
            }
        }
        return client
    }

    private var producer: [String: String] {
        merged(
            ["linger.ms": "0", "queue.buffering.max.kbytes": "131072", "queue.buffering.max.messages": "100000"],
            without: Self.consumerOnly,
            Self.producing
        )
    }

    /// A broker answers a waiting fetch as soon as there is a byte (`fetch.min.bytes`); `fetch.wait.max.ms` only says how
    /// long it may hold one when there is none. `fetch.error.backoff.ms` is the pause after a fetch that failed: 500 ms
    /// by default, which every move of a partition's leader would cost.
    private var consumer: [String: String] {
        merged(
            [
                "queued.min.messages": "1000", "queued.max.messages.kbytes": "4096", "fetch.error.backoff.ms": "50",
                "fetch.message.max.bytes": "1048576", "fetch.min.bytes": "1", "fetch.wait.max.ms": "500",
            ],
            without: Self.producerOnly,
            Self.consuming
        )
    }

    /// `message.timeout.ms=0`: a record leaves the queue only when it is delivered, so that none can pass another.
    /// Records name their partition, so `partitioner` matters only if one ever did not: then as Java clients choose.
    private static let producing = [
        "acks": "all", "enable.idempotence": "true", "message.timeout.ms": "0", "message.max.bytes": "1048588",
        "max.in.flight.requests.per.connection": "5", "partitioner": "murmur2_random", "retries": "2147483647",
    ]

    /// `isolation.level=read_uncommitted`: the end of a partition is where the next record goes, not where a foreign
    /// transaction began. Nothing of ours is transactional.
    private static let consuming = [
        "isolation.level": "read_uncommitted",
        "enable.auto.commit": "false", "enable.auto.offset.store": "false", "auto.offset.reset": "error",
        "check.crcs": "true", "allow.auto.create.topics": "false", "enable.partition.eof": "false",
    ]

    private static let secondNames = [
        "request.required.acks": "acks", "max.in.flight": "max.in.flight.requests.per.connection",
        "delivery.timeout.ms": "message.timeout.ms", "message.send.max.retries": "retries",
    ]

    /// Where librdkafka shows a property under its other name, or a value in other words.
    private static let mainName = ["acks": "request.required.acks", "retries": "message.send.max.retries"]
    private static let shown = ["acks": "-1", "auto.offset.reset": "error"]

    private func merged(
        _ defaults: [String: String],
        without prefixes: [String],
        _ guaranteed: [String: String]
    ) -> [String: String] {
        let common = [
            "client.id": "lineledger", "reconnect.backoff.ms": "100", "reconnect.backoff.max.ms": "1000",
            "socket.keepalive.enable": "true", "socket.nagle.disable": "true", "log.connection.close": "false",
            "statistics.interval.ms": onStatistics == nil ? "0" : "5000",
        ]
        let asked = properties.filter { name, _ in !prefixes.contains { name.hasPrefix($0) } }
        var all = common.merging(defaults) { _, value in value }
        all.merge(asked) { _, value in value }
        all.merge(guaranteed) { _, value in value }
        all["bootstrap.servers"] = brokers.joined(separator: ",")
        return all
    }
}
