package import PlantEvents

/// What a peer said to one call, and so what the delivery core does next.
package enum PeerFailure: Error, Equatable, Sendable {
    /// Nothing reached the peer: safe to send again.
    case unreachable(String)
    /// The call went out and no answer came: ask before sending again.
    case inDoubt(String)
    /// The peer understood and will not do it: a person must look.
    case refused(String)
}

/// The peer's proof that an intent was carried out.
package struct PeerReceipt: Equatable, Sendable {
    /// The peer's own document or message number.
    package let reference: String

    package init(reference: String) {
        self.reference = reference
    }
}

/// One numbered message of a peer, already in the plant's words.
package struct PeerMessage<Kind: Sendable>: Sendable {
    /// The peer's number or id of the message; the same message has the same id each time it is read.
    package let id: String
    /// Where to go on reading after it.
    package let cursor: String
    /// When it happened at the peer, microseconds since 1970.
    package let occurredAtUs: Int64
    /// What it is about: an order, lot or shipment.
    package let subject: String
    /// What it means.
    package let kinds: [Kind]

    package init(id: String, cursor: String, occurredAtUs: Int64, subject: String, kinds: [Kind]) {
        self.id = id
        self.cursor = cursor
        self.occurredAtUs = occurredAtUs
        self.subject = subject
        self.kinds = kinds
    }
}

/// The direction from the peer to the plant: one connector a system.
package protocol InboundPeer<Kind>: Sendable {
    associatedtype Kind: Sendable
    /// Messages after `cursor` ("" for the first), oldest first, at most `limit`; empty when there are none.
    func messages(after cursor: String, limit: Int) async throws(PeerFailure) -> [PeerMessage<Kind>]
}

/// The direction from the plant to the peer: one connector a system.
package protocol OutboundPeer: Sendable {
    /// Carries the intent out with `intent.intentID` as idempotency key.
    func deliver(_ intent: DeliveryIntended) async throws(PeerFailure) -> PeerReceipt
    /// Asks whether the intent was carried out before; nil when the peer does not know it.
    func lookUp(_ intent: DeliveryIntended) async throws(PeerFailure) -> PeerReceipt?
}
