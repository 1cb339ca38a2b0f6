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
            let store = try context.openEvidence()
            let parker = Parker(context)
            let hosting = PartitionHosting(
                try await context.stationOwnership(of: .inspections),
                partitions: context.plant.stationPartitions,
                logger: context.logger
            ) { partition in
                try await inspect(partition, context, store, parker)
            }
            return Composition([hosting], checks: [hosting.check])
        }
    }
}

/// Judges the frames of one partition.
private func inspect(
    _ partition: Int32,
    _ context: ServiceContext,
    _ store: EvidenceStore,
    _ parker: Parker
) async throws -> PartitionHosting.Work {
    let stations = context.plant.stations(in: partition)
    let host = DeciderHost(
        InspectionCore(lines: stations.mapValues(\.line), approval: context.plant.recipes.approval),
        context: context,
        topic: .inspections,
        partition: partition
    )
    try await host.restore()
    let intake = Intake(
        context,
        topics: [.frames, .production, .decisions],
        only: [.frames: [partition]],
        from: await host.inputPositions,
        parker: parker,
        owner: .decider(durable: { try await host.durable() })
    )
    let rings = try stations.keys.map { ($0, try context.openRing(station: $0)) }
    let loop = InspectionLoop(
        context,
        host: host,
        intake: intake,
        shelf: RecipeShelf(
            stations.mapValues(\.station),
            store: try context.openRecipes(),
            folder: "\(context.plant.state)/run/recipes"
        ),
        pixels: PixelSource(rings: Dictionary(uniqueKeysWithValues: rings), store: store),
        stations: stations.keys.sorted()
    )
    let hasOrder = HealthCheck("order") {
        for station in stations.keys.sorted() {
            let order = await host.core.context(of: station)?.orderID ?? ""
            if order.isEmpty { return .failing("station \(station) has no running order yet") }
        }
        return .ok
    }
    return PartitionHosting.Work([host, InputLag(context, intake), loop], checks: [hasOrder])
}
