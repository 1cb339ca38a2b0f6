import Foundation
import ServiceRuntime

/// Runs the programs of a plant on this machine: starts them, starts again what ends by itself, stops them in order.
actor Supervisor {
    /// A program of the plant and how it is started.
    struct Program: Sendable {
        let name: String
        let executable: String
        let arguments: [String]
        /// Where it answers `/healthz` and `/readyz`; nil for programs without.
        let port: Int?
    }

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    private let directory: String
    private let environment: [String: String]
    private var children: [String: ChildProcess] = [:]
    private var watchers: [String: Task<Void, Never>] = [:]
    private var stopping: Set<String> = []
    private(set) var restarts: [String: Int] = [:]
    private var peaks: [String: Int] = [:]
    /// Ends in a row, without having worked in between, after which a program is given up.
    private static let endsInARow = 5
    private(set) var givenUp: Failure?

    init(directory: String, environment: [String: String]) throws {
        self.directory = directory
        self.environment = environment
        for folder in ["logs", "run"] {
            try FileManager.default.createDirectory(
                atPath: "\(directory)/\(folder)",
                withIntermediateDirectories: true
            )
        }
    }

    nonisolated func logPath(_ name: String) -> String { "\(directory)/logs/\(name).log" }

    func start(_ program: Program) throws {
        let child = try ChildProcess(
            name: program.name,
            executable: program.executable,
            arguments: program.arguments,
            environment: environment,
            logPath: logPath(program.name)
        )
        children[program.name] = child
        try Data("\(child.pid)\n".utf8).write(to: URL(fileURLWithPath: "\(directory)/run/\(program.name).pid"))
        guard watchers[program.name] == nil else { return }
        watchers[program.name] = Task { await self.watch(program) }
    }

    private func watch(_ program: Program) async {
        var endsInARow = 0
        while let child = children[program.name], !stopping.contains(program.name) {
            let startedAt = ContinuousClock.now
            let exit = await child.exit()
            if stopping.contains(program.name) { return }
            restarts[program.name, default: 0] += 1
            // A program killed from outside starts again at once; one that ends by itself again and again does not.
            endsInARow = exit.wasSignalled || startedAt.duration(to: .now) > .seconds(5) ? 0 : endsInARow + 1
            if exit.code == 2 && !exit.wasSignalled || endsInARow >= Self.endsInARow {
                givenUp = Failure(
                    description: "\(program.name) ended with \(exit.code) and is given up; see \(logPath(program.name))"
                )
                return
            }
            do {
                if endsInARow > 0 { try await Task.sleep(for: .milliseconds(200 * endsInARow)) }
                try start(program)
            } catch {
                givenUp = Failure(description: "\(program.name) does not start again: \(error)")
                return
            }
        }
    }

    /// Waits until the program answers at `path`.
    func wait(for program: Program, path: String, atMost limit: Duration) async throws {
        guard let port = program.port else { return }
        let deadline = ContinuousClock.now + limit
        var last = "no answer"
        while ContinuousClock.now < deadline {
            if let givenUp { throw givenUp }
            switch await LocalHTTP.get(port: port, path: path) {
            case .answer(let status, _) where status == 200: return
            case .answer(_, let body): last = String(decoding: body.prefix(500), as: UTF8.self)
            case .none(let reason): last = reason
            }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw Failure(
            description: "\(program.name) is not ready after \(limit): \(last); see \(logPath(program.name))"
        )
    }

    func pid(of name: String) -> Int32? { children[name]?.pid }

    /// Asks the program to finish and waits; one that does not within `limit` is killed.
    func stop(_ name: String, within limit: Duration = .seconds(25)) async {
        stopping.insert(name)
        guard let child = children[name] else { return }
        notePeak(of: name)
        child.send(SIGTERM)
        let deadline = ContinuousClock.now + limit
        while child.isRunning, ContinuousClock.now < deadline { try? await Task.sleep(for: .milliseconds(10)) }
        child.send(SIGKILL)
        while child.isRunning { try? await Task.sleep(for: .milliseconds(10)) }
        watchers[name]?.cancel()
        watchers[name] = nil
        children[name] = nil
        try? FileManager.default.removeItem(atPath: "\(directory)/run/\(name).pid")
    }

    /// Stops everything that still runs.
    func stopAll() async {
        for name in children.keys.sorted() { await stop(name) }
    }

    /// Largest resident memory of each program over all its runs, bytes.
    func peakMemory() -> [String: Int] {
        for name in children.keys { notePeak(of: name) }
        return peaks
    }

    private func notePeak(of name: String) {
        if let peak = children[name]?.peakMemory { peaks[name] = max(peaks[name] ?? 0, peak) }
    }
}
