import Foundation
import Simulation
import Testing

/// The simulator: what must hold holds on pinned and on new seeds, and breaks where a mistake is put in.
@Suite struct SimulationTests {
    private let folder = Folder()

    private var campaign: Campaign {
        Campaign(folder: folder.path, hours: 0.1, jobs: ProcessInfo.processInfo.activeProcessorCount)
    }

    /// A test's own folder, gone with it.
    private final class Folder: Sendable {
        let path = "\(NSTemporaryDirectory())/lineledger-simulation-\(UUID().uuidString)"

        deinit { try? FileManager.default.removeItem(atPath: path) }
    }

    private static func words(_ report: SeedReport) -> String {
        guard let failure = report.failure else { return "" }
        return (["seed \(report.seed): \(failure.invariant.rawValue): \(failure.text)"] + report.trace)
            .joined(separator: "\n")
    }

    @Test("The same seed has the same course, twice, and traced or not", arguments: [UInt64(1), 7, 1_234])
    func determinism(seed: UInt64) throws {
        let first = try campaign.run(seed: seed)
        let again = try campaign.run(seed: seed, isTracing: true)
        #expect(first.traceHash == again.traceHash)
        #expect(first.steps == again.steps)
        #expect(first.records == again.records)
        #expect(!again.allEvents.isEmpty)
    }

    @Test("I1 .. I8, I10 .. I12: seeds that once found a bug", arguments: PinnedSeeds.all)
    func pinned(_ pinned: PinnedSeeds.Pinned) throws {
        let report = try campaign.run(seed: pinned.seed, isTracing: true)
        #expect(report.failure == nil, "\(pinned.found)\n\(Self.words(report))")
    }

    @Test("I1 .. I8, I10 .. I12: new seeds, and every fault strikes in some of them")
    func newSeeds() async throws {
        let report = try await campaign.run(first: 100_000, count: 100)
        #expect(report.failures == 0, "\(report.failed.map(Self.words).joined(separator: "\n"))")
        for fault in Fault.allCases { #expect(report.faults[fault] ?? 0 > 0, "\(fault.rawValue) never struck") }
    }

    @Test("Checkers can fail: each mistake put into a core or a shell is caught", arguments: Mutation.allCases)
    func mutationIsCaught(_ mutation: Mutation) throws {
        let found = try campaign.hunt(mutation, limit: 100)
        #expect(found.caught != nil, "\(mutation.rawValue) survived \(found.seedsTried) seeds")
    }
}
