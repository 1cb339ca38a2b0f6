import EventLog

/// What the history in a topic needs of its brokers (`topics create`, `topics check`).
package struct TopicNeeds: Equatable, Sendable {
    /// Replicas of each partition; nil leaves it to the brokers' default.
    package var replication: Int16?
    /// Replicas that must have a record before it counts as written; nil leaves it to the brokers' default.
    package var minInSync: Int16?

    package init(replication: Int16? = nil, minInSync: Int16? = nil) {
        self.replication = replication
        self.minInSync = minInSync
    }

    /// Kafka's framing of the largest record: `LogLimits.recordBytes` and what goes around it.
    static let messageBytes = 1_048_588

    /// Kafka's topic settings by name: everything is kept for ever, uncompacted; the broker's clock stamps it; a replica that
    /// lags never becomes the leader, which would lose acknowledged records.
    package var settings: [String: String] {
        var settings = [
            "cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1",
            "message.timestamp.type": "LogAppendTime", "max.message.bytes": "\(Self.messageBytes)",
            "unclean.leader.election.enable": "false",
        ]
        if let minInSync { settings["min.insync.replicas"] = "\(minInSync)" }
        return settings
    }

    func drift(
        of topic: String,
        partitions: Int32,
        foundPartitions: Int32,
        foundReplicas: Int32,
        foundSettings: [String: String]
    ) -> [TopicDrift] {
        var drift: [TopicDrift] = []
        func note(_ setting: String, _ found: String, _ needed: String) {
            drift.append(TopicDrift(topic: topic, setting: setting, found: found, needed: needed))
        }
        if foundPartitions != partitions { note("partitions", "\(foundPartitions)", "\(partitions)") }
        if let replication, foundReplicas < Int32(replication) {
            note("replicas", "\(foundReplicas)", "\(replication) or more")
        }
        for (name, needed) in settings.sorted(by: { $0.key < $1.key }) {
            let found = foundSettings[name]
            let isEnough =
                switch name {
                case "max.message.bytes", "min.insync.replicas":
                    found.flatMap { Int64($0) } ?? 0 >= Int64(needed) ?? 0
                default: found?.lowercased() == needed.lowercased()
                }
            if !isEnough { note(name, found ?? "not told by the broker", needed) }
        }
        return drift
    }
}

/// One setting of a topic that is not as the history needs it.
package struct TopicDrift: Equatable, Sendable, Encodable {
    package let topic: String
    /// Kafka's name, or `topic`, `partitions` or `replicas`.
    package let setting: String
    package let found: String
    package let needed: String
}
