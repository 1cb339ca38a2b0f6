import Foundation
package import PlantEvents

/// Who reads and writes which topic: the one table behind ACLs, their documentation and the check of what services open.
package struct TopicAccess: Equatable, Sendable {
    /// Executable.
    package let service: String
    package let reads: [Topic]
    /// One topic, one writing service (design: services). A writer also reads its own history.
    package let writes: [Topic]
    /// Whether it sets unreadable records aside in its own `<service>-parked`.
    package let parks: Bool
    /// Whether several instances share its partitions through a consumer group.
    package let sharesPartitions: Bool

    private init(
        _ service: String,
        reads: [Topic] = [],
        writes: [Topic] = [],
        parks: Bool = true,
        sharesPartitions: Bool = false
    ) {
        self.service = service
        self.reads = reads
        self.writes = writes
        self.parks = parks
        self.sharesPartitions = sharesPartitions
    }

    package static let table: [TopicAccess] = [
        TopicAccess("camera-ingest", reads: [.inspections, .decisions], writes: [.frames], sharesPartitions: true),
        TopicAccess(
            "inspector",
            reads: [.frames, .production, .decisions],
            writes: [.inspections],
            sharesPartitions: true
        ),
        TopicAccess("mes-bridge", reads: [.inspections], writes: [.production, .mesDeliveries]),
        TopicAccess("erp-bridge", reads: [.inspections, .production], writes: [.materials, .erpDeliveries]),
        TopicAccess("traceability-projector", reads: Topic.written),
        TopicAccess(
            "alerting",
            reads: [.frames, .inspections, .mesDeliveries, .erpDeliveries],
            writes: [.alarms]
        ),
        TopicAccess("console", writes: [.decisions], parks: false),
        // A station host's mirror: what its own camera-ingest and inspector wrote goes up, what it needs comes down.
        TopicAccess(
            "uplink",
            reads: [.production, .materials, .alarms, .decisions],
            writes: [.frames, .inspections],
            parks: false
        ),
        // The command line: lists, tails, traces and rebuilds.
        TopicAccess("lineledger", reads: Topic.written, parks: false),
    ]

    /// The consumer group that the instances of `service` share partitions by.
    package static func group(of service: String, site: String) -> String { "\(TopicName.prefix).\(site).\(service)" }

    /// Every topic that a service of `plant` writes, by its full name, with the partitions it is created with.
    package static func topics(of plant: PlantFile) -> [(name: String, partitions: Int32)] {
        let written = Topic.written.map {
            (name: TopicName(site: plant.site, topic: $0).description, partitions: Int32(plant.partitions))
        }
        let parked = table.filter(\.parks).map {
            (name: TopicName(site: plant.site, parkedBy: $0.service).description, partitions: Int32(1))
        }
        return written + parked
    }

    /// The least rights in Kafka that the service works with.
    ///
    /// - Parameter principal: how the brokers name it, `User:…`.
    package func rights(site: String, principal: String) -> [KafkaRight] {
        let written = Set(writes)
        let read = reads.filter { !written.contains($0) }.map { TopicName(site: site, topic: $0).description }
        var own = writes.map { TopicName(site: site, topic: $0).description }
        if parks { own.append(TopicName(site: site, parkedBy: service).description) }
        var rights: [KafkaRight] = []
        for name in read { rights.append(KafkaRight(principal, .topic, name, .read)) }
        for name in own {
            rights.append(KafkaRight(principal, .topic, name, .read))
            rights.append(KafkaRight(principal, .topic, name, .write))
        }
        if sharesPartitions {
            rights.append(KafkaRight(principal, .group, Self.group(of: service, site: site), .read))
        }
        return rights
    }
}

/// One right of one principal, as Kafka's ACLs have them; `READ` and `WRITE` of a topic imply `DESCRIBE`.
package struct KafkaRight: Equatable, Sendable, Encodable {
    package enum Resource: String, Sendable, Encodable {
        case topic, group
    }

    package enum Operation: String, Sendable, Encodable {
        case read, write
    }

    package let principal: String
    package let resource: Resource
    package let name: String
    package let pattern = "literal"
    package let operation: Operation

    init(_ principal: String, _ resource: Resource, _ name: String, _ operation: Operation) {
        self.principal = principal
        self.resource = resource
        self.name = name
        self.operation = operation
    }

    private enum CodingKeys: String, CodingKey {
        case principal, resource, name, pattern, operation
    }
}

/// Rights as administrators put them into their cluster.
package struct KafkaRights: Sendable {
    package let rights: [KafkaRight]

    /// Those of every service of `plant`.
    package init(_ plant: PlantFile) {
        rights = TopicAccess.table.flatMap { access in
            access.rights(site: plant.site, principal: plant.kafka.principal(of: access.service))
        }
    }

    /// Calls of Apache Kafka's `kafka-acls.sh`; the shell that runs them sets `BOOTSTRAP` and `ADMIN_CONFIG`.
    package var commands: [String] {
        rights.map { right in
            "kafka-acls.sh --bootstrap-server \"$BOOTSTRAP\" --command-config \"$ADMIN_CONFIG\" --add "
                + "--allow-principal \(Self.quoted(right.principal)) --operation \(right.operation.rawValue.capitalized) "
                + "--\(right.resource.rawValue) \(Self.quoted(right.name))"
        }
    }

    /// `KafkaUser` resources of the Strimzi operator (`kafka.strimzi.io/v1beta2`), one a principal.
    package func strimzi(cluster: String, authentication: String) -> String {
        var names: [String] = []
        for right in rights where !names.contains(right.principal) { names.append(right.principal) }
        return names.map { principal in
            var name = principal.hasPrefix("User:") ? String(principal.dropFirst("User:".count)) : principal
            if name.hasPrefix("CN=") { name = String(name.dropFirst("CN=".count).prefix { $0 != "," }) }
            let rules = rights.filter { $0.principal == principal }.map { right in
                """
                      - resource: {type: \(right.resource.rawValue), name: \(right.name), patternType: literal}
                        operations: [\(right.operation.rawValue.capitalized)\
                \(right.resource == .topic ? ", Describe" : "")]
                """
            }
            return """
                apiVersion: kafka.strimzi.io/v1beta2
                kind: KafkaUser
                metadata:
                  name: \(name)
                  labels: {strimzi.io/cluster: \(cluster)}
                spec:
                  authentication: {type: \(authentication)}
                  authorization:
                    type: simple
                    acls:
                \(rules.joined(separator: "\n"))
                """
        }.joined(separator: "\n---\n")
    }

    /// One word of a POSIX shell.
    private static func quoted(_ text: String) -> String {
        "'\(text.replacing("'", with: "'\\''"))'"
    }
}
