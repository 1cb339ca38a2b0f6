import PlantCore
import PlantEvents
import SeededRandom
import SwiftProtobuf

/// camera-ingest for the stations of one line: `CaptureLoop` and `EvidenceKeeper`.
final class CaptureProcess: SimProcess {
    /// Pictures that may wait to be stored.
    private static let evidenceDepth = 4

    let role: Role
    let instance: String
    let host: Int
    private unowned let world: World
    private let stations: [SimPlant.Station]
    private let decider: SimHost<CaptureCore>
    private var queue: [(trigger: TriggerId, pixels: String)] = []
    private var isSettled = false
    private var isOpened = false
    private var ended: Set<String> = []
    /// A camera came back: the first trigger waits until its session is durable.
    private var isReopening = false

    init(_ world: World, _ role: Role, instance: String, host: Int) {
        self.world = world
        self.role = role
        self.instance = instance
        self.host = host
        stations = world.plant.stations(of: role.partition)
        decider = SimHost(
            CaptureCore(lines: world.plant.lines(of: role.partition), keepsEvidence: true),
            world,
            topic: .frames,
            partition: role.partition,
            service: role.service,
            instance: instance,
            host: host
        )
    }

    func step() throws {
        guard decider.isReady else { return try decider.stepTakeover() }
        guard isSettled else { return settle() }
        guard isOpened else { return try open() }
        guard !isReopening else {
            try decider.flush()
            isReopening = decider.pendingCount > 0
            return
        }
        switch world.random.below(8) {
        case 0, 1: try decider.flush()
        case 2: store()
        case 3 where world.random.once(in: 6): decider.takeSnapshot()
        default: takeOne(world.random.pick(stations).id)
        }
    }

    /// Pictures whose outcome was not appended before the last stop.
    private func settle() {
        for (_, station) in decider.core.state.stations.sorted(by: { $0.key < $1.key }) {
            for (_, waiting) in station.awaitingEvidence.sorted(by: { $0.key < $1.key }) {
                keep(waiting.trigger.message, waiting.pixelsSHA256, has: world.evidence.contains(waiting.pixelsSHA256))
            }
        }
        isSettled = true
    }

    private func open() throws {
        if ended.isEmpty, decider.isDurable {
            for station in stations {
                decider.submit(
                    .opened(station: station.id, adapter: "simulated", device: station.id, reason: "service start")
                )
                ended.insert(station.id)
            }
        }
        // Verdicts count only what the log holds: the first trigger waits until the session is durable.
        try decider.flush()
        guard decider.pendingCount == 0 else { return }
        ended = []
        isOpened = true
    }

    private func takeOne(_ station: String) {
        guard decider.hasRoom, !ended.contains(station), queue.count < Self.evidenceDepth else { return }
        let index = decider.core.state.stations[station]?.triggers ?? 0
        if decider.core.state.stations[station]?.loss != nil { return passUnseen(station, index) }
        guard index < UInt64(world.plant.itemsPerStation) else {
            decider.submit(.exhausted(station: station))
            ended.insert(station)
            return
        }
        if world.strikes(.frameLate, in: 3) { return }
        if world.strikes(.cameraLost, in: 25) {
            decider.submit(.lost(station: station, device: station, reason: "simulated: unplugged"))
            return
        }
        let trigger = decider.core.nextTrigger(of: station)
        let item = world.plant.item(station, index)
        guard let pixels = item.pixels else {
            world.faults.note(.frameLost)
            decider.submit(
                .missed(
                    .with {
                        $0.trigger = trigger
                        $0.triggeredAtUs = world.wallUs(host)
                        $0.reason = "no picture came"
                        $0.sourceName = item.name
                    }
                )
            )
            return
        }
        decider.submit(
            .captured(
                .with {
                    $0.trigger = trigger
                    $0.triggeredAtUs = world.wallUs(host)
                    $0.width = 640
                    $0.height = 640
                    $0.pixelFormat = .grey8
                    $0.pixelsSha256 = pixels
                    $0.sourceName = item.name
                }
            )
        )
        if index > 0, world.plant.item(station, index - 1).pixels == pixels { world.faults.note(.frameRepeated) }
        queue.append((trigger, pixels))
    }

    /// The camera is gone: what passes is named, until it is back with a new session.
    private func passUnseen(_ station: String, _ index: UInt64) {
        let isOver = world.faults.isOver || index >= UInt64(world.plant.itemsPerStation)
        guard !isOver, !world.random.once(in: 6) else {
            decider.submit(
                .opened(station: station, adapter: "simulated", device: station, reason: "camera returned")
            )
            isReopening = true
            return
        }
        decider.submit(
            .missed(
                .with {
                    $0.trigger = decider.core.nextTrigger(of: station)
                    $0.triggeredAtUs = world.wallUs(host)
                    $0.reason = SimPlant.cameraGone
                    $0.sourceName = world.plant.item(station, index).name
                }
            )
        )
    }

    private func store() {
        guard decider.hasRoom, !queue.isEmpty else { return }
        let next = queue.removeFirst()
        let isKept = !world.strikes(.evidenceLost, in: 4)
        if isKept { world.evidence.insert(next.pixels) }
        // A crash may come between keeping the picture and saying so.
        keep(next.trigger, next.pixels, has: isKept)
        if world.strikes(.redelivery, in: 8) { keep(next.trigger, next.pixels, has: isKept) }
    }

    private func keep(_ trigger: TriggerId, _ pixels: String, has isKept: Bool) {
        if isKept {
            decider.submit(
                .evidenceStored(
                    .with {
                        $0.trigger = trigger
                        $0.pixelsSha256 = pixels
                        $0.storedSha256 = pixels
                        $0.lossless = true
                        $0.mediaType = "image/png"
                        $0.storedBytes = 1_000
                    }
                )
            )
        } else {
            decider.submit(
                .evidenceNotStored(
                    .with {
                        $0.trigger = trigger
                        $0.pixelsSha256 = pixels
                        $0.reason = "not kept"
                    }
                )
            )
        }
    }

    func stop() {
        decider.takeSnapshot()
    }

    var isQuiet: Bool { isOpened && ended.count == stations.count && queue.isEmpty && decider.pendingCount == 0 }

    func checkBounds() throws {
        try decider.checkBounds(role)
        for (name, station) in decider.core.state.stations.sorted(by: { $0.key < $1.key }) {
            try require(
                station.awaitingEvidence.count <= Self.evidenceDepth + stations.count
                    + SimHost<CaptureCore>.pendingLimit,
                .bounded,
                name,
                "\(station.awaitingEvidence.count) pictures await evidence"
            )
        }
    }
}
