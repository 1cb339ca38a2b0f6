import Hummingbird
import NIOCore
import Testing

/// The query API goes through to the projector as it is asked and comes back as it is answered.
@Suite struct QueryProxyTests {
    /// A projector that answers with what it was asked.
    private static func echo(_ router: Router<BasicRequestContext>) {
        router.get("/v1/**") { request, _ in
            let isKnown = request.uri.path != "/v1/trace/nobody"
            return Response(
                status: isKnown ? .ok : .notFound,
                headers: [.contentType: "application/json"],
                body: .init(byteBuffer: ByteBuffer(string: #"{"asked":"\#(request.uri.string)"}"#))
            )
        }
    }

    @Test(arguments: [
        "/v1/overview", "/v1/orders", "/v1/holds", "/v1/balance", "/v1/parts?order=WO-1&cursor=7&verdict=fail",
        "/v1/trace/B-117", "/v1/trace/vision-1%2F1%2F45", "/v1/trace/vision-1/1/45", "/v1/trace/a%25b%20c",
        "/v1/trace/%2E%2E%2F%2E%2E%2Fmetrics",
    ])
    func aQuestionPassesUnchanged(_ path: String) async throws {
        try await ConsoleBench.serve(Self.echo) { projector in
            try await ConsoleBench.serveConsole(projectorPort: projector) { port, _ in
                let answer = try await ConsoleBench.get(path, port)
                #expect(answer.status == 200)
                #expect(answer.text == #"{"asked":"\#(path)"}"#)
                #expect(answer.header("content-type") == "application/json")
                #expect(answer.header("cache-control") == "no-store")
            }
        }
    }

    @Test func theProjectorsRefusalPasses() async throws {
        try await ConsoleBench.serve(Self.echo) { projector in
            try await ConsoleBench.serveConsole(projectorPort: projector) { port, _ in
                let answer = try await ConsoleBench.get("/v1/trace/nobody", port)
                #expect(answer.status == 404)
                #expect(answer.text == #"{"asked":"/v1/trace/nobody"}"#)
            }
        }
    }

    @Test(arguments: ["/v1/other", "/v1/overview/more", "/v1", "/v2/overview", "/http://127.0.0.1/v1/overview"])
    func otherPathsOfTheProjectorAreNotReached(_ path: String) async throws {
        try await ConsoleBench.serve(Self.echo) { projector in
            try await ConsoleBench.serveConsole(projectorPort: projector) { port, _ in
                let answer = try await ConsoleBench.get(path, port)
                #expect(answer.status == 404)
                #expect(!answer.text.contains("asked"))
            }
        }
    }

    @Test func aProjectorThatIsAwayIsNamedWithWhatToDo() async throws {
        let closed = try await ConsoleBench.closedPort()
        try await ConsoleBench.serveConsole(projectorPort: closed) { port, _ in
            let answer = try await ConsoleBench.get("/v1/overview", port)
            #expect(answer.status == 503)
            #expect(answer.header("content-type") == "application/json")
            let error = try answer.error()
            #expect(error.contains("traceability-projector does not answer on 127.0.0.1:\(closed)"))
            #expect(error.contains("see that it runs"))
            #expect(try await ConsoleBench.get("/", port).status == 200)
        }
    }

    @Test func anotherProgramInItsPlaceIsNotPassedOn() async throws {
        try await ConsoleBench.serve({ $0.get("/v1/overview") { _, _ in "<script>" } }) { other in
            try await ConsoleBench.serveConsole(projectorPort: other) { port, _ in
                let answer = try await ConsoleBench.get("/v1/overview", port)
                #expect(answer.status == 502)
                #expect(try answer.error().contains("127.0.0.1:\(other) answered 200 without JSON"))
            }
        }
    }
}
