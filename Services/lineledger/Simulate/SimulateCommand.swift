import ArgumentParser
import Foundation
import Simulation
import Synchronization

/// The whole plant under faults, in one deterministic loop a seed.
struct Simulate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the real cores under simulated clocks, log, disks, network and peers, and check what must hold.",
        discussion: """
            Example: lineledger simulate --seeds 10000 --json
            Example: lineledger simulate --seed 42 --trace

            Exit codes: 0 all held, 1 something did not.
            """
    )

    @Option(help: "One seed.")
    var seed: UInt64?

    @Option(help: "How many seeds, from --first-seed on, on all cores.")
    var seeds: Int?

    @Option(help: "The first of --seeds.")
    var firstSeed: UInt64 = 1

    @Option(help: "Simulated plant time of each seed, hours: 240 parts an hour and station.")
    var hours = 0.1

    @Flag(help: "Print every event of the seed.")
    var trace = false

    @Flag(help: "Break the cores and shells on purpose, one mistake at a time, and name the seed that catches each.")
    var mutations = false

    @Flag(help: "One JSON object on the last line of standard output.")
    var json = false

    func validate() throws {
        guard hours > 0, hours <= 100 else {
            throw ValidationError("--hours \(hours): expected more than 0, at most 100")
        }
        if let seeds, seeds < 1 { throw ValidationError("--seeds \(seeds): expected at least 1") }
        if seed != nil, seeds != nil { throw ValidationError("--seed and --seeds: expected one of them") }
    }

    private struct Summary: Encodable {
        struct Failure: Encodable {
            let seed: UInt64
            let invariant: String
            let text: String
        }

        let seeds: Int
        let failures: Int
        let first_failing_seed: UInt64?
        let faults: [String: Int]
        let records: Int
        let steps: Int
        let seconds: Double
        let failed: [Failure]

        /// `first_failing_seed` is there even when it is null.
        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(seeds, forKey: .seeds)
            try container.encode(failures, forKey: .failures)
            try container.encode(first_failing_seed, forKey: .first_failing_seed)
            try container.encode(faults, forKey: .faults)
            try container.encode(records, forKey: .records)
            try container.encode(steps, forKey: .steps)
            try container.encode(seconds, forKey: .seconds)
            try container.encode(failed, forKey: .failed)
        }

        private enum CodingKeys: String, CodingKey {
            case seeds, failures, first_failing_seed, faults, records, steps, seconds, failed
        }
    }

    func run() async throws {
        let folder = Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let campaign = Campaign(folder: folder, hours: hours, jobs: ProcessInfo.processInfo.activeProcessorCount)
        if mutations { return try hunt(campaign) }
        if trace { return try show(campaign) }
        let count = seed == nil ? seeds ?? 100 : 1
        let progress = SharedProgress()
        let started = ContinuousClock.now
        let report = try await campaign.run(first: seed ?? firstSeed, count: count) { done, failures in
            let text = "\(ProgressLine.bar(Double(done) / Double(count))) \(done)/\(count) seeds, \(failures) failed"
            progress.show(text)
        }
        progress.finish()
        let seconds = Double(started.duration(to: .now).components.seconds) + Self.fraction(started.duration(to: .now))
        for failed in report.failed { Terminal.complain(Self.text(failed)) }
        if json {
            try Terminal.say(json: summary(report, seconds))
        } else {
            Terminal.say(
                "\(report.seeds) seeds, \(report.failures) failed; \(report.records) records, \(report.steps) steps, "
                    + "\(report.faults.values.reduce(0, +)) faults in \(String(format: "%.1f", seconds)) s"
            )
        }
        if report.failures > 0 { throw ExitStatus.problemFound }
    }

    private func summary(_ report: Campaign.Report, _ seconds: Double) -> Summary {
        Summary(
            seeds: report.seeds,
            failures: report.failures,
            first_failing_seed: report.firstFailingSeed,
            faults: Dictionary(uniqueKeysWithValues: report.faults.map { ($0.key.rawValue, $0.value) }),
            records: report.records,
            steps: report.steps,
            seconds: seconds,
            failed: report.failed.compactMap { report in
                report.failure.map { .init(seed: report.seed, invariant: $0.invariant.rawValue, text: $0.text) }
            }
        )
    }

    /// The whole course of one seed.
    private func show(_ campaign: Campaign) throws {
        let report = try campaign.run(seed: seed ?? firstSeed, isTracing: true)
        for line in report.allEvents { Terminal.say(line) }
        guard report.failure != nil else { return }
        Terminal.complain(Self.text(report))
        throw ExitStatus.problemFound
    }

    private struct CatchRow: Encodable {
        let mutation: String
        let seed: UInt64?
        let invariant: String?
        let text: String?
    }

    private func hunt(_ campaign: Campaign) throws {
        var survived = 0
        var rows: [CatchRow] = []
        for mutation in Mutation.allCases {
            let found = try campaign.hunt(mutation, first: firstSeed)
            let failure = found.caught?.failure
            if failure == nil { survived += 1 }
            rows.append(
                CatchRow(
                    mutation: mutation.rawValue,
                    seed: found.caught?.seed,
                    invariant: failure?.invariant.rawValue,
                    text: failure?.text
                )
            )
            guard !json else { continue }
            let caught = found.caught.map {
                "seed \($0.seed), \(failure?.invariant.rawValue ?? ""): \(failure?.text ?? "")"
            }
            Terminal.say("\(mutation.rawValue): \(caught ?? "NOT CAUGHT by \(found.seedsTried) seeds")")
        }
        if json { try Terminal.say(json: rows) }
        if survived > 0 { throw ExitStatus.problemFound }
    }

    private static func text(_ report: SeedReport) -> String {
        guard let failure = report.failure else { return "" }
        return
            (["seed \(report.seed): \(failure.invariant.rawValue) violated: \(failure.text)"]
            + report.trace.map { "    \($0)" }
            + ["    again with: lineledger simulate --seed \(report.seed) --trace"]).joined(separator: "\n")
    }

    private static func fraction(_ duration: Duration) -> Double { Double(duration.components.attoseconds) / 1e18 }

    /// In memory where the system has such a place.
    private static func folder() -> String {
        let shared = "/dev/shm"
        let parent = FileManager.default.isWritableFile(atPath: shared) ? shared : NSTemporaryDirectory()
        return "\(parent)/lineledger-simulate-\(ProcessInfo.processInfo.processIdentifier)"
    }
}

/// A progress line that several threads write.
private final class SharedProgress: Sendable {
    private let line = Mutex(ProgressLine())

    func show(_ text: String) { line.withLock { $0.show(text) } }
    func finish() { line.withLock { $0.finish() } }
}
