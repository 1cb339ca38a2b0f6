import Evidence
import Foundation
import HTTPTypes
package import Hummingbird
package import Logging
import NIOCore
package import ServiceRuntime

/// The routes of recipes: the list for everyone who may see the page, what acts only with this run's token.
package struct RecipeRoutes: Sendable {
    private let desk: RecipeDesk
    private let token: ManagementToken
    private let logger: Logger
    private let work = WorkThread("console-recipes")

    package init(desk: RecipeDesk, token: ManagementToken, logger: Logger) {
        self.desk = desk
        self.token = token
        self.logger = logger
    }

    package func add(to router: Router<BasicRequestContext>) {
        router.get(RouterPath(RecipeWire.list)) { _, _ in try Self.response(.ok, await desk.listing()) }
        router.put("\(RecipeWire.manage)/content/:sha256") { request, context in
            try await answer(request) { try await keep(request, try context.parameters.require("sha256")) }
        }
        router.get("\(RecipeWire.manage)/content/:sha256") { request, context in
            try await answer(request) { try await content(try context.parameters.require("sha256")) }
        }
        router.post(RouterPath(RecipeWire.manage)) { request, _ in
            try await answer(request) { try Self.response(.ok, await desk.submit(try await asked(request))) }
        }
        for verb in RecipeWire.Verb.allCases {
            router.post("\(RecipeWire.manage)/:sha256/\(verb.rawValue)") { request, context in
                let sha256 = try context.parameters.require("sha256")
                return try await answer(request) {
                    try Self.response(.ok, await desk.act(verb, on: sha256, try await asked(request)))
                }
            }
        }
    }

    /// Carries out what an authorised request asks; what is wrong is said as JSON.
    private func answer(_ request: Request, _ act: () async throws -> Response) async throws -> Response {
        guard token.isShown(in: request.headers) else {
            return Self.failure(401, "the token of this run is needed; it stands in the plant's state folder")
        }
        do {
            return try await act()
        } catch let refusal as RecipeDesk.Refusal {
            logger.notice("recipe request refused", metadata: .of([.reason: "\(refusal)"]))
            return Self.failure(refusal.status, refusal.description)
        } catch let error as ContentError {
            logger.warning("recipe content refused", metadata: .of([.reason: "\(error)"]))
            return Self.failure(Self.status(of: error), error.description)
        } catch let error as any HTTPResponseError {
            throw error
        } catch {
            logger.error("recipe request not carried out", metadata: .of([.reason: "\(error)"]))
            return Self.failure(503, "\(error)")
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
        do {
            let body = try await request.body.collect(upTo: RecipeWire.requestLimit)
            return try JSONDecoder().decode(RecipeWire.Request.self, from: Data(body.readableBytesView))
        } catch {
            throw RecipeDesk.Refusal(400, "not a request: \(error)")
        }
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
        guard let bytes else { return Self.failure(404, "no content with the hash \(sha256) is kept here") }
        return Response(
            status: .ok,
            headers: [.contentType: "application/octet-stream", .cacheControl: "no-store"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes))
        )
    }

    private struct Failure: Encodable { let error: String }

    private static func failure(_ status: Int, _ text: String) -> Response {
        do {
            return try response(.init(code: status), Failure(error: text))
        } catch {
            preconditionFailure("a text always encodes: \(error)")
        }
    }

    private static func response(_ status: HTTPResponse.Status, _ body: some Encodable) throws -> Response {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Response(
            status: status,
            headers: [.contentType: "application/json", .cacheControl: "no-store"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: try encoder.encode(body)))
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
