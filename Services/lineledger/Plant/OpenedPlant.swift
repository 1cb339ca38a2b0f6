import ArgumentParser
import EventLog
import Foundation
import PlantEvents
import ServiceRuntime

/// The option that names the plant a question is about.
struct PlantOption: ParsableArguments {
    @Option(name: .long, help: "Plant file; the demo's own when it is not given.")
    var plant: String = Demo.defaultDirectory + "/plant.yaml"

    func load() throws -> PlantFile { try PlantFile.loadOrExit(plant) }
}

extension PlantFile {
    /// Opens the plant's log as the command line's own principal; where that fails the command ends with 3, with 2 where the
    /// plant file is to blame.
    func openLogOrExit(as service: String = "lineledger") throws -> any EventLog {
        do {
            return try connectLog(as: service, environment: ProcessInfo.processInfo.environment)
        } catch let mistakes as PlantFileError {
            Terminal.complain("\(mistakes)")
            throw ExitStatus.wrongUse
        } catch let failure as LogFailure {
            Terminal.complain("\(failure)")
            if case .badAddress = failure { throw ExitStatus.wrongUse }
            throw ExitStatus.unreachable
        }
    }
}
