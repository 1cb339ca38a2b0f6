import ArgumentParser
import EventLog
import KafkaLog
import Synchronization

/// `lineledger bench uplink`: how fast a station's backlog drains, and what that costs live records.
struct UplinkBenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "uplink",
        abstract: "Drain the backlog of an outage while live records go on.",
        discussion: """
            Writes the event chains of an outage to an embedded log, then mirrors them. Files go to the temporary
            directory and need about 10 GB for each 24 hours at 400 parts a minute; they are removed.

            Example: lineledger bench uplink --hours 1 --json
            """
    )

    @Option(help: "Length of the outage, hours.")
    var hours = 72.0

    @Option(help: "Parts a minute.")
    var rate = 400

    @Option(help: "Log to mirror to, embedded:DIR or kafka://host:port,…; an embedded log of its own when not given.")
    var to: String?

    @Flag(help: "One JSON object on standard output.")
    var json = false

    func validate() throws {
        guard (0.001...1_000).contains(hours), (1...100_000).contains(rate) else {
            throw ValidationError("--hours \(hours) --rate \(rate); expected 0.001 to 1000 hours, 1 to 100000 parts")
        }
    }

    func run() async throws {
        let line = Mutex(ProgressLine())
        let bench = UplinkBench(
            hours: hours,
            rate: rate,
            address: to,
            openTarget: { try openLog($0) },
            progress: { what, share in line.withLock { $0.show("\(ProgressLine.bar(share)) \(what)") } }
        )
        let result: UplinkBench.Result
        do {
            result = try await bench.run()
        } catch let failure as LogFailure {
            line.withLock { $0.finish() }
            Terminal.complain("\(failure)")
            throw ExitStatus.unreachable
        } catch let failure as BenchFailure {
            line.withLock { $0.finish() }
            Terminal.complain("\(failure)")
            throw ExitStatus.problemFound
        }
        line.withLock { $0.finish() }
        if json { try Terminal.say(json: result) } else { Terminal.say(result.text) }
    }
}

extension UplinkBench.Result {
    fileprivate var text: String {
        func fixed(_ value: Double, _ digits: Int = 1) -> String {
            let scale = [1.0, 10, 100][min(digits, 2)]
            return "\((value * scale).rounded() / scale)"
        }
        func live(_ values: UplinkBench.Percentiles) -> String {
            "p50 \(fixed(values.p50Ms)) ms, p99 \(fixed(values.p99Ms)) ms, max \(fixed(values.maxMs)) ms "
                + "(\(values.count) records)"
        }
        return """
            \(fixed(hours)) h at \(rate) parts a minute: \(chains) chains, \(records) records, \(bytes >> 20) MiB to \(to)
            written in     \(fixed(fillSeconds)) s
            drained in     \(fixed(drainSeconds)) s, \(Int(recordsPerSecond)) records/s, \
            \(fixed(megabytesPerSecond)) MB/s (target for 72 h at 400: 600 s)
            live before    \(live(liveBefore))
            live meanwhile \(live(liveDuring))
            peak memory    \(peakMemoryBytes >> 20) MiB
            disk           source \(sourceDiskBytes >> 20) MiB, target \(targetDiskBytes >> 20) MiB
            \(machine)
            """
    }
}
