import Hummingbird
import Logging
import MesRest
import NIOCore
import PlantEvents
import ServiceLifecycle
import ServiceRuntime
import Testing

/// What the REST connectors make of answers that no well-behaved peer gives.
@Suite struct RestAnswerTests {
    /// A server that always gives the same answer.
    private struct Parrot: Service {
        let status: Int
        let headers: HTTPFields
        let body: String
        let onReady: @Sendable (Int) -> Void

        func run() async throws {
            var logger = Logger(label: "parrot")
            logger.logLevel = .error
            let router = Router()
            router.add(middleware: Same(answer: self))
            try await Application(
                router: router,
                configuration: .init(address: .hostname("127.0.0.1", port: 0)),
                onServerRunning: { channel in onReady(channel.localAddress?.port ?? 0) },
                logger: logger
            ).run()
        }
    }

    private struct Same: RouterMiddleware {
        typealias Context = BasicRequestContext
        let answer: Parrot

        func handle(
            _ request: Request,
            context: Context,
            next: @concurrent (Request, Context) async throws -> Response
        ) async throws -> Response {
            Response(
                status: .init(code: answer.status),
                headers: answer.headers,
                body: .init(byteBuffer: ByteBuffer(string: answer.body))
            )
        }
    }

    private func withAnswer(
        _ status: Int,
        _ body: String,
        headers: HTTPFields = [:],
        _ check: @Sendable (RestMes) async throws -> Void
    ) async throws {
        let (ports, ready) = AsyncStream.makeStream(of: Int.self)
        let parrot = Parrot(status: status, headers: headers, body: body) { port in
            ready.yield(port)
            ready.finish()
        }
        let group = ServiceGroup(configuration: .init(services: [parrot], logger: Logger(label: "parrot")))
        try await withThrowingTaskGroup { tasks in
            tasks.addTask {
                defer { ready.finish() }
                try await group.run()
            }
            for await port in ports {
                try await check(RestMes(baseURL: "http://127.0.0.1:\(port)", token: nil, timeout: .seconds(120)))
            }
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
    }

    @Test(arguments: [
        (200, "{}", "inDoubt"), (201, "<html>", "inDoubt"),
        (200, #"{"intent_id": "another", "reference": "X-1"}"#, "inDoubt"),
        (204, "", "inDoubt"), (302, "", "refused"), (400, "no", "refused"), (403, "", "refused"), (409, "", "refused"),
        (429, "", "unreachable"), (500, "", "inDoubt"), (502, "", "inDoubt"), (503, "", "inDoubt"),
        (504, "", "inDoubt"),
    ])
    func anAnswerToAnEffect(status: Int, body: String, expected: String) async throws {
        try await withAnswer(status, body) { mes in
            let found = await failure { () async throws(PeerFailure) in try await mes.deliver(hold("H-1")) }
            #expect(found?.kind == expected, "\(status): \(String(describing: found))")
        }
    }

    @Test func serviceUnavailableThatSaysWhenToComeBackHasDoneNothing() async throws {
        try await withAnswer(503, #"{"error": "backing up"}"#, headers: [.retryAfter: "30"]) { mes in
            let found = await failure { () async throws(PeerFailure) in try await mes.deliver(hold("H-1")) }
            #expect(found == .unreachable("503: backing up"))
        }
    }

    @Test(arguments: [
        (200, "{}", "refused"), (404, "", "refused"), (404, #"{"unknown_intent": "another"}"#, "refused"),
        (500, "", "unreachable"), (504, "", "unreachable"), (401, "", "refused"),
    ])
    func anAnswerToALookUp(status: Int, body: String, expected: String) async throws {
        try await withAnswer(status, body) { mes in
            let found = await failure { () async throws(PeerFailure) in try await mes.lookUp(hold("H-1")) }
            #expect(found?.kind == expected, "\(status): \(String(describing: found))")
        }
    }

    private func message(_ number: Int, _ kind: String, _ content: String) -> String {
        #"{"number": \#(number), "kind": "\#(kind)", "subject": "s", "occurred_at_us": 1, "content": \#(content)}"#
    }

    @Test func oneUnreadableMessageHoldsUpOnlyWhatComesAfterIt() async throws {
        let good = message(4, "batch-closed", #"{"line": "line-1", "batch_id": "B-1"}"#)
        let bad = message(5, "order-started", #"{"line": "line-1", "order_id": 7}"#)
        try await withAnswer(200, #"{"messages": [\#(good), \#(bad)]}"#) { mes in
            let read = try await mes.messages(after: "3", limit: 10)
            #expect(read.map(\.id) == ["4"])
        }
        try await withAnswer(200, #"{"messages": [\#(bad)]}"#) { mes in
            let found = await failure { () async throws(PeerFailure) in try await mes.messages(after: "4", limit: 10) }
            #expect(found?.kind == "refused")
            #expect(found?.words.contains("message 5 (order-started)") == true, "\(String(describing: found))")
            #expect(found?.words.contains("order_id") == true, "\(String(describing: found))")
        }
    }

    @Test func aKindOfALaterVersionIsPassedOverButCounted() async throws {
        try await withAnswer(200, #"{"messages": [\#(message(1, "tool-changed", #"{"tool": 4}"#))]}"#) { mes in
            let read = try await mes.messages(after: "", limit: 10)
            #expect(read.map(\.cursor) == ["1"] && read.map(\.kinds.count) == [0])
        }
    }

    @Test func numbersThatDoNotAscendAreToldApart() async throws {
        let closed = #"{"line": "line-1", "batch_id": "B-1"}"#
        try await withAnswer(200, #"{"messages": [\#(message(3, "batch-closed", closed))]}"#) { mes in
            let found = await failure { () async throws(PeerFailure) in try await mes.messages(after: "3", limit: 10) }
            #expect(found == .refused("message 3 came after message 3; expected ascending numbers"))
        }
    }

    @Test func aPageThatIsNoPageIsRefusedWithItsPlace() async throws {
        try await withAnswer(200, #"{"messages": [{"number": "one"}]}"#) { mes in
            let found = await failure { () async throws(PeerFailure) in try await mes.messages(after: "", limit: 10) }
            #expect(found?.words.contains("messages.[0].number") == true, "\(String(describing: found))")
        }
    }
}
