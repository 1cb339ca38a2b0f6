import Foundation

/// `log-writer-probe` in a process of its own: appends and says what is acknowledged until it is killed.
final class WriterProbe {
    private let process = Process()
    private let output = Pipe()
    private let complaints = Pipe()
    private var text = ""

    /// - Parameter fileLimitKiB: no file of the process may grow beyond it.
    init(directory: String, topic: String, fileLimitKiB: Int? = nil) throws {
        let here = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let program = URL(fileURLWithPath: here).deletingLastPathComponent().appendingPathComponent("log-writer-probe")
        guard FileManager.default.isExecutableFile(atPath: program.path) else {
            throw DidNotCome(description: "\(program.path) is not there; build the target log-writer-probe")
        }
        // POSIX counts `ulimit -f` in blocks of 512 bytes; a process that ignores XFSZ sees the error instead.
        let limit = fileLimitKiB.map { "trap '' XFSZ; ulimit -f \($0 * 2); " } ?? ""
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", "\(limit)exec \"$0\" \"$1\" \"$2\"", program.path, directory, topic]
        process.standardOutput = output
        process.standardError = complaints
        try process.run()
    }

    /// Reads until this many records are acknowledged, and returns how many are.
    func waitForAcknowledged(_ count: Int64) throws -> Int64 {
        while acknowledged < count {
            let more = output.fileHandleForReading.availableData
            guard !more.isEmpty else {
                let reason = complaints.fileHandleForReading.availableData
                throw DidNotCome(description: "the probe ended: \(String(decoding: reason, as: UTF8.self))")
            }
            text += String(decoding: more, as: UTF8.self)
        }
        return acknowledged
    }

    func killAndReadRest() -> Int64 {
        kill(process.processIdentifier, SIGKILL)
        return readToEnd().acknowledged
    }

    /// Waits until the process has ended.
    func readToEnd() -> (acknowledged: Int64, complaint: String) {
        text += String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        let complaint = String(decoding: complaints.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return (acknowledged, complaint)
    }

    /// From the last whole line.
    private var acknowledged: Int64 {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
        return lines.last.flatMap { Int64($0) } ?? 0
    }
}
