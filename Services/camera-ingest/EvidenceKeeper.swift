import EventLog
import Evidence
import Logging
import PlantCore
import PlantEvents
import ServiceLifecycle
import ServiceRuntime
import SwiftProtobuf
import Vision

/// Stores judged pictures beside the line's path: capturing waits only when as many as `depth` wait to be stored.
actor EvidenceKeeper: Service {
    private static let depth = 32

    private let context: ServiceContext
    private let host: DeciderHost<CaptureCore>
    private let store: EvidenceStore
    private let work: WorkThread
    private let bell = Doorbell()
    private let space = Doorbell()
    private var queue: [(picture: Picture, sha256: String, trigger: TriggerId)] = []

    init(_ context: ServiceContext, host: DeciderHost<CaptureCore>, store: EvidenceStore, work: WorkThread) {
        self.context = context
        self.host = host
        self.store = store
        self.work = work
    }

    func keep(_ picture: Picture, sha256: String, of trigger: TriggerId) async throws {
        guard context.plant.evidence.keep == .all else { return }
        while queue.count >= Self.depth, !Task.isCancelled { await space.wait() }
        queue.append((picture, sha256, trigger))
        bell.ring()
    }

    func run() async throws {
        try await withGracefulShutdownHandler {
            while true {
                if queue.isEmpty {
                    if Task.isShuttingDownGracefully || Task.isCancelled { return }
                    await bell.wait()
                    continue
                }
                let next = queue.removeFirst()
                space.ring()
                try await store(next.picture, next.sha256, next.trigger)
            }
        } onGracefulShutdown: {
            self.bell.close()
        }
    }

    private func store(_ picture: Picture, _ sha256: String, _ trigger: TriggerId) async throws {
        let lossless = context.plant.evidence.lossless
        do {
            let stored = try await work.run { [store] in try store.store(picture, lossless: lossless) }
            try await host.submit(
                .evidenceStored(
                    .with {
                        $0.trigger = trigger
                        $0.pixelsSha256 = sha256
                        $0.storedSha256 = stored.storedSHA256
                        $0.lossless = stored.lossless
                        $0.mediaType = stored.mediaType
                        $0.storedBytes = UInt64(stored.bytes)
                    }
                )
            )
        } catch let error as EvidenceError {
            context.logger.error(
                "picture not kept",
                metadata: ["trigger": "\(trigger.text)", "reason": "\(error)"]
            )
            try await giveUp(trigger, sha256, reason: "\(error)")
        }
    }

    /// Pictures whose outcome was not appended before the last stop: the store has them, or they are named as lost.
    func settleUnfinished() async throws {
        for (_, station) in await host.core.state.stations.sorted(by: { $0.key < $1.key }) {
            for (_, waiting) in station.awaitingEvidence.sorted(by: { $0.key < $1.key }) {
                let kept = try await work.run { [store] in try store.load(pixelsSHA256: waiting.pixelsSHA256) }
                if let kept, kept.sha256 == waiting.pixelsSHA256 {
                    try await store(kept, waiting.pixelsSHA256, waiting.trigger.message)
                } else {
                    try await giveUp(
                        waiting.trigger.message,
                        waiting.pixelsSHA256,
                        reason: "camera-ingest stopped before storing it"
                    )
                }
            }
        }
    }

    private func giveUp(_ trigger: TriggerId, _ sha256: String, reason: String) async throws {
        try await host.submit(
            .evidenceNotStored(
                .with {
                    $0.trigger = trigger
                    $0.pixelsSha256 = sha256
                    $0.reason = reason
                }
            )
        )
    }
}
