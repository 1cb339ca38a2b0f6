import ArgumentParser
import EventLog
import Foundation
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
            let path = context.plant.readModelPath
            try FileManager.default.createDirectory(
                atPath: (path as NSString).deletingLastPathComponent,
                withIntermediateDirectories: true
            )
            let projection = try ProjectionLoop(context, path: path)
            let queries = QueryRoutes(path: path)
            return Composition(
                [projection],
                checks: [
                    HealthCheck("caught-up") {
                        await projection.isCaughtUp ? .ok : .failing("the read model is still reading history")
                    }
                ],
                routes: { queries.add(to: $0) }
            )
        }
    }
}
