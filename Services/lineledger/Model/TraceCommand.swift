import ArgumentParser
import Foundation
import ReadModel
import ServiceRuntime

/// Where a thing came from and where it went, with the evidence and with what cannot be proven.
struct TraceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trace",
        abstract: "Trace a part, batch, order, material lot, supplier lot, shipment or hold, both ways.",
        discussion: "Example: lineledger trace B-1001"
    )

    @Argument(help: "Identity, for example vision-1/1/42 or B-1001.")
    var id: String

    @OptionGroup var plant: PlantOption

    @Flag(help: "One JSON object on standard output.")
    var json = false

    func run() async throws {
        let file = try plant.load()
        let queries: Queries
        do {
            queries = try Queries(path: file.readModelPath)
        } catch {
            Terminal.complain("\(file.readModelPath): \(error); run the plant first, or `lineledger rebuild`")
            throw ExitStatus.unreachable
        }
        guard let trace = try queries.trace(id) else {
            Terminal.complain(
                "nothing with the id \(id) is known; expected a part, batch, order, material lot, supplier lot, "
                    + "shipment or hold of site \(queries.site)"
            )
            throw ExitStatus.problemFound
        }
        if json {
            Terminal.say(String(decoding: try Queries.json(trace), as: UTF8.self))
        } else {
            Terminal.say(trace.text)
        }
    }
}
