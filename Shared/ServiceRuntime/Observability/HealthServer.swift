import Foundation
import HTTPTypes
package import Hummingbird
package import Logging
import NIOCore
import ServiceLifecycle

/// One thing that must be right for a service to work; answered from what the service knows already, without waiting.
package struct HealthCheck: Sendable {
    package enum State: Equatable, Sendable {
        case ok
        /// Not right; in words that a person can act on.
        case failing(String)
    }

    /// Example "log" or "caught-up"; unique in its service.
    package let name: String
    /// Whether only a restart helps when it fails; such checks count for `/healthz` too.
    package let endsLife: Bool
    package let state: @Sendable () async -> State

    package init(_ name: String, endsLife: Bool = false, state: @escaping @Sendable () async -> State) {
        self.name = name
        self.endsLife = endsLife
        self.state = state
    }
}

/// Serves `/healthz`, `/readyz` and `/metrics`, and whatever routes its service adds; those under `/v1/manage/` answer this
/// machine only, wherever the server listens.
///
/// `/healthz` answers 200 while the process works and 503 when a restart is the only help. `/readyz` answers 200 when
/// all checks are right, else 503. Both name every check in JSON. `/metrics` is Prometheus' text format.
package struct HealthServer: Service {
    /// Only programs of this machine reach it.
    package static let loopback = "127.0.0.1"

    private let host: String
    private let port: Int
    private let logger: Logger
    private let listening: @Sendable (Int) async -> Void
    private let responder: LoopbackGate

    /// The address to listen on: `LINELEDGER_BIND`, else loopback.
    package static func host(_ environment: [String: String]) -> String {
        environment["LINELEDGER_BIND"].flatMap { $0.isEmpty ? nil : $0 } ?? loopback
    }

    /// - Parameters:
    ///   - service: Executable, shown in the answers.
    ///   - port: 0 lets the system choose one.
    ///   - listening: told the port once the server accepts connections.
    ///   - routes: adds the service's own routes.
    package init(
        service: String,
        host: String = loopback,
        port: Int,
        checks: [HealthCheck] = [],
        metrics: PrometheusMetrics,
        logger: Logger,
        listening: @escaping @Sendable (Int) async -> Void = { _ in },
        routes: (Router<BasicRequestContext>) -> Void = { _ in }
    ) {
        self.host = host
        self.port = port
        self.logger = logger
        self.listening = listening
        let router = Router(context: BasicRequestContext.self)
        router.get("/healthz") { _, _ in try await Self.answer(service, checks.filter(\.endsLife)) }
        router.get("/readyz") { _, _ in try await Self.answer(service, checks) }
        router.get("/metrics") { _, _ in
            Self.response(.ok, PrometheusMetrics.contentType, ByteBuffer(string: metrics.render()))
        }
        routes(router)
        responder = LoopbackGate(inner: router.buildResponder())
    }

    /// Serves until the program is asked to stop.
    /// - Throws: `HealthServerError` when the port cannot be had.
    package func run() async throws {
        let application = Application(
            responder: responder,
            configuration: ApplicationConfiguration(address: .hostname(host, port: port)),
            onServerRunning: { [listening, port] channel in await listening(channel.localAddress?.port ?? port) },
            logger: logger
        )
        do {
            try await application.run()
        } catch let error as IOError {
            throw HealthServerError(host: host, port: port, errno: error.errnoCode)
        } catch let error as SocketAddressError.UnknownHost {
            throw HealthServerError(host: host, port: port, why: "\(error)")
        }
    }

    private struct Report: Encodable {
        struct Check: Encodable {
            let name: String
            let ok: Bool
            /// Why it is not right; not there when it is.
            let why: String?
        }

        let service: String
        let ok: Bool
        let checks: [Check]
    }

    private static func answer(_ service: String, _ checks: [HealthCheck]) async throws -> Response {
        var results: [Report.Check] = []
        for check in checks {
            switch await check.state() {
            case .ok: results.append(Report.Check(name: check.name, ok: true, why: nil))
            case .failing(let why): results.append(Report.Check(name: check.name, ok: false, why: why))
            }
        }
        let report = Report(service: service, ok: results.allSatisfy(\.ok), checks: results)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let body = ByteBuffer(bytes: try encoder.encode(report))
        return response(report.ok ? .ok : .serviceUnavailable, "application/json", body)
    }

    private static func response(_ status: HTTPResponse.Status, _ type: String, _ body: ByteBuffer) -> Response {
        Response(
            status: status,
            headers: [.contentType: type, .cacheControl: "no-store"],
            body: ResponseBody(byteBuffer: body)
        )
    }
}

/// Keeps requests from other machines away from the routes that act.
private struct LoopbackGate: HTTPResponder {
    struct Context: RequestContext {
        var coreContext: CoreRequestContextStorage {
            get { inner.coreContext }
            set { inner.coreContext = newValue }
        }
        fileprivate var inner: BasicRequestContext
        fileprivate let isLocal: Bool

        init(source: ApplicationRequestContextSource) {
            inner = BasicRequestContext(source: source)
            isLocal = Self.isLoopback(source.channel.remoteAddress)
        }

        private static func isLoopback(_ address: SocketAddress?) -> Bool {
            switch address {
            case .v4(let address): UInt32(bigEndian: address.address.sin_addr.s_addr) >> 24 == 127
            case .v6: ["::1", "::ffff:127.0.0.1"].contains(address?.ipAddress)
            case .unixDomainSocket: true
            case nil: false
            }
        }
    }

    let inner: RouterResponder<BasicRequestContext>

    func respond(to request: Request, context: Context) async throws -> Response {
        guard context.isLocal || !request.uri.path.hasPrefix(ParkedRoutes.prefix) else {
            return Response(status: .forbidden)
        }
        return try await inner.respond(to: request, context: context.inner)
    }
}

/// A server cannot listen where it should.
package struct HealthServerError: Error, Equatable, Sendable, CustomStringConvertible {
    package let host: String
    package let port: Int
    /// Whether another program has the port.
    package let isPortTaken: Bool
    private let why: String

    fileprivate init(host: String, port: Int, errno code: CInt) {
        self.host = host
        self.port = port
        isPortTaken = code == EADDRINUSE
        switch code {
        case EADDRINUSE:
            why = """
                another program has the port; stop it, or give the plant other ports with http: in its file or with \
                LINELEDGER_HTTP
                """
        case EACCES: why = "not allowed; ports below 1024 need a right of their own, choose a base port above"
        case EADDRNOTAVAIL: why = "not an address of this machine; set LINELEDGER_BIND to one that is"
        default: why = String(cString: strerror(code))
        }
    }

    fileprivate init(host: String, port: Int, why: String) {
        self.host = host
        self.port = port
        isPortTaken = false
        self.why = "\(why); set LINELEDGER_BIND to an address of this machine"
    }

    package var description: String { "cannot listen on \(host):\(port): \(why)" }
}
