import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
package import PlantEvents

/// What one kind of a REST peer's messages mean: `content` of a message, by its `kind`.
package protocol RestContent: Sendable {
    associatedtype Kind: Sendable
    /// The plant's words for it; none for a kind that this build does not know, which is passed over.
    static func kinds(of kind: String, from content: any Decoder) throws -> [Kind]
}

/// A plain REST peer: numbered messages to read, effects to carry out under the intent's id. Both bridges' REST
/// connectors are this and a file that says how effects and messages are spelt (`openapi.yaml` beside them).
///
/// What a failure of an effect means for sending it again:
/// - no connection, 429, and 503 with `Retry-After`: it did not arrive, `unreachable`;
/// - time-out, lost connection, any other 5xx, and an answer that cannot be read: it may have been done, `inDoubt`;
/// - 3xx and 4xx: the peer will not do it, `refused` with its own words.
///
/// Reading changes nothing, so that a failed read is `unreachable`, and `refused` where a repeat cannot help.
package struct RestClient: Sendable {
    /// Largest answer that is read, bytes.
    private static let maximumAnswerBytes = 8 << 20
    /// Most of the peer's words that go into an error, characters.
    private static let maximumWords = 400

    /// Lives as long as the process. Connecting is tried once: who calls has the patience and the order to keep.
    private static let http: HTTPClient = {
        var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
        configuration.timeout = .init(connect: .seconds(2), read: .seconds(30))
        configuration.connectionPool.retryConnectionEstablishment = false
        return HTTPClient(eventLoopGroup: MultiThreadedEventLoopGroup.singleton, configuration: configuration)
    }()

    private let baseURL: String
    private let token: String?
    private let timeout: Duration

    /// - Parameters:
    ///   - baseURL: scheme, host, port and leading path; example "https://mes.plant.example/lineledger".
    ///   - token: sent as bearer token (RFC 6750); nil for none.
    ///   - timeout: for each call, until the head of the answer; connecting has at most 2 s of it.
    package init(baseURL: String, token: String?, timeout: Duration) {
        self.baseURL = baseURL.hasSuffix("/") ? String(baseURL.dropLast()) : baseURL
        self.token = token
        self.timeout = timeout
    }

    /// Messages after `cursor`, in the plant's words.
    package func messages<Content: RestContent>(
        after cursor: String,
        limit: Int,
        _: Content.Type
    ) async throws(PeerFailure) -> [PeerMessage<Content.Kind>] {
        guard let after = cursor.isEmpty ? 0 : UInt64(cursor) else {
            throw .refused("cursor '\(cursor)' is no message number of this peer; expected a whole number")
        }
        let path = "/v1/messages?after=\(after)&limit=\(limit)"
        let answer = try await call(.GET, path, body: nil)
        guard answer.status == 200 else { throw Self.failure(answer, ofEffect: false) }
        let page: RestPage<Content>
        do {
            page = try JSONDecoder().decode(RestPage<Content>.self, from: answer.body)
        } catch {
            throw .refused("GET \(path) answered what is no page of messages: \(Self.place(error))")
        }
        return try Self.checked(page.messages.prefix(limit), after: after)
    }

    /// Numbers must ascend, and contents must be readable. What is before the first fault is good and is handed on; the
    /// fault is told when it is the next in turn.
    private static func checked<Content: RestContent>(
        _ page: some Sequence<RestMessage<Content>>,
        after: UInt64
    ) throws(PeerFailure) -> [PeerMessage<Content.Kind>] {
        var messages: [PeerMessage<Content.Kind>] = []
        var last = after
        for message in page {
            var fault: String?
            var kinds: [Content.Kind] = []
            switch message.kinds {
            case .success(let read): kinds = read
            case .failure(let error): fault = "message \(message.number) (\(message.kind)): \(place(error))"
            }
            if message.number <= last {
                fault = "message \(message.number) came after message \(last); expected ascending numbers"
            }
            if let fault {
                guard messages.isEmpty else { return messages }
                throw .refused(fault)
            }
            last = message.number
            let number = String(message.number)
            messages.append(
                PeerMessage(
                    id: number,
                    cursor: number,
                    occurredAtUs: message.occurredAtUs,
                    subject: message.subject,
                    kinds: kinds
                )
            )
        }
        return messages
    }

    /// Carries an intent out: `PUT /v1/effects/{intent}`.
    package func deliver(
        _ intent: DeliveryIntended,
        kind: String,
        content: some Encodable & Sendable
    ) async throws(PeerFailure) -> PeerReceipt {
        let body: Data
        do {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            body = try encoder.encode(RestEffect(kind: kind, businessKey: intent.businessKey, content: content))
        } catch {
            throw .refused("\(kind) of intent \(intent.intentID) cannot be written as JSON: \(error)")
        }
        let answer = try await call(.PUT, Self.path(of: intent), body: body)
        guard answer.status == 200 || answer.status == 201 else { throw Self.failure(answer, ofEffect: true) }
        do {
            return try Self.receipt(answer.body, of: intent)
        } catch {
            throw .inDoubt(
                "PUT of intent \(intent.intentID) answered \(answer.status), but no receipt: \(Self.place(error))"
            )
        }
    }

    /// Asks for the receipt of an intent: `GET /v1/effects/{intent}`. Only an answer 404 that names the intent says
    /// that the peer does not know it; any other 404 comes from something else on the way and proves nothing.
    package func lookUp(_ intent: DeliveryIntended) async throws(PeerFailure) -> PeerReceipt? {
        let answer = try await call(.GET, Self.path(of: intent), body: nil)
        do {
            switch answer.status {
            case 200:
                return try Self.receipt(answer.body, of: intent)
            case 404:
                let unknown = try JSONDecoder().decode(RestUnknown.self, from: answer.body).unknownIntent
                if unknown == intent.intentID { return nil }
                throw PeerFailure.refused("look-up of intent \(intent.intentID) was answered for '\(unknown)'")
            default:
                throw Self.failure(answer, ofEffect: false)
            }
        } catch let failure as PeerFailure {
            throw failure
        } catch {
            throw .refused(
                "look-up of intent \(intent.intentID) answered \(answer.status) with something else than a receipt or "
                    + "unknown_intent: \(Self.place(error)); is \(baseURL) the peer?"
            )
        }
    }

    private static func path(of intent: DeliveryIntended) -> String {
        let unreserved = CharacterSet(
            charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
        )
        let id = intent.intentID.addingPercentEncoding(withAllowedCharacters: unreserved)
        return "/v1/effects/\(id ?? intent.intentID)"
    }

    private static func receipt(_ body: Data, of intent: DeliveryIntended) throws -> PeerReceipt {
        let receipt = try JSONDecoder().decode(RestReceipt.self, from: body)
        guard receipt.intentID == intent.intentID, !receipt.reference.isEmpty else {
            throw InvalidRecord("the receipt is for '\(receipt.intentID)' with reference '\(receipt.reference)'")
        }
        return PeerReceipt(reference: receipt.reference)
    }
}

