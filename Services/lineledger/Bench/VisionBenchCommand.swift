import ArgumentParser
import Foundation

struct VisionBenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "vision",
        abstract: "Time of each step of an inspection beside OpenCV (Python), one thread each.",
        discussion: """
            Both work on the same pictures in turns, and processor time counts; OpenCV through deploy/bench/vision.py in a virtual environment, so run
            it in LineLedger's folder. Without it only our own figures are told.

            Example: lineledger bench vision --size 640x640 --json
            """
    )

    @Option(help: "Picture size, as WIDTHxHEIGHT; several may be given.")
    var size: [String] = ["640x640", "2448x2048"]

    @Option(help: "Time for each step and round, seconds.")
    var seconds = 0.3

    @Option(help: "Rounds in which the two programs take turns.")
    var rounds = 3

    @Flag(help: "One JSON object on standard output.")
    var json = false

    func validate() throws {
        for text in size where Self.parsed(text) == nil {
            throw ValidationError("--size \(text): expected WIDTHxHEIGHT from 160x160 to 8000x8000")
        }
        guard (0.01...60).contains(seconds) else { throw ValidationError("--seconds: expected 0.01 to 60") }
        guard (1...100).contains(rounds) else { throw ValidationError("--rounds: expected 1 to 100") }
    }

    private static func parsed(_ text: String) -> (width: Int, height: Int)? {
        let sides = text.split(separator: "x").map { Int($0) ?? 0 }
        guard sides.count == 2, sides.allSatisfy({ (160...8_000).contains($0) }) else { return nil }
        return (sides[0], sides[1])
    }

    private struct Report: Encodable {
        let command: String
        let machine: String
        let result: VisionBench.Result

        private enum Keys: String, CodingKey { case command, machine }

        func encode(to encoder: any Encoder) throws {
            try result.encode(to: encoder)
            var container = encoder.container(keyedBy: Keys.self)
            try container.encode(command, forKey: .command)
            try container.encode(machine, forKey: .machine)
        }
    }

    func run() async throws {
        var progress = ProgressLine()
        let result: VisionBench.Result
        do {
            result = try VisionBench(
                sizes: size.compactMap(Self.parsed),
                seconds: seconds,
                rounds: rounds,
                progress: { progress.show("\(ProgressLine.bar($1)) \($0)") }
            ).run()
            progress.finish()
        } catch {
            progress.finish()
            Terminal.complain("\(error)")
            throw ExitStatus.problemFound
        }
        if json {
            try Terminal.say(
                json: Report(command: Machine.command, machine: Machine.description, result: result)
            )
        } else {
            Terminal.say(text(result))
        }
    }

    private func text(_ result: VisionBench.Result) -> String {
        func milliseconds(_ us: Double) -> String { String(format: "%.3f", us / 1_000) }
        let tables = result.sizes.map { size in
            let rows = size.steps.map { step in
                [
                    step.step, milliseconds(step.ours.p50Us), milliseconds(step.ours.p99Us),
                    String(format: "%.0f", step.ours.imagesPerSecond),
                    step.opencv.map { milliseconds($0.p50Us) } ?? "-",
                    step.opencv.map { String(format: "%.0f", $0.imagesPerSecond) } ?? "-",
                    step.ratio.map { String(format: "%.2f", $0) } ?? "-",
                    step.found == step.opencvFound ?? step.found
                        ? String(step.found.prefix(24))
                        : "\(step.found.prefix(24)) / \(step.opencvFound?.prefix(24) ?? "")",
                ]
            }
            let heading = [
                "step", "p50 ms", "p99 ms", "images/s", "OpenCV p50 ms", "images/s", "ratio", "found: ours / OpenCV",
            ]
            let budget = size.budgetMs.map { budget in
                let verdict = String(format: "%.2f", size.verdictP99Ms)
                return
                    "verdict p99 \(verdict) ms; budget \(budget) ms: \(size.verdictP99Ms < budget ? "kept" : "NOT KEPT")"
            }
            return "\(size.width)x\(size.height) grey; processor time of one thread\n"
                + Terminal.table([heading] + rows)
                + (budget.map { "\n" + $0 } ?? "")
        }
        let versions = result.versions.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(
            separator: ", "
        )
        let footer = result.notMeasured.map { "OpenCV not measured: \($0)" } ?? versions
        return (tables + ["\(footer)\n\(Machine.command)\n\(Machine.description)"]).joined(separator: "\n\n")
    }
}
