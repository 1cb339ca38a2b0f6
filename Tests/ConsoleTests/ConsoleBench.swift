import AsyncHTTPClient
import Evidence
import Foundation
import Hummingbird
import Logging
import NIOCore
import NIOHTTP1
import ServiceLifecycle
import ServiceRuntime
import Testing
import console

/// An answer as a browser gets it.
struct Answer {
    let status: Int
    let headers: HTTPHeaders
    let body: [UInt8]

    var text: String { String(decoding: body, as: UTF8.self) }

    func header(_ name: String) -> String? { headers.first(name: name) }

    /// What `{"error": …}` says.
    func error() throws -> String {
        try #require(try JSONDecoder().decode([String: String].self, from: Data(body))["error"])
    }
}

/// Real servers on ports of the system's choice, and a folder for pictures.
enum ConsoleBench {
    private static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    static func get(_ path: String, _ port: Int) async throws -> Answer {
        let request = HTTPClientRequest(url: "http://127.0.0.1:\(port)\(path)")
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(120))
        let body = try await response.body.collect(upTo: 1 << 24)
        return Answer(
            status: Int(response.status.code),
            headers: response.headers,
            body: [UInt8](body.readableBytesView)
        )
    }

    /// Serves `routes` while `body` does, then stops gracefully.
    static func serve(
        _ routes: (Router<BasicRequestContext>) -> Void,
        _ body: (Int) async throws -> Void
    ) async throws {
        let (ports, listening) = AsyncStream.makeStream(of: Int.self)
        let server = HealthServer(
            service: "console",
            port: 0,
            metrics: PrometheusMetrics(),
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

    /// Runs the console over pictures in a folder of its own, and a projector on `projectorPort`.
    static func serveConsole(
        projectorPort: Int,
        _ body: (Int, EvidenceStore) async throws -> Void
    ) async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("console-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let evidence = try EvidenceStore(directory: folder.path, budgetBytes: 1 << 24)
        let routes = ConsoleRoutes(
            projector: ProjectorClient(port: projectorPort),
            evidence: evidence,
            logger: quiet
        )
        try await serve({ routes.add(to: $0) }) { port in try await body(port, evidence) }
    }

    /// A port on which nothing listens any more.
    static func closedPort() async throws -> Int {
        var closed: Int?
        try await serve({ _ in }) { closed = $0 }
        return try #require(closed)
    }
}
