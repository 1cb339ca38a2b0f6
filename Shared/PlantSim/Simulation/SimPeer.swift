import PlantCore
import PlantEvents
import SwiftProtobuf

/// A MES or ERP with its books: what it was asked to do, what it did, what it tells.
struct SimPeer {
    enum Kind {
        case mes(SimPlant)
        case erp(SimPlant)
    }

    /// A numbered message to the plant.
    struct Message {
        let number: Int
        let subject: String
        let occurredAtUs: Int64
        let production: [ProductionRecord.Event.OneOf_Kind]
        let materials: [MaterialRecord.Event.OneOf_Kind]
    }

    /// Something the peer did.
    struct Effect {
        let reference: String
        let intent: DeliveryIntended
        let atUs: Int64
        /// The call came from a process that had lost its partition or had given up waiting: nobody can order it.
        let isStray: Bool
    }

    enum Answer {
        case done(reference: String)
        case unknown
        case refused(String)
    }

    let name: String
    private let plant: SimPlant
    private let isMes: Bool
    /// It does every call, again and again, and shows what it did only after a while.
    let isForgetful: Bool
    static let visibilityDelayUs: Int64 = 3_000_000
    private(set) var messages: [Message] = []
    private(set) var effects: [Effect] = []
    private var firstEffect: [String: Int] = [:]
    private(set) var refusals = 0
    private var running: [String: String] = [:]
    private var completed: [String: UInt64] = [:]
    private var shipped: Set<String> = []

    init(_ kind: Kind, isForgetful: Bool) {
        switch kind {
        case .mes(let plant):
            (name, self.plant, isMes) = ("mes", plant, true)
        case .erp(let plant):
            (name, self.plant, isMes) = ("erp", plant, false)
        }
        self.isForgetful = isForgetful
        if isMes { openMes() } else { openErp() }
    }

    /// What to do with an intent that reached the peer.
    mutating func carryOut(_ intent: DeliveryIntended, isStray: Bool, refuses: Bool, nowUs: Int64) -> Answer {
        if !isForgetful, let first = firstEffect[intent.intentID] { return .done(reference: effects[first].reference) }
        if refuses {
            refusals += 1
            return .refused("simulated: not today")
        }
        let reference = "\(name.uppercased())-\(effects.count + 1)"
        if firstEffect[intent.intentID] == nil { firstEffect[intent.intentID] = effects.count }
        effects.append(Effect(reference: reference, intent: intent, atUs: nowUs, isStray: isStray))
        follow(intent, nowUs: nowUs)
        return .done(reference: reference)
    }

    func lookUp(_ intentID: String, nowUs: Int64) -> Answer {
        guard let first = firstEffect[intentID] else { return .unknown }
        if isForgetful, effects[first].atUs + Self.visibilityDelayUs > nowUs { return .unknown }
        return .done(reference: effects[first].reference)
    }

    private mutating func follow(_ intent: DeliveryIntended, nowUs: Int64) {
        switch intent.effect {
        case .orderYield(let yield):
            guard let order = plant.orders.first(where: { $0.id == yield.orderID }) else { return }
            let made = yield.accepted + yield.rejected + yield.uncertain + yield.missed
            guard running[order.line] == order.id, order.target > 0, made >= order.target else { return }
            advance(order, nowUs)
        case .orderConfirmation(let confirmation):
            guard confirmation.accepted > 0, shipped.insert(confirmation.batchID).inserted else { return }
            let shipment = ShipmentDispatched.with {
                $0.shipmentID = "SH-\(confirmation.batchID)"
                $0.customerID = "customer"
            }
            tell(shipment.shipmentID, nowUs, materials: [.shipmentDispatched(shipment)])
        default: break
        }
    }

    private mutating func openMes() {
        let nowUs = World.startUs
        for line in Set(plant.stations.map(\.line)).sorted() {
            let shift = ShiftStarted.with {
                $0.line = line
                $0.shift = SimPlant.shift
            }
            tell(SimPlant.shift, nowUs, production: [.shiftStarted(shift)])
        }
        for lot in plant.lots {
            let loaded = MaterialLotLoaded.with {
                $0.line = lot.line
                $0.materialLotID = lot.id
            }
            tell(lot.id, nowUs, production: [.materialLotLoaded(loaded)])
        }
        for order in plant.orders { tell(order.id, nowUs, production: [.orderReleased(order.released)]) }
        for line in Set(plant.stations.map(\.line)).sorted() {
            guard let first = plant.orders.first(where: { $0.line == line }) else { continue }
            start(first, nowUs)
        }
    }

    private mutating func openErp() {
        for lot in plant.lots {
            let received = MaterialLotReceived.with {
                $0.materialLotID = lot.id
                $0.supplierID = "supplier"
                $0.supplierLot = "S-\(lot.id)"
                $0.quantity = 1_000
                $0.unit = "C62"
            }
            tell(lot.id, World.startUs, materials: [.materialLotReceived(received)])
        }
    }

    private mutating func start(_ order: SimPlant.Order, _ nowUs: Int64) {
        running[order.line] = order.id
        let started = OrderStarted.with {
            $0.line = order.line
            $0.orderID = order.id
        }
        tell(order.id, nowUs, production: [.orderStarted(started)])
    }

    /// The order has its parts: the next one starts.
    private mutating func advance(_ order: SimPlant.Order, _ nowUs: Int64) {
        completed[order.id] = order.target
        let done = OrderCompleted.with {
            $0.line = order.line
            $0.orderID = order.id
        }
        tell(order.id, nowUs, production: [.orderCompleted(done)])
        // A message twice, with a number of its own.
        if plant.seed.isMultiple(of: 3) { tell(order.id, nowUs, production: [.orderCompleted(done)]) }
        guard let next = plant.orders.first(where: { $0.line == order.line && $0.id > order.id }) else { return }
        let changing = ChangeoverStarted.with {
            $0.line = order.line
            $0.fromOrderID = order.id
            $0.toOrderID = next.id
        }
        let changed = ChangeoverCompleted.with {
            $0.line = order.line
            $0.orderID = next.id
        }
        tell(next.id, nowUs, production: [.changeoverStarted(changing)])
        if plant.seed.isMultiple(of: 2) { tell(next.id, nowUs, production: [.changeoverCompleted(changed)]) }
        for number in 0..<5 {
            let loaded = MaterialLotLoaded.with {
                $0.line = order.line
                $0.materialLotID = "LOT-\(next.id.suffix(1))\(number / 2)"
            }
            tell(loaded.materialLotID, nowUs, production: [.materialLotLoaded(loaded)])
        }
        start(next, nowUs)
    }

    private mutating func tell(
        _ subject: String,
        _ nowUs: Int64,
        production: [ProductionRecord.Event.OneOf_Kind] = [],
        materials: [MaterialRecord.Event.OneOf_Kind] = []
    ) {
        messages.append(
            Message(
                number: messages.count + 1,
                subject: subject,
                occurredAtUs: nowUs,
                production: production,
                materials: materials
            )
        )
    }
}

extension SimPlant.Order {
    fileprivate var released: OrderReleased {
        .with {
            $0.line = line
            $0.context = .with {
                $0.orderID = id
                $0.sku = sku
                $0.batchID = batch
                $0.line = line
                $0.recipeID = recipeID
                $0.recipeSha256 = recipeSHA256
                $0.targetQuantity = target
                $0.materialLots = lots
            }
        }
    }
}

extension SimPeer.Message {
    func adopted(from peer: String) -> PeerMessageAdopted {
        .with {
            $0.peer = peer
            $0.messageID = "\(peer)-\(number)"
            $0.cursor = "\(number)"
        }
    }
}
