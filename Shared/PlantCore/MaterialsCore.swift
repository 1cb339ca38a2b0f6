package import PlantEvents

/// The core of erp-bridge that writes `materials`: takes the ERP's lots and shipments on (CTX-12, CTX-16, TRC-09).
package struct MaterialsCore: Core {
    package typealias Record = MaterialRecord

    /// One numbered message of the ERP.
    package struct Input: Sendable {
        package var adopted: PeerMessageAdopted
        package var kinds: [MaterialRecord.Event.OneOf_Kind]
        package var subject: String
        package var occurredAtUs: Int64

        package init(
            adopted: PeerMessageAdopted,
            kinds: [MaterialRecord.Event.OneOf_Kind],
            subject: String,
            occurredAtUs: Int64
        ) {
            self.adopted = adopted
            self.kinds = kinds
            self.subject = subject
            self.occurredAtUs = occurredAtUs
        }
    }

    package static let version = 2
    package struct State: Codable, Sendable {
        var adopted = AdoptedMessages()
    }

    package var state = State()

    package init() {}

    /// Where to go on reading at the peer.
    package func cursor(of peer: String) -> String { state.adopted.cursor(of: peer) }

    package func decide(_ input: Input, nowUs: Int64) -> Step<MaterialRecord>? {
        // Read again after a restart, or sent again by the peer.
        if state.adopted.contains(input.adopted) { return nil }
        return Step(
            recordID: "peer:\(input.adopted.peer)/\(input.adopted.messageID)",
            kinds: [.peerMessageAdopted(input.adopted)] + input.kinds,
            key: input.subject,
            subject: input.subject,
            occurredAtUs: input.occurredAtUs
        )
    }

    package mutating func evolve(with kind: MaterialRecord.Event.OneOf_Kind) {
        switch kind {
        case .peerMessageAdopted(let adopted):
            state.adopted.note(adopted)
        case .writerTookOver, .materialLotReceived, .shipmentDispatched:
            break
        }
    }
}
