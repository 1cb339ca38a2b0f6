package import EventLog

/// Opens the log at an address: `embedded:DIR`, `memory:` or `kafka://host:port,…`.
///
/// - Parameter kafka: librdkafka properties for TLS, SASL and tuning, where the address is Kafka's.
package func openLog(_ address: String, kafka: [String: String] = [:]) throws(LogFailure) -> any EventLog {
    switch try LogAddress(address) {
    case .embedded(let directory): try EmbeddedLog(directory: directory)
    case .memory: MemoryLog()
    case .kafka(let brokers): try KafkaLog(brokers: brokers, properties: kafka)
    }
}
