import EventLog
import PlantEvents
import SwiftProtobuf

/// The context of every line after each record of `production`, worked out again.
struct LineContexts {
    /// By the record's epoch and number, then by line.
    var after: [String: [String: ProductionContext]] = [:]
    var last: [String: ProductionContext] = [:]
}

extension Checks {
    private struct Line {
        var shift = ""
        var running = ""
        var isDone = false
        var changeover = ChangeoverState.inProduction
        var lots: [String] = []
        var released: [String: ProductionContext] = [:]

        func context(_ line: String) -> ProductionContext {
            var context = released[running] ?? ProductionContext()
            context.orderID = running
            context.line = line
            context.shift = shift
            context.changeover = changeover
            context.materialLots += lots.filter { !context.materialLots.contains($0) }
            return context
        }
    }

    /// Every message of the MES was adopted once and in order, as it was said, with the contexts that follow (CTX-01 ..
    /// CTX-17).
    func checkProduction() throws -> LineContexts {
        var contexts = LineContexts()
        var lines: [String: Line] = [:]
        var adopted = 0
        for entry in ledger[.production] where !entry.isUnknown {
            guard case .production(let record) = entry.content else { continue }
            let kinds = record.events.compactMap(\.kind)
            if case .writerTookOver? = kinds.first { continue }
            guard case .peerMessageAdopted(let message)? = kinds.first else {
                throw Violation(.truth, entry.meta.recordID, "\(entry.meta.recordID) adopts no message")
            }
            adopted += 1
            guard adopted <= world.mes.messages.count else {
                throw Violation(.truth, entry.meta.recordID, "message \(message.messageID) was adopted again")
            }
            let sent = world.mes.messages[adopted - 1]
            try require(
                message == sent.adopted(from: "mes"),
                .truth,
                message.messageID,
                "message \(message.messageID) was adopted where mes-\(sent.number) was due: lost, repeated or out of turn"
            )
            let said = kinds.dropFirst().filter { if case .contextChanged = $0 { false } else { true } }
            try require(
                Array(said) == sent.production && entry.meta.recordID == "peer:mes/\(message.messageID)"
                    && entry.meta.occurredAtUs == sent.occurredAtUs && entry.meta.subject == sent.subject,
                .truth,
                message.messageID,
                "message \(message.messageID) was adopted other than sent"
            )
            let before = lines.mapValues { $0 }
            for kind in said { follow(kind, &lines) }
            let expected = lines.filter { before[$0.key]?.context($0.key) != $0.value.context($0.key) }
                .sorted { $0.key < $1.key }.map { ($0.key, $0.value.context($0.key)) }
            let found = kinds.compactMap { kind -> (String, ProductionContext)? in
                if case .contextChanged(let changed) = kind { (changed.line, changed.context) } else { nil }
            }
            try require(
                expected.elementsEqual(found, by: ==),
                .truth,
                message.messageID,
                "after \(message.messageID) the contexts should be \(expected.map(\.1)), they are \(found.map(\.1))"
            )
            contexts.last = lines.reduce(into: [:]) { $0[$1.key] = $1.value.context($1.key) }
            contexts.after[entry.meta.origin.text] = contexts.last
        }
        try require(
            adopted == world.mes.messages.count,
            .truth,
            "mes",
            "\(adopted) of \(world.mes.messages.count) messages of the MES were adopted"
        )
        return contexts
    }

    private func follow(_ kind: ProductionRecord.Event.OneOf_Kind, _ lines: inout [String: Line]) {
        switch kind {
        case .shiftStarted(let event): lines[event.line, default: Line()].shift = event.shift
        case .orderReleased(let event):
            lines[event.line, default: Line()].released[event.context.orderID] = event.context
        case .orderStarted(let event):
            var line = lines[event.line] ?? Line()
            line.running = event.orderID
            line.changeover = .inProduction
            lines[event.line] = line
        case .changeoverStarted(let event): lines[event.line, default: Line()].changeover = .inChangeover
        case .changeoverCompleted(let event): lines[event.line, default: Line()].changeover = .inProduction
        case .materialLotLoaded(let event):
            var lots = lines[event.line]?.lots ?? []
            lots.removeAll { $0 == event.materialLotID }
            lines[event.line, default: Line()].lots = Array((lots + [event.materialLotID]).suffix(8))
        case .orderCompleted, .batchClosed, .contextChanged, .peerMessageAdopted, .writerTookOver: break
        }
    }

    /// Every message of the ERP was adopted once and in order, as it was said.
    func checkMaterials() throws {
        var adopted = 0
        for entry in ledger[.materials] where !entry.isUnknown {
            guard case .materials(let record) = entry.content else { continue }
            let kinds = record.events.compactMap(\.kind)
            if case .writerTookOver? = kinds.first { continue }
            guard case .peerMessageAdopted(let message)? = kinds.first, adopted < world.erp.messages.count else {
                throw Violation(
                    .truth,
                    entry.meta.recordID,
                    "\(entry.meta.recordID) was adopted again, or adopts nothing"
                )
            }
            let sent = world.erp.messages[adopted]
            adopted += 1
            try require(
                message == sent.adopted(from: "erp") && Array(kinds.dropFirst()) == sent.materials
                    && entry.meta.subject == sent.subject && entry.meta.occurredAtUs == sent.occurredAtUs,
                .truth,
                message.messageID,
                "message \(message.messageID) was adopted where erp-\(sent.number) was due, or other than sent"
            )
        }
        try require(
            adopted == world.erp.messages.count,
            .truth,
            "erp",
            "\(adopted) of \(world.erp.messages.count) messages of the ERP were adopted"
        )
    }
}