extension RestClient {
    private struct Answer {
        let status: Int
        let retryAfter: String?
        let location: String?
        let body: Data
    }

    private func call(_ method: HTTPMethod, _ path: String, body: Data?) async throws(PeerFailure) -> Answer {
        var request = HTTPClientRequest(url: baseURL + path)
        request.method = method
        request.headers.add(name: "accept", value: "application/json")
        if let token { request.headers.add(name: "authorization", value: "Bearer \(token)") }
        if let body {
            request.headers.add(name: "content-type", value: "application/json")
            request.body = .bytes(body)
        }
        do {
            let response = try await Self.http.execute(request, timeout: TimeAmount(timeout))
            let bytes = try await response.body.collect(upTo: Self.maximumAnswerBytes)
            return Answer(
                status: Int(response.status.code),
                retryAfter: response.headers.first(name: "retry-after"),
                location: response.headers.first(name: "location"),
                body: Data(bytes.readableBytesView)
            )
        } catch {
            throw failure(error, "\(method.rawValue) \(baseURL)\(path)", ofEffect: body != nil)
        }
    }

    /// No answer.
    private func failure(_ error: any Error, _ call: String, ofEffect: Bool) -> PeerFailure {
        if error is NIOTooManyBytesError {
            let text = "\(call) answered with more than \(Self.maximumAnswerBytes) bytes"
            return ofEffect ? .inDoubt(text) : .refused(text)
        }
        let known = error as? HTTPClientError
        if known == .deadlineExceeded || known == .readTimeout {
            let text = "\(call): no answer within \(timeout)"
            return ofEffect ? .inDoubt(text) : .unreachable(text)
        }
        if known == .invalidURL || known == .emptyHost || known == .emptyScheme {
            return .refused("\(call) is no address; expected http://host:port or https://host")
        }
        let neverConnected: [HTTPClientError] = [
            .connectTimeout, .tlsHandshakeTimeout, .getConnectionFromPoolTimeout, .httpProxyHandshakeTimeout,
        ]
        let refused = (error as? IOError)?.errnoCode == ECONNREFUSED
        if error is NIOConnectionError || refused || known.map(neverConnected.contains) == true {
            return .unreachable("\(call): no connection: \(error)")
        }
        return ofEffect ? .inDoubt("\(call): connection lost: \(error)") : .unreachable("\(call): \(error)")
    }

