import EventLog
import Evidence
import Logging
import PlantCore
import PlantEvents
import ServiceLifecycle
import ServiceRuntime
import SwiftProtobuf
import Vision

/// One station's camera: for each trigger a frame, handed to the inspector through memory, or a named gap.
struct CaptureLoop: Service {
    let context: ServiceContext
    let station: PlantFile.Station
    let source: any PictureSource
    let host: DeciderHost<CaptureCore>
    let ring: PixelRing
    let keeper: EvidenceKeeper
    let work: WorkThread

    func run() async throws {
        try await cancelWhenGracefulShutdown {
            try await host.submit(
                .opened(
                    station: station.id,
                    adapter: source.adapter,
                    device: source.device,
                    reason: "service start"
                )
            )
            // Verdicts count only what the log holds: the first trigger waits until the session is durable.
            try await host.durable()
            var nextAt = ContinuousClock.now
            while !Task.isCancelled, try await takeOne() {
                guard station.rate > 0 else { continue }
                nextAt = max(nextAt + .seconds(1 / station.rate), .now)
                try await Task.sleep(until: nextAt, clock: .continuous)
            }
            try await host.submit(.exhausted(station: station.id))
            try await gracefulShutdown()
        }
    }

    /// Takes the next trigger; false when the source has ended.
    private func takeOne() async throws -> Bool {
        let index = await host.core.state.stations[station.id]?.triggers ?? 0
        if let parts = station.parts, index >= UInt64(parts) { return false }
        guard let shot = try await work.run({ source.shot(at: index) }) else { return false }
        let trigger = await host.core.nextTrigger(of: station.id)
        switch shot.picture {
        case .failure(let missing):
            context.logger.warning(
                "trigger without picture",
                metadata: ["trigger": "\(trigger.text)", "reason": "\(missing.reason)"]
            )
            try await host.submit(
                .missed(
                    .with {
                        $0.trigger = trigger
                        $0.triggeredAtUs = context.nowUs()
                        $0.reason = missing.reason
                        $0.sourceName = shot.sourceName
                    }
                )
            )
        case .success(let picture):
            try await hand(picture, trigger, shot.sourceName)
        }
        return true
    }

    private func hand(_ picture: Picture, _ trigger: TriggerId, _ sourceName: String) async throws {
        try await put(picture, of: trigger)
        let frame = FrameCaptured.with {
            $0.trigger = trigger
            $0.triggeredAtUs = context.nowUs()
            $0.width = UInt32(picture.width)
            $0.height = UInt32(picture.height)
            $0.pixelFormat = picture.channels == 1 ? .grey8 : .rgb8
            $0.sourceName = sourceName
        }
        let sha256 = try await work.run { picture.sha256 }
        try await host.submit(.captured(frame.naming(sha256)))
        try await keeper.keep(picture, sha256: sha256, of: trigger)
    }

    /// A folder or scene waits for the inspector instead of overwriting pixels that nobody has judged. A picture that memory
    /// does not take goes by way of the evidence store alone.
    private func put(_ picture: Picture, of trigger: TriggerId) async throws {
        do {
            while !(try ring.put(session: trigger.session, sequence: trigger.sequence, picture)) {
                try await Task.sleep(for: .milliseconds(1))
            }
        } catch let error as FileError {
            context.logger.warning("pixels not handed over in memory", metadata: .of([.reason: "\(error)"]))
        }
    }
}

extension FrameCaptured {
    fileprivate func naming(_ sha256: String) -> FrameCaptured {
        var named = self
        named.pixelsSha256 = sha256
        return named
    }
}
