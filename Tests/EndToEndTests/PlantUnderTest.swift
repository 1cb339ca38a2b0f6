import Dispatch
import Foundation
import Testing

/// One run of `lineledger demo` as a user starts it, with its progress watched line by line.
final class PlantUnderTest {
    /// In the order of their ports, from the plant's first one on.
    static let services = [
        "camera-ingest", "inspector", "mes-bridge", "erp-bridge", "traceability-projector", "alerting",
    ]

    let directory: String
    private let process = Process()
    private let output = Pipe()
    private var isEnding = false
    private(set) var printed: [String] = []

    /// The folder of the built executables: that of the test bundle.
    static let binaries: String = {
        let bundle = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        let own = Bundle.main.bundlePath
        return [own, (bundle as NSString).deletingLastPathComponent]
            .first { FileManager.default.isExecutableFile(atPath: "\($0)/lineledger") } ?? own
    }()

    /// Starts a demo in a folder of its own, under `parent` where given.
    init(_ arguments: [String], in parent: String? = nil) throws {
        directory = (parent.map { $0 + "/" } ?? NSTemporaryDirectory()) + "lineledger-e2e-\(UUID().uuidString)"
        process.executableURL = URL(fileURLWithPath: "\(Self.binaries)/lineledger")
        process.arguments =
            ["demo", "--headless", "--dir", directory, "--report", directory + ".json"] + arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = output
        try process.run()
    }

    deinit {
        // A test that failed half-way leaves nothing running.
        if process.isRunning { process.terminate() }
        process.waitUntilExit()
        for path in [directory, directory + ".json"] where FileManager.default.fileExists(atPath: path) {
            try? FileManager.default.removeItem(atPath: path)
        }
    }

