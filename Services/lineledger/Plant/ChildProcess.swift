import Foundation
import Synchronization

/// One program run as a child: its output goes to a log file, its end is told once.
final class ChildProcess: Sendable {
    struct Exit: Sendable, Equatable {
        let code: Int32
        let wasSignalled: Bool
    }

    let name: String
    private let process: Mutex<Process>
    private let exits: AsyncStream<Exit>
    let pid: Int32

    /// Starts `executable`; what it prints is appended to `logPath`.
    init(name: String, executable: String, arguments: [String], environment: [String: String], logPath: String) throws {
        self.name = name
        if !FileManager.default.fileExists(atPath: logPath) {
            guard FileManager.default.createFile(atPath: logPath, contents: nil) else {
                throw CocoaError(.fileWriteUnknown, userInfo: [NSFilePathErrorKey: logPath])
            }
        }
        let log = try FileHandle(forWritingTo: URL(fileURLWithPath: logPath))
        try log.seekToEnd()
        let child = Process()
        child.executableURL = URL(fileURLWithPath: executable)
        child.arguments = arguments
        child.environment = environment
        child.standardInput = FileHandle.nullDevice
        child.standardOutput = log
        child.standardError = log
        let (stream, continuation) = AsyncStream.makeStream(of: Exit.self, bufferingPolicy: .bufferingNewest(1))
        exits = stream
        child.terminationHandler = { ended in
            continuation.yield(
                Exit(code: ended.terminationStatus, wasSignalled: ended.terminationReason == .uncaughtSignal)
            )
            continuation.finish()
        }
        try child.run()
        try log.close()
        pid = child.processIdentifier
        process = Mutex(child)
    }

    /// Waits for the end.
    func exit() async -> Exit {
        for await exit in exits { return exit }
        return Exit(code: process.withLock(\.terminationStatus), wasSignalled: false)
    }

    var isRunning: Bool { process.withLock(\.isRunning) }

    func send(_ signal: Int32) {
        if isRunning { kill(pid, signal) }
    }

    /// The largest resident memory so far, bytes; nil when the process has gone.
    var peakMemory: Int? {
        guard let status = FileManager.default.contents(atPath: "/proc/\(pid)/status") else { return nil }
        for line in String(decoding: status, as: UTF8.self).split(separator: "\n") where line.hasPrefix("VmHWM:") {
            return line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) }.map { $0 * 1_024 }
        }
        return nil
    }
}
