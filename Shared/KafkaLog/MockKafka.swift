import CRdKafka
package import EventLog

/// Kafka brokers inside this process, for trying and tests: real protocol on real ports of 127.0.0.1, records in memory,
/// of which only the newest 5 MB or 100,000 a partition are kept. librdkafka calls its API experimental.
///
/// `@unchecked Sendable`: "librdkafka is completely thread-safe", and the mock's functions hand each command to the
/// mock's own thread.
package final class MockKafka: @unchecked Sendable {
    /// `host:port` of each broker.
    package let brokers: [String]

    private let client: ClientHandle
    private let cluster: OpaquePointer

    /// Starts brokers numbered from 1.
    package init(brokers count: Int32 = 1) throws(LogFailure) {
        client = try ConfigurationHandle([:]).makeClient(RD_KAFKA_PRODUCER)
        guard let cluster = rd_kafka_mock_cluster_new(client.pointer, count) else {
            throw .unavailable("the mock brokers did not start")
        }
        self.cluster = cluster
        let list = rd_kafka_mock_cluster_bootstraps(cluster).map { String(cString: $0) } ?? ""
        brokers = list.split(separator: ",").map(String.init)
    }

    deinit {
        rd_kafka_mock_cluster_destroy(cluster)
    }

    /// As `openLog` takes it.
    package var address: String { LogAddress.kafka(brokers: brokers).description }

    /// The mock knows no topic creation over the protocol.
    package func createTopic(_ topic: String, partitions: Int32) throws(LogFailure) {
        let code = rd_kafka_mock_topic_create(cluster, topic, partitions, Int32(brokers.count))
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS else {
            throw KafkaFailure.failure(code, TopicPartition(topic), "creating \(topic)")
        }
    }

    /// Closes the broker's connections and refuses new ones, or takes them again.
    package func setBroker(_ number: Int32, isUp: Bool) {
        if isUp {
            rd_kafka_mock_broker_set_up(cluster, number)
        } else {
            rd_kafka_mock_broker_set_down(cluster, number)
        }
    }

    /// Answers of a broker take at least this long.
    package func setRoundTrip(_ number: Int32, milliseconds: Int32) {
        rd_kafka_mock_broker_set_rtt(cluster, number, milliseconds)
    }

    /// What a broker can say to a produce request.
    package enum ProduceError: Sendable, CaseIterable {
        case notLeader, notEnoughReplicas, timedOut, outOfOrderSequence, tooLarge, notAllowed

        fileprivate var code: rd_kafka_resp_err_t {
            switch self {
            case .notLeader: RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION
            case .notEnoughReplicas: RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS
            case .timedOut: RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT
            case .outOfOrderSequence: RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER
            case .tooLarge: RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE
            case .notAllowed: RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED
            }
        }
    }

    /// The next produce requests are answered with these errors, one each.
    package func failProduce(_ errors: [ProduceError]) {
        let produce: Int16 = 0
        rd_kafka_mock_push_request_errors_array(cluster, produce, errors.count, errors.map(\.code))
    }
}
