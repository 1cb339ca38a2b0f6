package import EventLog
import PlantEvents

/// The topics that a model of one site is made from.
package enum SiteTopics {
    /// The end of every partition of every topic that running services write, as far as the log has the topic.
    package static func ends(of site: String, in log: any EventLog) async throws(LogFailure) -> [TopicPartition: Int64]
    {
        let names = Set(Topic.written.map { TopicName(site: site, topic: $0).description })
        var ends: [TopicPartition: Int64] = [:]
        for topic in try await log.topics() where names.contains(topic) {
            for partition in 0..<(try await log.partitionCount(of: topic)) {
                let place = TopicPartition(topic, partition)
                ends[place] = try await log.endOffset(of: place)
            }
        }
        return ends
    }
}
