import Foundation
import HTTPTypes
import Hummingbird
package import Logging
import NIOCore
import ServiceLifecycle

/// Where a simulated peer lives, and what it needs from its process.
package struct SimulatedPeerSettings: Sendable {
    /// SQLite file with the peer's own books; made where absent.
    package var booksPath: String
    /// TCP port on 127.0.0.1; 0 takes a free one, told to `onReady`.
    package var port: Int
    /// Bearer token that every call of the API must bring; nil for none.
    package var token: String?
    /// Wall clock, microseconds since 1970.
    package var nowUs: @Sendable () -> Int64
    package var logger: Logger
    /// Called once with the port when calls are answered.
    package var onReady: @Sendable (Int) async -> Void

    package init(
        booksPath: String,
        port: Int,
        token: String? = nil,
        nowUs: @escaping @Sendable () -> Int64,
        logger: Logger,
        onReady: @escaping @Sendable (Int) async -> Void = { _ in }
    ) {
        self.booksPath = booksPath
        self.port = port
        self.token = token
        self.nowUs = nowUs
        self.logger = logger
        self.onReady = onReady
    }
}

/// The HTTP side of a simulated peer: the API under `/v1` that the REST connectors speak, and `/faults` and `/books`
/// for whoever tests with it. Every answer carries the header `simulated-peer`.
struct PeerServer: Sendable {
    private static let maximumBodyBytes = 1 << 20
    private static let maximumPage = 1_000
    private static let maximumWaitMs = 30_000

    let rules: any PeerRules
    let settings: SimulatedPeerSettings
    private let temper = PeerTemper()

    init(rules: any PeerRules, settings: SimulatedPeerSettings) {
        self.rules = rules
        self.settings = settings
    }

    func run() async throws {
        let books = try PeerBooks(path: settings.booksPath, rules: rules, nowUs: settings.nowUs)
        try await books.open()
        let application = Application(
            router: router(books),
            configuration: .init(address: .hostname("127.0.0.1", port: settings.port)),
            onServerRunning: { channel in await settings.onReady(channel.localAddress?.port ?? 0) },
            logger: settings.logger
        )
        try await application.run()
    }

    private func router(_ books: PeerBooks) -> Router<PeerContext> {
        let router = Router(context: PeerContext.self)
        router.add(middleware: PeerLabel(peer: rules.peer))
        router.get("books") { _, _ in try Self.json(await books.report()) }
        router.get("faults") { _, _ in try Self.json(await temper.faults) }
        router.put("faults") { request, _ in
            let body = try await Self.body(of: request)
            do {
                await temper.set(try JSONDecoder().decode(PeerFaults.self, from: body))
            } catch {
                return Self.error(.badRequest, (error as? PeerRefusal)?.words ?? "\(error)")
            }
            return try Self.json(await temper.faults)
        }
        let api = router.group("v1").add(middleware: PeerMood(temper: temper, token: settings.token))
        api.get("messages") { request, _ in try await page(request, books) }
        api.put("effects/:intent") { request, context in
            try await carryOut(Self.intent(context), try await Self.body(of: request), context, books)
        }
        api.get("effects/:intent") { _, context in
            let intent = try Self.intent(context)
            if let receipt = try await books.receipt(of: intent) { return try Self.json(receipt) }
            return try Self.json(
                ["error": "intent \(intent) was never carried out here", "unknown_intent": intent],
                status: .notFound
            )
        }
        return router
    }

    private func page(_ request: Request, _ books: PeerBooks) async throws -> Response {
        func number(_ name: Substring, _ range: ClosedRange<Int64>, _ otherwise: Int64) throws -> Int64 {
            guard let text = request.uri.queryParameters[name] else { return otherwise }
            guard let value = Int64(text), range.contains(value) else {
                throw HTTPError(
                    .badRequest,
                    message: "\(name)=\(text); expected \(range.lowerBound)...\(range.upperBound)"
                )
            }
            return value
        }
        let after = try number("after", 0...Int64.max, 0)
        let limit = Int(try number("limit", 1...Int64(Self.maximumPage), 100))
        let waitMs = try number("wait_ms", 0...Int64(Self.maximumWaitMs), 0)
        var messages = try await books.messages(after: after, limit: limit)
        if messages.isEmpty, waitMs > 0 {
            await withTaskGroup { group in
                group.addTask { await books.waitForMessage(after: after) }
                group.addTask { await Self.pause(.milliseconds(waitMs)) }
                await group.next()
                group.cancelAll()
            }
            messages = try await books.messages(after: after, limit: limit)
        }
        return Self.answer(.ok, "{\"messages\":[\(messages.joined(separator: ","))]}")
    }

