import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import ReadModel
import ServiceRuntime

/// The query API: what the read model knows, as JSON. Each answer reads one consistent state of one generation, and
/// names it.
struct QueryRoutes: Sendable {
    private let path: String
    private let projection: ProjectionLoop
    private let work = WorkThread("queries")

    /// - Parameter path: the folder of the generations.
    init(path: String, _ projection: ProjectionLoop) {
        self.path = path
        self.projection = projection
    }

    func add(to router: Router<BasicRequestContext>) {
        router.get("/v1/model") { request, _ in
            let isComplete = request.uri.queryParameters["digest"] != nil
            let status = await projection.status
            return try await answer { try ModelState(status, $0, isComplete: isComplete) }
        }
        router.get("/v1/overview") { _, _ in try await answer { try $0.overview() } }
        router.get("/v1/orders") { _, _ in try await answer { try $0.orders() } }
        router.get("/v1/holds") { _, _ in try await answer { try $0.holds() } }
        router.get("/v1/legal-holds") { _, _ in try await answer { try $0.legalHolds() } }
        router.get("/v1/models") { _, _ in try await answer { try $0.models() } }
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

    /// What a query came to.
    private enum Outcome: Sendable {
        /// The JSON, nil where there is no such thing, of a generation.
        case answered([UInt8]?, generation: Int?, isStale: Bool)
        /// There is no model to ask just now.
        case unavailable(String)
        /// The file is damaged.
        case damaged(String, generation: Int?)
    }

    /// Runs a query; nil is answered with 404, a model that is being rebuilt with 503.
    private func answer<Value: Encodable & Sendable>(
        _ query: @escaping @Sendable (Queries) throws -> Value?
    ) async throws -> Response {
        switch try await work.run({ [path] in try Self.ask(path, query) }) {
        case .answered(let body, let generation, let isStale):
            var response =
                try body.map { Self.response(.ok, $0) } ?? Self.failed(.notFound, "nothing with this id is known")
            if let name = HTTPField.Name("lineledger-generation"), let generation {
                response.headers[name] = "\(generation)"
            }
            if let name = HTTPField.Name("lineledger-stale"), isStale { response.headers[name] = "true" }
            return response
        case .unavailable(let reason):
            return try Self.failed(.serviceUnavailable, await projection.status.hindrance ?? reason)
        case .damaged(let reason, let generation):
            if let generation { await projection.noteDamage(reason, of: generation) }
            return try Self.failed(.serviceUnavailable, "\(reason); it is being rebuilt")
        }
    }

    private static func ask<Value: Encodable>(
        _ path: String,
        _ query: (Queries) throws -> Value?
    ) throws -> Outcome {
        var generation: Int?
        do {
            let queries = try Queries(path: path)
            generation = queries.generation
            let body = try query(queries).map { try Queries.json($0) }
            return .answered(body, generation: generation, isStale: queries.isStale)
        } catch let failure as ReadModelFailure where failure.isPassing {
            return .unavailable("\(failure)")
        } catch {
            guard let reason = Queries.damage(error) else { throw error }
            return .damaged(reason, generation: try generation ?? Generations(folder: path).active()?.generation)
        }
    }

    private static func failed(_ status: HTTPResponse.Status, _ reason: String) throws -> Response {
        var response = response(status, try Queries.json(["error": reason]))
        if status == .serviceUnavailable { response.headers[.retryAfter] = "1" }
        return response
    }

    private static func response(_ status: HTTPResponse.Status, _ body: [UInt8]) -> Response {
        Response(
            status: status,
            headers: [.contentType: "application/json", .cacheControl: "no-store"],
            body: .init(byteBuffer: ByteBuffer(bytes: body))
        )
    }
}

/// Which generation answers, how far it has read, and what is being made beside it.
private struct ModelState: Encodable, Sendable {
    let status: Projection.Status
    /// Next offset of each input partition.
    let positions: [String: Int64]
    /// SHA-256 of the model at these positions, and of each table.
    let digest: String?
    let tables: [TableDigest]?

    init(_ status: Projection.Status, _ queries: Queries, isComplete: Bool) throws {
        self.status = status
        let state = isComplete ? try queries.stated() : nil
        digest = state?.digest
        tables = state?.tables
        let all = try state?.positions ?? queries.positions()
        positions = Dictionary(uniqueKeysWithValues: all.map { ("\($0.key)", $0.value) })
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
