import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import ServiceRuntime
import Vision

/// Asks the plant's console about recipes.
struct RecipeClient {
    private let console: ManagementClient

    /// The console refused, or no recipe fits.
    struct Refusal: Error, CustomStringConvertible {
        let description: String
    }

    /// Runs `body`; what goes wrong ends the command as its kind asks.
    static func run<Value>(_ plant: PlantFile, _ body: (RecipeClient) async throws -> Value) async throws -> Value {
        do {
            return try await body(RecipeClient(console: ManagementClient(plant: plant, service: .console)))
        } catch let refusal as Refusal {
            Terminal.complain("\(refusal)")
            throw ExitStatus.problemFound
        } catch let failure as ManagementClient.Failure {
            Terminal.complain("\(failure)")
            throw ExitStatus.unreachable
        } catch let error as FileError {
            Terminal.complain("\(error)")
            throw ExitStatus.wrongUse
        }
    }

    func list() async throws -> [RecipeWire.Row] {
        let answer = try await console.send(.GET, RecipeWire.list)
        return try JSONDecoder().decode(RecipeWire.Listing.self, from: try accepted(answer)).recipes
    }

    /// The recipe whose content hash begins with `word`.
    func row(_ word: String) async throws -> RecipeWire.Row {
        let fitting = RecipePaths.isHash(word) ? try await list().filter { $0.sha256.hasPrefix(word) } : []
        guard let row = fitting.first, fitting.count == 1 else {
            throw Refusal(
                description:
                    "\(word): \(fitting.count) submitted recipes; expected 6 or more digits of one content hash, as "
                    + "lineledger recipe list shows them"
            )
        }
        return row
    }

    func content(_ sha256: String) async throws -> [UInt8] {
        [UInt8](try accepted(try await console.send(.GET, RecipeWire.content(sha256), patience: .seconds(300))))
    }

    /// Sends content under its hash, which is returned; what the console has already it does not need again.
    @discardableResult
    func send(_ bytes: [UInt8]) async throws -> String {
        let sha256 = hexSHA256(bytes)
        _ = try accepted(
            try await console.send(
                .PUT,
                RecipeWire.content(sha256),
                .bytes(bytes),
                type: "application/octet-stream",
                patience: .seconds(600)
            )
        )
        return sha256
    }

    func submit(_ request: RecipeWire.Request) async throws -> RecipeWire.Reply {
        try await post(RecipeWire.manage, request)
    }

    func act(_ verb: RecipeWire.Verb, on sha256: String, _ request: RecipeWire.Request) async throws -> RecipeWire.Reply
    {
        try await post("\(RecipeWire.manage)/\(sha256)/\(verb.rawValue)", request)
    }

    private func post(_ path: String, _ request: RecipeWire.Request) async throws -> RecipeWire.Reply {
        let answer = try await console.send(.POST, path, .bytes(try JSONEncoder().encode(request)))
        return try JSONDecoder().decode(RecipeWire.Reply.self, from: try accepted(answer))
    }

    private func accepted(_ answer: ManagementClient.Answer) throws -> Data {
        guard (200..<300).contains(answer.status) else {
            if answer.status >= 500 {
                throw ManagementClient.Failure(description: "console answered \(answer.status): \(answer.error)")
            }
            throw Refusal(description: answer.error.isEmpty ? "console answered \(answer.status)" : answer.error)
        }
        return answer.body
    }
}
