import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import PlantCore
import PlantEvents
import ServiceRuntime

/// Why a request is not carried out, with the HTTP status that says so.
package struct DecisionRefusal: Error, CustomStringConvertible {
    package let status: Int
    package let description: String

    package init(_ status: Int, _ description: String) {
        self.status = status
        self.description = description
    }
}

extension DeciderHost<DecisionCore> {
    /// Has the core take what a person decided, and waits until that is durable.
    ///
    /// - Returns: whether the request was taken before, and the core after it.
    func take(
        _ decision: DecisionCore.Decision,
        by act: HumanAct
    ) async throws -> (isRepeated: Bool, core: DecisionCore) {
        let input = DecisionCore.Input(act: act, decision: decision)
        let isDecided = try await submit(input) != nil
        let core = self.core
        if !isDecided {
            switch core.outcome(of: input) {
            case .repeated: break
            case .refused(let refusal): throw DecisionRefusal(409, refusal.description)
            case .follows: throw DecisionRefusal(503, "what was asked about changed while this was decided; look again")
            }
        }
        try await durable()
        return (!isDecided, core)
    }
}

/// Answers requests to act: only those that show this run's token are carried out, and what is wrong is said as JSON.
struct DecisionAnswers: Sendable {
    let token: ManagementToken
    let logger: Logger

    func answer(_ request: Request, _ act: () async throws -> Response) async throws -> Response {
        guard token.isShown(in: request.headers) else {
            return Self.failure(401, "the token of this run is needed; it stands in the plant's state folder")
        }
        do {
            return try await act()
        } catch let refusal as DecisionRefusal {
            logger.notice("request refused", metadata: .of([.reason: "\(refusal)"]))
            return Self.failure(refusal.status, refusal.description)
        } catch let error as any HTTPResponseError {
            throw error
        } catch {
            logger.error("request not carried out", metadata: .of([.reason: "\(error)"]))
            return Self.failure(503, "\(error)")
        }
    }

    /// The request's body, at most `limit` bytes of JSON.
    static func asked<Asked: Decodable>(
        _: Asked.Type,
        _ request: Request,
        atMost limit: Int
    ) async throws -> Asked {
        do {
            let body = try await request.body.collect(upTo: limit)
            return try JSONDecoder().decode(Asked.self, from: Data(body.readableBytesView))
        } catch {
            throw DecisionRefusal(400, "not a request: \(error)")
        }
    }

    private struct Failure: Encodable { let error: String }

    static func failure(_ status: Int, _ text: String) -> Response {
        do {
            return try response(.init(code: status), Failure(error: text))
        } catch {
            preconditionFailure("a text always encodes: \(error)")
        }
    }

    static func response(_ status: HTTPResponse.Status, _ body: some Encodable) throws -> Response {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Response(
            status: status,
            headers: [.contentType: "application/json", .cacheControl: "no-store"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: try encoder.encode(body)))
        )
    }
}
