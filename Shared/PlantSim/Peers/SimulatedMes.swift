import ServiceLifecycle

/// What a simulated MES has planned: JSON and YAML spell it like the API's messages.
package struct MesScenario: Codable, Equatable, Sendable {
    /// A production order, spelt like the content of `order-released`.
    package struct Order: Codable, Equatable, Sendable {
        /// A production condition, as a plant's own tags would give it.
        package struct Condition: Codable, Equatable, Sendable {
            package var name: String
            package var value: Double
            /// By UN/ECE Recommendation 20; example "CEL".
            package var unit: String

            package init(name: String, value: Double, unit: String) {
                self.name = name
                self.value = value
                self.unit = unit
            }
        }

        package var line: String
        package var orderID: String
        package var sku: String
        package var batchID: String
        package var variant: String?
        package var customerOrder: String?
        package var recipeID: String
        /// Lower-case hexadecimal; nil where the plant is to find the approved recipe by its id.
        package var recipeSHA256: String?
        /// Parts to make; with 0 the order never ends.
        package var targetQuantity: UInt64
        package var materialLots: [String]?
        package var controlPlanRevision: String?
        package var conditions: [Condition]?
        package var customerRequirements: [String]?
        package var priority: UInt32?

        package init(
            line: String,
            orderID: String,
            sku: String,
            batchID: String,
            recipeID: String,
            targetQuantity: UInt64
        ) {
            self.line = line
            self.orderID = orderID
            self.sku = sku
            self.batchID = batchID
            self.recipeID = recipeID
            self.targetQuantity = targetQuantity
        }

        private enum CodingKeys: String, CodingKey {
            case line, sku, variant, conditions, priority
            case orderID = "order_id"
            case batchID = "batch_id"
            case customerOrder = "customer_order"
            case recipeID = "recipe_id"
            case recipeSHA256 = "recipe_sha256"
            case targetQuantity = "target_quantity"
            case materialLots = "material_lots"
            case controlPlanRevision = "control_plan_revision"
            case customerRequirements = "customer_requirements"
        }
    }

    /// A lot that is loaded at a line before the first order.
    package struct MaterialLot: Codable, Equatable, Sendable {
        package var line: String
        package var materialLotID: String
        package var sku: String

        package init(line: String, materialLotID: String, sku: String) {
            self.line = line
            self.materialLotID = materialLotID
            self.sku = sku
        }

        private enum CodingKeys: String, CodingKey {
            case line, sku
            case materialLotID = "material_lot_id"
        }
    }

    /// Shift that runs on every line; example "2024-05-17/early".
    package var shift: String
    package var materialLots: [MaterialLot]
    /// Made one after the other on each line, in this order.
    package var orders: [Order]

    package init(shift: String, materialLots: [MaterialLot], orders: [Order]) {
        self.shift = shift
        self.materialLots = materialLots
        self.orders = orders
    }

    private enum CodingKeys: String, CodingKey {
        case shift, orders
        case materialLots = "material_lots"
    }
}

/// A simulated MES, as a process of its own: it releases the scenario's orders, and starts the next when the reported
/// yield (accepted, rejected, uncertain and missed parts) of the running one has reached its target. It is no real MES,
/// and says so on every answer.
package struct SimulatedMes: Service {
    private let server: PeerServer

    package init(_ scenario: MesScenario, _ settings: SimulatedPeerSettings) {
        server = PeerServer(rules: MesRules(scenario: scenario), settings: settings)
    }

    package func run() async throws {
        try await server.run()
    }
}

struct MesRules: PeerRules {
    let scenario: MesScenario

    var peer: String { "mes" }

    func series(of kind: String) -> String {
        switch kind {
        case "lot-hold": "HLD"
        case "order-quality-status": "QST"
        default: "YLD"
        }
    }

    func opening(_ facts: inout PeerFacts) -> [PeerNote] {
        var notes: [PeerNote] = []
        for line in lines where facts["shift/\(line)"] != scenario.shift {
            facts["shift/\(line)"] = scenario.shift
            let content = ["line": line, "shift": scenario.shift]
            notes.append(PeerNote(kind: "shift-started", subject: scenario.shift, content: content))
        }
        for lot in scenario.materialLots where facts["loaded/\(lot.line)/\(lot.materialLotID)"] == nil {
            facts["loaded/\(lot.line)/\(lot.materialLotID)"] = lot.sku
            notes.append(PeerNote(kind: "material-lot-loaded", subject: lot.materialLotID, content: lot))
        }
        for order in scenario.orders where facts["released/\(order.orderID)"] == nil {
            facts["released/\(order.orderID)"] = order.line
            notes.append(PeerNote(kind: "order-released", subject: order.orderID, content: order))
        }
        return lines.reduce(into: notes) { $0 += advance($1, &facts) }
    }

