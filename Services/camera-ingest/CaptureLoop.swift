import Cameras
import EventLog
import Evidence
import Logging
import Metrics
import PlantCore
import PlantEvents
import ServiceLifecycle
import ServiceRuntime
import SwiftProtobuf
import Vision

/// One station's camera: for each trigger a frame, handed to the inspector through memory, or a named gap.
struct CaptureLoop: Service {
    /// Longest wait for a trigger at a time, microseconds: a stop is heard within it.
    private static let waitUs: Int64 = 200_000
    /// Pause where nothing came of a camera that the caller paces: it has nothing to wait for.
    private static let idle = Duration.milliseconds(20)
    /// Pictures that may wait for their verdicts where the station sets the pace: the next is taken while one is judged.
    private static let ahead = 2

    let context: ServiceContext
    let station: PlantFile.Station
    let camera: any Camera
    /// What the camera said when it was opened, or why it could not be reached.
    let opening: Result<CameraConfiguration, CameraError>
    let host: DeciderHost<CaptureCore>
    let ring: PixelRing
    let keeper: EvidenceKeeper
    let eyes: StationEyes
    let work: WorkThread
    let counts: CaptureCounts

    func run() async throws {
        let ended: Result<Void, any Error>
        do {
            try await cancelWhenGracefulShutdown {
                try await takeAll()
                try await gracefulShutdown()
            }
            ended = .success(())
        } catch {
            ended = .failure(error)
        }
        try await work.run { [camera] in camera.close() }
        try ended.get()
    }

    /// Until the source ends or the service stops.
    private func takeAll() async throws {
        switch opening {
        case .success(let configuration): try await begin(configuration, reason: "service start")
        case .failure(let error): try await lose("\(error)")
        }
        var nextAt = ContinuousClock.now
        while !Task.isCancelled {
            let (isOver, wasTrigger) = try await takeOne()
            if isOver {
                try await host.submit(.exhausted(station: station.id))
                return
            }
            guard wasTrigger, station.rate > 0, camera.trigger.isPacedByCaller else { continue }
            nextAt = max(nextAt + .seconds(1 / station.rate), .now)
            try await Task.sleep(until: nextAt, clock: .continuous)
        }
    }

    /// Starts a trigger session. Verdicts count only what the log holds: its first trigger waits until that is durable.
    private func begin(_ configuration: CameraConfiguration?, reason: String) async throws {
        try await host.submit(
            .opened(station: station.id, adapter: camera.adapter, device: camera.device, reason: reason)
        )
        if let configuration {
            try await host.submit(.configured(CameraConfigured(configuration, station: station.id)))
            for remark in configuration.remarks {
                context.logger.warning("camera setting", metadata: ["station": "\(station.id)", "reason": "\(remark)"])
            }
        }
        eyes.startSession()
        counts.isLost(false)
        try await host.durable()
    }

    private func lose(_ reason: String) async throws {
        context.logger.error("camera lost", metadata: ["station": "\(station.id)", "reason": "\(reason)"])
        counts.isLost(true)
        try await host.submit(.lost(station: station.id, device: camera.device, reason: reason))
    }

    /// Takes what comes next; whether the source has ended, and whether it was a trigger.
    private func takeOne() async throws -> (isOver: Bool, wasTrigger: Bool) {
        let known = await host.core.state.stations[station.id]
        let index = known?.triggers ?? 0
        if let parts = station.parts, index >= UInt64(parts) { return (true, false) }
        try await awaitRoom()
        switch try await work.run({ [camera] in camera.next(index: index, waitUs: Self.waitUs) }) {
        case .shot(let shot):
            try await take(shot)
            return (false, true)
        case .skipped(let count, let reason):
            for _ in 0..<count { try await miss(reason, atUs: context.nowUs(), sourceName: "") }
        case .repeated(let second): try await repeated(second)
        case .unmatched(let stray, let reason): try await unmatched(stray, reason)
        case .restarted(let reason): try await begin(nil, reason: reason)
        case .lost(let reason): try await lose(reason)
        case .returned(let configuration):
            context.logger.info("camera returned", metadata: ["station": "\(station.id)"])
            try await begin(configuration, reason: "camera returned")
        case .nothing:
            if camera.trigger.isPacedByCaller { try await Task.sleep(for: Self.idle) }
        case .ended: return (true, false)
        }
        return (false, false)
    }

    /// A camera that the caller paces is triggered only when its picture can be handed over: no part waits for one that was
    /// triggered before it. Without a rate the station's verdicts are the pace. Trouble with the memory is named when the
    /// picture is put there.
    private func awaitRoom() async throws {
        guard camera.trigger.isPacedByCaller else { return }
        let limit = station.rate > 0 ? ring.geometry.slots : Self.ahead
        while try await work.run({ [ring] in (try? ring.waiting()) ?? 0 }) >= limit {
            try await Task.sleep(for: .milliseconds(1))
        }
    }

    private func take(_ shot: Shot) async throws {
        switch shot.picture {
        case .failure(let missing): try await miss(missing.reason, atUs: shot.hostTimeUs, sourceName: shot.sourceName)
        case .success(let picture): try await hand(picture, shot)
        }
    }

