import PlantCore
import PlantEvents
import SwiftProtobuf
import Testing

/// Parts, holds and completions as they arrive from `inspections` and `production`.
enum Arriving {
    static func part(_ number: Int, _ verdict: Verdict, order: String, batch: String = "B-1", holds: [String] = [])
        -> InspectionRecord
    {
        let belonging = context(order, batch: batch)
        let part = PartInspected.with {
            $0.partID = "vision-1/1/\(number)"
            $0.verdict = verdict
            $0.context = belonging
        }
        let placed = holds.map { hold in
            InspectionRecord.Event.OneOf_Kind.holdPlaced(
                .with {
                    $0.holdID = hold
                    $0.subjectKind = .batch
                    $0.subjectID = batch
                    $0.reason = "3 of 20 parts failed"
                    $0.defectCategory = "short"
                    $0.partID = part.partID
                    $0.context = belonging
                    $0.context.sku = "PCB-7"
                }
            )
        }
        return foreign("part:\(part.partID)", [.partInspected(part)] + placed, station: "vision-1")
    }

    static func gap(_ number: Int, order: String) -> InspectionRecord {
        foreign(
            "part:vision-1/1/\(number)",
            [
                .inspectionMissed(
                    .with {
                        $0.partID = "vision-1/1/\(number)"
                        $0.context = context(order, batch: "B-1")
                    }
                )
            ],
            station: "vision-1"
        )
    }

    static func completion(_ order: String, message: Int) -> ProductionRecord {
        foreign(
            "peer:mes/\(message)",
            [
                .orderCompleted(
                    .with {
                        $0.line = "line-1"
                        $0.orderID = order
                    }
                )
            ]
        )
    }
}

/// Counts of an order's parts, as accepted, rejected, uncertain, missed.
struct Counts: Equatable, CustomStringConvertible {
    var of: [UInt64] = [0, 0, 0, 0]

    mutating func add(_ verdict: Verdict) {
        let place =
            switch verdict {
            case .pass: 0
            case .fail: 1
            case .uncertain: 2
            case .unspecified, .UNRECOGNIZED: 3
            }
        of[place] += 1
    }

    var description: String { "\(of)" }
}

/// What a report says, whichever peer it is for.
struct Report: Equatable {
    var order: String
    var counts: Counts
}

extension DeliveryIntended {
    var report: Report? {
        switch effect {
        case .orderYield(let said):
            Report(
                order: said.orderID,
                counts: Counts(of: [said.accepted, said.rejected, said.uncertain, said.missed])
            )
        case .orderConfirmation(let said):
            Report(
                order: said.orderID,
                counts: Counts(of: [said.accepted, said.rejected, said.uncertain, said.missed])
            )
        case .lotHold, .orderQualityStatus, .qualityNotification, .stockBlock, nil: nil
        }
    }

    /// The hold that the effect tells of.
    var hold: String? {
        switch effect {
        case .lotHold(let said): said.holdID
        case .orderQualityStatus(let said): said.openHoldIds.joined()
        case .qualityNotification(let said): said.holdID
        case .stockBlock(let said): said.holdID
        case .orderYield, .orderConfirmation, nil: nil
        }
    }
}

extension Live<DeliveryCore> {
    var intents: [DeliveryIntended] {
        kinds.compactMap { if case .deliveryIntended(let intent) = $0 { intent } else { nil } }
    }

    @discardableResult
    mutating func confirm(_ intent: DeliveryIntended) -> DeliveryRecord? {
        submit(.outcome(intentID: intent.intentID, .confirmed(reference: "NC-1", foundByLookUp: false)))
    }

    @discardableResult
    mutating func refuse(_ intent: DeliveryIntended) -> DeliveryRecord? {
        submit(.outcome(intentID: intent.intentID, .refused(reason: "409")))
    }

    /// Confirms whatever is due until nothing is.
    mutating func settle() {
        while let intent = core.due(limit: 1).first { confirm(intent) }
    }
}
