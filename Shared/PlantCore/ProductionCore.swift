package import PlantEvents
import SwiftProtobuf

/// The core of mes-bridge that writes `production`: takes MES messages on and keeps each line's context (CTX-01 .. CTX-17).
package struct ProductionCore: Core {
    package typealias Record = ProductionRecord
    package typealias Kind = ProductionRecord.Event.OneOf_Kind

    /// One numbered message of the MES, or of whatever stands in its place.
    package struct Input: Sendable {
        package var adopted: PeerMessageAdopted
        package var kinds: [Kind]
        package var subject: String
        package var occurredAtUs: Int64

        package init(adopted: PeerMessageAdopted, kinds: [Kind], subject: String, occurredAtUs: Int64) {
            self.adopted = adopted
            self.kinds = kinds
            self.subject = subject
            self.occurredAtUs = occurredAtUs
        }
    }

    struct Line: Codable, Equatable, Sendable {
        var shift = ""
        var runningOrder = ""
        /// The running order is finished; its context stays for the parts still under way.
        var isRunningCompleted = false
        var changeover = ChangeoverState.inProduction.rawValue
        var materialLots: [String] = []
        /// Orders released and not completed; a MES releases a bounded number ahead.
        var orders: [String: Coded<ProductionContext>] = [:]

        /// The line's whole context as it stands.
        func context(line: String) -> ProductionContext {
            var context = orders[runningOrder]?.message ?? ProductionContext()
            context.orderID = runningOrder
            context.line = line
            context.shift = shift
            context.changeover = ChangeoverState(rawValue: changeover) ?? .unspecified
            for lot in materialLots where !context.materialLots.contains(lot) { context.materialLots.append(lot) }
            return context
        }
    }

    package static let version = 2
    package struct State: Codable, Sendable {
        var lines: [String: Line] = [:]
        var adopted = AdoptedMessages()
    }

    package var state = State()

    package init() {}

    /// Where to go on reading at the peer.
    package func cursor(of peer: String) -> String { state.adopted.cursor(of: peer) }

    /// The line's context as it stands.
    package func context(of line: String) -> ProductionContext? { state.lines[line]?.context(line: line) }

    package func decide(_ input: Input, nowUs: Int64) -> Step<ProductionRecord>? {
        // Read again after a restart, or sent again by the peer.
        if state.adopted.contains(input.adopted) { return nil }
        var after = self
        for kind in input.kinds { after.evolve(with: kind) }
        var kinds: [Kind] = [.peerMessageAdopted(input.adopted)] + input.kinds
        for (line, known) in after.state.lines.sorted(by: { $0.key < $1.key }) {
            let context = known.context(line: line)
            guard state.lines[line]?.context(line: line) != context else { continue }
            kinds.append(
                .contextChanged(
                    .with {
                        $0.line = line
                        $0.context = context
                    }
                )
            )
        }
        let line = input.kinds.lazy.compactMap(\.line).first ?? ""
        return Step(
            recordID: "peer:\(input.adopted.peer)/\(input.adopted.messageID)",
            kinds: kinds,
            key: line.isEmpty ? input.subject : line,
            subject: input.subject,
            line: line,
            occurredAtUs: input.occurredAtUs
        )
    }

    package mutating func evolve(with kind: Kind) {
        switch kind {
        case .writerTookOver, .batchClosed, .contextChanged:
            break
        case .peerMessageAdopted(let adopted):
            state.adopted.note(adopted)
        case .shiftStarted(let started):
            state.lines[started.line, default: Line()].shift = started.shift
        case .orderReleased(let released):
            state.lines[released.line, default: Line()].orders[released.context.orderID] = Coded(released.context)
        case .orderStarted(let started):
            state.lines[started.line, default: Line()].start(started.orderID)
        case .orderCompleted(let completed):
            state.lines[completed.line]?.complete(completed.orderID)
        case .changeoverStarted(let started):
            state.lines[started.line, default: Line()].changeover = ChangeoverState.inChangeover.rawValue
        case .changeoverCompleted(let completed):
            state.lines[completed.line, default: Line()].changeover = ChangeoverState.inProduction.rawValue
        case .materialLotLoaded(let loaded):
            state.lines[loaded.line, default: Line()].load(loaded.materialLotID)
        }
    }
}

extension ProductionCore.Line {
    /// Lots that the line may still contain; older ones are used up.
    static let loadedLotsKept = 8

    fileprivate mutating func start(_ order: String) {
        if isRunningCompleted, runningOrder != order { orders[runningOrder] = nil }
        runningOrder = order
        isRunningCompleted = false
        changeover = ChangeoverState.inProduction.rawValue
    }

    /// The running order's context stays until the next one starts: parts under way still belong to it.
    fileprivate mutating func complete(_ order: String) {
        if runningOrder == order {
            isRunningCompleted = true
        } else {
            orders[order] = nil
        }
    }

    fileprivate mutating func load(_ lot: String) {
        materialLots.removeAll { $0 == lot }
        materialLots.append(lot)
        if materialLots.count > Self.loadedLotsKept { materialLots.removeFirst() }
    }
}

extension ProductionRecord.Event.OneOf_Kind {
    /// The line that the event is about, where it names one.
    fileprivate var line: String? {
        switch self {
        case .writerTookOver, .peerMessageAdopted: nil
        case .shiftStarted(let event): event.line
        case .orderReleased(let event): event.line
        case .orderStarted(let event): event.line
        case .orderCompleted(let event): event.line
        case .changeoverStarted(let event): event.line
        case .changeoverCompleted(let event): event.line
        case .batchClosed(let event): event.line
        case .materialLotLoaded(let event): event.line
        case .contextChanged(let event): event.line
        }
    }
}
