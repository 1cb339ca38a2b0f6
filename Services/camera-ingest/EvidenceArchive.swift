import EventLog
import Evidence
import Foundation
import Logging
import Metrics
import PlantCore
import PlantEvents
import ServiceLifecycle
import ServiceRuntime
import SwiftProtobuf

/// Deletes kept pictures whose time is over or whose room is needed, oldest first, and knows the verdicts that keeping waits for.
///
/// `EvidenceExpired` is appended first; the file goes once that record is read back from the log. What is on hold, or of
/// which something is not known, stays. Before anything is let go, and again before its file goes, all is read that stood in
/// the log by then: a hold that comes in between keeps the picture, which `EvidenceStored` then says anew. One for a process,
/// whatever partitions it works for.
actor EvidenceArchive: Service {
    private static let batchLimit = 256
    /// Pictures let go in one look, and looked at for it.
    private static let expiriesAtOnce = 64
    private static let examinedAtOnce = 1_024
    private static let pagesAtOnce = 64
    /// Between two looks at what is due, microseconds.
    private static let lookEveryUs: Int64 = 1_000_000
    /// Parts of the budget from which room is made, and up to which.
    private static let highWater = 0.95
    private static let lowWater = 0.9

    /// Where the inputs ended at some time, and the newest expiry that was read by then: of what expired later, or is held
    /// since, nothing can be said yet.
    private struct Horizon {
        let ends: [TopicPartition: Int64]
        let removal: Int64
    }

    private let context: ServiceContext
    private let policy: KeepingPolicy
    private let store: EvidenceStore
    private let parker: Parker
    private var index: EvidenceIndex?
    /// Cores of the stations that this process works for now.
    private var hosts: [String: DeciderHost<CaptureCore>] = [:]
    /// Ring when something was read.
    private var bells: [ObjectIdentifier: Doorbell] = [:]
    /// Pictures being stored: what was asked for before says nothing about them.
    private var storing: [String: Int] = [:]
    /// Pictures whose expiry is appended and not read back yet.
    private var asked: Set<String> = []
    private var dueCursor: EvidenceIndex.Candidate?
    private var lookedAtUs: Int64 = 0
    /// What is to be read before anything is deleted.
    private var horizon: Horizon?
    /// Whether all was read that stood in the log at the start.
    private var isInformed = false
    private let used: Gauge
    private let expired: Counter

    init(_ context: ServiceContext, store: EvidenceStore, parker: Parker) {
        self.context = context
        policy = context.plant.evidence
        self.store = store
        self.parker = parker
        used = Gauge(label: "lineledger_evidence_used_bytes")
        expired = Counter(label: "lineledger_evidence_expired_total")
        Gauge(label: "lineledger_evidence_budget_bytes").record(policy.budgetBytes)
    }

    func run() async throws {
        try await cancelWhenGracefulShutdown { try await self.work() }
    }

    private func work() async throws {
        let index = try EvidenceIndex(path: "\(context.plant.state)/evidence-index.sqlite", policy: policy)
        self.index = index
        let intake = Intake(
            context,
            topics: [.frames, .inspections, .decisions],
            from: try index.positions(),
            parker: parker,
            owner: .watcher
        )
        while !Task.isCancelled {
            let batch: Intake.Batch
            do {
                batch = try await intake.next(max: Self.batchLimit, wait: .milliseconds(200))
            } catch is CancellationError {
                return
            }
            if !batch.records.isEmpty {
                let records = batch.records.map(\.record)
                try index.commit(records, positions: batch.positions)
                for record in records { settle(record) }
                for bell in bells.values { bell.ring() }
            }
            guard let passed = try await passedHorizon(intake, index) else { continue }
            isInformed = true
            try await remove(index, upTo: passed.removal)
            try await look(index)
        }
    }

    /// Where there is something to do, and everything was read that stood in the log when that was noticed.
    private func passedHorizon(_ intake: Intake, _ index: EvidenceIndex) async throws -> Horizon? {
        if let horizon {
            guard await intake.hasRead(to: horizon.ends) else { return nil }
            self.horizon = nil
            return horizon
        }
        let isToRemove = try index.removals(limit: Self.batchLimit).contains { storing[$0.pixels] == nil }
        // A clock set back counts as time passed.
        let isToLook = !(0..<Self.lookEveryUs).contains(context.nowUs() - lookedAtUs)
        guard isToRemove || isToLook else { return nil }
        do {
            let removal = try index.lastRemoval()
            horizon = Horizon(ends: try await intake.ends(), removal: removal)
        } catch let failure as LogFailure where failure.isRetriable {
            context.logger.warning("ends of the log not readable", metadata: .of([.reason: "\(failure)"]))
        }
        return nil
    }

    // MARK: For those who store

    /// From now on this process works for these stations; `bell` rings when verdicts were read.
    func attach(_ stations: [String], _ host: DeciderHost<CaptureCore>, bell: Doorbell) {
        for station in stations { hosts[station] = host }
        bells[ObjectIdentifier(bell)] = bell
    }

    func detach(_ stations: [String], bell: Doorbell) {
        for station in stations { hosts[station] = nil }
        bells[ObjectIdentifier(bell)] = nil
    }

    /// Whether a legal hold stands on the part of this trigger, as far as it was read.
    func isPreserved(_ trigger: TriggerId) throws -> Bool {
        try index?.isPreserved(trigger: trigger.text) ?? false
    }

    /// What became of the part of this trigger, as far as it was read.
    func outcome(of trigger: TriggerId) throws -> KeepingPolicy.Outcome {
        try index?.outcome(of: trigger.text) ?? .unknown
    }

    /// The picture is about to be stored: it is not deleted before its record was read.
    func begins(_ pixels: String) {
        storing[pixels, default: 0] += 1
    }

    /// Makes room for so many bytes by letting the oldest pictures go that are kept only while there is room; false where
    /// nothing may go.
    func makeRoom(bytes: Int) async throws -> Bool {
        guard let index, isInformed else { return false }
        let before = try store.usedBytes()
        let going = try await expireOldest(index, bytes: bytes)
        guard going > 0 else { return false }
        // Their records are read back within a moment; a log that is away must not stop storing for good.
        for _ in 0..<50 {
            if try store.usedBytes() <= before - going { break }
            try await Task.sleep(for: .milliseconds(100))
        }
        return try store.usedBytes() < before
    }

    // MARK: Deleting

    private func settle(_ record: AnyRecord) {
        guard case .frames(let record) = record else { return }
        for event in record.events {
            switch event.kind {
            case .evidenceStored(let stored): stops(stored.pixelsSha256)
            case .evidenceNotStored(let lost): stops(lost.pixelsSha256)
            case .processImageStored(let image): stops(image.pixelsSha256)
            case .evidenceExpired(let expired): asked.remove(expired.pixelsSha256)
            default: break
            }
        }
    }

    private func stops(_ pixels: String) {
        guard let count = storing[pixels] else { return }
        storing[pixels] = count > 1 ? count - 1 : nil
    }

    /// Deletes what the log says is deleted, unless a hold came before it was done.
    private func remove(_ index: EvidenceIndex, upTo newest: Int64) async throws {
        var next: Int64 = 1
        while next <= newest {
            let page = try index.removals(next...newest, limit: Self.batchLimit)
            guard let last = page.last else { return }
            next = last.number + 1
            let names = page.map(\.pixels).filter { storing[$0] == nil }
            let held = Set(try names.filter { try index.isHeld($0) })
            try delete(names.filter { !held.contains($0) }, index)
            for name in held.sorted() { try await keepAfterAll(name, index) }
        }
    }

    private func delete(_ names: [String], _ index: EvidenceIndex) throws {
        var gone: [String] = []
        for name in names {
            do {
                _ = try store.remove(pixelsSHA256: name)
                gone.append(name)
            } catch {
                context.logger.error("picture not deleted", metadata: .of([.sha256: "\(name)", .reason: "\(error)"]))
            }
        }
        try index.removed(gone)
        expired.increment(by: Int64(gone.count))
    }

    /// Says that an expired picture is still kept; it is taken off the list when that is read back.
    private func keepAfterAll(_ name: String, _ index: EvidenceIndex) async throws {
        guard let (station, kinds) = try index.kept(name), let host = hosts[station], !kinds.isEmpty else { return }
        storing[name, default: 0] += kinds.count
        context.logger.notice("picture kept after all: it was held", metadata: .of([.sha256: "\(name)"]))
        try await host.submit(.keptAfterAll(kinds, pixelsSHA256: name, station: station))
    }

    /// Lets go what is due, and the oldest where the budget is nearly used.
    private func look(_ index: EvidenceIndex) async throws {
        let nowUs = context.nowUs()
        guard !(0..<Self.lookEveryUs).contains(nowUs - lookedAtUs) else { return }
        lookedAtUs = nowUs
        let usedBytes = try store.usedBytes()
        used.record(usedBytes)
        let page = try index.due(nowUs: nowUs, after: dueCursor, limit: Self.examinedAtOnce)
        dueCursor = page.count < Self.examinedAtOnce ? nil : page.last
        _ = try await expire(page, index) { _ in true }
        if Double(usedBytes) > Self.highWater * Double(policy.budgetBytes) {
            let excess = usedBytes - Int(Self.lowWater * Double(policy.budgetBytes))
            _ = try await expireOldest(index, bytes: excess)
        }
    }

    /// Bytes that will be free.
    private func expireOldest(_ index: EvidenceIndex, bytes: Int) async throws -> Int {
        var freed = 0
        for kind in KeepingPolicy.Kind.allCases where policy.retention(of: kind) == .whileRoom && freed < bytes {
            var cursor: EvidenceIndex.Candidate?
            for _ in 0..<Self.pagesAtOnce where freed < bytes {
                let page = try index.oldest(kind, after: cursor, limit: Self.examinedAtOnce)
                let before = freed
                freed += try await expire(page, index) { before + $0 < bytes }
                cursor = page.last
                if page.count < Self.examinedAtOnce || freed > before { break }
            }
        }
        return freed
    }

    /// Appends the expiry of those that may go, while `more` says so of the bytes freed; returns those bytes.
    private func expire(
        _ candidates: [EvidenceIndex.Candidate],
        _ index: EvidenceIndex,
        while more: (Int) -> Bool
    ) async throws -> Int {
        var freed = 0
        var count = 0
        for candidate in candidates where count < Self.expiriesAtOnce && more(freed) {
            let name = candidate.pixels
            guard let host = hosts[candidate.station], storing[name] == nil, !asked.contains(name),
                try !index.isHeld(name)
            else { continue }
            guard try store.contains(pixelsSHA256: name) else {
                try index.disown(name)
                continue
            }
            asked.insert(name)
            try await host.submit(
                .expired(
                    .with {
                        $0.pixelsSha256 = name
                        $0.storedSha256 = candidate.stored
                        $0.policy = policy.rule(candidate.kind)
                        $0.storedAtUs = candidate.storedAtUs
                    },
                    station: candidate.station
                )
            )
            freed += candidate.bytes
            count += 1
        }
        return freed
    }
}
