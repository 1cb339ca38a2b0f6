import ArgumentParser
import Foundation
import ReadModel
import ServiceRuntime

/// Where a thing came from and where it went, with the evidence and with what cannot be proven.
struct TraceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trace",
        abstract: "Trace a part, batch, order, material lot, supplier lot, shipment or hold, both ways.",
        discussion: """
            Examples: lineledger trace B-1001
                      lineledger trace vision-1/1/42 --overlay part.png
            """
    )

    @Argument(help: "Identity, for example vision-1/1/42 or B-1001.")
    var id: String

    @Option(help: "PNG file to write: the part's kept picture with its defects and verdict.")
    var overlay: String?

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
        if let overlay {
            guard trace.kind == .part, let part = trace.parts.last else {
                Terminal.complain("--overlay draws a part; \(id) is a \(trace.kind.rawValue)")
                throw ExitStatus.wrongUse
            }
            do {
                try RecordedFinding.draw(part, of: file, to: overlay)
            } catch {
                Terminal.complain("\(error)")
                throw ExitStatus.problemFound
            }
        }
        if json {
            Terminal.say(String(decoding: try Queries.json(trace), as: UTF8.self))
        } else {
            Terminal.say(trace.text)
        }
    }
}
