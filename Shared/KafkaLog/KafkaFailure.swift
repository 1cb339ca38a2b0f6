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
            RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
            return .denied("\(detail); `lineledger topics acl` lists the rights that each service needs")
        case RD_KAFKA_RESP_ERR__AUTHENTICATION where isBrokenOff(detail):
            return .unavailable(detail)
        case RD_KAFKA_RESP_ERR__AUTHENTICATION, RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED,
            RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM:
            return .denied("\(detail); check kafka.sasl: mechanism, user and password")
        case RD_KAFKA_RESP_ERR__QUEUE_FULL:
            return .unavailable("\(detail); the broker is slower than the appends")
        default:
            return .unavailable(detail)
        }
    }

    /// A connection that breaks off in the middle of authentication is reported as a failed one, but nobody was refused.
    static func isBrokenOff(_ detail: String) -> Bool {
        detail.contains(String(cString: rd_kafka_err2str(RD_KAFKA_RESP_ERR__TRANSPORT)))
    }
}

/// What a client reported while it could not reach brokers: the reason behind a time-out.
struct KafkaTrouble: Sendable {
    private(set) var text: String?
    private var code = RD_KAFKA_RESP_ERR_NO_ERROR

    /// Takes in an error event. A refusal is kept: what follows it ("all brokers down") says less.
    mutating func note(_ event: OpaquePointer) {
        let code = rd_kafka_event_error(event)
        let text = String(cString: rd_kafka_event_error_string(event))
        // A broker that wants a client certificate says so when the handshake is over, as a broken connection.
        let isAlert = text.contains("SSL alert") || text.contains("tlsv13 alert")
        let found = isAlert ? RD_KAFKA_RESP_ERR__SSL : code
        guard !isRefusal || Self.refusals.contains(found) else { return }
        self.code = found
        self.text = text
    }

    /// Whether brokers answered and refused: certificate or password.
    var isRefusal: Bool { Self.refusals.contains(code) && !isBrokenOff }

    private var isBrokenOff: Bool {
        code == RD_KAFKA_RESP_ERR__AUTHENTICATION && KafkaFailure.isBrokenOff(text ?? "")
    }

    /// The failure where the brokers refused this client; nil where they may only be away.
    func refusal(_ client: ClientHandle, _ what: String) -> LogFailure? {
        if let reason = client.certificates.reason { return .denied("\(what): \(reason)") }
        guard isRefusal, let text else { return nil }
        if code == RD_KAFKA_RESP_ERR__SSL {
            return .denied("\(what): \(text); check kafka.tls: does the broker want a client certificate?")
        }
        return .denied("\(what): \(text); check kafka.sasl: mechanism, user and password")
    }

    private static let refusals = [
        RD_KAFKA_RESP_ERR__SSL, RD_KAFKA_RESP_ERR__AUTHENTICATION, RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED,
    ]
}
