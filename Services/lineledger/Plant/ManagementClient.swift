import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import ServiceRuntime

/// Asks a running service of this machine to act, with the token that it left in the plant's state folder.
struct ManagementClient {
    let plant: PlantFile
    let service: PlantProgram

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    struct Answer {
        let status: Int
        let body: Data

        /// What `{"error": …}` says; the text as it is where it is something else.
        var error: String {
            (try? JSONDecoder().decode([String: String].self, from: body))?["error"]
                ?? String(decoding: body.prefix(300), as: UTF8.self)
        }
    }

    private static let answerLimit = 513 << 20

    /// - Parameter path: begins with "/".
    func send(
        _ method: HTTPMethod,
        _ path: String,
        _ body: HTTPClientRequest.Body? = nil,
        type: String = "application/json",
        patience: TimeAmount = .seconds(60)
    ) async throws -> Answer {
        let url = "http://127.0.0.1:\(plant.port(of: service))\(path)"
        var request = HTTPClientRequest(url: url)
        request.method = method
        request.headers.add(name: "content-type", value: type)
        request.headers.add(name: "authorization", value: "Bearer \(try token())")
        request.body = body
        do {
            let response = try await HTTPClient.shared.execute(request, timeout: patience)
            let answer = try await response.body.collect(upTo: Self.answerLimit)
            return Answer(status: Int(response.status.code), body: Data(answer.readableBytesView))
        } catch {
            throw Failure(description: "\(service.rawValue) does not answer at \(url): \(error); it must run to act")
        }
    }

    private func token() throws -> String {
        let path = ManagementToken.path(state: plant.state, service: service.rawValue)
        do {
            return try String(contentsOfFile: path, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
        } catch {
            throw Failure(
                description: "\(path): not readable; start \(service.rawValue), and ask as a user who may read it"
            )
        }
    }
}
