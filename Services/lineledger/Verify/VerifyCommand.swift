import ArgumentParser
import EventLog
import Foundation
import ServiceRuntime

/// Asks whether everything the plant keeps is still as it was written.
struct Verify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Read the whole log and the kept pictures, and name what is changed, missing or not understood.",
        discussion: """
            The plant may be running. Exit code 1 where something is wrong; `lineledger rebuild` then says what of it
            the read model shows.

            Example: lineledger verify --plant deploy/plants/demo.yaml
            """
    )

    @OptionGroup var plant: PlantOption

    @Flag(name: .customLong("no-pictures"), help: "Only the log: the pictures are kept on other hosts.")
    var skipsPictures = false

    @Flag(help: "One JSON object on standard output.")
    var json = false

    func run() async throws {
        let file = try plant.load()
        let log = try file.openLogOrExit()
        var progress = ProgressLine()
        var result = LogVerification.Result()
        try await LogQuestion.ask {
            var verification = LogVerification(plant: file, log: log, withPictures: !skipsPictures)
            result = try await verification.run { done, all in
                progress.show("\(ProgressLine.bar(Double(done) / Double(max(1, all)))) \(done)/\(all) records verified")
            }
        }
        progress.finish()
        await log.close()
        if json { try Terminal.say(json: result) } else { Terminal.say(result.text) }
        guard result.problems == 0 else { throw ExitStatus.problemFound }
    }
}

extension LogVerification.Result {
    fileprivate var text: String {
        let read = "\(records) records (\(bytes / 1_000_000) MB, \(void) void) and \(pictures) pictures read"
        guard problems > 0 else { return "\(read): all as they were written" }
        let lines = findings.map { "\($0.place): \($0.problem)" }
        let rest = problems > findings.count ? ["… and \(problems - findings.count) more"] : []
        return (lines + rest + ["\(read): \(problems) problems"]).joined(separator: "\n")
    }
}