    /// Reads the demo's output to its end; `onProgress` is told each number of finished parts.
    func finish(onProgress: (Int) async throws -> Void = { _ in }) async throws -> [String: Any] {
        // A plant that comes to no end is told to stop, so that its test fails instead of waiting for ever.
        let pid = process.processIdentifier
        let bound = DispatchWorkItem { Foundation.kill(pid, SIGTERM) }
        DispatchQueue.global().asyncAfter(deadline: .now() + .seconds(600), execute: bound)
        defer { bound.cancel() }
        var rest: [UInt8] = []
        for await bytes in pieces() {
            rest += bytes
            while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                let line = String(decoding: rest[..<end], as: UTF8.self)
                rest.removeFirst(end + 1)
                printed.append(line)
                if let done = Self.partsDone(line) { try await onProgress(done) }
            }
        }
        process.waitUntilExit()
        guard let bytes = FileManager.default.contents(atPath: directory + ".json"),
            let report = try JSONSerialization.jsonObject(with: bytes) as? [String: Any]
        else { throw Failure("no report; the demo said:\n\(printed.joined(separator: "\n"))\n\(logs())") }
        return report
    }

    /// The demo's output, read on a thread of its own: no test waits for another one's plant.
    private func pieces() -> AsyncStream<Data> {
        let handle = output.fileHandleForReading
        return AsyncStream { continuation in
            Thread.detachNewThread {
                while case let bytes = handle.availableData, !bytes.isEmpty { continuation.yield(bytes) }
                continuation.finish()
            }
        }
    }

    /// Ends a plant without a number of parts as Ctrl-C does: what is under way is finished, counted and reported.
    func end() {
        guard !isEnding else { return }
        isEnding = true
        process.interrupt()
    }

    /// Kills a service as a power cut would.
    func kill(_ service: String) -> Bool { signal(service, SIGKILL) }

    /// Sends a signal to a running service; false when it is not running just now.
    func signal(_ service: String, _ number: Int32) -> Bool {
        let path = "\(directory)/state/run/\(service).pid"
        guard let text = FileManager.default.contents(atPath: path),
            let pid = Int32(String(decoding: text, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines))
        else { return false }
        return Foundation.kill(pid, number) == 0
    }

    /// Sends a signal to the mock broker of this demo.
    func signalBroker(_ number: Int32) throws {
        let found = try Self.run("/usr/bin/env", ["pgrep", "-f", "address-file \(directory)/"])
        guard let pid = Int32(found.said.trimmingCharacters(in: .whitespacesAndNewlines)) else {
            throw Failure("no single mock broker is running: \(found.said)")
        }
        try #require(Foundation.kill(pid, number) == 0)
    }

    /// Sets a fault of a simulated peer.
    func setFaults(_ json: String, port offset: Int) async throws {
        let put = try Self.run(
            "/usr/bin/env",
            [
                "curl", "--silent", "--fail", "--max-time", "30", "-X", "PUT", "-H", "content-type: application/json",
                "-d", json, "http://127.0.0.1:\(try basePort() + offset)/faults",
            ]
        )
        #expect(put.code == 0)
    }

    /// Whether a service of the plant says so in its metrics: the value of `name` with any labels, nil without answer.
    func metric(_ name: String, port offset: Int) throws -> Double? {
        let url = "http://127.0.0.1:\(try basePort() + offset)/metrics"
        let answer = try Self.run("/usr/bin/env", ["curl", "--silent", "--fail", "--max-time", "2", url])
        let lines = answer.said.split(separator: "\n").filter { $0.hasPrefix(name) }
        return lines.compactMap { $0.split(separator: " ").last.flatMap { Double($0) } }.max()
    }

    /// Records that a service holds back because the log does not take them: the most of any.
    func recordsWaiting() throws -> Double {
        try (1...Self.services.count).compactMap { try metric("lineledger_records_waiting", port: $0) }.max() ?? 0
    }

    /// Asks again and again until it holds or five minutes have passed.
    func wait(until holds: () throws -> Bool) throws {
        let deadline = ContinuousClock.now + .seconds(300)
        while ContinuousClock.now < deadline {
            if try holds() { return }
        }
        throw Failure("what the test waited for did not come within five minutes\n\(logs())")
    }

    func basePort() throws -> Int {
        let plant = String(
            decoding: FileManager.default.contents(atPath: "\(directory)/plant.yaml") ?? Data(),
            as: UTF8.self
        )
        guard let line = plant.split(separator: "\n").first(where: { $0.hasPrefix("http:") }),
            let base = Int(line.dropFirst(5).trimmingCharacters(in: .whitespaces))
        else { throw Failure("no base port in the plant file:\n\(plant)") }
        return base
    }

    /// Starts a program of the plant beside the demo's own.
    static func start(_ program: String, _ arguments: [String], _ more: [String: String]) throws -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "\(binaries)/\(program)")
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(more) { $1 }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        return process
    }

    /// Runs a program of the plant, or of the system where the path is absolute, to its end.
    static func run(_ program: String, _ arguments: [String]) throws -> (code: Int32, said: String) {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: program.hasPrefix("/") ? program : "\(binaries)/\(program)")
        process.arguments = arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let said = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return (process.terminationStatus, said)
    }

    /// Errors that the services logged, for a failing test's message.
    func logs() -> String {
        let folder = "\(directory)/state/logs"
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.sorted().flatMap { name in
            String(decoding: FileManager.default.contents(atPath: "\(folder)/\(name)") ?? Data(), as: UTF8.self)
                .split(separator: "\n").filter { $0.contains("level=error") || !$0.hasPrefix("time=") }.suffix(5)
                .map { "\(name): \($0)" }
        }.joined(separator: "\n")
    }

    struct Failure: Error, CustomStringConvertible {
        let description: String
        init(_ description: String) { self.description = description }
    }

    /// `… 123/400 parts, …` gives 123.
    private static func partsDone(_ line: String) -> Int? {
        guard let parts = line.range(of: " parts, ") else { return nil }
        let word = line[..<parts.lowerBound].split(separator: " ").last ?? ""
        return word.split(separator: "/").first.flatMap { Int($0) }
    }
}

/// The checks that every run must pass, whatever happened during it (I1, I4, I5, I7); `parts` where the run had a number.
func expectAllAccounted(_ report: [String: Any], parts wanted: Int? = nil, _ plant: PlantUnderTest) {
    let problems = report["problems"] as? [String] ?? ["no problems list"]
    #expect(problems.isEmpty, "\(problems.joined(separator: "\n"))\n\(plant.logs())")
    let parts = report["parts"] as? Int
    #expect(parts ?? 0 > 0)
    if let wanted { #expect(parts == wanted) }
    let balance = report["balance"] as? [String: Int] ?? [:]
    #expect(balance["open"] == 0)
    #expect(balance["triggers"] == parts)
    for name in ["mes", "erp"] {
        let peer = report[name] as? [String: Any] ?? [:]
        #expect(peer["intended"] as? Int == peer["delivered"] as? Int)
        #expect(peer["booked"] as? Int == peer["intended"] as? Int)
        #expect(peer["booked_twice"] as? Int == 0)
    }
    let rebuild = report["rebuild"] as? [String: Any] ?? [:]
    #expect(rebuild["digest_live"] as? String == rebuild["digest_rebuilt"] as? String)
    #expect((rebuild["digest_live"] as? String)?.isEmpty == false)
}
