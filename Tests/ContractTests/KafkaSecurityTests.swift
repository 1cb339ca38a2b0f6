import EventLog
import Foundation
import KafkaLog
import Testing

/// TLS, mutual TLS and SCRAM against real handshakes. The peer is simulated: Python's OpenSSL and the server's side of RFC 5802
/// in front of the mock brokers (Tests/Fixtures/KafkaPeer).
@Suite(.timeLimit(.minutes(2)), .enabled(if: SecureBroker.canRun, "needs python3 and openssl"))
struct KafkaSecurityTests {
    @Test("Records go to and fro over TLS, with and without a client certificate and its passphrase")
    func tls() async throws {
        try await SecureBroker.with { files in
            try await files.roundTrip(["--cert", "broker.pem", "--key", "broker.key"], files.tls())
            let mutual = ["--cert", "broker.pem", "--key", "broker.key", "--client-ca", "plant.pem"]
            try await files.roundTrip(
                mutual,
                files.tls([
                    "ssl.certificate.location": "\(files.directory)/inspector.pem",
                    "ssl.key.location": "\(files.directory)/inspector.locked.key", "ssl.key.password": "opensesame",
                ])
            )
        }
    }

    @Test("Records go to and fro over SCRAM", arguments: ["SCRAM-SHA-256", "SCRAM-SHA-512"])
    func scram(_ mechanism: String) async throws {
        try await SecureBroker.with { files in
            let login = ["--mechanism", mechanism, "--user", "inspector", "--password", "open sesame"]
            let properties = [
                "sasl.mechanisms": mechanism, "sasl.username": "inspector", "sasl.password": "open sesame",
            ]
            try await files.roundTrip(
                ["--cert", "broker.pem", "--key", "broker.key"] + login,
                files.tls(properties.merging(["security.protocol": "sasl_ssl"]) { $1 })
            )
            try await files.roundTrip(
                login,
                properties.merging(["security.protocol": "sasl_plaintext"]) { $1 }
            )
        }
    }

    @Test(
        "What a broker or its certificate refuses is told apart, in words that say what to do",
        arguments: [
            Refusal("untrusted", certificate: "broker", authority: "other", expected: "issued by nobody trusted here"),
            Refusal("expired", certificate: "expired", authority: "plant", expected: "has expired"),
            Refusal("host name", certificate: "elsewhere", authority: "plant", expected: "another host name"),
            Refusal("password", password: "wrong", expected: "check kafka.sasl"),
            Refusal("user", user: "nobody", expected: "check kafka.sasl"),
            Refusal("mechanism", mechanism: "SCRAM-SHA-256", expected: "check kafka.sasl"),
            Refusal("no client certificate", clientAuthority: "plant", expected: "want a client certificate"),
        ]
    )
    func refused(_ refusal: Refusal) async throws {
        try await SecureBroker.with { files in
            var arguments = ["--cert", "\(refusal.certificate).pem", "--key", "\(refusal.certificate).key"]
            if let authority = refusal.clientAuthority { arguments += ["--client-ca", "\(authority).pem"] }
            arguments += ["--mechanism", "SCRAM-SHA-512", "--user", "inspector", "--password", "right"]
            let broker = try SecureBroker(arguments, files)
            let properties = files.tls([
                "security.protocol": "sasl_ssl", "sasl.mechanisms": refusal.mechanism,
                "sasl.username": refusal.user, "sasl.password": refusal.password,
                "ssl.ca.location": "\(files.directory)/\(refusal.authority).pem",
            ])
            let log = try KafkaLog(brokers: ["localhost:\(broker.port)"], properties: properties)
            let failure = await #expect(throws: LogFailure.self) { _ = try await log.topics() }
            guard case .denied(let why)? = failure else {
                Issue.record("found \(String(describing: failure)), expected .denied")
                return
            }
            #expect(why.contains(refusal.expected) && why.contains("localhost:\(broker.port)"), "found: \(why)")
            #expect(!why.contains("right") || refusal.password != "right", "shows the password: \(why)")
            await log.close()
            broker.end()
        }
    }

