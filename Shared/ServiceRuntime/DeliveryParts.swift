import EventLog
import Logging
package import PlantCore
package import PlantEvents
package import ServiceLifecycle

/// The delivering half of a bridge: reads what the plant decided, keeps intents, carries them out.
package struct DeliveryParts {
    package let parts: [any Service]
    package let checks: [HealthCheck]

    package init(
        _ context: ServiceContext,
        _ dialect: DeliveryDialect,
        topic: Topic,
        peer: any OutboundPeer
    ) async throws {
        let host = DeciderHost(DeliveryCore(dialect: dialect), context: context, topic: topic)
        try await host.restore()
        context.desk.register(host)
        let intake = Intake(
            context,
            topics: [.inspections, .production],
            from: await host.inputPositions,
            parker: Parker(context),
            owner: .decider { try await host.durable() }
        )
        let delivery = await DeliveryLoop(context, peer: peer, host: host)
        parts = [host, delivery, DeliveryIntake(host: host, intake: intake)]
        checks = [
            HealthCheck("deliveries") {
                let open = await host.core.open
                return open.refused == 0
                    ? .ok : .failing("\(open.refused) deliveries were refused; re-drive or skip them")
            }
        ]
    }
}

/// Feeds a delivery core with what the plant wrote.
private struct DeliveryIntake: Service {
    let host: DeciderHost<DeliveryCore>
    let intake: Intake

    func run() async throws {
        try await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                let batch: Intake.Batch
                do {
                    batch = try await intake.next(max: 256, wait: .seconds(1))
                } catch is CancellationError {
                    return
                }
                for incoming in batch.records {
                    let cause = incoming.record.meta.origin
                    let person = incoming.askedBy
                    switch incoming.record {
                    case .inspections(let record):
                        try await host.submit(.inspections(record), cause: cause, askedBy: person)
                    case .production(let record):
                        try await host.submit(.production(record), cause: cause, askedBy: person)
                    case .frames, .materials, .deliveries, .alarms, .decisions, .parked: break
                    }
                }
                await host.handled(upTo: batch.positions)
            }
        }
    }
}

extension PeerMessage {
    /// The note that this message was taken on.
    package func adopted(from peer: String) -> PeerMessageAdopted {
        var adopted = PeerMessageAdopted()
        adopted.peer = peer
        adopted.messageID = id
        adopted.cursor = cursor
        return adopted
    }
}