    private func carryOut(
        _ intent: String,
        _ body: Data,
        _ context: PeerContext,
        _ books: PeerBooks
    ) async throws -> Response {
        let fate = await temper.fateOfNextEffect()
        guard fate != .refused else { return Self.error(.unprocessableContent, "refused as asked for by /faults") }
        let response: Response
        do {
            let effect = try PeerEffect(intentID: intent, body: body)
            let deduplicate = await temper.faults.deduplicate
            let (receipt, isNew) = try await books.carryOut(effect, deduplicate: deduplicate)
            response = try Self.json(receipt, status: isNew ? .created : .ok)
        } catch let refusal as PeerRefusal {
            return Self.error(.unprocessableContent, refusal.words)
        }
        switch fate {
        case .done, .refused: return response
        case .doneButAnswered504: return Self.error(.gatewayTimeout, "no answer from the system behind this gateway")
        case .doneButDropped:
            try await context.channel.close()
            return response
        }
    }

    /// Ends early when the server stops.
    static func pause(_ duration: Duration) async {
        // Cancellation is an end of the pause like any other.
        try? await cancelWhenGracefulShutdown { try await Task.sleep(for: duration) }
    }

    private static func intent(_ context: PeerContext) throws -> String {
        let raw = try context.parameters.require("intent")
        guard let intent = raw.removingPercentEncoding, !intent.isEmpty else {
            throw HTTPError(.badRequest, message: "intent '\(raw)' is not percent-encoded UTF-8")
        }
        return intent
    }

    private static func body(of request: Request) async throws -> Data {
        let buffer = try await request.body.collect(upTo: maximumBodyBytes)
        return Data(buffer.readableBytesView)
    }

    private static func json(_ value: some Encodable, status: HTTPResponse.Status = .ok) throws -> Response {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return answer(status, String(decoding: try encoder.encode(value), as: UTF8.self))
    }

    fileprivate static func error(_ status: HTTPResponse.Status, _ words: String) -> Response {
        do {
            return try json(["error": words], status: status)
        } catch {
            return Response(status: status)
        }
    }

    private static func answer(_ status: HTTPResponse.Status, _ json: String) -> Response {
        Response(
            status: status,
            headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(string: json))
        )
    }
}

/// A request's context that can still reach its connection, to drop it.
private struct PeerContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        channel = source.channel
    }
}

/// Says on every answer that no real system gave it.
private struct PeerLabel: RouterMiddleware {
    let peer: String

    func handle(
        _ request: Request,
        context: PeerContext,
        next: @concurrent (Request, PeerContext) async throws -> Response
    ) async throws -> Response {
        var response: Response
        do {
            response = try await next(request, context)
        } catch let error as any HTTPResponseError {
            response = try error.response(from: request, context: context)
        }
        if let name = HTTPField.Name("simulated-peer") { response.headers[name] = peer }
        return response
    }
}

/// The faults that fall on every call of the API: down, slow, and the missing token.
private struct PeerMood: RouterMiddleware {
    let temper: PeerTemper
    let token: String?

    func handle(
        _ request: Request,
        context: PeerContext,
        next: @concurrent (Request, PeerContext) async throws -> Response
    ) async throws -> Response {
        let faults = await temper.faults
        if faults.isDown {
            var response = PeerServer.error(.serviceUnavailable, "down as asked for by /faults")
            response.headers[.retryAfter] = "1"
            return response
        }
        if let token, request.headers[.authorization] != "Bearer \(token)" {
            return PeerServer.error(.unauthorized, "bearer token missing or wrong")
        }
        let response = try await next(request, context)
        if faults.slowMs > 0 { await PeerServer.pause(.milliseconds(faults.slowMs)) }
        return response
    }
}