    /// An answer that is none of the good ones.
    private static func failure(_ answer: Answer, ofEffect: Bool) -> PeerFailure {
        let words = "\(answer.status): \(words(of: answer.body))"
        switch answer.status {
        case 429: return .unreachable(words)
        case 503 where answer.retryAfter != nil: return .unreachable(words)
        case 300..<400:
            return .refused("\(words) (moved to \(answer.location ?? "an unnamed place"); give that address)")
        case 400..<500: return .refused(words)
        case 500...: return ofEffect ? .inDoubt(words) : .unreachable(words)
        default:
            let text = "\(words) (expected 200 or 201)"
            return ofEffect ? .inDoubt(text) : .refused(text)
        }
    }

    private static func words(of body: Data) -> String {
        let said = try? JSONDecoder().decode(RestRefusal.self, from: body).error
        let text = said ?? String(decoding: body.prefix(maximumWords * 4), as: UTF8.self)
        return text.isEmpty ? "no explanation" : String(text.prefix(maximumWords))
    }

    /// The error with the place in the JSON, where the decoder names one.
    private static func place(_ error: any Error) -> String {
        guard let error = error as? DecodingError else { return "\(error)" }
        let context: DecodingError.Context
        var path: [any CodingKey]
        switch error {
        case .keyNotFound(let key, let found): (context, path) = (found, found.codingPath + [key])
        case .typeMismatch(_, let found), .valueNotFound(_, let found), .dataCorrupted(let found):
            (context, path) = (found, found.codingPath)
        @unknown default: return "\(error)"
        }
        let names = path.map { $0.intValue.map { "[\($0)]" } ?? $0.stringValue }.joined(separator: ".")
        return "\(names.isEmpty ? "the answer" : names): \(context.debugDescription)"
    }
}

private struct RestPage<Content: RestContent>: Decodable {
    let messages: [RestMessage<Content>]
}

private struct RestMessage<Content: RestContent>: Decodable {
    let number: UInt64
    let kind: String
    let subject: String
    let occurredAtUs: Int64
    /// A content that cannot be read spoils its own message only.
    let kinds: Result<[Content.Kind], any Error>

    private enum CodingKeys: String, CodingKey {
        case number, kind, subject, content
        case occurredAtUs = "occurred_at_us"
    }

    init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        number = try fields.decode(UInt64.self, forKey: .number)
        let kind = try fields.decode(String.self, forKey: .kind)
        self.kind = kind
        subject = try fields.decode(String.self, forKey: .subject)
        occurredAtUs = try fields.decode(Int64.self, forKey: .occurredAtUs)
        kinds = Result {
            try Content.kinds(of: kind, from: fields.superDecoder(forKey: .content))
        }
    }
}

private struct RestEffect<Content: Encodable>: Encodable {
    let kind: String
    let businessKey: String
    let content: Content

    private enum CodingKeys: String, CodingKey {
        case kind, content
        case businessKey = "business_key"
    }
}

private struct RestReceipt: Decodable {
    let intentID: String
    let reference: String

    private enum CodingKeys: String, CodingKey {
        case intentID = "intent_id"
        case reference
    }
}

private struct RestUnknown: Decodable {
    let unknownIntent: String

    private enum CodingKeys: String, CodingKey {
        case unknownIntent = "unknown_intent"
    }
}

private struct RestRefusal: Decodable {
    let error: String
}
