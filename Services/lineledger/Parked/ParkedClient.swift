import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import ServiceRuntime

/// Asks the running service that owns set-aside work to act on it; nobody else may.
struct ParkedClient {
    let plant: PlantFile

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    private static let answerLimit = 4 << 20
    private static let patience = TimeAmount.seconds(60)

    /// - Parameter verb: `redrive`, or how giving up is called: `discard` for records, `skip` for deliveries.
    func ask(
        _ service: PlantProgram,
        _ path: String,
        items: [ParkedDesk.Item]? = nil,
        intentIDs: [String]? = nil,
        reason: String?
    ) async throws -> [ParkedDesk.Answer] {
        let tokenPath = ParkedRoutes.tokenPath(state: plant.state, service: service.rawValue)
        let token: String
        do {
            token = try String(contentsOfFile: tokenPath, encoding: .utf8).trimmingCharacters(
                in: .whitespacesAndNewlines
            )
        } catch {
            throw Failure(
                description: "\(tokenPath): not readable; start \(service.rawValue), and ask as a user who may read it"
            )
        }
        let url = "http://127.0.0.1:\(plant.port(of: service))\(ParkedRoutes.prefix)\(path)"
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        request.headers.add(name: "content-type", value: "application/json")
        request.headers.add(name: "authorization", value: "Bearer \(token)")
        let wish = ParkedRoutes.Request(items: items, intentIDs: intentIDs, actor: NSUserName(), reason: reason)
        request.body = .bytes(try JSONEncoder().encode(wish))
        let status: UInt
        let body: ByteBuffer
        do {
            let response = try await HTTPClient.shared.execute(request, timeout: Self.patience)
            status = response.status.code
            body = try await response.body.collect(upTo: Self.answerLimit)
        } catch {
            throw Failure(description: "\(service.rawValue) does not answer at \(url): \(error); it must run to act")
        }
        guard status == 200 else {
            throw Failure(description: "\(service.rawValue) refused (\(status)): \(String(buffer: body).prefix(300))")
        }
        return try JSONDecoder().decode(ParkedRoutes.Reply.self, from: Data(body.readableBytesView)).answers
    }
}