    private func miss(_ reason: String, atUs: Int64, sourceName: String) async throws {
        let trigger = await host.core.nextTrigger(of: station.id)
        context.logger.warning(
            "trigger without picture",
            metadata: ["trigger": "\(trigger.text)", "reason": "\(reason)"]
        )
        counts.gaps.increment()
        try await host.submit(
            .missed(
                .with {
                    $0.trigger = trigger
                    $0.triggeredAtUs = atUs
                    $0.reason = reason
                    $0.sourceName = sourceName
                }
            )
        )
    }

    private func hand(_ picture: Picture, _ shot: Shot) async throws {
        let trigger = await host.core.nextTrigger(of: station.id)
        let sha256 = try await put(picture, of: trigger)
        try await host.submit(
            .captured(
                .with {
                    $0.trigger = trigger
                    $0.triggeredAtUs = shot.hostTimeUs
                    $0.deviceTimeUs = max(0, shot.deviceTimeUs)
                    $0.width = UInt32(picture.width)
                    $0.height = UInt32(picture.height)
                    $0.pixelFormat = picture.channels == 1 ? .grey8 : .rgb8
                    $0.sourceName = shot.sourceName
                    $0.pixelsSha256 = sha256
                }
            )
        )
        counts.frames.increment()
        // The verdict is on its way; what follows takes its time beside it.
        let began = ContinuousClock.now
        let news = try await work.run { [eyes] in eyes.look(at: picture, of: trigger) }
        counts.watchTime.recordNanoseconds(Int64((ContinuousClock.now - began) / .nanoseconds(1)))
        for input in news { try await host.submit(input) }
        if let skew = eyes.compare(deviceUs: shot.deviceTimeUs, hostUs: shot.hostTimeUs, device: camera.device) {
            try await host.submit(skew)
        }
        try await keeper.keep(picture, sha256: sha256, of: trigger, atUs: shot.hostTimeUs)
    }

    /// Puts the picture where the inspector takes it and returns its hash; waits instead of overwriting pixels that nobody
    /// has judged. A picture that memory does not take goes by way of the evidence store
    /// alone.
    private func put(_ picture: Picture, of trigger: TriggerId) async throws -> String {
        let (sha256, wasPut) = try await work.run { [ring, context] () -> (String, Bool) in
            let sha256 = picture.sha256
            do {
                return (sha256, try ring.put(session: trigger.session, sequence: trigger.sequence, picture))
            } catch {
                context.logger.warning("pixels not handed over in memory", metadata: .of([.reason: "\(error)"]))
                return (sha256, true)
            }
        }
        var isPut = wasPut
        while !isPut {
            try await Task.sleep(for: .milliseconds(1))
            isPut = try await work.run { [ring] in
                try ring.put(session: trigger.session, sequence: trigger.sequence, picture)
            }
        }
        return sha256
    }

    private func repeated(_ second: Shot) async throws {
        guard case .success(let picture) = second.picture,
            let last = await host.core.state.stations[station.id]?.lastFrame
        else { return }
        let sha256 = try await work.run { picture.sha256 }
        try await host.submit(
            .repeated(
                .with {
                    $0.trigger = .with {
                        $0.station = station.id
                        $0.session = last.session
                        $0.sequence = last.sequence
                    }
                    $0.pixelsSha256 = sha256
                    $0.samePixels = sha256 == last.pixelsSHA256
                },
                atUs: second.hostTimeUs
            )
        )
    }

    private func unmatched(_ stray: Shot, _ reason: String) async throws {
        let sha256 = try await work.run { if case .success(let picture) = stray.picture { picture.sha256 } else { "" } }
        try await host.submit(
            .unmatched(
                .with {
                    $0.station = station.id
                    $0.deviceTimeUs = max(0, stray.deviceTimeUs)
                    $0.pixelsSha256 = sha256
                    $0.reason = reason
                },
                atUs: stray.hostTimeUs
            )
        )
    }
}

/// What a station counts for `/metrics`.
struct CaptureCounts: Sendable {
    let frames: Counter
    let gaps: Counter
    let watchTime: Metrics.Timer
    private let lost: Gauge

    init(station: String) {
        let labels = [("station", station)]
        frames = Counter(label: "lineledger_camera_frames_total", dimensions: labels)
        gaps = Counter(label: "lineledger_camera_gaps_total", dimensions: labels)
        watchTime = Metrics.Timer(label: "lineledger_camera_watch_seconds", dimensions: labels)
        lost = Gauge(label: "lineledger_camera_lost", dimensions: labels)
    }

    func isLost(_ isLost: Bool) { lost.record(isLost ? 1 : 0) }
}

extension CameraConfigured {
    fileprivate init(_ found: CameraConfiguration, station: String) {
        self.init()
        self.station = station
        device = found.device
        firmware = found.firmware
        settings = found.settings.map { setting in
            .with {
                $0.name = setting.name
                $0.value = setting.value
                $0.unit = setting.unit
            }
        }
    }
}
