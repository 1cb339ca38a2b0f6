import Evidence
import Foundation
import HTTPTypes
package import Hummingbird
package import Logging
import NIOCore
package import ServiceRuntime

/// The routes of recipes and models: the list for everyone who may see the page, what acts only with this run's token.
package struct RecipeRoutes: Sendable {
    private let desk: RecipeDesk
    private let answers: DecisionAnswers
    private let work = WorkThread("console-recipes")

    package init(desk: RecipeDesk, token: ManagementToken, logger: Logger) {
        self.desk = desk
        answers = DecisionAnswers(token: token, logger: logger)
    }

    package func add(to router: Router<BasicRequestContext>) {
        router.get(RouterPath(RecipeWire.list)) { _, _ in try DecisionAnswers.response(.ok, await desk.listing()) }
        router.put("\(RecipeWire.manage)/content/:sha256") { request, context in
            try await answer(request) { try await keep(request, try context.parameters.require("sha256")) }
        }
        router.get("\(RecipeWire.manage)/content/:sha256") { request, context in
            try await answer(request) { try await content(try context.parameters.require("sha256")) }
        }
        router.post(RouterPath(RecipeWire.manage)) { request, _ in
            try await answer(request) { try DecisionAnswers.response(.ok, await desk.submit(try await asked(request))) }
        }
        router.post(RouterPath(RecipeWire.manageModels)) { request, _ in
            try await answer(request) { try DecisionAnswers.response(.ok, await desk.train(try await asked(request))) }
        }
        for verb in RecipeWire.Verb.allCases {
            router.post("\(RecipeWire.manage)/:sha256/\(verb.rawValue)") { request, context in
                let sha256 = try context.parameters.require("sha256")
                return try await answer(request) {
                    try DecisionAnswers.response(.ok, await desk.act(verb, on: sha256, try await asked(request)))
                }
            }
        }
    }

    /// Carries out what an authorised request asks; what is wrong with content it sends is said as JSON too.
    private func answer(_ request: Request, _ act: () async throws -> Response) async throws -> Response {
        try await answers.answer(request) {
            do {
                return try await act()
            } catch let error as ContentError {
                throw DecisionRefusal(Self.status(of: error), error.description)
            }
        }
    }

    private static func status(of error: ContentError) -> Int {
        switch error {
        case .tooLarge: 413
        case .otherContent, .notAHash: 400
        case .full: 507
        case .damaged, .failed: 500
        }
    }

    private func asked(_ request: Request) async throws -> RecipeWire.Request {
        try await DecisionAnswers.asked(RecipeWire.Request.self, request, atMost: RecipeWire.requestLimit)
    }

    /// Takes content in as it comes; nothing of it stays unless all of it is what its name says.
    private func keep(_ request: Request, _ sha256: String) async throws -> Response {
        if try desk.store.contains(sha256) { return Response(status: .noContent) }
        let incoming = Incoming(try desk.store.begin(sha256))
        for try await buffer in request.body { try await incoming.append(Array(buffer.readableBytesView)) }
        try await incoming.finish()
        return Response(status: .created)
    }

    private func content(_ sha256: String) async throws -> Response {
        let bytes = try await work.run { [store = desk.store] in try store.read(sha256) }
        guard let bytes else { return DecisionAnswers.failure(404, "no content with the hash \(sha256) is kept here") }
        return Response(
            status: .ok,
            headers: [.contentType: "application/octet-stream", .cacheControl: "no-store"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes))
        )
    }
}

/// Content on its way in, from a request that comes piece by piece.
private actor Incoming {
    private var draft: ContentStore.Draft

    init(_ draft: consuming sending ContentStore.Draft) {
        self.draft = draft
    }

    func append(_ bytes: [UInt8]) throws(ContentError) { try draft.append(bytes) }

    func finish() throws(ContentError) { try draft.finish() }
}
