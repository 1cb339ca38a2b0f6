package import ArgumentParser
import EventLog
import Foundation
package import Hummingbird
import KafkaLog
import Logging
import Metrics
import SQLite
package import ServiceLifecycle
import UnixSignals
import Vision

/// The options that every service has.
package struct ServiceOptions: ParsableArguments {
    @Option(name: .long, help: "Plant file, for example deploy/plants/demo.yaml.")
    package var plant: String

    package init() {}
}

/// What a service is made of, in the order in which its parts start; they stop in reverse.
package struct Composition {
    package var parts: [any ServiceLifecycle.Service]
    package var checks: [HealthCheck]
    package var routes: (Router<BasicRequestContext>) -> Void

    package init(
        _ parts: [any ServiceLifecycle.Service],
        checks: [HealthCheck] = [],
        routes: @escaping (Router<BasicRequestContext>) -> Void = { _ in }
    ) {
        self.parts = parts
        self.checks = checks
        self.routes = routes
    }
}

/// Starts a service as its executable does: plant file, log, health server, parts; ends on SIGTERM or SIGINT.
package enum ServiceProgram {
    /// What can be wrong from the outside, with the exit code that says so (design 6).
    package struct Stop: Error, CustomStringConvertible {
        package let exitCode: Int32
        package let description: String

        package static func wrongUse(_ text: String) -> Stop { Stop(exitCode: 2, description: text) }
        package static func unreachable(_ text: String) -> Stop { Stop(exitCode: 3, description: text) }
    }

    /// Longest that a service may take to finish what it has begun, below Kubernetes' default of 30 s.
    private static let gracePeriod = Duration.seconds(20)

    /// Microseconds since 1970.
    package static let wallClock: @Sendable () -> Int64 = { WallClock.nowUs() }

    package static func run(
        _ program: PlantProgram,
        _ options: ServiceOptions,
        compose: (ServiceContext) async throws -> Composition
    ) async throws {
        let environment = ProcessInfo.processInfo.environment
        NeuralPlace.choose(environment: environment)
        CodeLibrary.choose(environment: environment)
        do {
            try await start(program, options, compose)
        } catch let stop as Stop {
            FileHandle.standardError.write(Data("\(program.rawValue): \(stop.description)\n".utf8))
            throw ExitCode(stop.exitCode)
        } catch let error as PlantFileError {
            FileHandle.standardError.write(Data("\(error)\n".utf8))
            throw ExitCode(2)
        } catch LogFailure.writerExists(let reason) {
            let text = "another instance of it writes this log: \(reason). This one has stopped; run one of the two"
            FileHandle.standardError.write(Data("\(program.rawValue): \(text)\n".utf8))
            throw ExitCode(3)
        } catch let failure as any Error & CustomStringConvertible
            where failure is LogFailure || failure is HealthServerError
        {
            FileHandle.standardError.write(Data("\(program.rawValue): \(failure)\n".utf8))
            throw ExitCode(3)
        }
    }

    private static func start(
        _ program: PlantProgram,
        _ options: ServiceOptions,
        _ compose: (ServiceContext) async throws -> Composition
    ) async throws {
        let environment = ProcessInfo.processInfo.environment
        let plant = try PlantFile.load(path: options.plant, environment: environment)
        let logger: Logger
        do {
            logger = try ServiceLogging.bootstrap(
                service: program.rawValue,
                environment: environment,
                nowUs: wallClock
            )
        } catch {
            throw Stop.wrongUse("\(error)")
        }
        let metrics = PrometheusMetrics()
        MetricsSystem.bootstrap(metrics)
        let log = try plant.connectLog(as: program.rawValue, environment: environment)
        let context = ServiceContext(
            service: program.rawValue,
            instance: UUID().uuidString.lowercased(),
            plant: plant,
            log: log,
            logger: logger,
            nowUs: wallClock,
            environment: environment
        )
        let composition = try await composed(context, compose)
        let management = context.desk.isEmpty ? nil : try ParkedRoutes(context)
        let server = HealthServer(
            service: program.rawValue,
            host: HealthServer.host(environment),
            port: plant.port(of: program),
            checks: composition.checks,
            metrics: metrics,
            logger: logger,
            routes: { router in
                composition.routes(router)
                management?.add(to: router)
            }
        )
        var configuration = ServiceGroupConfiguration(
            services: ([LogLife(log: log), server] + composition.parts).map { .init(service: $0) },
            gracefulShutdownSignals: [.sigterm, .sigint],
            logger: logger
        )
        configuration.maximumGracefulShutdownDuration = gracePeriod
        logger.info("started", metadata: .of([.port: "\(plant.port(of: program))"]))
        try await ServiceGroup(configuration: configuration).run()
        logger.info("stopped")
    }
}

extension ServiceProgram {
    /// A log that is away or full when the service starts is waited for: nobody need start the service again.
    private static func composed(
        _ context: ServiceContext,
        _ compose: (ServiceContext) async throws -> Composition
    ) async throws -> Composition {
        var backoff = Backoff()
        while true {
            do {
                // Parts of an attempt that failed are nobody's to ask.
                context.desk.clear()
                return try await compose(context)
            } catch let failure as LogFailure where failure.isRetriable {
                context.logger.error(
                    "log does not answer; the service starts when it does",
                    metadata: .of([.reason: "\(failure)"])
                )
            } catch let failure as SQLiteError where failure.isFull {
                context.logger.error(
                    "disk is full; the service starts when there is room",
                    metadata: .of([.reason: "\(failure)"])
                )
            }
            try await Task.sleep(for: backoff.next())
        }
    }
}

/// Closes the log after everything that uses it has stopped.
private struct LogLife: ServiceLifecycle.Service {
    let log: any EventLog

    func run() async throws {
        try await gracefulShutdown()
        await log.close()
    }
}
