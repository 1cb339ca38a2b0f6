import CoreMetrics
import Foundation
import FoundationNetworking
import Hummingbird
import Logging
import ServiceLifecycle
import ServiceRuntime
import Synchronization
import Testing

@Suite struct HealthServerTests {
    private struct Answer {
        let status: Int
        let type: String
        let body: String
    }

    private static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private static func get(_ path: String, _ port: Int) async throws -> Answer {
        let url = try #require(URL(string: "http://127.0.0.1:\(port)\(path)"))
        let (data, response) = try await URLSession.shared.data(for: URLRequest(url: url, timeoutInterval: 30))
        let http = try #require(response as? HTTPURLResponse)
        return Answer(
            status: http.statusCode,
            type: http.value(forHTTPHeaderField: "Content-Type") ?? "",
            body: String(decoding: data, as: UTF8.self)
        )
    }

    /// Runs a server on a port of the system's choice while `body` does, then stops it gracefully.
    private static func serve(
        checks: [HealthCheck] = [],
        metrics: PrometheusMetrics = PrometheusMetrics(),
        routes: (Router<BasicRequestContext>) -> Void = { _ in },
        _ body: (Int) async throws -> Void
    ) async throws {
        let (ports, listening) = AsyncStream.makeStream(of: Int.self)
        let server = HealthServer(
            service: "inspector",
            port: 0,
            checks: checks,
            metrics: metrics,
            logger: quiet,
            listening: { listening.yield($0) },
            routes: routes
        )
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(services: [.init(service: server)], logger: quiet)
        )
        async let running: Void = {
            defer { listening.finish() }
            try await group.run()
        }()
        let port = await ports.first { _ in true }
        do {
            try await body(try #require(port))
        } catch {
            await group.triggerGracefulShutdown()
            throw error
        }
        await group.triggerGracefulShutdown()
        try await running
    }

    @Test func readinessNamesEveryCheckAndLivenessOnlyTheFatalOnes() async throws {
        let caughtUp = Mutex(HealthCheck.State.failing("12 records behind \"berlin\""))
        let log = Mutex(HealthCheck.State.ok)
        let checks = [
            HealthCheck("log", endsLife: true) { log.withLock { $0 } },
            HealthCheck("caught-up") { caughtUp.withLock { $0 } },
        ]
        try await Self.serve(checks: checks) { port in
            let behind = try await Self.get("/readyz", port)
            #expect(behind.status == 503)
            #expect(behind.type == "application/json")
            #expect(
                behind.body == #"{"checks":[{"name":"log","ok":true},{"name":"caught-up","ok":false,"#
                    + #""why":"12 records behind \"berlin\""}],"ok":false,"service":"inspector"}"#
            )
            let alive = try await Self.get("/healthz", port)
            #expect(alive.status == 200)
            #expect(alive.body == #"{"checks":[{"name":"log","ok":true}],"ok":true,"service":"inspector"}"#)
            caughtUp.withLock { $0 = .ok }
            #expect(try await Self.get("/readyz", port).status == 200)
            log.withLock { $0 = .failing("disk is gone") }
            #expect(try await Self.get("/healthz", port).status == 503)
            #expect(try await Self.get("/nothing", port).status == 404)
        }
    }

    @Test func metricsAndTheServicesOwnRoutesAreServed() async throws {
        let metrics = PrometheusMetrics()
        metrics.makeCounter(label: "parts", dimensions: []).increment(by: 5)
        try await Self.serve(
            metrics: metrics,
            routes: { $0.get("/trace/:id") { _, context in try context.parameters.require("id") } },
            { port in
                let page = try await Self.get("/metrics", port)
                #expect(page.type == "text/plain; version=0.0.4; charset=utf-8")
                #expect(try Exposition(page.body).value("parts_total") == 5)
                #expect(try await Self.get("/trace/p-1", port).body == "p-1")
            }
        )
    }

    @Test func aPortInUseIsSaidSo() async throws {
        try await Self.serve { port in
            let second = HealthServer(
                service: "alerting",
                port: port,
                metrics: PrometheusMetrics(),
                logger: Self.quiet
            )
            let error = await #expect(throws: HealthServerError.self) { try await second.run() }
            #expect(error?.isPortTaken == true)
            #expect(
                error?.description
                    == "cannot listen on 127.0.0.1:\(port): another program has the port; stop it, or give the plant "
                    + "other ports with http: in its file or with LINELEDGER_HTTP"
            )
        }
    }

    @Test(arguments: ["203.0.113.7", "no such host"])
    func anAddressOfAnotherMachineIsSaidSo(host: String) async throws {
        let server = HealthServer(
            service: "alerting",
            host: host,
            port: 0,
            metrics: PrometheusMetrics(),
            logger: Self.quiet
        )
        let error = await #expect(throws: HealthServerError.self) { try await server.run() }
        #expect(error?.description.contains("set LINELEDGER_BIND") == true, "\(String(describing: error))")
    }

    @Test func theAddressComesFromTheEnvironment() {
        #expect(HealthServer.host([:]) == "127.0.0.1")
        #expect(HealthServer.host(["LINELEDGER_BIND": ""]) == "127.0.0.1")
        #expect(HealthServer.host(["LINELEDGER_BIND": "0.0.0.0"]) == "0.0.0.0")
    }
}
