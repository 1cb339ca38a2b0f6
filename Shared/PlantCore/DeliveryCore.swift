package import PlantEvents
import SwiftProtobuf

/// The core of a bridge that writes `mes-deliveries` or `erp-deliveries`: decides what the peer must be told, keeps what
/// is open in log order for each business key (I6), and takes the outcomes on (I4).
package struct DeliveryCore: Core {
    package typealias Record = DeliveryRecord
    package typealias Kind = DeliveryRecord.Event.OneOf_Kind

    package enum Input: Sendable {
        case inspections(InspectionRecord)
        case production(ProductionRecord)
        case outcome(intentID: String, Outcome)
        case peerLost(reason: String)
        case peerRestored
        /// A person wants a refused intent tried again.
        case redriven(intentID: String, by: String = "")
        /// A person gives a refused intent up.
        case skipped(intentID: String, reason: String, by: String = "")
    }

    package enum Outcome: Sendable, Equatable {
        case confirmed(reference: String, foundByLookUp: Bool)
        case refused(reason: String)
    }

    struct OpenIntent: Codable, Sendable, Equatable {
        var intent: Coded<DeliveryIntended>
        /// Place in log order.
        var number: UInt64
        var refusal: String?
    }

    struct Order: Codable, Sendable, Equatable {
        var counted: Coded<PartsCounted>
        /// What the last yield or confirmation intent said; nil before the first.
        var lastIntended: Coded<PartsCounted>?
        /// When the order was last counted, in counts of all orders.
        var touched: UInt64 = 0

        /// Whether the peer has not been told, or asked to be told, all that was counted.
        var isOwed: Bool { lastIntended?.message.total != counted.message.total }
    }

    package static let version = 1
    /// Which peer's words this core speaks: configuration, not state.
    let dialect: DeliveryDialect

    package struct State: Codable, Sendable {
        var nextNumber: UInt64 = 0
        var intents: [String: OpenIntent] = [:]
        /// Open intents of each business key, in log order.
        var queues: [String: [String]] = [:]
        var orders: [String: Order] = [:]
        var counts: UInt64 = 0
        package var isPeerLost = false
    }

    package var state = State()

    /// Orders whose counts are kept: far more than can be running; late parts of older ones start a new count.
    static let ordersKept = 1_000

    package init(dialect: DeliveryDialect) {
        self.dialect = dialect
    }

    /// Intents that may be carried out now: the first of each business key, oldest first; only one while the peer is
    /// lost, as a probe. A refused one blocks its key.
    package func due(limit: Int) -> [DeliveryIntended] {
        let heads = state.queues.values.compactMap(\.first).compactMap { state.intents[$0] }
            .filter { $0.refusal == nil }
        let oldest = heads.sorted { $0.number < $1.number }.prefix(state.isPeerLost ? 1 : limit)
        return oldest.map(\.intent.message)
    }

    /// How many intents have no outcome yet, and how many of them the peer refused.
    package var open: (waiting: Int, refused: Int) {
        let refused = state.intents.values.count { $0.refusal != nil }
        return (state.intents.count - refused, refused)
    }

    package func decide(_ input: Input, nowUs: Int64) -> Step<DeliveryRecord>? {
        switch input {
        case .inspections(let record):
            return decide(on: record)
        case .production(let record):
            return decide(on: record)
        case .outcome(let id, let outcome):
            return decide(on: outcome, of: id, nowUs: nowUs)
        case .peerLost(let reason):
            guard !state.isPeerLost else { return nil }
            return step(
                "peer:\(dialect.peer)/lost/\(state.nextNumber)/\(nowUs)",
                [
                    .peerLost(
                        .with {
                            $0.peer = dialect.peer
                            $0.reason = reason
                        }
                    )
                ],
                key: dialect.peer,
                atUs: nowUs
            )
        case .peerRestored:
            guard state.isPeerLost else { return nil }
            return step(
                "peer:\(dialect.peer)/restored/\(state.nextNumber)/\(nowUs)",
                [.peerRestored(.with { $0.peer = dialect.peer })],
                key: dialect.peer,
                atUs: nowUs
            )
        case .redriven(let id, let person):
            guard let open = state.intents[id], open.refusal != nil else { return nil }
            return step(
                "redrive:\(id)/\(nowUs)",
                [
                    .deliveryRedriven(
                        .with {
                            $0.intentID = id
                            $0.requestedBy = person
                        }
                    )
                ],
                key: open.intent.message.businessKey,
                atUs: nowUs
            )
        case .skipped(let id, let reason, let person):
            guard let open = state.intents[id], open.refusal != nil else { return nil }
            let skipped = Kind.deliverySkipped(
                .with {
                    $0.intentID = id
                    $0.reason = reason
                    $0.requestedBy = person
                }
            )
            return step(
                "skip:\(id)",
                [skipped] + nextReport(closing: open.intent.message),
                key: open.intent.message.businessKey,
                atUs: nowUs
            )
        }
    }

    package mutating func evolve(with kind: Kind) {
        switch kind {
        case .writerTookOver:
            break
        case .deliveryIntended(let intent):
            state.intents[intent.intentID] = OpenIntent(intent: Coded(intent), number: state.nextNumber)
            state.queues[intent.businessKey, default: []].append(intent.intentID)
            state.nextNumber += 1
            noteReport(intent)
        case .deliveryConfirmed(let confirmed):
            close(confirmed.intentID)
        case .deliverySkipped(let skipped):
            close(skipped.intentID)
        case .deliveryRefused(let refused):
            state.intents[refused.intentID]?.refusal = refused.reason
        case .deliveryRedriven(let redriven):
            state.intents[redriven.intentID]?.refusal = nil
        case .peerLost:
            state.isPeerLost = true
        case .peerRestored:
            state.isPeerLost = false
        case .partsCounted(let counted):
            count(counted)
        }
    }

    private mutating func close(_ intentID: String) {
        guard let open = state.intents.removeValue(forKey: intentID) else { return }
        let key = open.intent.message.businessKey
        state.queues[key]?.removeAll { $0 == intentID }
        if state.queues[key]?.isEmpty == true { state.queues[key] = nil }
    }

    private mutating func count(_ counted: PartsCounted) {
        state.orders[counted.orderID, default: Order(counted: Coded(counted))].counted = Coded(counted)
        state.orders[counted.orderID]?.touched = state.counts
        state.counts += 1
        guard state.orders.count > Self.ordersKept else { return }
        // Forgotten first: of those of which nothing is owed, or else of all, the one that was not counted for longest.
        let candidates = state.orders.filter { $0.key != counted.orderID }
        let settled = candidates.filter { !$0.value.isOwed }
        let oldest = (settled.isEmpty ? candidates : settled).min { $0.value.touched < $1.value.touched }
        if let oldest { state.orders[oldest.key] = nil }
    }

    func step(_ recordID: String, _ kinds: [Kind], key: String, line: String = "", atUs: Int64)
        -> Step<DeliveryRecord>
    {
        Step(recordID: recordID, kinds: kinds, key: key, subject: key, line: line, occurredAtUs: atUs)
    }
}

extension DeliveryCore {
    /// An intent that the peer refused, and that blocks its business key.
    package struct Refused: Sendable, Equatable {
        package let intent: DeliveryIntended
        package let reason: String
        /// Intents of the same business key that wait behind it.
        package let waiting: Int
    }

    /// All refused intents, in log order.
    package var refused: [Refused] {
        state.intents.values.sorted { $0.number < $1.number }.compactMap { open in
            open.refusal.map { reason in
                let intent = open.intent.message
                let queue = state.queues[intent.businessKey] ?? []
                let behind = queue.drop { $0 != intent.intentID }.dropFirst()
                return Refused(intent: intent, reason: reason, waiting: behind.count)
            }
        }
    }

    /// Every intent without an outcome.
    package var openIntentIDs: [String] { Array(state.intents.keys) }

    package func isOpen(_ intentID: String) -> Bool { state.intents[intentID] != nil }
}
