import CRdKafka
import EventLog

/// Kafka's error codes in the log's words.
enum KafkaFailure {
    /// - Parameter bytes: what was to be appended.
    static func failure(
        _ code: rd_kafka_resp_err_t,
        _ place: TopicPartition,
        _ what: String,
        bytes: Int = 0
    ) -> LogFailure {
        let detail = "\(what): \(String(cString: rd_kafka_err2str(code)))"
        switch code {
        case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
            return .recordTooLarge(bytes: bytes, limit: LogLimits.recordBytes)
        case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC,
            RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
            return .unknown(place)
        case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET, RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
            return .corrupt("\(detail); was the topic deleted, or its records expired? rebuild from its first offset")
        case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED,
            RD_KAFKA_RESP_ERR__AUTHENTICATION, RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
            return .badAddress("\(detail); give this client the right, or the right credentials")
        case RD_KAFKA_RESP_ERR__QUEUE_FULL:
            return .unavailable("\(detail); the broker is slower than the appends")
        default:
            return .unavailable(detail)
        }
    }
}
