import ArgumentParser
import Foundation
import ReadModel

struct ReplayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Rebuild speed beside a bare SQLite loop that writes the same rows and indexes.",
        discussion: """
            Also measured: the plain SwiftProtobuf program, and two Python programs that read a smaller number of the
            same events from mock brokers in this process (deploy/bench/replay.py, run in the working folder).
            Example: lineledger bench replay --parts 100000 --json
            """
    )

    @Option(help: "Event chains (trigger to delivery) to make and replay.")
    var parts = 100_000

    @Option(help: "Rounds in which the paths take turns; medians count.")
    var rounds = 3

    @Option(help: "Event chains for the Python programs: the mock brokers keep only the newest 5 MB of a partition.")
    var pythonParts = 5_000

    @Flag(help: "One JSON object on standard output.")
    var json = false

    func validate() throws {
        guard (1...2_000_000).contains(parts) else { throw ValidationError("--parts: expected 1 to 2000000") }
        guard (1...100).contains(rounds) else { throw ValidationError("--rounds: expected 1 to 100") }
        guard (1...20_000).contains(pythonParts) else { throw ValidationError("--python-parts: expected 1 to 20000") }
    }

    private struct Report: Encodable {
        let command: String
        let machine: String
        let result: ReplayBench.Result
        let python: PythonPath
        let pythonEventsourcing: PythonPath
        let pythonVersions: [String: String]

        private enum Keys: String, CodingKey { case command, machine, python, pythonEventsourcing, pythonVersions }

        func encode(to encoder: any Encoder) throws {
            try result.encode(to: encoder)
            var container = encoder.container(keyedBy: Keys.self)
            try container.encode(command, forKey: .command)
            try container.encode(machine, forKey: .machine)
            try container.encode(python, forKey: .python)
            try container.encode(pythonEventsourcing, forKey: .pythonEventsourcing)
            try container.encode(pythonVersions, forKey: .pythonVersions)
        }
    }

    func run() async throws {
        var progress = ProgressLine()
        progress.show("replaying \(parts) event chains, \(rounds) rounds …")
        let result = try ReplayBench.run(
            parts: parts,
            rounds: rounds,
            threads: max(1, ProcessInfo.processInfo.activeProcessorCount - 1),
            clocks: ReplayBench.Clocks(wallUs: Machine.wallUs, cpuUs: Machine.cpuUs),
            progress: { progress.show("replay \(ProgressLine.bar($0))") }
        )
        progress.show("the Python programs …")
        let python = await PythonPaths.measure(
            parts: pythonParts,
            bareLoopEventsPerSecond: result.bareLoop.eventsPerSecond
        )
        progress.finish()
        let report = Report(
            command: Machine.command,
            machine: Machine.description,
            result: result,
            python: python.plain,
            pythonEventsourcing: python.eventsourcing,
            pythonVersions: python.versions
        )
        if json {
            Terminal.say(String(decoding: try Queries.json(report), as: UTF8.self))
        } else {
            Terminal.say(text(report))
        }
    }

    private func text(_ report: Report) -> String {
        let result = report.result
        func row(_ name: String, _ path: ReplayBench.Path) -> [String] {
            [
                name, String(format: "%.3f s", path.seconds), "\(Int(path.eventsPerSecond))",
                String(format: "%.2f", path.ratioToBareLoop), String(format: "%.2f", path.ratioToBareLoopByCpu),
            ]
        }
        func row(_ name: String, _ path: PythonPath) -> [String] {
            guard let seconds = path.seconds, let speed = path.eventsPerSecond, let ratio = path.ratioToBareLoop else {
                return [name, "not measured: \(path.notMeasured ?? "")", "", "", ""]
            }
            return [name, String(format: "%.3f s", seconds), "\(Int(speed))", String(format: "%.4f", ratio), ""]
        }
        return """
            \(result.parts) parts, \(result.records) records, \(result.events) events, \(result.bytes / 1_000_000) MB, \
            \(result.rows) rows; median of \(result.rounds) rounds
            \(Terminal.table([
                ["path", "time", "events/s", "ratio to bare loop", "by processor time"],
                row("bare loop", result.bareLoop), row("replay, one core", result.oneCore),
                row("replay, \(result.readAheadThreads) reading ahead", result.allCores),
                row("plain SwiftProtobuf", result.plainSwiftProtobuf), row("Python", report.python),
                row("Python eventsourcing", report.pythonEventsourcing),
            ]))
            budget: 0.70 of the bare loop on one core
            \(report.machine)
            """
    }
}