    @Test("A right that is missing is denied, not waited for")
    func noRight() async throws {
        let mock = try MockKafka()
        try mock.createTopic("t", partitions: 1)
        let log = try KafkaLog(brokers: mock.brokers)
        mock.failProduce([.notAllowed])
        let failure = await #expect(throws: LogFailure.self) {
            try await log.append([record("0")], to: TopicPartition("t"))
        }
        guard case .denied(let why)? = failure else {
            Issue.record("found \(String(describing: failure)), expected .denied")
            return
        }
        #expect(why.contains("topics acl"))
        await log.close()
    }
}

/// One way to be refused; what is not named is right.
struct Refusal: Sendable, CustomTestStringConvertible {
    let testDescription: String
    var certificate = "broker"
    var authority = "plant"
    var clientAuthority: String?
    var user = "inspector"
    var password = "right"
    var mechanism = "SCRAM-SHA-512"
    let expected: String

    init(
        _ name: String,
        certificate: String = "broker",
        authority: String = "plant",
        clientAuthority: String? = nil,
        user: String = "inspector",
        password: String = "right",
        mechanism: String = "SCRAM-SHA-512",
        expected: String
    ) {
        testDescription = name
        self.certificate = certificate
        self.authority = authority
        self.clientAuthority = clientAuthority
        self.user = user
        self.password = password
        self.mechanism = mechanism
        self.expected = expected
    }
}

/// The simulated secure listener in a process of its own, before mock brokers of its own.
final class SecureBroker {
    static let canRun = ["/usr/bin/python3", "/usr/bin/openssl"].allSatisfy(FileManager.default.isExecutableFile)

    /// Certificates, for as long as a test runs.
    struct Files: Sendable {
        let directory: String

        func tls(_ more: [String: String] = [:]) -> [String: String] {
            ["security.protocol": "ssl", "ssl.ca.location": "\(directory)/plant.pem", "broker.address.family": "v4"]
                .merging(more) { $1 }
        }

        func roundTrip(_ arguments: [String], _ properties: [String: String]) async throws {
            let broker = try SecureBroker(arguments, self)
            let all = properties.merging(["fetch.wait.max.ms": "5"]) { $1 }
            let log = try KafkaLog(brokers: ["localhost:\(broker.port)"], properties: all)
            let place = TopicPartition("t")
            try await log.append(records(0..<20), to: place)
            let found = try await take(20, from: try await log.reader(from: [place: 0]))
            #expect(found.map(\.text) == (0..<20).map(String.init))
            await log.close()
            broker.end()
        }
    }

    let port: Int
    private let mock: MockKafka
    private let process = Process()
    private let input = Pipe()

    static func with(_ body: (Files) async throws -> Void) async throws {
        let directory = NSTemporaryDirectory() + "lineledger-tls-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { #expect(throws: Never.self) { try FileManager.default.removeItem(atPath: directory) } }
        let made = try Process.run(URL(fileURLWithPath: "\(fixtures)/certificates.sh"), arguments: [directory])
        made.waitUntilExit()
        try #require(made.terminationStatus == 0, "certificates.sh failed")
        try await body(Files(directory: directory))
    }

    private static let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("Fixtures/KafkaPeer").path

    init(_ arguments: [String], _ files: Files) throws {
        mock = try MockKafka()
        try mock.createTopic("t", partitions: 1)
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
        process.currentDirectoryURL = URL(fileURLWithPath: files.directory)
        process.arguments =
            ["\(Self.fixtures)/secure_broker.py", "--upstream", try #require(mock.brokers.first)] + arguments
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        let line = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
        guard let port = Int(line.trimmingCharacters(in: .whitespacesAndNewlines)) else {
            throw DidNotCome(description: "the secure listener printed no port but \"\(line)\"")
        }
        self.port = port
    }

    /// The listener ends with its input.
    func end() {
        input.fileHandleForWriting.closeFile()
        process.waitUntilExit()
    }
}
