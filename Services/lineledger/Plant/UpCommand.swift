import ArgumentParser
import Foundation
import ServiceRuntime

/// Runs a plant file's services on this machine until stopped.
struct Up: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run all services of a plant file on this machine.",
        discussion: """
            The MES and the ERP that the file names must exist; `lineledger demo` brings simulated ones.

            Example: lineledger up deploy/plants/no-mes.yaml
            """
    )

    @Argument(help: "Plant file.")
    var plant: String

    @Flag(help: "Start no console.")
    var headless = false

    func run() async throws {
        let file = try PlantFile.loadOrExit(plant)
        let programs = PlantPrograms(plantPath: plant, plant: file)
        let supervisor = try Supervisor(directory: file.state, environment: ProcessInfo.processInfo.environment)
        let stop = StopSignal()
        do {
            for program in programs.services + (headless ? [] : [programs.console]) {
                try await supervisor.start(program)
                try await supervisor.wait(for: program, path: "/healthz", atMost: .seconds(60))
            }
            try await supervisor.start(programs.camera)
            try await supervisor.wait(for: programs.camera, path: "/healthz", atMost: .seconds(60))
            Terminal.say("plant \(file.site) is running; logs in \(file.state)/logs")
            if !headless { Terminal.say("console: http://127.0.0.1:\(file.port(of: .console))") }
            while !stop.isRequested {
                if let failure = await supervisor.givenUp { throw failure }
                try await Task.sleep(for: .milliseconds(200))
            }
        } catch {
            await supervisor.stopAll()
            Terminal.complain("\(error)")
            throw ExitStatus.unreachable
        }
        await supervisor.stop(programs.camera.name)
        await supervisor.stopAll()
    }
}

extension PlantFile {
    /// Loads the file; what is wrong with it is said all at once and ends the command with 2.
    static func loadOrExit(_ path: String) throws -> PlantFile {
        do {
            return try load(path: path, environment: ProcessInfo.processInfo.environment)
        } catch {
            Terminal.complain("\(error)")
            throw ExitStatus.wrongUse
        }
    }
}
