import EventLog
import Foundation
import KafkaLog
import PlantEvents
import ServiceRuntime
import Testing

/// The `kafka:` section of a plant file, and what follows from it.
@Suite struct KafkaPlantTests {
    private static let head = """
        enterprise: acme
        site: berlin
        area: assembly
        log: kafka://localhost:9093
        state: state
        partitions: 4
        lines:
          - id: line-1
            stations:
              - {id: vision-1, camera: {kind: scene}, recipe: r.yaml, partition: 3}
              - {id: vision-2, camera: {kind: scene}, recipe: r.yaml}

        """

    private func plant(_ kafka: String) throws -> PlantFile {
        try PlantFile.parse(Array((Self.head + kafka).utf8), path: "/p/plant.yaml", environment: [:])
    }

    private func mistakes(_ kafka: String) -> [PlantMistake] {
        (#expect(throws: PlantFileError.self) { try plant(kafka) })?.mistakes ?? []
    }

    @Test("TLS and SASL become librdkafka's properties, {service} each program's own, secrets read where they are")
    func properties() throws {
        let folder = NSTemporaryDirectory() + "lineledger-kafka-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { #expect(throws: Never.self) { try FileManager.default.removeItem(atPath: folder) } }
        for name in ["ca.pem", "inspector.pem", "inspector.key"] {
            try Data("x".utf8).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
        }
        try Data("open sesame\n".utf8).write(to: URL(fileURLWithPath: "\(folder)/inspector.password"))
        let plant = try plant(
            """
            kafka:
              tls:
                ca_file: \(folder)/ca.pem
                certificate_file: \(folder)/{service}.pem
                key_file: \(folder)/{service}.key
                key_passphrase_env: KEY_PASS
              sasl: {mechanism: SCRAM-SHA-256, user: "ll-{service}", password_file: "\(folder)/{service}.password"}
              replication: 3
              min_insync: 2
            """
        )
        let found = try plant.kafkaProperties(of: "inspector", environment: ["KEY_PASS": "tilde"])
        #expect(
            found == [
                "security.protocol": "sasl_ssl", "ssl.endpoint.identification.algorithm": "https",
                "enable.ssl.certificate.verification": "true", "ssl.ca.location": "\(folder)/ca.pem",
                "ssl.certificate.location": "\(folder)/inspector.pem", "ssl.key.location": "\(folder)/inspector.key",
                "ssl.key.password": "tilde", "sasl.mechanisms": "SCRAM-SHA-256", "sasl.username": "ll-inspector",
                "sasl.password": "open sesame",
            ]
        )
        #expect(plant.kafka.principal(of: "inspector") == "User:ll-inspector")
        #expect(plant.kafka.needs.settings["min.insync.replicas"] == "2")
        let again = try PlantFile.parse(Array(plant.yaml().utf8), path: "/q/plant.yaml", environment: [:])
        #expect(again.kafka == plant.kafka && again.stationsByID["vision-1"]?.station.partition == 3)
        let missing = #expect(throws: PlantFileError.self) {
            try plant.kafkaProperties(of: "alerting", environment: [:])
        }
        #expect(missing?.mistakes.count == 4, "two files, a passphrase and a password: \(String(describing: missing))")
    }

    @Test("No section means no security")
    func none() throws {
        #expect(try plant("").kafkaProperties(of: "x", environment: [:]) == ["security.protocol": "plaintext"])
        #expect(try plant("kafka: {tls: {}}").kafkaProperties(of: "x", environment: [:])["security.protocol"] == "ssl")
    }

    @Test(
        "Wrong combinations are named by key",
        arguments: [
            ("kafka: {sasl: {mechanism: PLAIN, user: a, password_env: P}}", "kafka.sasl"),
            ("kafka: {sasl: {mechanism: MD5, user: a, password_env: P}}", "kafka.sasl.mechanism"),
            ("kafka: {sasl: {mechanism: SCRAM-SHA-512, user: a}}", "kafka.sasl.password_file"),
            ("kafka: {sasl: {mechanism: SCRAM-SHA-512, user: a, password: b}}", "kafka.sasl.password"),
            ("kafka: {tls: {certificate_file: c}}", "kafka.tls.certificate_file"),
            ("kafka: {tls: {key_file: c}}", "kafka.tls.key_file"),
            ("kafka: {tls: {key_passphrase_env: P}}", "kafka.tls.key_passphrase_env"),
            ("kafka: {replication: 1, min_insync: 2}", "kafka.min_insync"),
        ]
    )
    func mistaken(_ kafka: String, _ key: String) {
        #expect(mistakes(kafka).contains { $0.key == key }, "found \(mistakes(kafka))")
    }

    @Test("A station's records go where the plant file says, else where Kafka's clients put its id")
    func partitions() throws {
        let plant = try plant("")
        let stations = plant.stationsByID
        let second = try #require(stations["vision-2"]?.station)
        #expect(try plant.partition(of: #require(stations["vision-1"]?.station)) == 3)
        #expect(plant.partition(of: second) == JavaPartitioner.partition(of: Array("vision-2".utf8), count: 4))
        #expect(plant.stationPartitions.allSatisfy { !plant.stations(in: $0).isEmpty })
    }

    @Test("One topic, one writing service; nobody may write what is another's")
    func oneWriter() throws {
        for topic in Topic.written {
            let writers = TopicAccess.table.filter { $0.writes.contains(topic) && $0.service != "uplink" }
            #expect(writers.count == 1, "\(topic): \(writers.map(\.service))")
        }
        let rights = KafkaRights(try plant("")).rights
        let write = rights.filter { $0.principal == "User:lineledger-inspector" && $0.operation == .write }
        #expect(write.map(\.name) == ["lineledger.berlin.inspections", "lineledger.berlin.inspector-parked"])
        #expect(rights.contains { $0.resource == .group && $0.name == "lineledger.berlin.inspector" })
    }

    @Test("Rights are written as commands that a shell takes as they are")
    func commands() throws {
        let commands = KafkaRights(try plant("kafka: {principal: \"User:CN={service},O=it's us\"}")).commands
        #expect(
            commands.contains(
                "kafka-acls.sh --bootstrap-server \"$BOOTSTRAP\" --command-config \"$ADMIN_CONFIG\" --add "
                    + "--allow-principal 'User:CN=inspector,O=it'\\''s us' --operation Write "
                    + "--topic 'lineledger.berlin.inspections'"
            )
        )
    }
}
