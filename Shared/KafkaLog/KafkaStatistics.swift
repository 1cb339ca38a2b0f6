import Foundation

/// What one librdkafka client counts about itself, from its statistics events
/// (https://github.com/confluentinc/librdkafka/blob/v2.0.2/STATISTICS.md).
package struct KafkaStatistics: Equatable, Sendable {
    package enum Role: String, Equatable, Sendable {
        case producer, consumer
    }

    package struct Broker: Equatable, Sendable {
        /// `host:port/id`.
        package let name: String
        package let isUp: Bool
        /// Since the client's start.
        package let requestErrors: Int64
        package let responseErrors: Int64
        package let timeouts: Int64
        package let disconnects: Int64
        /// 99th percentile of a request's round trip in the last interval, microseconds; 0 where there was none.
        package let roundTripP99Us: Int64
    }

    package let role: Role
    /// librdkafka's name of the client; unique in the process.
    package let client: String
    /// Records and bytes in the producer's queue.
    package let queuedRecords: Int64
    package let queuedBytes: Int64
    /// By name.
    package let brokers: [Broker]

    /// nil where the text is not what librdkafka writes.
    package init?(json text: String) {
        guard let root = (try? JSONSerialization.jsonObject(with: Data(text.utf8))) as? [String: Any],
            let role = (root["type"] as? String).flatMap(Role.init(rawValue:)), let name = root["name"] as? String
        else { return nil }
        self.role = role
        client = name
        queuedRecords = Self.number(root["msg_cnt"])
        queuedBytes = Self.number(root["msg_size"])
        let all = root["brokers"] as? [String: [String: Any]] ?? [:]
        brokers = all.sorted { $0.key < $1.key }.compactMap { name, fields in
            // Brokers that librdkafka keeps for itself have no node.
            guard Self.number(fields["nodeid"]) >= 0 else { return nil }
            return Broker(
                name: name,
                isUp: fields["state"] as? String == "UP",
                requestErrors: Self.number(fields["txerrs"]),
                responseErrors: Self.number(fields["rxerrs"]),
                timeouts: Self.number(fields["req_timeouts"]),
                disconnects: Self.number(fields["disconnects"]),
                roundTripP99Us: Self.number((fields["rtt"] as? [String: Any])?["p99"])
            )
        }
    }

    private static func number(_ value: Any?) -> Int64 { (value as? NSNumber)?.int64Value ?? 0 }
}
