import ArgumentParser
import EventLog
import KafkaLog
import PlantEvents
import ServiceRuntime

/// The option that names the plant a question is about.
struct PlantOption: ParsableArguments {
    @Option(name: .long, help: "Plant file; the demo's own when it is not given.")
    var plant: String = Demo.defaultDirectory + "/plant.yaml"

    func load() throws -> PlantFile { try PlantFile.loadOrExit(plant) }
}

extension PlantFile {
    /// Opens the plant's log; where that fails the command ends with 3.
    func openLogOrExit() throws -> any EventLog {
        do {
            return try openLog(log)
        } catch {
            Terminal.complain("\(error)")
            throw error == .badAddress(log) ? ExitStatus.wrongUse : ExitStatus.unreachable
        }
    }
}
