import ArgumentParser
import EventLog
import Foundation
import ReadModel
import ServiceRuntime

/// Builds the read model again from the log alone, compares it with the live one (I5), and switches to it or back.
struct Rebuild: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Rebuild the read model from the log beside the live one, show how they differ, and switch.",
        discussion: """
            Without --switch nothing changes: the new file is compared and removed. A running projector goes on meanwhile; \
            it makes the switch between two batches, and the model before is kept for --rollback.

            Examples:
              lineledger rebuild --plant deploy/plants/demo.yaml --switch
              lineledger rebuild --plant deploy/plants/demo.yaml --into /tmp/rebuilt.sqlite
              lineledger rebuild --plant deploy/plants/demo.yaml --rollback
            """
    )

    @OptionGroup var plant: PlantOption

    @Option(help: "Build a file of its own here, and keep it.")
    var into: String?

    @Flag(name: .customLong("switch"), help: "Make the rebuilt model the live one.")
    var switches = false

    @Flag(help: "Go back to the model before the last switch; nothing is rebuilt.")
    var rollback = false

    @Flag(help: "One JSON object on standard output.")
    var json = false

    func validate() throws {
        if into != nil, switches || rollback {
            throw ValidationError("--into makes a file elsewhere; it goes with neither --switch nor --rollback")
        }
        if switches, rollback { throw ValidationError("--switch or --rollback, not both") }
    }

    func run() async throws {
        let file = try plant.load()
        let log = try file.openLogOrExit()
        do {
            let isSound = rollback ? try await goBack(file, log) : try await rebuild(file, log)
            await log.close()
            guard isSound else { throw ExitStatus.problemFound }
        } catch let failure as LogFailure {
            Terminal.complain("\(failure)")
            throw ExitStatus.unreachable
        } catch let failure as ReadModelFailure {
            Terminal.complain("\(failure)")
            throw ExitStatus.wrongUse
        } catch let silence as GenerationSwitch.NoAnswer {
            Terminal.complain("\(silence)")
            throw ExitStatus.unreachable
        }
    }

    /// Whether the live model was as the log says.
    private func rebuild(_ file: PlantFile, _ log: any EventLog) async throws -> Bool {
        let rebuilder = Rebuilder(log: log, plant: file)
        let outcome = try await rebuilder.build(into: into)
        var switched: String?
        if switches {
            switched = try await GenerationSwitch(rebuilder.generations, log, file.site).take(outcome)
        }
        if let made = outcome.generation, !switches || outcome.liveProblem != nil {
            try rebuilder.generations.remove(made)
        }
        let result = Rebuilder.Result(outcome, switched)
        if json { try Terminal.say(json: result) } else { Terminal.say(result.text) }
        return result.isEqual
    }

    private func goBack(_ file: PlantFile, _ log: any EventLog) async throws -> Bool {
        let generations = Generations(folder: file.readModelPath)
        guard let active = try generations.active() else {
            throw ReadModelFailure.noModel(path: generations.folder)
        }
        guard let previous = active.previous else {
            Terminal.complain("\(generations.folder): generation \(active.generation) has none before it to go back to")
            return false
        }
        let switched = try await GenerationSwitch(generations, log, file.site).make(previous, .rollback)
        if json {
            try Terminal.say(json: ["switched": switched])
        } else {
            Terminal.say(switched)
        }
        return true
    }
}

/// Rebuilds a plant's model up to where the live one has read, and compares.
struct Rebuilder {
    let log: any EventLog
    let plant: PlantFile

    var generations: Generations { Generations(folder: plant.readModelPath) }

    struct Result: Encodable {
        let records: Int64
        let events: Int64
        let parked: Int64
        let seconds: Double
        let digest_live: String
        let digest_rebuilt: String
        /// Next offset of each partition, of which both digests are.
        let positions: [String: Int64]
        /// Why there is no live digest.
        let live_problem: String?
        let diff: [Difference]
        /// What became of the new generation.
        let switched: String?

        struct Difference: Encodable {
            let table: String
            let only_live: Int64
            let only_rebuilt: Int64
            let changed: Int64
            let examples: [String]
        }

        init(_ outcome: ModelRebuild.Outcome, _ switched: String?) {
            records = outcome.report.records
            events = outcome.report.events
            parked = outcome.report.parked
            seconds = outcome.report.seconds
            digest_live = outcome.liveDigest
            digest_rebuilt = outcome.report.digest
            positions = Dictionary(uniqueKeysWithValues: outcome.positions.map { ("\($0.key)", $0.value) })
            live_problem = outcome.liveProblem
            diff = outcome.differences.map {
                Difference(
                    table: $0.table,
                    only_live: $0.onlyLive,
                    only_rebuilt: $0.onlyRebuilt,
                    changed: $0.changed,
                    examples: $0.examples
                )
            }
            self.switched = switched
        }

        var isEqual: Bool { live_problem == nil && digest_live == digest_rebuilt }

        var text: String {
            var lines = [
                String(format: "%lld records, %lld events in %.2f s; %lld parked", records, events, seconds, parked)
            ]
            lines += positions.sorted { $0.key < $1.key }.map { "  \($0.key) up to offset \($0.value)" }
            lines.append("rebuilt \(digest_rebuilt)")
            if let live_problem {
                lines.append("live    cannot be compared: \(live_problem)")
            } else {
                lines.append("live    \(digest_live)")
                lines.append(isEqual ? "equal at these positions" : "NOT equal at these positions")
            }
            for difference in diff {
                lines.append(
                    "\(difference.table): \(difference.only_live) rows only live, \(difference.only_rebuilt) only rebuilt, "
                        + "\(difference.changed) changed"
                )
                lines += difference.examples.map { "  \($0)" }
            }
            if let switched { lines.append(switched) }
            return lines.joined(separator: "\n")
        }
    }

    /// A file of its own at `path`, as the demo wants it.
    func rebuild(into path: String) async throws -> Result {
        Result(try await build(into: path), nil)
    }

    func build(into path: String?) async throws -> ModelRebuild.Outcome {
        var line = ProgressLine()
        let rebuild = ModelRebuild(log: log, generations: generations, site: plant.site)
        let outcome = try await rebuild.run(into: path, clockUs: ServiceProgram.wallClock) { progress in
            switch progress {
            case .reading(let read, let total):
                line.show("\(ProgressLine.bar(Double(read) / Double(max(1, total)))) \(read)/\(total) records rebuilt")
            case .comparing: line.show("\(ProgressLine.bar(1)) comparing with the live model")
            }
        }
        line.finish()
        return outcome
    }
}
