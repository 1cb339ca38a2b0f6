import PlantEvents
import ServiceRuntime
import SwiftProtobuf

/// The orders of a plant without an MES: the plant file's list, as the numbered messages that an MES would send (INT-10).
/// All orders are released, the first one is started.
struct LocalOrders: InboundPeer {
    typealias Kind = ProductionRecord.Event.OneOf_Kind

    private let plant: PlantFile
    private let nowUs: @Sendable () -> Int64

    init(_ plant: PlantFile, nowUs: @escaping @Sendable () -> Int64) {
        self.plant = plant
        self.nowUs = nowUs
    }

    func messages(after cursor: String, limit: Int) async throws(PeerFailure) -> [PeerMessage<Kind>] {
        let all = script
        let done = Int(cursor) ?? 0
        return all.enumerated().dropFirst(done).prefix(limit).map { index, entry in
            PeerMessage(
                id: "local-\(index + 1)",
                cursor: "\(index + 1)",
                occurredAtUs: nowUs(),
                subject: entry.subject,
                kinds: [entry.kind]
            )
        }
    }

    private var script: [(subject: String, kind: Kind)] {
        var script: [(String, Kind)] = plant.lines.map { line in
            (
                line.id,
                .shiftStarted(
                    .with {
                        $0.line = line.id
                        $0.shift = plant.shift
                    }
                )
            )
        }
        for order in plant.orders { script.append((order.orderID, .orderReleased(order.released))) }
        for line in plant.lines {
            guard let first = plant.orders.first(where: { $0.line == line.id }) else { continue }
            script.append(
                (
                    first.orderID,
                    .orderStarted(
                        .with {
                            $0.line = line.id
                            $0.orderID = first.orderID
                        }
                    )
                )
            )
        }
        return script
    }
}

extension PlantFile.Order {
    fileprivate var released: OrderReleased {
        .with {
            $0.line = line
            $0.context = .with {
                $0.orderID = orderID
                $0.sku = sku
                $0.batchID = batchID
                $0.variant = variant
                $0.customerOrder = customerOrder
                $0.line = line
                $0.recipeID = recipeID
                $0.targetQuantity = targetQuantity
                $0.materialLots = materialLots
                $0.controlPlanRevision = controlPlanRevision
                $0.customerRequirements = customerRequirements
            }
        }
    }
}
