import CRdKafka
package import EventLog

/// The bare librdkafka loop of the log bench: records go in by its C interface under the log's own settings, and their
/// delivery is waited for. What the log adds to it (order across failures, offsets, waking readers) is left out.
package final class BareProducer {
    private let client: ClientHandle
    private let queue: OpaquePointer
    private let topic: OpaquePointer
    private let place: TopicPartition

    package init(brokers: [String], to place: TopicPartition) throws(LogFailure) {
        self.place = place
        client = try KafkaProperties(brokers: brokers, properties: [:]).makeProducer()
        guard let topic = rd_kafka_topic_new(client.pointer, place.topic, nil) else {
            throw KafkaFailure.failure(rd_kafka_last_error(), place, "opening the topic")
        }
        self.topic = topic
        queue = rd_kafka_queue_get_main(client.pointer)
    }

    deinit {
        rd_kafka_queue_destroy(queue)
        rd_kafka_topic_destroy(topic)
    }

    /// Returns once the brokers have all of them.
    package func append(_ values: [[UInt8]]) throws(LogFailure) {
        for value in values {
            let code = value.withUnsafeBytes { bytes in
                rd_kafka_produce(
                    topic,
                    place.partition,
                    RD_KAFKA_MSG_F_COPY,
                    UnsafeMutableRawPointer(mutating: bytes.baseAddress),
                    bytes.count,
                    nil,
                    0,
                    nil
                )
            }
            guard code == 0 else { throw KafkaFailure.failure(rd_kafka_last_error(), place, "appending") }
        }
        var left = values.count
        while left > 0 {
            guard let event = rd_kafka_queue_poll(queue, 10_000) else {
                throw .unavailable("\(place): the brokers took nothing for 10 s")
            }
            defer { rd_kafka_event_destroy(event) }
            guard rd_kafka_event_type(event) == RD_KAFKA_EVENT_DR else { continue }
            while let message = rd_kafka_event_message_next(event) {
                guard message.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR else {
                    throw KafkaFailure.failure(message.pointee.err, place, "appending")
                }
                left -= 1
            }
        }
    }
}
