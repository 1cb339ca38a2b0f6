import PlantEvents
import ServiceRuntime
import SwiftProtobuf

// How the REST API of a MES spells the plant's events and effects (openapi.yaml). One struct a shape, both ways in one
// file.

/// Content of the messages that a MES sends.
enum MesContent: RestContent {
    static func kinds(of kind: String, from content: any Swift.Decoder) throws -> [ProductionRecord.Event.OneOf_Kind] {
        switch kind {
        case "shift-started": [.shiftStarted(try MesShift(from: content).event)]
        case "order-released": [.orderReleased(try MesOrder(from: content).event)]
        case "order-started": [.orderStarted(try MesLineOrder(from: content).started)]
        case "order-completed": [.orderCompleted(try MesLineOrder(from: content).completed)]
        case "changeover-started": [.changeoverStarted(try MesChangeover(from: content).event)]
        case "changeover-completed": [.changeoverCompleted(try MesLineOrder(from: content).changedOver)]
        case "batch-closed": [.batchClosed(try MesBatch(from: content).event)]
        case "material-lot-loaded": [.materialLotLoaded(try MesMaterialLot(from: content).event)]
        default: []
        }
    }
}

extension MesShift {
    fileprivate var event: ShiftStarted {
        .with {
            $0.line = line
            $0.shift = shift
        }
    }
}

extension MesLineOrder {
    fileprivate var started: OrderStarted {
        .with {
            $0.line = line
            $0.orderID = orderID
        }
    }

    fileprivate var completed: OrderCompleted {
        .with {
            $0.line = line
            $0.orderID = orderID
        }
    }

    fileprivate var changedOver: ChangeoverCompleted {
        .with {
            $0.line = line
            $0.orderID = orderID
        }
    }
}

extension MesChangeover {
    fileprivate var event: ChangeoverStarted {
        .with {
            $0.line = line
            $0.fromOrderID = fromOrderID ?? ""
            $0.toOrderID = toOrderID
        }
    }
}

extension MesBatch {
    fileprivate var event: BatchClosed {
        .with {
            $0.line = line
            $0.batchID = batchID
        }
    }
}

extension MesMaterialLot {
    fileprivate var event: MaterialLotLoaded {
        .with {
            $0.line = line
            $0.materialLotID = materialLotID
            $0.sku = sku ?? ""
        }
    }
}

private struct MesShift: Decodable {
    let line: String
    let shift: String
}

private struct MesLineOrder: Decodable {
    let line: String
    let orderID: String

    private enum CodingKeys: String, CodingKey {
        case line
        case orderID = "order_id"
    }
}

private struct MesChangeover: Decodable {
    let line: String
    let fromOrderID: String?
    let toOrderID: String

    private enum CodingKeys: String, CodingKey {
        case line
        case fromOrderID = "from_order_id"
        case toOrderID = "to_order_id"
    }
}

private struct MesBatch: Decodable {
    let line: String
    let batchID: String

    private enum CodingKeys: String, CodingKey {
        case line
        case batchID = "batch_id"
    }
}

private struct MesMaterialLot: Decodable {
    let line: String
    let materialLotID: String
    let sku: String?

    private enum CodingKeys: String, CodingKey {
        case line, sku
        case materialLotID = "material_lot_id"
    }
}

private struct MesCondition: Decodable {
    let name: String
    let value: Double
    let unit: String
}

private struct MesOrder: Decodable {
    let line: String
    let orderID: String
    let sku: String
    let batchID: String
    let variant: String?
    let customerOrder: String?
    let recipeID: String
    let recipeSHA256: String?
    let targetQuantity: UInt64
    let materialLots: [String]?
    let controlPlanRevision: String?
    let conditions: [MesCondition]?
    let customerRequirements: [String]?
    let priority: UInt32?

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

    var event: OrderReleased {
        .with { released in
            released.line = line
            released.priority = priority ?? 0
            released.context = .with {
                $0.orderID = orderID
                $0.sku = sku
                $0.batchID = batchID
                $0.variant = variant ?? ""
                $0.customerOrder = customerOrder ?? ""
                $0.line = line
                $0.recipeID = recipeID
                $0.recipeSha256 = recipeSHA256 ?? ""
                $0.targetQuantity = targetQuantity
                $0.materialLots = materialLots ?? []
                $0.controlPlanRevision = controlPlanRevision ?? ""
                $0.conditions = (conditions ?? []).map { condition in
                    .with {
                        $0.name = condition.name
                        $0.value = condition.value
                        $0.unit = condition.unit
                    }
                }
                $0.customerRequirements = customerRequirements ?? []
            }
        }
    }
}

/// Content of the effect `lot-hold`.
struct MesLotHold: Encodable, Sendable {
    let holdID: String
    let subjectKind: String
    let subjectID: String
    let orderID: String
    let defectCategory: String
    let reason: String
    let partID: String

    private enum CodingKeys: String, CodingKey {
        case reason
        case holdID = "hold_id"
        case subjectKind = "subject_kind"
        case subjectID = "subject_id"
        case orderID = "order_id"
        case defectCategory = "defect_category"
        case partID = "part_id"
    }

    init(_ hold: LotHold) {
        holdID = hold.holdID
        subjectKind =
            switch hold.subjectKind {
            case .part: "part"
            case .batch: "batch"
            case .materialLot: "material-lot"
            case .order: "order"
            case .line: "line"
            case .station: "station"
            case .unspecified, .UNRECOGNIZED: "unspecified"
            }
        subjectID = hold.subjectID
        orderID = hold.orderID
        defectCategory = hold.defectCategory
        reason = hold.reason
        partID = hold.partID
    }
}

/// Content of the effect `order-quality-status`.
struct MesOrderQualityStatus: Encodable, Sendable {
    let orderID: String
    let status: String
    let openHoldIDs: [String]

    private enum CodingKeys: String, CodingKey {
        case status
        case orderID = "order_id"
        case openHoldIDs = "open_hold_ids"
    }

    init(_ status: OrderQualityStatus) {
        orderID = status.orderID
        self.status = status.status
        openHoldIDs = status.openHoldIds
    }
}

/// Content of the effect `order-yield`: totals of the order so far, not additions.
struct MesOrderYield: Encodable, Sendable {
    let orderID: String
    let accepted: UInt64
    let rejected: UInt64
    let uncertain: UInt64
    let missed: UInt64

    private enum CodingKeys: String, CodingKey {
        case accepted, rejected, uncertain, missed
        case orderID = "order_id"
    }

    init(_ yield: OrderYield) {
        orderID = yield.orderID
        accepted = yield.accepted
        rejected = yield.rejected
        uncertain = yield.uncertain
        missed = yield.missed
    }
}
