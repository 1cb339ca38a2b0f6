import EventLog
import Foundation
import KafkaLog
import PlantSim
import ReadModel
import ServiceRuntime

/// One run of the demo: starts the peers and services, watches, settles, stops, rebuilds, and reports.
struct DemoRun {
    /// Longest wait after the last part for everything to arrive at the peers.
    private static let settleLimit = Duration.seconds(120)
    private static let watchEvery = Duration.milliseconds(100)

    private let demo: DemoPlant
    private let plant: PlantFile
    private let programs: PlantPrograms
    private let supervisor: Supervisor
    /// The mock broker, where the run brings its own.
    private let mockKafka: Process?
    private let headless: Bool

    init(_ demo: DemoPlant, startsMockKafka: Bool, headless: Bool) throws {
        self.demo = demo
        self.headless = headless
        var environment = ProcessInfo.processInfo.environment
        var plant = demo.plant
        if startsMockKafka {
            (mockKafka, plant.log) = try Self.startMockKafka(in: demo.directory)
            try Data(plant.yaml().utf8).write(to: URL(fileURLWithPath: demo.plantPath))
        } else {
            mockKafka = nil
        }
        environment["LINELEDGER_LOG"] = nil
        self.plant = plant
        programs = PlantPrograms(plantPath: demo.plantPath, plant: plant)
        supervisor = try Supervisor(directory: plant.state, environment: environment)
    }

    func run(until stop: StopSignal) async throws -> DemoReport {
        defer { mockKafka?.terminate() }
        do {
            let startedAt = ContinuousClock.now
            try await start()
            if !headless { Terminal.say("console: http://127.0.0.1:\(plant.port(of: .console))") }
            try await watch(until: stop)
            try await settle(until: stop)
            let seconds = startedAt.duration(to: .now) / .seconds(1)
            let memory = await supervisor.peakMemory()
            let books = try await readBooks()
            try await stopInOrder()
            var report = try await DemoFindings(demo: demo, plant: plant, books: books).report()
            report.seconds = seconds
            report.rss_mb = memory.mapValues { Double($0) / 1_048_576 }
            report.restarts = await supervisor.restarts
            await supervisor.stopAll()
            return report
        } catch {
            await supervisor.stopAll()
            throw error
        }
    }

    private func start() async throws {
        for program in demo.peers + programs.services { try await supervisor.start(program) }
        for service in programs.services {
            try await supervisor.wait(for: service, path: "/healthz", atMost: .seconds(60))
        }
        if !headless { try await supervisor.start(programs.console) }
        // The line starts when its station knows the order.
        for service in programs.services where service.name == PlantProgram.inspector.rawValue {
            try await supervisor.wait(for: service, path: "/readyz", atMost: .seconds(60))
        }
        try await supervisor.start(programs.camera)
    }

    /// Shows progress until the last part has its verdict or gap, or until the person wants to stop.
    private func watch(until stop: StopSignal) async throws {
        var progress = ProgressLine(quietFor: .milliseconds(200))
        while !stop.isRequested {
            if let failure = await supervisor.givenUp { throw failure }
            if let now = snapshot() {
                progress.show(text(now))
                if let parts = demo.input.parts, now.balance.verdicts + now.balance.gaps >= Int64(parts),
                    now.balance.open == 0
                {
                    break
                }
            }
            try await Task.sleep(for: Self.watchEvery)
        }
        progress.finish()
        if stop.isRequested { await supervisor.stop(programs.camera.name) }
    }

    /// Waits until nothing is on its way any more.
    private func settle(until stop: StopSignal) async throws {
        let deadline = ContinuousClock.now + Self.settleLimit
        var quietSince: ContinuousClock.Instant?
        var lastInputs: [InputState] = []
        while ContinuousClock.now < deadline {
            if let failure = await supervisor.givenUp { throw failure }
            let now = snapshot()
            let isQuiet =
                now.map { overview in
                    overview.balance.open == 0 && overview.deliveries.allSatisfy { $0.pending == 0 }
                        && overview.inputs == lastInputs
                } ?? false
            lastInputs = now?.inputs ?? []
            if !isQuiet { quietSince = nil }
            if isQuiet, quietSince == nil { quietSince = .now }
            // Everything that is on its way takes one more step of a service within this time.
            if let quietSince, quietSince.duration(to: .now) > .milliseconds(1_000) { return }
            try await Task.sleep(for: Self.watchEvery)
        }
    }

    private func stopInOrder() async throws {
        let projector = PlantProgram.traceabilityProjector.rawValue
        for program in [programs.camera] + programs.services.reversed() where program.name != projector {
            await supervisor.stop(program.name)
        }
        // The projector reads what the others wrote last, then stops; live and log then agree.
        let log = try plant.connectLog(as: "lineledger", environment: ProcessInfo.processInfo.environment)
        let deadline = ContinuousClock.now + Self.settleLimit
        while ContinuousClock.now < deadline, try await lag(log) > 0 { try await Task.sleep(for: Self.watchEvery) }
        await log.close()
        await supervisor.stop(projector)
        await supervisor.stop(programs.console.name)
    }

    private func lag(_ log: any EventLog) async throws -> Int64 {
        let inputs = try Queries(path: plant.readModelPath).positions()
        var lag: Int64 = 0
        for (place, position) in inputs { lag += try await log.endOffset(of: place) - position }
        return lag
    }

    /// The read model as it stands; nil until there is one.
    private func snapshot() -> Overview? {
        try? Queries(path: plant.readModelPath).overview()
    }

    private func text(_ overview: Overview) -> String {
        let done = overview.balance.verdicts + overview.balance.gaps
        let counts = overview.stations.map(\.counts)
        let rejected = counts.map(\.rejected).reduce(0, +)
        let order = overview.stations.first?.context?.orderID ?? "no order"
        let pending = overview.deliveries.map { "\($0.peer) \($0.confirmed)/\($0.intended)" }.joined(separator: ", ")
        let share = demo.input.parts.map { ProgressLine.bar(Double(done) / Double($0)) + " " } ?? ""
        let total = demo.input.parts.map { "/\($0)" } ?? ""
        return
            "\(share)\(done)\(total) parts, \(rejected) rejected, \(overview.holds.count) holds, \(order), \(pending)"
    }

    private func readBooks() async throws -> [String: PeerReport] {
        var books: [String: PeerReport] = [:]
        for (peer, program) in [("mes", PlantProgram.mesPeer), ("erp", .erpPeer)] {
            books[peer] = try await LocalHTTP.json(PeerReport.self, port: plant.port(of: program), path: "/books")
        }
        return books
    }

    /// Starts the mock broker as a process of its own; its address.
    private static func startMockKafka(in directory: String) throws -> (Process, address: String) {
        let addressFile = "\(directory)/kafka-address"
        let mock = Process()
        mock.executableURL = URL(fileURLWithPath: "\(PlantPrograms.folder)/lineledger")
        mock.arguments = ["peer", "kafka", "--address-file", addressFile]
        mock.standardInput = FileHandle.nullDevice
        mock.standardOutput = FileHandle.nullDevice
        mock.standardError = FileHandle.nullDevice
        try mock.run()
        for _ in 0..<200 {
            if let address = FileManager.default.contents(atPath: addressFile) {
                let text = String(decoding: address, as: UTF8.self)
                return (mock, text.trimmingCharacters(in: .whitespacesAndNewlines))
            }
            usleep(50_000)
        }
        mock.terminate()
        throw ServiceProgram.Stop.unreachable("the mock broker did not answer within 10 s")
    }
}
