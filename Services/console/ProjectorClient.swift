import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOPosix

/// Asks the traceability-projector of this machine.
package struct ProjectorClient: Sendable {
    struct Answer: Sendable {
        let status: Int
        let body: ByteBuffer
    }

    /// Why there is no answer that can be passed on.
    struct Failure: Error, CustomStringConvertible {
        /// Whether nothing answers, as against something else than the projector.
        let isAway: Bool
        let description: String
    }

    /// Largest answer that is passed on, bytes; the largest trace has a tenth of it.
    private static let maximumAnswerBytes = 32 << 20
    /// Less than the page has, so that it is this program which says what is wrong.
    private static let patience = TimeAmount.seconds(5)

    /// Lives as long as the process. The browser asks again, so connecting is tried once.
    private static let http: HTTPClient = {
        var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
        configuration.timeout = .init(connect: .seconds(2), read: .seconds(5))
        configuration.connectionPool.retryConnectionEstablishment = false
        return HTTPClient(eventLoopGroup: MultiThreadedEventLoopGroup.singleton, configuration: configuration)
    }()

    private let address: String

    /// - Parameter port: on which the projector serves its query API on this machine.
    package init(port: Int) {
        address = "127.0.0.1:\(port)"
    }

    /// The answer to `GET path`; the path begins with "/" and may have a query.
    func get(_ path: String) async throws(Failure) -> Answer {
        do {
            let request = HTTPClientRequest(url: "http://\(address)\(path)")
            let response = try await Self.http.execute(request, timeout: Self.patience)
            guard response.headers.first(name: "content-type")?.hasPrefix("application/json") == true else {
                throw Failure(
                    isAway: false,
                    description: "\(address) answered \(response.status.code) without JSON; expected the "
                        + "traceability-projector there: see its log, and that nothing else has its port"
                )
            }
            let body = try await response.body.collect(upTo: Self.maximumAnswerBytes)
            return Answer(status: Int(response.status.code), body: body)
        } catch let failure as Failure {
            throw failure
        } catch is NIOTooManyBytesError {
            throw Failure(
                isAway: false,
                description: "the answer has more than \(Self.maximumAnswerBytes >> 20) MiB; ask for less"
            )
        } catch {
            throw Failure(
                isAway: true,
                description:
                    "the traceability-projector does not answer on \(address) (\(error)); see that it runs, and "
                    + "what its log says"
            )
        }
    }
}
