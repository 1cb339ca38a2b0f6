import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1

/// Asks programs of this machine; what is not reached is an answer too.
enum LocalHTTP {
    enum Reply: Sendable {
        case answer(status: Int, body: [UInt8])
        case none(reason: String)
    }

    private static let bodyLimit = 16 << 20

    static func get(port: Int, path: String) async -> Reply {
        await send(HTTPClientRequest(url: "http://127.0.0.1:\(port)\(path)"))
    }

    static func put(port: Int, path: String, json: some Encodable) async -> Reply {
        var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)\(path)")
        request.method = .PUT
        request.headers.add(name: "content-type", value: "application/json")
        do {
            request.body = .bytes(try JSONEncoder().encode(json))
        } catch {
            return .none(reason: "\(error)")
        }
        return await send(request)
    }

    /// The answer's JSON; throws when there is none.
    static func json<Value: Decodable>(_: Value.Type, port: Int, path: String) async throws -> Value {
        switch await get(port: port, path: path) {
        case .none(let reason):
            throw Supervisor.Failure(description: "http://127.0.0.1:\(port)\(path): \(reason)")
        case .answer(let status, let body):
            guard status == 200 else {
                throw Supervisor.Failure(
                    description: "http://127.0.0.1:\(port)\(path): status \(status): "
                        + String(decoding: body.prefix(200), as: UTF8.self)
                )
            }
            return try JSONDecoder().decode(Value.self, from: Data(body))
        }
    }

    private static func send(_ request: HTTPClientRequest) async -> Reply {
        do {
            let response = try await HTTPClient.shared.execute(request, timeout: .seconds(5))
            let body = try await response.body.collect(upTo: bodyLimit)
            return .answer(status: Int(response.status.code), body: Array(body.readableBytesView))
        } catch {
            return .none(reason: "\(error)")
        }
    }
}