    func carryOut(_ effect: PeerEffect, _ facts: inout PeerFacts) throws(PeerRefusal) -> [PeerNote] {
        switch effect.kind {
        case "lot-hold":
            let hold = try effect.content(LotHold.self)
            guard !hold.holdID.isEmpty, !hold.subjectID.isEmpty else {
                throw PeerRefusal(words: "lot-hold without hold_id or subject_id")
            }
            return []
        case "order-quality-status":
            let status = try effect.content(QualityStatus.self)
            _ = try order(status.orderID)
            guard ["ok", "on-hold"].contains(status.status) else {
                throw PeerRefusal(words: "quality status '\(status.status)'; expected ok or on-hold")
            }
            return []
        case "order-yield":
            let yield = try effect.content(Yield.self)
            let order = try order(yield.orderID)
            facts["made/\(order.orderID)"] = String(yield.made)
            return advance(order.line, &facts)
        default:
            throw PeerRefusal(
                words: "effect '\(effect.kind)' is unknown; expected lot-hold, order-quality-status or order-yield"
            )
        }
    }

    private var lines: [String] {
        scenario.orders.reduce(into: []) { lines, order in
            if !lines.contains(order.line) { lines.append(order.line) }
        }
    }

    private func order(_ id: String) throws(PeerRefusal) -> MesScenario.Order {
        guard let order = scenario.orders.first(where: { $0.orderID == id }) else {
            throw PeerRefusal(words: "order '\(id)' is unknown here")
        }
        return order
    }

    /// Completes the running order of a line when it has its parts, and starts the next, until one has parts to make.
    private func advance(_ line: String, _ facts: inout PeerFacts) -> [PeerNote] {
        let orders = scenario.orders.filter { $0.line == line }
        var notes: [PeerNote] = []
        var before = facts["completed-last/\(line)"]
        for order in orders where facts["completed/\(order.orderID)"] == nil {
            let subject = order.orderID
            let content = ["line": line, "order_id": subject]
            if facts["running/\(line)"] != subject {
                if let before {
                    let change = ["line": line, "from_order_id": before, "to_order_id": subject]
                    notes.append(PeerNote(kind: "changeover-started", subject: subject, content: change))
                    notes.append(PeerNote(kind: "changeover-completed", subject: subject, content: content))
                }
                facts["running/\(line)"] = subject
                notes.append(PeerNote(kind: "order-started", subject: subject, content: content))
            }
            let made = facts["made/\(subject)"].flatMap { UInt64($0) } ?? 0
            guard order.targetQuantity > 0, made >= order.targetQuantity else { break }
            facts["completed/\(subject)"] = String(made)
            facts["completed-last/\(line)"] = subject
            before = subject
            notes.append(PeerNote(kind: "order-completed", subject: subject, content: content))
            let isShared = orders.contains { $0.batchID == order.batchID && facts["completed/\($0.orderID)"] == nil }
            if !isShared {
                let batch = ["line": line, "batch_id": order.batchID]
                notes.append(PeerNote(kind: "batch-closed", subject: order.batchID, content: batch))
            }
        }
        return notes
    }
}

private struct LotHold: Decodable {
    let holdID: String
    let subjectKind: String
    let subjectID: String

    private enum CodingKeys: String, CodingKey {
        case holdID = "hold_id"
        case subjectKind = "subject_kind"
        case subjectID = "subject_id"
    }
}

private struct QualityStatus: Decodable {
    let orderID: String
    let status: String

    private enum CodingKeys: String, CodingKey {
        case status
        case orderID = "order_id"
    }
}

private struct Yield: Decodable {
    let orderID: String
    let accepted: UInt32
    let rejected: UInt32
    let uncertain: UInt32
    let missed: UInt32

    private enum CodingKeys: String, CodingKey {
        case accepted, rejected, uncertain, missed
        case orderID = "order_id"
    }

    /// Parts of the order so far, whatever became of them.
    var made: UInt64 { [accepted, rejected, uncertain, missed].reduce(0) { $0 + UInt64($1) } }
}
