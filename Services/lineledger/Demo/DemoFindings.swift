import EventLog
import Foundation
import KafkaLog
import PlantSim
import ReadModel
import ServiceRuntime

/// Compares what the plant says of itself with the peers' own books, with the truth, and with a rebuild.
struct DemoFindings {
    let demo: DemoPlant
    let plant: PlantFile
    let books: [String: PeerReport]

    func report() async throws -> DemoReport {
        let queries = try Queries(path: plant.readModelPath)
        let overview = try queries.overview()
        var report = DemoReport(
            command: "",
            machine: Machine.description,
            log: .init(
                backend: String(plant.log.prefix { $0 != ":" }),
                events: Int(overview.inputs.map(\.events).reduce(0, +)),
                records: Int(overview.inputs.map(\.applied).reduce(0, +))
            )
        )
        report.parts = Int(overview.balance.verdicts + overview.balance.gaps)
        report.frames = Int(overview.balance.frames)
        report.holds = try queries.holds().count
        report.balance = .init(
            triggers: Int(overview.balance.triggers),
            frames: Int(overview.balance.frames),
            verdicts: Int(overview.balance.verdicts),
            gaps: Int(overview.balance.gaps),
            open: Int(overview.balance.open)
        )
        try count(queries, into: &report)
        let intents = try queries.intents()
        for peer in overview.deliveries {
            let found = deliveries(peer, intents.filter { $0.peer == peer.peer })
            if peer.peer == "mes" { report.mes = found } else { report.erp = found }
        }
        report.latency_ms = .init(
            trigger_to_verdict: overview.latencies.triggerToVerdict.map(milliseconds),
            trigger_to_reject: nil,
            verdict_to_mes_hold: overview.latencies.verdictToMesHold.map(milliseconds),
            verdict_to_erp_block: overview.latencies.verdictToErpBlock.map(milliseconds),
            verdict_to_projected: overview.latencies.verdictToProjected.map(milliseconds)
        )
        report.rebuild = try await rebuild()
        report.problems = problems(report, overview)
        return report
    }

    /// Verdicts over all parts, and what they are worth where the truth is known.
    private func count(_ queries: Queries, into report: inout DemoReport) throws {
        var filter = PartFilter()
        filter.limit = Queries.largestPage
        var truth = DemoReport.GroundTruth()
        repeat {
            let page = try queries.parts(filter)
            for part in page.parts {
                switch part.verdict {
                case "pass": report.verdicts.pass += 1
                case "fail": report.verdicts.fail += 1
                case "uncertain": report.verdicts.uncertain += 1
                default: report.verdicts.missed += 1
                }
                guard part.verdict != "missed", let isDefective = demo.input.isDefective(part.sourceName) else {
                    continue
                }
                truth.labelled += 1
                if isDefective, part.verdict == "pass" { truth.escapes += 1 }
                if !isDefective, part.verdict == "fail" { truth.overkill += 1 }
            }
            filter.cursor = page.next
        } while filter.cursor != nil
        if truth.labelled > 0 { report.ground_truth = truth }
    }

    private func deliveries(_ peer: PeerDeliveries, _ intents: [DeliveryInfo]) -> DemoReport.Deliveries {
        var found = DemoReport.Deliveries(
            intended: Int(peer.intended),
            delivered: Int(peer.confirmed),
            pending: Int(peer.pending),
            parked: Int(peer.refused)
        )
        guard let books = books[peer.peer] else {
            found.differences = ["the peer's books could not be read"]
            return found
        }
        found.booked = books.intents.count
        found.booked_twice = books.intents.count { $0.times > 1 }
        let booked = Set(books.intents.map(\.intentID))
        let confirmed = Set(intents.filter { $0.state == "confirmed" }.map(\.intentID))
        let all = Set(intents.map(\.intentID))
        found.differences =
            confirmed.subtracting(booked).sorted().map { "confirmed here, not in the peer's books: \($0)" }
            + booked.subtracting(all).sorted().map { "in the peer's books, never intended here: \($0)" }
        return found
    }

    private func rebuild() async throws -> DemoReport.RebuildResult {
        let log = try plant.connectLog(as: "lineledger", environment: ProcessInfo.processInfo.environment)
        let result = try await Rebuilder(log: log, plant: plant).rebuild(into: "\(plant.state)/rebuilt.sqlite")
        await log.close()
        return .init(
            events: Int(result.events),
            seconds: result.seconds,
            digest_live: result.digest_live,
            digest_rebuilt: result.digest_rebuilt
        )
    }

    private func problems(_ report: DemoReport, _ overview: Overview) -> [String] {
        var problems: [String] = overview.balance.named
        if let parts = demo.input.parts, report.parts != parts {
            problems.append("\(report.parts) of \(parts) parts have a verdict or a named gap")
        }
        for (name, peer) in [("mes", report.mes), ("erp", report.erp)] {
            if peer.pending > 0 { problems.append("\(peer.pending) deliveries to the \(name) are still pending") }
            if peer.parked > 0 { problems.append("\(peer.parked) deliveries to the \(name) were refused") }
            if peer.booked_twice > 0 {
                problems.append("\(peer.booked_twice) intents took effect twice at the \(name)")
            }
            problems += peer.differences.map { "\(name): \($0)" }
        }
        if let rebuild = report.rebuild, rebuild.digest_live != rebuild.digest_rebuilt {
            problems.append("the rebuilt model differs from the live one")
        }
        problems += overview.gaps.map { "records missing in the log: \($0)" }
        return problems
    }

    private func milliseconds(_ latency: Latency) -> DemoReport.Quantiles {
        .init(
            p50: Double(latency.p50Us) / 1_000,
            p99: Double(latency.p99Us) / 1_000,
            max: Double(latency.maxUs) / 1_000
        )
    }
}

extension DemoReport {
    /// The report for a person.
    var text: String {
        var lines = [
            "\(parts) parts in \(String(format: "%.1f", seconds)) s: \(verdicts.pass) pass, \(verdicts.fail) fail, "
                + "\(verdicts.uncertain) uncertain, \(verdicts.missed) named gaps; \(balance.open) open",
            "holds \(holds); MES \(mes.delivered)/\(mes.intended) delivered, ERP \(erp.delivered)/\(erp.intended); "
                + "in the peers' own books \(mes.booked) and \(erp.booked), twice \(mes.booked_twice + erp.booked_twice)",
        ]
        if let truth = ground_truth {
            lines.append(
                "against the labels: \(truth.escapes) escapes and \(truth.overkill) overkill in \(truth.labelled) parts"
            )
        }
        for (name, value) in [
            ("trigger to verdict", latency_ms.trigger_to_verdict),
            ("verdict to MES hold", latency_ms.verdict_to_mes_hold),
            ("verdict to ERP block", latency_ms.verdict_to_erp_block),
            ("verdict to read model", latency_ms.verdict_to_projected),
        ] {
            guard let value else { continue }
            lines.append(
                String(format: "%@: p50 %.1f ms, p99 %.1f ms, max %.1f ms", name, value.p50, value.p99, value.max)
            )
        }
        if let rebuild {
            let verdict = rebuild.digest_live == rebuild.digest_rebuilt ? "equal to" : "DIFFERENT from"
            lines.append(
                String(
                    format: "rebuilt %d events in %.2f s: %@ the live model (%@)",
                    rebuild.events,
                    rebuild.seconds,
                    verdict,
                    String(rebuild.digest_rebuilt.prefix(16))
                )
            )
        }
        lines += problems.map { "PROBLEM: \($0)" }
        return lines.joined(separator: "\n")
    }
}
