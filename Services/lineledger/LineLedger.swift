import ArgumentParser
import Foundation
import Vision

@main
struct LineLedger: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lineledger",
        abstract: "Runs and questions a plant whose cameras, MES and ERP are joined by one event log.",
        discussion: """
            Example: lineledger demo --parts 300 --headless --report r.json

            Exit codes: 0 done, 1 found a problem, 2 wrong use, 3 could not reach something.
            """,
        subcommands: [
            Demo.self, Up.self, TraceCommand.self, Rebuild.self, Verify.self, Parked.self, Topics.self,
            UplinkCommand.self, Simulate.self, HoldCommand.self, RecipeCommand.self, Train.self, ModelCommand.self,
            Evaluate.self,
            CameraCommand.self, Bench.self, Peer.self,
        ]
    )

    /// Runs a command; argument errors exit with 2, as every other wrong use does.
    static func main() async {
        let environment = ProcessInfo.processInfo.environment
        NeuralPlace.choose(environment: environment)
        CodeLibrary.choose(environment: environment)
        do {
            var command = try parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch {
            let code = exitCode(for: error)
            guard code == .validationFailure else { exit(withError: error) }
            Terminal.complain(fullMessage(for: error))
            exit(withError: ExitCode(2))
        }
    }
}

/// What ends a command, as its exit code says.
enum ExitStatus {
    static let problemFound = ExitCode(1)
    static let wrongUse = ExitCode(2)
    static let unreachable = ExitCode(3)
}
