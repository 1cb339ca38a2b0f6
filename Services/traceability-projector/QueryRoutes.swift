import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import ReadModel
import ServiceRuntime

/// The query API: what the read model knows, as JSON. Each answer reads one consistent state of the file.
struct QueryRoutes: Sendable {
    private let path: String
    private let work = WorkThread("queries")

    init(path: String) {
        self.path = path
    }

    func add(to router: Router<BasicRequestContext>) {
        router.get("/v1/overview") { _, _ in try await answer { try $0.overview() } }
        router.get("/v1/orders") { _, _ in try await answer { try $0.orders() } }
        router.get("/v1/holds") { _, _ in try await answer { try $0.holds() } }
        router.get("/v1/balance") { _, _ in try await answer { try $0.balance() } }
        router.get("/v1/parts") { request, _ in
            let filter = PartFilter(request.uri.queryParameters)
            return try await answer { try $0.parts(filter) }
        }
        router.get("/v1/trace/**") { _, context in
            let id = context.parameters.getCatchAll().joined(separator: "/")
            let text = id.removingPercentEncoding ?? id
            return try await answer { try $0.trace(text) }
        }
    }

    /// Runs a query; nil is answered with 404.
    private func answer<Value: Encodable & Sendable>(
        _ query: @escaping @Sendable (Queries) throws -> Value?
    ) async throws -> Response {
        let body = try await work.run { [path] () -> [UInt8]? in
            guard let value = try query(Queries(path: path)) else { return nil }
            return try Queries.json(value)
        }
        guard let body else {
            return Self.response(.notFound, Array(#"{"error":"nothing with this id is known"}"#.utf8))
        }
        return Self.response(.ok, body)
    }

    private static func response(_ status: HTTPResponse.Status, _ body: [UInt8]) -> Response {
        Response(
            status: status,
            headers: [.contentType: "application/json", .cacheControl: "no-store"],
            body: .init(byteBuffer: ByteBuffer(bytes: body))
        )
    }
}

extension PartFilter {
    /// `?order=…&batch=…&station=…&shift=…&verdict=…&material_lot=…&limit=…&cursor=…`
    fileprivate init(_ parameters: Parameters) {
        self.init()
        func text(_ name: Substring) -> String? { parameters[name].map { String($0) } }
        order = text("order")
        batch = text("batch")
        station = text("station")
        shift = text("shift")
        verdict = text("verdict")
        materialLot = text("material_lot")
        limit = text("limit").flatMap { Int($0) } ?? limit
        cursor = text("cursor").flatMap { Int64($0) }
    }
}
