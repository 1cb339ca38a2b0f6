import ArgumentParser
import Foundation
import ReadModel
import ServiceRuntime

/// Speed as ratios within one run, with the command and the machine in the output.
struct Bench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure this machine: rebuild speed beside a bare SQLite loop.",
        discussion: "Example: lineledger bench replay --parts 100000 --json",
        subcommands: [Replay.self]
    )

    struct Replay: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Rebuild speed beside a bare SQLite loop that writes the same rows and indexes."
        )

        @Option(help: "Event chains (trigger to delivery) to make and replay.")
        var parts = 100_000

        @Flag(help: "One JSON object on standard output.")
        var json = false

        func run() async throws {
            Terminal.complain("replaying \(parts) event chains …")
            let result = try ReplayBench.run(parts: parts, clockUs: ServiceProgram.wallClock)
            if json {
                Terminal.say(String(decoding: try Queries.json(result), as: UTF8.self))
            } else {
                Terminal.say(result.text)
            }
        }
    }
}

/// The machine a figure was measured on.
enum Machine {
    static var description: String {
        let model = String(decoding: FileManager.default.contents(atPath: "/proc/cpuinfo") ?? Data(), as: UTF8.self)
            .split(separator: "\n").first { $0.hasPrefix("model name") }?.split(separator: ":").last
            .map { $0.trimmingCharacters(in: .whitespaces) }
        let info = ProcessInfo.processInfo
        return "\(model ?? "unknown processor"), \(info.activeProcessorCount) cores, "
            + "\(info.physicalMemory >> 30) GiB, \(info.operatingSystemVersionString)"
    }
}
