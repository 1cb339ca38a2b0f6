import ArgumentParser
import Foundation
import KafkaLog
import Logging
import PlantEvents
import PlantSim
import ServiceLifecycle
import ServiceRuntime
import UnixSignals

/// The simulated neighbours of a demo or test plant, each as a process of its own.
struct Peer: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run a simulated MES or ERP, or a mock Kafka broker, on this machine; for trying and testing only.",
        discussion: "Example: lineledger peer mes --scenario mes.json --books mes.sqlite --port 8091",
        subcommands: [Mes.self, Erp.self, Kafka.self]
    )

    struct Options: ParsableArguments {
        @Option(help: "JSON file with what the peer has planned.")
        var scenario: String

        @Option(help: "SQLite file with the peer's own books; kept over restarts.")
        var books: String

        @Option(help: "Port on 127.0.0.1.")
        var port: Int

        func read<Scenario: Decodable>(_: Scenario.Type) throws -> Scenario {
            do {
                let bytes = try Data(contentsOf: URL(fileURLWithPath: scenario))
                return try JSONDecoder().decode(Scenario.self, from: bytes)
            } catch {
                Terminal.complain("\(scenario): \(error)")
                throw ExitStatus.wrongUse
            }
        }

        func settings(_ name: String) throws -> SimulatedPeerSettings {
            let logger = try ServiceLogging.bootstrap(
                service: name,
                environment: ProcessInfo.processInfo.environment,
                nowUs: ServiceProgram.wallClock
            )
            return SimulatedPeerSettings(booksPath: books, port: port, nowUs: ServiceProgram.wallClock, logger: logger)
        }
    }

    static func runUntilStopped(_ service: any Service, _ logger: Logger) async throws {
        try await ServiceGroup(
            services: [service],
            gracefulShutdownSignals: [.sigterm, .sigint],
            logger: logger
        ).run()
    }

    struct Mes: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "A simulated MES over plain REST.")
        @OptionGroup var options: Options

        func run() async throws {
            let settings = try options.settings("mes-peer")
            let mes = SimulatedMes(try options.read(MesScenario.self), settings)
            try await Peer.runUntilStopped(mes, settings.logger)
        }
    }

    struct Erp: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "A simulated ERP over plain REST.")
        @OptionGroup var options: Options

        func run() async throws {
            let settings = try options.settings("erp-peer")
            let erp = SimulatedErp(try options.read(ErpScenario.self), settings)
            try await Peer.runUntilStopped(erp, settings.logger)
        }
    }

    struct Kafka: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "librdkafka's mock cluster: Kafka's protocol in memory, for trying; it keeps only the newest records."
        )

        @Option(help: "Site whose topics it has.")
        var site = "berlin"

        @Option(help: "File to write the address to once it answers.")
        var addressFile: String

        func run() async throws {
            let cluster = try MockKafka(brokers: 1)
            // The mock answers no request to create topics.
            let services = PlantProgram.allCases.map { TopicName(site: site, parkedBy: $0.rawValue) }
            for name in Topic.allCases.map({ TopicName(site: site, topic: $0) }) + services {
                try cluster.createTopic(name.description, partitions: 1)
            }
            try Data("\(cluster.address)\n".utf8).write(to: URL(fileURLWithPath: addressFile), options: .atomic)
            Terminal.say("mock Kafka at \(cluster.address)")
            let stop = StopSignal()
            while !stop.isRequested { try await Task.sleep(for: .milliseconds(200)) }
            withExtendedLifetime(cluster) {}
        }
    }
}
