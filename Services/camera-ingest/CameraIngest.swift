import ArgumentParser
import Evidence
import PlantCore
import PlantEvents
import ServiceRuntime

@main
struct CameraIngest: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "camera-ingest",
        abstract: "Takes one frame for each trigger of the plant's cameras and writes the topic frames.",
        discussion: "Example: camera-ingest --plant deploy/plants/demo.yaml"
    )

    @OptionGroup var options: ServiceOptions

    func run() async throws {
        try await ServiceProgram.run(.cameraIngest, options) { context in
            let store = try context.openEvidence()
            let hosting = PartitionHosting(
                try await context.stationOwnership(of: .frames),
                partitions: context.plant.stationPartitions,
                logger: context.logger
            ) { partition in
                try await capture(partition, context, store)
            }
            return Composition([hosting], checks: [hosting.check])
        }
    }
}

/// Works the cameras of one partition's stations.
private func capture(
    _ partition: Int32,
    _ context: ServiceContext,
    _ store: EvidenceStore
) async throws -> PartitionHosting.Work {
    let stations = context.plant.stations(in: partition)
    let core = CaptureCore(
        lines: stations.mapValues(\.line),
        keepsEvidence: context.plant.evidence.keep == .all
    )
    let host = DeciderHost(core, context: context, topic: .frames, partition: partition)
    try await host.restore()
    let keeper = EvidenceKeeper(context, host: host, store: store, work: WorkThread("evidence"))
    try await keeper.settleUnfinished()
    var loops: [CaptureLoop] = []
    for (id, placed) in stations.sorted(by: { $0.key < $1.key }) {
        // Pictures of triggers that were never recorded are thrown away.
        let ring = try context.openRing(station: id)
        let next = await host.core.nextTrigger(of: id)
        try ring.releaseFrom(session: next.session, sequence: next.sequence)
        loops.append(
            CaptureLoop(
                context: context,
                station: placed.station,
                source: try open(placed.station),
                host: host,
                ring: ring,
                keeper: keeper,
                work: WorkThread("camera.\(id)")
            )
        )
    }
    return PartitionHosting.Work([host, keeper] + loops)
}

private func open(_ station: PlantFile.Station) throws -> any PictureSource {
    do {
        return try openSource(station.camera)
    } catch let missing as NoPicture {
        throw ServiceProgram.Stop.wrongUse("station \(station.id): \(missing.reason)")
    }
}
