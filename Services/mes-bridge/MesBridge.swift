import ArgumentParser
import EventLog
import MesRest
import PlantCore
import PlantEvents
import ServiceRuntime
import SwiftProtobuf

@main
struct MesBridge: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mes-bridge",
        abstract: "Brings orders in from the MES and delivers holds, quality status and yield to it.",
        discussion: "Example: mes-bridge --plant deploy/plants/demo.yaml"
    )

    @OptionGroup var options: ServiceOptions

    func run() async throws {
        try await ServiceProgram.run(.mesBridge, options) { context in
            let production = DeciderHost(ProductionCore(), context: context, topic: .production)
            try await production.restore()
            let adoption = AdoptionLoop(
                context,
                peer: try inbound(context),
                host: production,
                pollEvery: .milliseconds(context.plant.mes?.pollMs ?? 1_000),
                cursor: { $0.cursor(of: DeliveryDialect.mes.peer) },
                input: { message in
                    ProductionCore.Input(
                        adopted: message.adopted(from: DeliveryDialect.mes.peer),
                        kinds: message.kinds,
                        subject: message.subject,
                        occurredAtUs: message.occurredAtUs
                    )
                }
            )
            guard let mes = context.plant.mes else { return Composition([production, adoption]) }
            let deliveries = try await DeliveryParts(
                context,
                .mes,
                topic: .mesDeliveries,
                peer: try RestMes(mes, environment: context.environment)
            )
            return Composition([production] + deliveries.parts + [adoption], checks: deliveries.checks)
        }
    }

    /// The MES, or the plant file's own orders where there is none.
    private func inbound(_ context: ServiceContext) throws -> any InboundPeer<ProductionRecord.Event.OneOf_Kind> {
        guard let mes = context.plant.mes else { return LocalOrders(context.plant, nowUs: context.nowUs) }
        return try RestMes(mes, environment: context.environment)
    }
}
