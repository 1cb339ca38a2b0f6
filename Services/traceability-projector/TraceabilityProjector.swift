import ArgumentParser
import EventLog
import PlantEvents
import ReadModel
import ServiceRuntime

@main
struct TraceabilityProjector: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "traceability-projector",
        abstract: "Projects every topic into the read model and answers queries over HTTP.",
        discussion: "Example: traceability-projector --plant deploy/plants/demo.yaml"
    )

    @OptionGroup var options: ServiceOptions

    func run() async throws {
        try await ServiceProgram.run(.traceabilityProjector, options) { context in
            let projection = try ProjectionLoop(context)
            let queries = QueryRoutes(path: context.plant.readModelPath, projection)
            return Composition(
                [projection],
                checks: [
                    HealthCheck("caught-up") {
                        await projection.status.hindrance.map { .failing($0) } ?? .ok
                    }
                ],
                routes: { queries.add(to: $0) }
            )
        }
    }
}
