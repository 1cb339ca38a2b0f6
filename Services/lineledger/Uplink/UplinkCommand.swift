import ArgumentParser
import EventLog
import Foundation
import KafkaLog
import PlantEvents
import ReadModel
import ServiceRuntime
import Uplink

/// Mirrors topics from one log to another: a station host's uplink, or a single run between any two logs.
struct UplinkCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "uplink",
        abstract: "Mirror topics between two logs, in order, going on where the target ends.",
        discussion: """
            With --plant it runs a station host's uplink until stopped, as `lineledger up` does. With --from and --to it
            mirrors the topics of a site, once or until Ctrl-C.

            Example: lineledger uplink --from embedded:station/log --to kafka://broker:9092 --site berlin --once

            Exit codes: 0 all is mirrored, 1 a partition stopped or records are damaged, 2 wrong use, 3 a log does not
            answer.
            """
    )

    @Option(help: "Plant file with an uplink: section.")
    var plant: String?

    @Option(help: "Log to read: embedded:DIR or kafka://host:port,…")
    var from: String?

    @Option(help: "Log to write.")
    var to: String?

    @Option(help: "Site whose topics are mirrored, as in their names.")
    var site: String?

    @Option(parsing: .upToNextOption, help: "Topics, for example frames inspections; all that services write if none.")
    var topics: [String] = []

    @Flag(help: "End when all that is there has been mirrored.")
    var once = false

    @Option(help: "With --once: seconds without progress after which it ends.")
    var patience = 30.0

    @Flag(help: "The status as one JSON object on standard output at the end.")
    var json = false

    func validate() throws {
        if plant != nil {
            guard from == nil, to == nil, site == nil, topics.isEmpty, !once else {
                throw ValidationError("--plant names everything; expected no --from, --to, --site, --topics, --once")
            }
        } else {
            guard from != nil, to != nil, site != nil else {
                throw ValidationError("expected --plant FILE, or --from ADDRESS --to ADDRESS --site SITE")
            }
            guard from != to else { throw ValidationError("--from and --to are the same log: \(from ?? "")") }
        }
        guard patience > 0, patience <= 86_400 else {
            throw ValidationError("--patience \(patience); expected seconds above 0, at most 86400")
        }
    }

    func run() async throws {
        if let plant {
            var options = ServiceOptions()
            options.plant = plant
            return try await ServiceProgram.run(.uplink, options, compose: UplinkService.compose)
        }
        let source = try Self.open(from ?? "")
        let target = try Self.open(to ?? "")
        let mirror = Mirror(from: source, to: target, topics: try names())
        let status = once ? await runOnce(mirror) : await runOn(mirror)
        await source.close()
        await target.close()
        try tell(status)
    }

    private static func open(_ address: String) throws -> any EventLog {
        do {
            return try openLog(address)
        } catch {
            Terminal.complain("\(address): \(error)")
            if case .badAddress = error { throw ExitStatus.wrongUse }
            throw ExitStatus.unreachable
        }
    }

    private func names() throws -> [String] {
        let words = topics.isEmpty ? Topic.written.map(\.rawValue) : topics
        return try words.map { word in
            guard let name = TopicName(site: site ?? "", word: word) else {
                Terminal.complain("--site \(site ?? "") --topics \(word): expected words without dots")
                throw ExitStatus.wrongUse
            }
            return name.description
        }
    }

    private func runOnce(_ mirror: Mirror) async -> MirrorStatus {
        var line = ProgressLine()
        let status = await mirror.runOnce(patience: .seconds(patience)) { line.show(Self.progress($0)) }
        line.finish()
        return status
    }

    private func runOn(_ mirror: Mirror) async -> MirrorStatus {
        let stop = StopSignal()
        var line = ProgressLine(quietFor: .seconds(10))
        let running = Task { await mirror.run() }
        while !stop.isRequested {
            line.show(Self.progress(await mirror.status()))
            // Cancelled, the command ends with its task.
            guard (try? await Task.sleep(for: .milliseconds(200))) != nil else { break }
        }
        let status = await mirror.status()
        running.cancel()
        await running.value
        line.finish()
        return status
    }

    private static func progress(_ status: MirrorStatus) -> String {
        let total = status.sentRecords + status.unsentRecords
        let share = total > 0 ? Double(status.sentRecords) / Double(total) : 0
        let trouble = status.partitions.first { $0.state == .stopped || $0.state == .waiting }
        return "\(ProgressLine.bar(share)) \(status.sentRecords) sent, \(status.unsentRecords) waiting, "
            + "\(Int(status.recordsPerSecond)) records/s"
            + (trouble.map { "; \($0.topic)/\($0.partition) \($0.state.rawValue): \($0.reason)" } ?? "")
    }

    private func tell(_ status: MirrorStatus) throws {
        if json {
            Terminal.say(String(decoding: try Queries.json(status), as: UTF8.self))
        } else {
            let heading = [["topic", "partition", "state", "sent", "waiting", "gaps", "last origin"]]
            Terminal.say(
                Terminal.table(
                    heading
                        + status.partitions.map {
                            [
                                $0.topic, "\($0.partition)", $0.state.rawValue, "\($0.sentRecords)",
                                "\($0.unsentRecords)", "\($0.gapCount)", $0.lastOrigin,
                            ]
                        }
                )
            )
        }
        for topic in status.missingTopics { Terminal.complain("\(topic): not in \(from ?? "")") }
        for partition in status.partitions where !partition.reason.isEmpty {
            Terminal.complain("\(partition.topic)/\(partition.partition): \(partition.reason)")
        }
        for gap in status.partitions.flatMap(\.gaps) { Terminal.complain("not mirrored: \(gap.reason)") }
        if !status.stopped.isEmpty || status.partitions.contains(where: { $0.gapCount > 0 }) {
            throw ExitStatus.problemFound
        }
        if status.partitions.isEmpty || once && status.unsentRecords > 0 || status.targetAwaySinceUs != nil {
            throw ExitStatus.unreachable
        }
    }
}
