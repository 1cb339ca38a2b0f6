import Foundation
import ReadModel

extension Trace {
    /// The trace for a person: both directions, holds, and what is not proven.
    var text: String {
        var lines = ["\(kind.rawValue) \(id)"]
        lines += section("made from", madeFrom.filter { $0.depth > 0 }.map(Self.line))
        lines += section("went to", wentTo.filter { $0.depth > 0 }.map(Self.line))
        lines.append(
            "parts: \(partCount); \(counts.accepted) accepted, \(counts.rejected) rejected, "
                + "\(counts.uncertain) uncertain, \(counts.missed) without a verdict"
        )
        lines += parts.prefix(Self.partsShown).map { part in
            let evidence = part.evidence.map {
                $0.stored ? "picture \($0.pixelsSha256.prefix(12))" : "no picture: \($0.reason)"
            }
            let score = String(format: "%.2f", part.score)
            let line =
                "  \(part.partID): \(part.verdict), score \(score), order \(part.orderID), batch \(part.batchID), "
                + "recipe \(part.recipeSha256.prefix(12)), \(evidence ?? "no picture yet")"
            return ([line] + part.defects.prefix(Self.defectsShown).map(Self.line)).joined(separator: "\n")
        }
        if partCount > Self.partsShown { lines.append("  … and \(partCount - Int64(Self.partsShown)) more") }
        lines += section("holds", holds.map { "  \($0.holdID): \($0.isOpen ? "open" : "closed"), \($0.reason)" })
        lines += section(
            "legal holds",
            legalHolds.map {
                "  \($0.legalHoldID): \($0.stands ? "stands" : "lifted"), on \($0.subjectIds.joined(separator: ", ")), by "
                    + "\($0.placedBy): \($0.reason)"
            }
        )
        lines += section(
            "told to other systems",
            deliveries.map { "  \($0.peer) \($0.effect) \($0.businessKey): \($0.state) \($0.answer)" }
        )
        lines += section("not proven", unproven.map { "  \($0)" })
        if unproven.isEmpty { lines.append("not proven: nothing; the trace is complete as far as the log goes") }
        return lines.joined(separator: "\n")
    }

    private static let partsShown = 10
    private static let defectsShown = 8

    private static func line(_ defect: DefectInfo) -> String {
        let severity = defect.severity.isEmpty ? "" : " (\(defect.severity))"
        let place = String(format: "at %.0f,%.0f, %.0f x %.0f", defect.x, defect.y, defect.width, defect.height)
        let tool = defect.tool.isEmpty ? "" : ", found by \(defect.tool)"
        return "    \(defect.category)\(severity) \(place), score \(String(format: "%.2f", defect.score))\(tool)"
    }

    private static func line(_ node: TraceNode) -> String {
        let facts = node.facts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
        let again = node.isRepeated ? " (see above)" : ""
        return String(repeating: "  ", count: node.depth) + "\(node.kind.rawValue) \(node.id)\(again)"
            + (facts.isEmpty ? "" : ": \(facts)")
    }

    private func section(_ title: String, _ lines: [String]) -> [String] {
        lines.isEmpty ? [] : ["\(title):"] + lines
    }
}
