import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import ServiceRuntime
import Vision

/// Asks the plant's console about recipes and models.
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

    func listing() async throws -> RecipeWire.Listing {
        let answer = try await console.send(.GET, RecipeWire.list)
        return try JSONDecoder().decode(RecipeWire.Listing.self, from: try accepted(answer))
    }

    func list() async throws -> [RecipeWire.Row] { try await listing().recipes }

    /// The recipe whose content hash begins with `word`.
    func row(_ word: String) async throws -> RecipeWire.Row {
        let rows = try await list()
        let sha256 = try Self.one(of: rows.map(\.sha256), word, "submitted recipes", "lineledger recipe list")
        guard let row = rows.first(where: { $0.sha256 == sha256 }) else { preconditionFailure("\(sha256): just found") }
        return row
    }

    /// The content hash that begins with `word`, of a submitted recipe, a file that one names, or a model on record.
    func named(_ word: String) async throws -> String {
        let listing = try await listing()
        let hashes = listing.recipes.flatMap { [$0.sha256] + $0.files } + listing.models.map(\.sha256)
        return try Self.one(
            of: hashes,
            word,
            "recipes, files of recipes or models",
            "lineledger recipe list or model list"
        )
    }

    private static func one(of hashes: [String], _ word: String, _ what: String, _ command: String) throws -> String {
        let fitting = RecipePaths.isHash(word) ? Set(hashes.filter { $0.hasPrefix(word) }) : []
        guard let hash = fitting.first, fitting.count == 1 else {
            throw Refusal(
                description:
                    "\(word): \(fitting.count) \(what); expected 6 or more digits of one content hash, as \(command) shows "
                    + "them"
            )
        }
        return hash
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

    /// Puts a trained model on record.
    func train(_ request: RecipeWire.Request) async throws -> RecipeWire.Reply {
        try await post(RecipeWire.manageModels, request)
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
