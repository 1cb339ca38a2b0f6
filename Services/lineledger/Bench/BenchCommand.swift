import ArgumentParser
import Foundation

/// Speed as ratios within one run, with the command and the machine in the output.
struct Bench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure this machine: rebuild and log speed beside bare loops, vision beside OpenCV.",
        discussion: "Example: lineledger bench replay --parts 100000 --json",
        subcommands: [ReplayCommand.self, LogCommand.self, UplinkBenchCommand.self, VisionBenchCommand.self]
    )
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

    /// The command as it was typed.
    static var command: String { CommandLine.arguments.joined(separator: " ") }

    /// A clock that is never set, microseconds.
    static func wallUs() -> Int64 { read(CLOCK_MONOTONIC) }

    /// Processor time of all threads of this process, microseconds.
    static func cpuUs() -> Int64 { read(CLOCK_PROCESS_CPUTIME_ID) }

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000
    }
}
