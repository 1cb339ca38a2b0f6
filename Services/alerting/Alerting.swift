import ArgumentParser
import EventLog
import PlantCore
import PlantEvents
import ServiceRuntime

@main
struct Alerting: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "alerting",
        abstract: "Raises and clears alarms from what the other services wrote; writes the topic alarms.",
        discussion: "Example: alerting --plant deploy/plants/demo.yaml"
    )

    @OptionGroup var options: ServiceOptions

    func run() async throws {
        try await ServiceProgram.run(.alerting, options) { context in
            let watch = try await AlarmWatch(context)
            return Composition([watch])
        }
    }
}
