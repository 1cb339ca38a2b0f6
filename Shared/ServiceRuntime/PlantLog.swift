package import EventLog
import KafkaLog
import Metrics

extension PlantFile {
    /// Opens the plant's log as `service`, with its identity where the log is Kafka's.
    /// - Throws: `PlantFileError` where a secret or certificate cannot be read, else `LogFailure`.
    package func connectLog(
        as service: String,
        at address: String? = nil,
        environment: [String: String]
    ) throws -> any EventLog {
        let address = address ?? log
        guard case .kafka = try LogAddress(address) else { return try openLog(address) }
        let metrics = KafkaMetrics()
        return try openLog(
            address,
            kafka: try kafkaProperties(of: service, environment: environment),
            needs: kafka.needs,
            onStatistics: { metrics.record($0) }
        )
    }
}

/// librdkafka's own counts as metrics.
private struct KafkaMetrics: Sendable {
    func record(_ statistics: KafkaStatistics) {
        if statistics.role == .producer {
            Gauge(label: "lineledger_kafka_queue_records").record(statistics.queuedRecords)
            Gauge(label: "lineledger_kafka_queue_bytes").record(statistics.queuedBytes)
        }
        for broker in statistics.brokers {
            let labels = [("broker", broker.name), ("client", statistics.role.rawValue)]
            func note(_ name: String, _ value: Int64) {
                Gauge(label: "lineledger_kafka_broker_\(name)", dimensions: labels).record(value)
            }
            note("up", broker.isUp ? 1 : 0)
            note("request_errors", broker.requestErrors)
            note("response_errors", broker.responseErrors)
            note("timeouts", broker.timeouts)
            note("disconnects", broker.disconnects)
            note("round_trip_p99_microseconds", broker.roundTripP99Us)
        }
    }
}
