package import Evidence
import Foundation
import HTTPTypes
package import Hummingbird
package import Logging
import NIOCore
import ServiceRuntime

/// What the console serves: the page at `/`, the projector's query API under `/v1`, and kept pictures under `/evidence`.
/// All of it is read-only.
package struct ConsoleRoutes: Sendable {
    private static let json = "application/json"
    /// The projector's queries that have no path parameter.
    private static let queries = ["overview", "orders", "holds", "legal-holds", "models", "parts", "balance"]

    private let projector: ProjectorClient
    private let evidence: EvidenceStore
    private let logger: Logger
    private let work = WorkThread("console-evidence")

    package init(projector: ProjectorClient, evidence: EvidenceStore, logger: Logger) {
        self.projector = projector
        self.evidence = evidence
        self.logger = logger
    }

    /// Routes that are added to `router` afterwards get the security headers too.
    package func add(to router: Router<BasicRequestContext>) {
        router.add(middleware: SecurityHeaders())
        for asset in PageAsset.all {
            router.get(RouterPath(asset.path)) { _, _ in
                Self.response(.ok, asset.mediaType, "no-cache", ByteBuffer(bytes: asset.bytes))
            }
        }
        for query in Self.queries {
            router.get("/v1/\(query)") { request, _ in await forward(request) }
        }
        router.get("/v1/trace/**") { request, _ in await forward(request) }
        router.get("/evidence/:hash") { _, context in try await picture(try context.parameters.require("hash")) }
    }

    /// Passes the question on as it was asked: path and query are of this console's own routes, host and port are fixed.
    private func forward(_ request: Request) async -> Response {
        do {
            let answer = try await projector.get(request.uri.string)
            return Self.response(.init(code: answer.status), Self.json, "no-store", answer.body)
        } catch {
            logger.warning("query not answered", metadata: .of([.reason: "\(error)"]))
            return Self.failure(error.isAway ? .serviceUnavailable : .badGateway, error.description)
        }
    }

    /// A kept picture. Its name is the hash of its pixels, so that whoever has it never needs to ask again.
    private func picture(_ hash: String) async throws -> Response {
        do {
            guard let file = try await work.run({ [evidence] in try evidence.file(pixelsSHA256: hash) }) else {
                return Self.failure(.notFound, "no picture with the hash \(hash) is kept here")
            }
            return Self.response(
                .ok,
                file.mediaType,
                "private, max-age=31536000, immutable",
                ByteBuffer(bytes: file.bytes)
            )
        } catch EvidenceError.notAHash(let text) {
            return Self.failure(.badRequest, "\(EvidenceError.notAHash(text))")
        } catch let error as EvidenceError {
            logger.error("picture not readable", metadata: .of([.reason: "\(error)"]))
            return Self.failure(.internalServerError, "the picture cannot be read; the console's log says why")
        }
    }

    private struct Failure: Encodable {
        let error: String
    }

    private static func failure(_ status: HTTPResponse.Status, _ text: String) -> Response {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        // A text in a field always encodes.
        let body = (try? encoder.encode(Failure(error: text))) ?? Data()
        return response(status, json, "no-store", ByteBuffer(bytes: body))
    }

    private static func response(
        _ status: HTTPResponse.Status,
        _ mediaType: String,
        _ caching: String,
        _ body: ByteBuffer
    ) -> Response {
        Response(
            status: status,
            headers: [.contentType: mediaType, .cacheControl: caching],
            body: ResponseBody(byteBuffer: body)
        )
    }
}

/// One file of the page, compiled into the program.
private struct PageAsset: Sendable {
    let path: String
    let mediaType: String
    let bytes: [UInt8]

    private static let script = "text/javascript; charset=utf-8"

    static let all = [
        PageAsset(path: "/", mediaType: "text/html; charset=utf-8", bytes: PackageResources.index_html),
        PageAsset(path: "/console.css", mediaType: "text/css; charset=utf-8", bytes: PackageResources.console_css),
        PageAsset(path: "/console.js", mediaType: script, bytes: PackageResources.console_js),
        PageAsset(path: "/dom.js", mediaType: script, bytes: PackageResources.dom_js),
        PageAsset(path: "/parts.js", mediaType: script, bytes: PackageResources.parts_js),
        PageAsset(path: "/trace.js", mediaType: script, bytes: PackageResources.trace_js),
        PageAsset(path: "/words.js", mediaType: script, bytes: PackageResources.words_js),
        PageAsset(path: "/icon.svg", mediaType: "image/svg+xml", bytes: PackageResources.icon_svg),
    ]
}

/// Lets the page load nothing from elsewhere, and nobody else frame or embed it (OWASP Secure Headers).
private struct SecurityHeaders: RouterMiddleware {
    private static let headers = [
        "Content-Security-Policy":
            "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
    ]

    func handle(
        _ request: Request,
        context: BasicRequestContext,
        next: @concurrent (Request, BasicRequestContext) async throws -> Response
    ) async throws -> Response {
        var response: Response
        do {
            response = try await next(request, context)
        } catch let error as any HTTPResponseError {
            response = try error.response(from: request, context: context)
        }
        for (name, value) in Self.headers {
            if let name = HTTPField.Name(name) { response.headers[name] = value }
        }
        return response
    }
}
