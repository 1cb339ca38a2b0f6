import ArgumentParser
import Cameras
import Evidence
import PlantCore
import PlantEvents
import ServiceLifecycle
import ServiceRuntime
import SwiftProtobuf

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
            let policy = context.plant.evidence
            // Only who deletes or waits for verdicts need read what the others write.
            let archive =
                policy.deletes || policy.waitsForVerdict
                ? EvidenceArchive(context, store: store, parker: Parker(context)) : nil
            let hosting = PartitionHosting(
                try await context.stationOwnership(of: .frames),
                partitions: context.plant.stationPartitions,
                logger: context.logger
            ) { partition in
                try await capture(partition, context, store, archive)
            }
            var parts: [any Service] = [hosting]
            if let archive { parts.append(archive) }
            return Composition(parts, checks: [hosting.check])
        }
    }
}

/// Works the cameras of one partition's stations.
private func capture(
    _ partition: Int32,
    _ context: ServiceContext,
    _ store: EvidenceStore,
    _ archive: EvidenceArchive?
) async throws -> PartitionHosting.Work {
    let stations = context.plant.stations(in: partition)
    let core = CaptureCore(
        lines: stations.mapValues(\.line),
        keepsEvidence: context.plant.evidence.keep != .none
    )
    let host = DeciderHost(core, context: context, topic: .frames, partition: partition)
    try await host.restore()
    let keeper = EvidenceKeeper(
        context,
        host: host,
        store: store,
        archive: archive,
        stations: stations.keys.sorted(),
        work: WorkThread("evidence")
    )
    var rings: [String: PixelRing] = [:]
    for id in stations.keys { rings[id] = try context.openRing(station: id) }
    try await keeper.settleUnfinished(rings: rings)
    var loops: [CaptureLoop] = []
    for (id, placed) in stations.sorted(by: { $0.key < $1.key }) {
        guard let ring = rings[id] else { continue }
        // Pictures of triggers that were never recorded are thrown away.
        let next = await host.core.nextTrigger(of: id)
        try ring.releaseFrom(session: next.session, sequence: next.sequence)
        let camera = makeCamera(placed.station.camera)
        let work = WorkThread("camera.\(id)")
        loops.append(
            CaptureLoop(
                context: context,
                station: placed.station,
                camera: camera,
                opening: try await open(camera, of: id, work),
                host: host,
                ring: ring,
                keeper: keeper,
                eyes: StationEyes(
                    station: id,
                    watch: placed.station.watch,
                    active: await host.core.state.stations[id]?.faults ?? [],
                    logger: context.logger
                ),
                work: work,
                counts: CaptureCounts(station: id)
            )
        )
    }
    let cameras = HealthCheck("cameras") {
        for (id, station) in await host.core.state.stations.sorted(by: { $0.key < $1.key }) {
            if let loss = station.loss { return .failing("station \(id): its camera is gone: \(loss.reason)") }
        }
        return .ok
    }
    return PartitionHosting.Work([host, keeper] + loops, checks: [cameras])
}

/// Opens the camera; one that cannot be reached now may come back, one that needs a person's hand stops the start.
private func open(
    _ camera: any Camera,
    of station: String,
    _ work: WorkThread
) async throws -> Result<CameraConfiguration, CameraError> {
    try await work.run { () throws -> Result<CameraConfiguration, CameraError> in
        do throws(CameraError) {
            return .success(try camera.open())
        } catch {
            if error.kind == .refused { throw ServiceProgram.Stop.wrongUse("station \(station): \(error)") }
            return .failure(error)
        }
    }
}
