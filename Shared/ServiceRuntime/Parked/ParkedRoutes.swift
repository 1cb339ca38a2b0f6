import Foundation
import HTTPTypes
package import Hummingbird
import Logging
import NIOCore

/// The routes under `/v1/manage/`, where people act on set-aside work: POST only, from this machine only
/// (`HealthServer` sees to that), and only with the token that the service left in the plant's state folder. Who may read
/// that folder may act; people who sign in come with the console.
package struct ParkedRoutes: Sendable {
    /// What is asked; `reason` is needed to give something up.
    package struct Request: Codable, Sendable {
        package var items: [ParkedDesk.Item]?
        package var intentIDs: [String]?
        /// Operating system's user name of who asks.
        package var actor: String
        package var reason: String?

        package init(items: [ParkedDesk.Item]? = nil, intentIDs: [String]? = nil, actor: String, reason: String? = nil)
        {
            self.items = items
            self.intentIDs = intentIDs
            self.actor = actor
            self.reason = reason
        }
    }

    package struct Reply: Codable, Sendable {
        /// One for each item, in order.
        package var answers: [ParkedDesk.Answer]
    }

    package static let prefix = "/v1/manage/"
    package static let itemsLimit = 256
    private static let bodyLimit = 1 << 20

    private let context: ServiceContext
    private let token: ManagementToken

    /// Makes a new token and leaves it where the command looks for it.
    package init(_ context: ServiceContext) throws {
        self.context = context
        token = try ManagementToken(context)
    }

    package func add(to router: Router<BasicRequestContext>) {
        let desk = context.desk
        router.post("\(Self.prefix)parked/redrive") { request, _ in
            try await answer(request) { [context] asked in
                try await desk.redrive(asked.items ?? [], by: asked.actor, context)
            }
        }
        router.post("\(Self.prefix)parked/discard") { request, _ in
            try await answer(request, needsReason: true) { asked in
                try await desk.discard(asked.items ?? [], reason: asked.reason ?? "", by: asked.actor)
            }
        }
        router.post("\(Self.prefix)deliveries/redrive") { request, _ in
            try await answer(request) { asked in
                try await desk.redriveDeliveries(asked.intentIDs ?? [], by: asked.actor)
            }
        }
        router.post("\(Self.prefix)deliveries/skip") { request, _ in
            try await answer(request, needsReason: true) { asked in
                try await desk.skipDeliveries(asked.intentIDs ?? [], reason: asked.reason ?? "", by: asked.actor)
            }
        }
    }

    private func answer(
        _ request: Hummingbird.Request,
        needsReason: Bool = false,
        _ act: (Request) async throws -> [ParkedDesk.Answer]
    ) async throws -> Response {
        guard token.isShown(in: request.headers) else {
            return Self.refusal(.unauthorized, "the token of this run is needed; it stands in the plant's state folder")
        }
        let asked: Request
        do {
            let body = try await request.body.collect(upTo: Self.bodyLimit)
            asked = try JSONDecoder().decode(Request.self, from: Data(body.readableBytesView))
        } catch {
            return Self.refusal(.badRequest, "not a request: \(error)")
        }
        if let wrong = asked.wrong(needsReason: needsReason) { return Self.refusal(.badRequest, wrong) }
        let answers: [ParkedDesk.Answer]
        do {
            answers = try await act(asked)
        } catch {
            context.logger.error("request not carried out", metadata: .of([.reason: "\(error)"]))
            return Self.refusal(.serviceUnavailable, "\(error)")
        }
        return Self.response(.ok, try JSONEncoder().encode(Reply(answers: answers)))
    }

    private struct Wrong: Encodable {
        let error: String
    }

    private static func refusal(_ status: HTTPResponse.Status, _ text: String) -> Response {
        do {
            return response(status, try JSONEncoder().encode(Wrong(error: text)))
        } catch {
            preconditionFailure("a text always encodes: \(error)")
        }
    }

    private static func response(_ status: HTTPResponse.Status, _ body: Data) -> Response {
        Response(
            status: status,
            headers: [.contentType: "application/json", .cacheControl: "no-store"],
            body: .init(byteBuffer: ByteBuffer(bytes: body))
        )
    }
}

extension ParkedRoutes.Request {
    private static let textLimit = 500

    /// What is wrong with the request; nil where nothing is.
    fileprivate func wrong(needsReason: Bool) -> String? {
        let count = (items?.count ?? 0) + (intentIDs?.count ?? 0)
        guard (1...ParkedRoutes.itemsLimit).contains(count) else {
            return "\(count) items; expected 1 to \(ParkedRoutes.itemsLimit)"
        }
        let isPlain = actor.utf8.allSatisfy { (0x21...0x7e).contains($0) }
        guard isPlain, (1...64).contains(actor.utf8.count) else { return "actor: expected a user name" }
        let text = reason ?? ""
        guard text.count <= Self.textLimit, !needsReason || !text.allSatisfy(\.isWhitespace) else {
            return "reason: expected why, in 1 to \(Self.textLimit) characters"
        }
        return nil
    }
}
