import ArgumentParser
import EventLog
import Evidence
import PlantCore
import PlantEvents
import ServiceRuntime

@main
struct Inspector: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspector",
        abstract: "Judges each frame by the recipe of its order and writes the topic inspections.",
        discussion: "Example: inspector --plant deploy/plants/demo.yaml"
    )

    @OptionGroup var options: ServiceOptions

    func run() async throws {
        try await ServiceProgram.run(.inspector, options) { context in
            let stations = context.plant.stationsByID
            let host = DeciderHost(
                InspectionCore(lines: stations.mapValues(\.line)),
                context: context,
                topic: .inspections
            )
            try await host.restore()
            let shelf = RecipeShelf(stations.mapValues(\.station))
            let pixels = PixelSource(
                rings: Dictionary(
                    uniqueKeysWithValues: try stations.keys.map { ($0, try context.openRing(station: $0)) }
                ),
                store: try context.openEvidence()
            )
            let parker = Parker(context)
            let intake = Intake(
                context,
                topics: [.frames, .production],
                from: await host.inputPositions,
                parker: parker
            )
            let loop = InspectionLoop(
                context,
                host: host,
                intake: intake,
                shelf: shelf,
                pixels: pixels,
                stations: stations.keys.sorted()
            )
            let hasOrder = HealthCheck("order") {
                for station in stations.keys.sorted() {
                    let order = await host.core.context(of: station)?.orderID ?? ""
                    if order.isEmpty { return .failing("station \(station) has no running order yet") }
                }
                return .ok
            }
            return Composition([host, loop], checks: [hasOrder])
        }
    }
}
