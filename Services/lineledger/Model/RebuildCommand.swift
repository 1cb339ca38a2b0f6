import ArgumentParser
import EventLog
import Foundation
import ReadModel
import ServiceRuntime

/// Builds the read model again from the log alone and compares it with the live one (I5).
struct Rebuild: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Rebuild the read model from the log into a new file and compare its digest with the live one.",
        discussion: "Example: lineledger rebuild --plant deploy/plants/demo.yaml --into /tmp/rebuilt.sqlite"
    )

    @OptionGroup var plant: PlantOption

    @Option(help: "New file; by default beside the live model, with a number.")
    var into: String?

    @Flag(help: "One JSON object on standard output.")
    var json = false

    func run() async throws {
        let file = try plant.load()
        let target = into ?? Self.freshPath(beside: file.readModelPath)
        let log = try file.openLogOrExit()
        do {
            let result = try await Rebuilder(log: log, plant: file).rebuild(into: target)
            await log.close()
            if json { try Terminal.say(json: result) } else { Terminal.say(result.text(target)) }
            guard result.isEqual else { throw ExitStatus.problemFound }
        } catch let failure as LogFailure {
            Terminal.complain("\(failure)")
            throw ExitStatus.unreachable
        } catch let failure as ReadModelFailure {
            Terminal.complain("\(failure)")
            throw ExitStatus.wrongUse
        }
    }

    private static func freshPath(beside path: String) -> String {
        let stem = (path as NSString).deletingPathExtension
        let numbers = sequence(first: 1) { $0 + 1 }
        return numbers.lazy.map { "\(stem)-\($0).sqlite" }.first { !FileManager.default.fileExists(atPath: $0) } ?? path
    }
}

/// Rebuilds a plant's model up to where the live one has read, and compares.
struct Rebuilder {
    let log: any EventLog
    let plant: PlantFile

    struct Result: Encodable {
        let records: Int64
        let events: Int64
        let parked: Int64
        let seconds: Double
        let digest_live: String
        let digest_rebuilt: String
        /// Tables that differ.
        let different_tables: [String]

        var isEqual: Bool { digest_live == digest_rebuilt }

        func text(_ path: String) -> String {
            let verdict =
                isEqual
                ? "equal to the live model"
                : "NOT equal to the live model: \(different_tables.joined(separator: ", "))"
            return String(
                format: "%lld events in %.2f s into %@\nlive    %@\nrebuilt %@\n%@",
                events,
                seconds,
                path,
                digest_live,
                digest_rebuilt,
                verdict
            )
        }
    }

    func rebuild(into path: String) async throws -> Result {
        let live = try Queries(path: plant.readModelPath)
        let state = try live.stated()
        var progress = ProgressLine()
        let report = try await ReadModel.rebuild(
            log: log,
            into: path,
            site: plant.site,
            upTo: state.positions,
            clockUs: ServiceProgram.wallClock
        ) { read, total in
            progress.show(
                "\(ProgressLine.bar(Double(read) / Double(max(1, total)))) \(read)/\(total) records rebuilt"
            )
        }
        progress.finish()
        let rebuilt = try Queries(path: path).tableDigests()
        return Result(
            records: report.records,
            events: report.events,
            parked: report.parked,
            seconds: report.seconds,
            digest_live: state.digest,
            digest_rebuilt: report.digest,
            different_tables: zip(state.tables, rebuilt).filter { $0 != $1 }.map(\.0.table)
        )
    }
}
