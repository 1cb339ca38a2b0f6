import ArgumentParser
import ErpRest
import EventLog
import PlantCore
import PlantEvents
import ServiceRuntime

@main
struct ErpBridge: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "erp-bridge",
        abstract:
            "Brings lots and shipments in from the ERP and delivers notifications, stock blocks and confirmations.",
        discussion: "Example: erp-bridge --plant deploy/plants/demo.yaml"
    )

    @OptionGroup var options: ServiceOptions

    func run() async throws {
        try await ServiceProgram.run(.erpBridge, options) { context in
            guard let erp = context.plant.erp else {
                throw ServiceProgram.Stop.wrongUse("erp: missing in the plant file; expected the ERP's connector")
            }
            let materials = DeciderHost(MaterialsCore(), context: context, topic: .materials)
            try await materials.restore()
            let adoption = AdoptionLoop(
                context,
                peer: try RestErp(erp, environment: context.environment),
                host: materials,
                pollEvery: .milliseconds(erp.pollMs),
                cursor: { $0.cursor(of: DeliveryDialect.erp.peer) },
                input: { message in
                    MaterialsCore.Input(
                        adopted: message.adopted(from: DeliveryDialect.erp.peer),
                        kinds: message.kinds,
                        subject: message.subject,
                        occurredAtUs: message.occurredAtUs
                    )
                }
            )
            let deliveries = try await DeliveryParts(
                context,
                .erp,
                topic: .erpDeliveries,
                peer: try RestErp(erp, environment: context.environment)
            )
            return Composition([materials] + deliveries.parts + [adoption], checks: deliveries.checks)
        }
    }
}
