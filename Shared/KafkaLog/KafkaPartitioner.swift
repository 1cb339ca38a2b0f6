import CRdKafka

/// librdkafka's own choice of partition (`partitioner=murmur2`), to compare ours with.
package enum KafkaPartitioner {
    package static func murmur2(_ key: [UInt8], count: Int32) -> Int32 {
        // The topic is not looked at.
        key.withUnsafeBytes { rd_kafka_msg_partitioner_murmur2(nil, $0.baseAddress, $0.count, count, nil, nil) }
    }
}
