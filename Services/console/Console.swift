import ArgumentParser
import ServiceRuntime

@main
struct Console: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "console",
        abstract: "Serves the page that shows the line live; needs the traceability-projector for its data.",
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
            return Composition([], routes: { routes.add(to: $0) })
        }
    }
}
