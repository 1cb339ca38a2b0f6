package import PlantEvents
import SwiftProtobuf

/// What a kind of peer is told: the one place where plant facts become its standard objects (ERP-17).
package enum DeliveryDialect: String, Codable, Sendable {
    case mes
    case erp

    /// Name of the peer in events and keys.
    package var peer: String { rawValue }

    static func orderKey(_ order: String) -> String { "order/\(order)" }

    /// Effects of a hold: the MES holds the lot and marks the order (MES-01, MES-02); the ERP opens a notification and
    /// blocks the stock (ERP-01, ERP-02).
    func intents(for hold: HoldPlaced) -> [DeliveryIntended] {
        let subjectKey = "\(hold.subjectKind.word)/\(hold.subjectID)"
        switch self {
        case .mes:
            let lot = intent("hold:\(hold.holdID)", key: subjectKey) {
                $0.lotHold = .with {
                    $0.holdID = hold.holdID
                    $0.subjectKind = hold.subjectKind
                    $0.subjectID = hold.subjectID
                    $0.orderID = hold.context.orderID
                    $0.defectCategory = hold.defectCategory
                    $0.reason = hold.reason
                    $0.partID = hold.partID
                }
            }
            guard !hold.context.orderID.isEmpty else { return [lot] }
            let status = intent("quality:\(hold.holdID)", key: Self.orderKey(hold.context.orderID)) {
                $0.orderQualityStatus = .with {
                    $0.orderID = hold.context.orderID
                    $0.status = "on-hold"
                    $0.openHoldIds = [hold.holdID]
                }
            }
            return [lot, status]
        case .erp:
            let notification = intent("notification:\(hold.holdID)", key: subjectKey) {
                $0.qualityNotification = .with {
                    $0.holdID = hold.holdID
                    $0.sku = hold.context.sku
                    $0.batchID = hold.context.batchID
                    $0.orderID = hold.context.orderID
                    $0.defectCategory = hold.defectCategory
                    $0.text = hold.reason
                }
            }
            let block = intent("block:\(hold.holdID)", key: subjectKey) {
                $0.stockBlock = .with {
                    $0.holdID = hold.holdID
                    $0.sku = hold.context.sku
                    $0.batchID = hold.context.batchID
                    $0.reason = hold.reason
                }
            }
            return [notification, block]
        }
    }

    /// The report of an order's counts: the MES hears of each part (MES-04, MES-05), the ERP of a completed order
    /// (ERP-08 .. ERP-10); parts that come late are confirmed after it, cumulatively.
    func report(of counted: PartsCounted) -> DeliveryIntended? {
        let key = Self.orderKey(counted.orderID)
        switch self {
        case .mes:
            guard counted.total > 0 else { return nil }
            return intent("yield:\(counted.orderID):\(counted.total)", key: key) {
                $0.orderYield = .with {
                    $0.orderID = counted.orderID
                    $0.accepted = counted.accepted
                    $0.rejected = counted.rejected
                    $0.uncertain = counted.uncertain
                    $0.missed = counted.missed
                }
            }
        case .erp:
            guard counted.isCompleted else { return nil }
            return intent("confirmation:\(counted.orderID):\(counted.total)", key: key) {
                $0.orderConfirmation = .with {
                    $0.orderID = counted.orderID
                    $0.sku = counted.sku
                    $0.batchID = counted.batchID
                    $0.accepted = counted.accepted
                    $0.rejected = counted.rejected
                    $0.uncertain = counted.uncertain
                    $0.missed = counted.missed
                }
            }
        }
    }

    private func intent(
        _ id: String,
        key: String,
        _ effect: (inout DeliveryIntended) -> Void
    ) -> DeliveryIntended {
        .with {
            $0.intentID = "\(peer):\(id)"
            $0.peer = peer
            $0.businessKey = key
            effect(&$0)
        }
    }
}

extension SubjectKind {
    /// The kind as one word of a key.
    package var word: String {
        switch self {
        case .part: "part"
        case .batch: "batch"
        case .materialLot: "material-lot"
        case .order: "order"
        case .line: "line"
        case .station: "station"
        case .unspecified, .UNRECOGNIZED: "subject"
        }
    }
}
