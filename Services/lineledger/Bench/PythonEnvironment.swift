import Foundation

/// The Python programs that figures are measured beside, in a virtual environment of their own.
enum PythonEnvironment {
    struct Failure: Error {
        let reason: String
    }

    private static let folder = ".build/bench-venv"

    /// The interpreter of the virtual environment, which is made, and filled from `requirements`, on first use.
    static func prepare(script: String, importing modules: String, requirements: String) throws -> String {
        guard FileManager.default.fileExists(atPath: script) else {
            throw Failure(reason: "\(script) is not here: run it in LineLedger's folder")
        }
        let python = "\(folder)/bin/python"
        if try execute([python, "-c", "import \(modules)"]).status == 0 { return python }
        for command in [
            ["python3", "-m", "venv", folder],
            [python, "-m", "pip", "install", "--quiet", "-r", requirements],
        ] {
            let done = try execute(command)
            guard done.status == 0 else {
                throw Failure(reason: "\(command.joined(separator: " ")): \(done.errors.suffix(300))")
            }
        }
        return python
    }

    /// Runs a command to its end; its output goes through files, which never fill up as pipes do.
    static func execute(_ command: [String]) throws -> (status: Int32, output: Data, errors: String) {
        let files = try (0..<2).map { _ in
            let url = FileManager.default.temporaryDirectory.appendingPathComponent("lineledger-\(UUID().uuidString)")
            try Data().write(to: url)
            return (url: url, handle: try FileHandle(forWritingTo: url))
        }
        defer { for file in files { try? FileManager.default.removeItem(at: file.url) } }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command
        process.standardOutput = files[0].handle
        process.standardError = files[1].handle
        try process.run()
        process.waitUntilExit()
        return (
            process.terminationStatus, try Data(contentsOf: files[0].url),
            String(decoding: try Data(contentsOf: files[1].url), as: UTF8.self)
        )
    }
}
