/// Which partition a key belongs to, as Apache Kafka's Java clients choose it, so that every client of a topic agrees.
///
/// `org.apache.kafka.common.utils.Utils`: `toPositive(murmur2(key)) % partitions`. MurmurHash2, 32 bits, by Austin Appleby.
package enum JavaPartitioner {
    /// - Parameter count: partitions of the topic, at least 1.
    package static func partition(of key: [UInt8], count: Int32) -> Int32 {
        precondition(count > 0, "a topic has partitions")
        return Int32(bitPattern: murmur2(key) & 0x7fff_ffff) % count
    }

    package static func murmur2(_ key: [UInt8]) -> UInt32 {
        let multiplier: UInt32 = 0x5bd1_e995
        let shift: UInt32 = 24
        let seed: UInt32 = 0x9747_b28c
        var hash = seed ^ UInt32(truncatingIfNeeded: key.count)
        let whole = key.count & ~3
        for start in stride(from: 0, to: whole, by: 4) {
            var word = (0..<4).reduce(UInt32(0)) { $0 | UInt32(key[start + $1]) << (8 * UInt32($1)) }
            word = word &* multiplier
            word ^= word >> shift
            word = word &* multiplier
            hash = hash &* multiplier ^ word
        }
        if key.count > whole {
            for index in whole..<key.count { hash ^= UInt32(key[index]) << (8 * UInt32(index - whole)) }
            hash = hash &* multiplier
        }
        hash ^= hash >> 13
        hash = hash &* multiplier
        return hash ^ hash >> 15
    }
}
