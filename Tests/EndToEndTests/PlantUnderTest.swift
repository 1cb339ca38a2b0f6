import Foundation
import Testing

/// One run of `lineledger demo` as a user starts it, with its progress watched line by line.
final class PlantUnderTest {
    let directory: String
    private let process = Process()
    private let output = Pipe()
    private(set) var printed: [String] = []

    /// The folder of the built executables: that of the test bundle.
    static let binaries: String = {
        let bundle = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        let own = Bundle.main.bundlePath
        return [own, (bundle as NSString).deletingLastPathComponent]
            .first { FileManager.default.isExecutableFile(atPath: "\($0)/lineledger") } ?? own
    }()

    /// Starts a demo in a folder of its own.
    init(_ arguments: [String]) throws {
        directory = NSTemporaryDirectory() + "lineledger-e2e-\(UUID().uuidString)"
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
        var rest: [UInt8] = []
        while case let bytes = output.fileHandleForReading.availableData, !bytes.isEmpty {
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

    /// Kills a service as a power cut would.
    func kill(_ service: String) -> Bool {
        let path = "\(directory)/state/run/\(service).pid"
        guard let text = FileManager.default.contents(atPath: path),
            let pid = Int32(String(decoding: text, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines))
        else { return false }
        return Foundation.kill(pid, SIGKILL) == 0
    }

    /// Sets a fault of a simulated peer.
    func setFaults(_ json: String, port offset: Int) async throws {
        let plant = String(
            decoding: FileManager.default.contents(atPath: "\(directory)/plant.yaml") ?? Data(),
            as: UTF8.self
        )
        guard let line = plant.split(separator: "\n").first(where: { $0.hasPrefix("http:") }),
            let base = Int(line.dropFirst(5).trimmingCharacters(in: .whitespaces))
        else { throw Failure("no base port in the plant file:\n\(plant)") }
        let curl = Process()
        curl.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        curl.arguments = [
            "curl", "--silent", "--fail", "--max-time", "5", "-X", "PUT", "-H", "content-type: application/json", "-d",
            json,
            "http://127.0.0.1:\(base + offset)/faults",
        ]
        curl.standardOutput = FileHandle.nullDevice
        try curl.run()
        curl.waitUntilExit()
        #expect(curl.terminationStatus == 0)
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

/// The checks that every run must pass, whatever happened during it (I1, I4, I5, I7).
func expectAllAccounted(_ report: [String: Any], parts: Int, _ plant: PlantUnderTest) {
    let problems = report["problems"] as? [String] ?? ["no problems list"]
    #expect(problems.isEmpty, "\(problems.joined(separator: "\n"))\n\(plant.logs())")
    #expect(report["parts"] as? Int == parts)
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
