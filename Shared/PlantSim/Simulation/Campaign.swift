import Foundation
import Synchronization

/// Many seeds on all cores, and what came of them.
package struct Campaign: Sendable {
    /// Where each seed's read model lives while the seed runs; best in memory. Nothing stays behind.
    private let folder: String
    private let hours: Double
    private let jobs: Int

    /// Failures that a report carries in full.
    package static let failuresKept = 20

    package struct Report: Sendable {
        package fileprivate(set) var seeds = 0
        package fileprivate(set) var failures = 0
        package fileprivate(set) var firstFailingSeed: UInt64?
        /// The first failing seeds, with their short traces.
        package fileprivate(set) var failed: [SeedReport] = []
        package fileprivate(set) var steps = 0
        package fileprivate(set) var records = 0
        package fileprivate(set) var faults: [Fault: Int] = [:]

        fileprivate mutating func add(_ report: SeedReport) {
            seeds += 1
            steps += report.steps
            records += report.records
            for (fault, times) in report.faults { faults[fault, default: 0] += times }
            guard report.failure != nil else { return }
            failures += 1
            firstFailingSeed = min(firstFailingSeed ?? .max, report.seed)
            failed = Array((failed + [report]).sorted { $0.seed < $1.seed }.prefix(Campaign.failuresKept))
        }
    }

    /// - Parameters:
    ///   - hours: simulated plant time of each seed.
    ///   - jobs: seeds at once.
    package init(folder: String, hours: Double, jobs: Int) {
        self.folder = folder
        self.hours = hours
        self.jobs = max(1, jobs)
    }

    /// One seed; with `isTracing` the whole trace of its events.
    package func run(seed: UInt64, mutation: Mutation? = nil, isTracing: Bool = false) throws -> SeedReport {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let path = "\(folder)/seed-\(seed)-\(mutation?.rawValue ?? "none")-\(isTracing).sqlite"
        defer {
            for end in ["", "-wal", "-shm"] where FileManager.default.fileExists(atPath: path + end) {
                try? FileManager.default.removeItem(atPath: path + end)
            }
        }
        return try Simulator.run(seed: seed, mutation: mutation, hours: hours, modelPath: path, isTracing: isTracing)
    }

    /// Runs `count` seeds from `first` on; failing ones once more, for their traces. `progress` is told how many are done
    /// and how many of them failed, from any thread.
    package func run(
        first: UInt64,
        count: Int,
        progress: @Sendable @escaping (Int, Int) -> Void = { _, _ in }
    ) async throws -> Report {
        let shared = Shared(next: first)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<jobs {
                group.addTask {
                    while !Task.isCancelled {
                        let seed = shared.nextSeed()
                        guard seed - first < UInt64(count) else { return }
                        var report = try run(seed: seed)
                        if report.failure != nil, shared.report.failures < Self.failuresKept {
                            report = try run(seed: seed, isTracing: true)
                        }
                        let sum = shared.add(report)
                        progress(sum.seeds, sum.failures)
                    }
                }
            }
            try await group.waitForAll()
        }
        return shared.report
    }

    /// What the threads of a campaign share.
    private final class Shared: Sendable {
        private let state: Mutex<(next: UInt64, report: Report)>

        init(next: UInt64) {
            state = Mutex((next, Report()))
        }

        var report: Report { state.withLock { $0.report } }

        func nextSeed() -> UInt64 {
            state.withLock { state in
                defer { state.next += 1 }
                return state.next
            }
        }

        func add(_ report: SeedReport) -> Report {
            state.withLock { state in
                state.report.add(report)
                return state.report
            }
        }
    }

    /// What caught a mutation.
    package struct Catch: Sendable {
        package let mutation: Mutation
        /// Nil where nothing did.
        package let caught: SeedReport?
        package let seedsTried: Int
    }

    /// The first of the seeds from `first` on that catches `mutation`.
    package func hunt(_ mutation: Mutation, first: UInt64 = 1, limit: Int = 200) throws -> Catch {
        for index in 0..<limit {
            let report = try run(seed: first + UInt64(index), mutation: mutation)
            if report.failure != nil { return Catch(mutation: mutation, caught: report, seedsTried: index + 1) }
        }
        return Catch(mutation: mutation, caught: nil, seedsTried: limit)
    }
}
