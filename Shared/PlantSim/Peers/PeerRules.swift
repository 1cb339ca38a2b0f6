import Foundation

/// An effect that the plant asks a simulated peer to carry out.
struct PeerEffect: Sendable {
    let intentID: String
    let kind: String
    let businessKey: String
    /// The request as it came.
    let body: Data

    init(intentID: String, body: Data) throws(PeerRefusal) {
        let head = try PeerRefusal.reading("effect") { try JSONDecoder().decode(EffectHead.self, from: body) }
        self.intentID = intentID
        self.body = body
        kind = head.kind
        businessKey = head.businessKey
    }

    func content<Content: Decodable>(_: Content.Type) throws(PeerRefusal) -> Content {
        try PeerRefusal.reading(kind) { try JSONDecoder().decode(EffectBody<Content>.self, from: body).content }
    }
}

private struct EffectHead: Decodable {
    let kind: String
    let businessKey: String

    private enum CodingKeys: String, CodingKey {
        case kind
        case businessKey = "business_key"
    }
}

private struct EffectBody<Content: Decodable>: Decodable {
    let content: Content
}

/// Why a simulated peer will not do it, in the words that go back to the plant.
struct PeerRefusal: Error, Equatable {
    let words: String

    /// Turns any error of `body` into a refusal that names what was read.
    static func reading<Result>(_ what: String, _ body: () throws -> Result) throws(PeerRefusal) -> Result {
        do {
            return try body()
        } catch {
            throw PeerRefusal(words: "\(what) not understood: \(error)")
        }
    }
}

/// A message that a simulated peer publishes.
struct PeerNote {
    let kind: String
    let subject: String
    let content: any Encodable & Sendable
}

/// What a simulated peer remembers beside its messages and effects, such as the running order; kept in its books.
typealias PeerFacts = [String: String]

/// What makes a simulated peer a MES or an ERP; pure, so that the same effects always lead to the same messages.
protocol PeerRules: Sendable {
    /// The peer's name; example "mes".
    var peer: String { get }
    /// What is to be published at a start that `facts` do not show as published before.
    func opening(_ facts: inout PeerFacts) -> [PeerNote]
    /// Checks and carries out one effect; returns what the peer has to say about it.
    func carryOut(_ effect: PeerEffect, _ facts: inout PeerFacts) throws(PeerRefusal) -> [PeerNote]
    /// The letters before the document numbers of a kind of effect.
    func series(of kind: String) -> String
}
