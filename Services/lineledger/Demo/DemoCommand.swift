import ArgumentParser
import EventLog
import Foundation
import PlantCore
import ServiceRuntime

/// The main job: a whole plant on this machine, from camera to MES, ERP and trace.
struct Demo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run a whole plant on this machine, with a simulated line, MES and ERP.",
        discussion: """
            Without --images the camera is the built-in test scene: simulated printed circuit boards with true, labelled
            defects. With --images it plays your own: normal/ and anomaly/ (or labels.csv), or template/ and test/ pairs.

            Example: lineledger demo --parts 300 --headless --report r.json
            """
    )

    /// Where the demo lives when no --dir is given; commands that ask about a plant ask about this one.
    static let defaultDirectory = FileManager.default.currentDirectoryPath + "/.lineledger/demo"

    @Option(help: "Stop after so many parts; without it the line runs until Ctrl-C.")
    var parts: Int?

    @Option(help: "Folder of real images to inspect instead of the test scene.")
    var images: String?

    @Option(
        help: "kafka://HOST:PORT for a Kafka-compatible broker, `kafka` to start a mock one, or embedded:DIR."
    )
    var log: String?

    @Flag(help: "Start no console.")
    var headless = false

    @Option(help: "Write a JSON report to this file at the end.")
    var report: String?

    @Option(help: "Folder for the demo's log, models and images; emptied at the start.")
    var dir = Demo.defaultDirectory

    @Option(help: "Triggers a second; 0 is as fast as the station can judge.")
    var rate: Double?

    @Option(help: "Seed of the test scene.")
    var seed: UInt64 = 1

    @Option(help: "Share of defective parts in the test scene, 0 to 1.")
    var defectRate = 0.08

    @Option(help: "How long pictures of passed parts are kept: forever, while_room, or a time such as 30s, 12h.")
    var retain = "forever"

    @Option(
        help: "Most bytes of kept pictures; beyond it the oldest go (--retain while_room) or new ones are not kept."
    )
    var evidenceBudget: Int64 = PlantFile.Evidence().budgetBytes

    @Option(help: "First of 13 ports; a free block is taken when it is not given.")
    var http: Int?

    func validate() throws {
        if let parts, parts < 1 { throw ValidationError("--parts \(parts): expected at least 1") }
        guard (0...1).contains(defectRate) else {
            throw ValidationError("--defect-rate \(defectRate): expected 0 to 1")
        }
        guard PlantFile.Evidence.Retention(text: retain) != nil else {
            throw ValidationError("--retain \(retain): expected forever, while_room, or a time such as 30s, 12h")
        }
        guard evidenceBudget >= 1_048_576 else {
            throw ValidationError("--evidence-budget \(evidenceBudget): expected at least 1048576")
        }
        if let rate, rate < 0 { throw ValidationError("--rate \(rate): expected 0 or more") }
    }

    func run() async throws {
        let stop = StopSignal()
        do {
            let problems = try await runDemo(stop)
            guard problems.isEmpty else { throw ExitStatus.problemFound }
        } catch let stopped as ServiceProgram.Stop {
            Terminal.complain(stopped.description)
            throw ExitCode(stopped.exitCode)
        } catch let failure as LogFailure {
            Terminal.complain("\(failure)")
            throw ExitStatus.unreachable
        } catch let failure as Supervisor.Failure {
            Terminal.complain(failure.description)
            throw ExitStatus.unreachable
        } catch let problem as ExitCode {
            throw problem
        } catch {
            Terminal.complain("\(error)")
            throw ExitStatus.wrongUse
        }
    }

    /// Runs to the end; what is not as it must be.
    private func runDemo(_ stop: StopSignal) async throws -> [String] {
        let directory = URL(fileURLWithPath: dir).standardizedFileURL.path
        let plant = try DemoPlant(
            directory: directory,
            log: log == "kafka" ? "kafka://127.0.0.1:1" : log,
            httpBase: try http ?? FreePorts.block(),
            rate: rate ?? (parts == nil && images == nil ? 5 : 0),
            evidence: PlantFile.Evidence(
                pass: PlantFile.Evidence.Retention(text: retain) ?? .forever,
                budgetBytes: evidenceBudget
            )
        ) { folder in
            if let images {
                return try DemoInput.images(
                    URL(fileURLWithPath: images).standardizedFileURL.path,
                    parts: parts,
                    folder: folder
                )
            }
            return try DemoInput.scene(seed: seed, defectRate: defectRate, parts: parts, folder: folder)
        }
        let run = try DemoRun(plant, startsMockKafka: log == "kafka", headless: headless)
        var found = try await run.run(until: stop)
        found.command = CommandLine.arguments.dropFirst().reduce("lineledger") { "\($0) \($1)" }
        if let report {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            try encoder.encode(found).write(to: URL(fileURLWithPath: report), options: .atomic)
        }
        Terminal.say(found.text)
        return found.problems
    }
}
