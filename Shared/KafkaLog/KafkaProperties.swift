import EventLog

/// librdkafka's settings: what the log's contract needs, over what the caller asks for, over our defaults.
///
/// TLS and SASL go through `properties` (`security.protocol`, `ssl.ca.location`, `sasl.mechanisms`, …), by librdkafka's own
/// names: https://github.com/confluentinc/librdkafka/blob/v2.0.2/CONFIGURATION.md
struct KafkaProperties: Sendable {
    let brokers: [String]
    let properties: [String: String]

    private static let consumerOnly = ["fetch.", "queued.", "isolation.level", "check.crcs", "auto.offset.reset"]
    private static let producerOnly = ["linger.ms", "compression.", "batch.", "queue.buffering.", "message.timeout.ms"]

    /// Refuses a property that would break the contract.
    init(brokers: [String], properties: [String: String]) throws(LogFailure) {
        self.brokers = brokers
        self.properties = properties
        let guaranteed = Self.producing.merging(Self.consuming) { value, _ in value }
        for (name, value) in properties where guaranteed[name].map({ $0 != value }) == true {
            throw .badAddress("Kafka property \(name)=\(value): the log needs \(guaranteed[name] ?? "")")
        }
    }

    var producer: [String: String] {
        merged(
            ["linger.ms": "0", "queue.buffering.max.kbytes": "131072", "queue.buffering.max.messages": "100000"],
            without: Self.consumerOnly,
            Self.producing
        )
    }

    var consumer: [String: String] {
        merged(
            [
                "queued.min.messages": "1000", "queued.max.messages.kbytes": "4096", "fetch.error.backoff.ms": "100",
                "fetch.message.max.bytes": "1048576",
            ],
            without: Self.producerOnly,
            Self.consuming
        )
    }

    /// `message.timeout.ms=0`: a record leaves the queue only when it is delivered, so that none can pass another.
    private static let producing = [
        "acks": "all", "enable.idempotence": "true", "message.timeout.ms": "0", "message.max.bytes": "1048588",
    ]

    /// `isolation.level=read_uncommitted`: the end of a partition is where the next record goes, not where a foreign
    /// transaction began. Nothing of ours is transactional.
    private static let consuming = [
        "isolation.level": "read_uncommitted",
        "enable.auto.commit": "false", "enable.auto.offset.store": "false", "auto.offset.reset": "error",
        "check.crcs": "true", "allow.auto.create.topics": "false", "enable.partition.eof": "false",
    ]

    private func merged(
        _ defaults: [String: String],
        without prefixes: [String],
        _ guaranteed: [String: String]
    ) -> [String: String] {
        let common = [
            "client.id": "lineledger", "reconnect.backoff.ms": "100", "reconnect.backoff.max.ms": "1000",
            "socket.keepalive.enable": "true", "log.connection.close": "false",
        ]
        let asked = properties.filter { name, _ in !prefixes.contains { name.hasPrefix($0) } }
        var all = common.merging(defaults) { _, value in value }
        all.merge(asked) { _, value in value }
        all.merge(guaranteed) { _, value in value }
        all["bootstrap.servers"] = brokers.joined(separator: ",")
        return all
    }
}
