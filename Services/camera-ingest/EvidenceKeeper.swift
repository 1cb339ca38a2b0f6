import EventLog
import Evidence
import Logging
import PlantCore
import PlantEvents
import ServiceLifecycle
import ServiceRuntime
import SwiftProtobuf
import Vision

/// Stores judged pictures beside the line's path: capturing waits only when as many as `depth` wait to be stored. Where the
/// policy keeps fails only, a picture waits for its verdict first; in doubt it is kept.
actor EvidenceKeeper: Service {
    private static let depth = 32
    /// Pictures that may wait for verdicts; the oldest is then kept without.
    private static let verdictDepth = 24
    /// Longest wait for a verdict, microseconds.
    private static let verdictWaitUs: Int64 = 30_000_000

    /// A picture on its way to the store.
    private struct Item {
        let picture: Picture
        let sha256: String
        let trigger: TriggerId
        let capturedAtUs: Int64
        let isProcess: Bool
    }

    private let context: ServiceContext
    private let policy: KeepingPolicy
    private let host: DeciderHost<CaptureCore>
    private let store: EvidenceStore
    private let archive: EvidenceArchive?
    private let stations: [String]
    private let work: WorkThread
    private let bell = Doorbell()
    private let space = Doorbell()
    private var queue: [Item] = []
    /// Good parts seen since the start, by station.
    private var good: [String: Int] = [:]
    /// Time of the newest picture of the process, by station.
    private var processAtUs: [String: Int64] = [:]

    init(
        _ context: ServiceContext,
        host: DeciderHost<CaptureCore>,
        store: EvidenceStore,
        archive: EvidenceArchive?,
        stations: [String],
        work: WorkThread
    ) {
        self.context = context
        policy = context.plant.evidence
        self.host = host
        self.store = store
        self.archive = archive
        self.stations = stations
        self.work = work
    }

    func keep(_ picture: Picture, sha256: String, of trigger: TriggerId, atUs: Int64) async throws {
        let isProcess = isProcessDue(trigger.station, atUs)
        guard isProcess || policy.keep != .none else { return }
        while queue.count >= Self.depth, !Task.isCancelled { await space.wait() }
        queue.append(
            Item(picture: picture, sha256: sha256, trigger: trigger, capturedAtUs: atUs, isProcess: isProcess)
        )
        bell.ring()
    }

    /// A clock set back counts as time passed.
    private func isProcessDue(_ station: String, _ atUs: Int64) -> Bool {
        guard let seconds = policy.processEverySeconds else { return false }
        if let last = processAtUs[station], (0..<Int64(seconds) * 1_000_000).contains(atUs - last) { return false }
        processAtUs[station] = atUs
        return true
    }

    func run() async throws {
        await archive?.attach(stations, host, bell: bell)
        try await withGracefulShutdownHandler {
            try await storeForever()
        } onGracefulShutdown: {
            self.bell.close()
        }
        await archive?.detach(stations, bell: bell)
    }

    private func storeForever() async throws {
        while true {
            let isStopping = Task.isShuttingDownGracefully || Task.isCancelled
            guard let next = queue.first else {
                if isStopping { return }
                await bell.wait()
                continue
            }
            let outcome = try await archive?.outcome(of: next.trigger) ?? .unknown
            let mayWait =
                policy.waitsForVerdict && outcome == .unknown && queue.count < Self.verdictDepth && !isStopping
                && context.nowUs() - next.capturedAtUs < Self.verdictWaitUs
            if mayWait {
                await bell.wait(atMost: .seconds(1))
                continue
            }
            queue.removeFirst()
            space.ring()
            if policy.keep != .none { try await settle(next, outcome) }
            if next.isProcess { try await storeProcess(next) }
        }
    }

    private func settle(_ item: Item, _ outcome: KeepingPolicy.Outcome) async throws {
        let station = item.trigger.station
        let isPreserved = try await archive?.isPreserved(item.trigger) ?? false
        let isKept = policy.keeps(outcome, goodBefore: good[station, default: 0]) || isPreserved
        if outcome == .pass { good[station, default: 0] += 1 }
        guard isKept else {
            let reason = "keep: \(policy.keep.rawValue), and the part passed"
            return try await giveUp(item.trigger, item.sha256, .policy, reason: reason)
        }
        try await store(item.picture, item.sha256, item.trigger)
    }

    private func store(_ picture: Picture, _ sha256: String, _ trigger: TriggerId) async throws {
        do {
            let stored = try await put(picture, sha256, lossless: policy.lossless)
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
            try await giveUp(trigger, sha256, error.cause, reason: "\(error)")
        }
    }

    private func storeProcess(_ item: Item) async throws {
        do {
            let stored = try await put(item.picture, item.sha256, lossless: false)
            try await host.submit(
                .processImageStored(
                    .with {
                        $0.station = item.trigger.station
                        $0.view = "station"
                        $0.takenAtUs = item.capturedAtUs
                        $0.pixelsSha256 = item.sha256
                        $0.storedSha256 = stored.storedSHA256
                        $0.lossless = stored.lossless
                        $0.mediaType = stored.mediaType
                        $0.storedBytes = UInt64(stored.bytes)
                    }
                )
            )
        } catch let error as EvidenceError {
            context.logger.error(
                "picture of the process not kept",
                metadata: ["trigger": "\(item.trigger.text)", "reason": "\(error)"]
            )
        }
    }

    /// Stores the picture; where the budget is used up, once more after room was made.
    private func put(_ picture: Picture, _ sha256: String, lossless: Bool) async throws -> StoredEvidence {
        await archive?.begins(sha256)
        let quality = policy.jpegQuality
        func attempt() async throws -> StoredEvidence {
            try await work.run { [store] in
                try store.store(picture, sha256: sha256, lossless: lossless, quality: quality)
            }
        }
        do {
            return try await attempt()
        } catch EvidenceError.full(let directory, let used, let needed, let budget) {
            guard try await archive?.makeRoom(bytes: needed) == true else {
                throw EvidenceError.full(directory: directory, used: used, needed: needed, budget: budget)
            }
            return try await attempt()
        }
    }

    /// Pictures whose outcome was not appended before the last stop: the store has them, or the pixel ring still does, or
    /// they are named as lost.
    func settleUnfinished(rings: [String: PixelRing]) async throws {
        for (name, station) in await host.core.state.stations.sorted(by: { $0.key < $1.key }) {
            for (_, waiting) in station.awaitingEvidence.sorted(by: { $0.key < $1.key }) {
                let (trigger, sha256) = (waiting.trigger.message, waiting.pixelsSHA256)
                let ring = rings[name]
                let kept = try await work.run { [store] () throws -> Picture? in
                    if let kept = try store.load(pixelsSHA256: sha256), kept.sha256 == sha256 { return kept }
                    let taken = try ring?.take(session: trigger.session, sequence: trigger.sequence)
                    return taken?.sha256 == sha256 ? taken : nil
                }
                if let kept {
                    try await store(kept, sha256, trigger)
                } else {
                    try await giveUp(trigger, sha256, .fault, reason: "camera-ingest stopped before storing it")
                }
            }
        }
    }

    private func giveUp(
        _ trigger: TriggerId,
        _ sha256: String,
        _ cause: NotStoredCause,
        reason: String
    ) async throws {
        try await host.submit(
            .evidenceNotStored(
                .with {
                    $0.trigger = trigger
                    $0.pixelsSha256 = sha256
                    $0.reason = reason
                    $0.cause = cause
                }
            )
        )
    }
}

extension EvidenceError {
    fileprivate var cause: NotStoredCause {
        if case .full = self { .budget } else { .fault }
    }
}
