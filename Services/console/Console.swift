import ArgumentParser
import Logging
import PlantCore
import PlantEvents
import ServiceRuntime

@main
struct Console: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "console",
        abstract: "Serves the page that shows the line live, and records what people decide in the topic decisions.",
        discussion: """
            Example: console --plant deploy/plants/demo.yaml

            It asks for no password and so listens on 127.0.0.1 only; LINELEDGER_BIND opens it to a network that you trust.
            """
    )

    @OptionGroup var options: ServiceOptions

    func run() async throws {
        try await ServiceProgram.run(.console, options) { context in
            let routes = ConsoleRoutes(
                projector: ProjectorClient(port: context.plant.port(of: .traceabilityProjector)),
                evidence: try context.openEvidence(),
                logger: context.logger
            )
            guard context.plant.writesDecisions else {
                context.logger.info("decisions come down from the plant; recipes are decided on there")
                return Composition([], routes: { routes.add(to: $0) })
            }
            let host = DeciderHost(DecisionCore(), context: context, topic: .decisions)
            try await host.restore()
            let token = try ManagementToken(context)
            let recipes = RecipeRoutes(
                desk: RecipeDesk(host: host, store: try context.openRecipes(), context: context),
                token: token,
                logger: context.logger
            )
            let legalHolds = LegalHoldRoutes(host: host, token: token, logger: context.logger)
            return Composition(
                [host],
                routes: {
                    routes.add(to: $0)
                    recipes.add(to: $0)
                    legalHolds.add(to: $0)
                }
            )
        }
    }
}
