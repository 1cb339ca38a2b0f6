import EventLog
import KafkaLog
import SeededRandom
import Testing

/// Every client of a topic must choose the same partition for a key.
@Suite struct JavaPartitionerTests {
    @Test(
        "murmur2 is Apache Kafka's (its own vectors, UtilsTest.testMurmur2)",
        arguments: [
            ("21", -973_932_308), ("foobar", -790_332_482), ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971), ("abc", 479_470_107),
        ] as [(String, Int32)]
    )
    func vectors(_ key: String, _ hash: Int32) {
        #expect(Int32(bitPattern: JavaPartitioner.murmur2(Array(key.utf8))) == hash)
    }

    @Test("librdkafka chooses the same partition", arguments: 1...5 as ClosedRange<UInt64>)
    func librdkafka(_ seed: UInt64) {
        var random = SplitMix64(seed: seed)
        for length in 0..<400 {
            let key = (0..<length % 70).map { _ in UInt8.random(in: 0...255, using: &random) }
            let count = Int32.random(in: 1...1_024, using: &random)
            #expect(JavaPartitioner.partition(of: key, count: count) == KafkaPartitioner.murmur2(key, count: count))
        }
    }
}
