import AsyncHTTPClient
import Foundation
import NIOHTTP1
import ServiceRuntime

/// Asks the running service that owns set-aside work to act on it; nobody else may.
struct ParkedClient {
    let plant: PlantFile

    /// - Parameter path: what is asked of what; `parked/redrive`, `deliveries/skip`.
    func ask(
        _ service: PlantProgram,
        _ path: String,
        items: [ParkedDesk.Item]? = nil,
        intentIDs: [String]? = nil,
        reason: String?
    ) async throws -> [ParkedDesk.Answer] {
        let wish = ParkedRoutes.Request(items: items, intentIDs: intentIDs, actor: NSUserName(), reason: reason)
        let answer = try await ManagementClient(plant: plant, service: service)
            .send(.POST, "\(ParkedRoutes.prefix)\(path)", .bytes(try JSONEncoder().encode(wish)))
        guard answer.status == 200 else {
            throw ManagementClient.Failure(
                description: "\(service.rawValue) refused (\(answer.status)): \(answer.error)"
            )
        }
        return try JSONDecoder().decode(ParkedRoutes.Reply.self, from: answer.body).answers
    }
}
