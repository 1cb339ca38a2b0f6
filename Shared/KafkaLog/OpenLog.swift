package import EventLog

/// Opens the log at an address: `embedded:DIR`, `memory:` or `kafka://host:port,…`.
///
/// - Parameters, which count where the address is Kafka's:
///   - kafka: librdkafka properties for TLS, SASL and tuning.
///   - needs: what topics are created with.
///   - onStatistics: told every five seconds by each client what it counts about itself.
package func openLog(
    _ address: String,
    kafka: [String: String] = [:],
    needs: TopicNeeds = TopicNeeds(),
    onStatistics: (@Sendable (KafkaStatistics) -> Void)? = nil
) throws(LogFailure) -> any EventLog {
    switch try LogAddress(address) {
    case .embedded(let directory): try EmbeddedLog(directory: directory)
    case .memory: MemoryLog()
    case .kafka(let brokers):
        try KafkaLog(brokers: brokers, properties: kafka, needs: needs, onStatistics: onStatistics)
    }
}
