import PlantEvents
import SwiftProtobuf

/// `DeliveryIntended`.
struct IntentView {
    var intentID = Bytes.none
    var peer = Bytes.none
    var businessKey = Bytes.none
    /// Field number of the effect.
    var effect: Int64 = 0
    /// The effect's first field: the hold or order that it is about.
    var subject = Bytes.none

    init(_ bytes: Bytes) throws(UnusualEncoding) {
        var wire = try Wire(bytes)
        while try wire.next() {
            switch wire.field {
            case 1: intentID = try wire.string()
            case 2: peer = try wire.string()
            case 3: businessKey = try wire.string()
            case 4...9:
                guard effect == 0 else { throw UnusualEncoding() }
                effect = Int64(wire.field)
                try readEffect(try wire.message())
            default: try wire.skip()
            }
        }
        guard effect > 0 else { throw UnusualEncoding() }
        // Yield is told for each part; the others are rare enough for the codec to check.
        if effect != Effect.orderYield.rawValue {
            do { _ = try DeliveryIntended(serializedBytes: [UInt8](bytes)) } catch { throw UnusualEncoding() }
        }
    }

    private mutating func readEffect(_ bytes: Bytes) throws(UnusualEncoding) {
        var wire = try Wire(bytes)
        while try wire.next() {
            if wire.field == 1 {
                subject = try wire.string()
            } else if effect == Effect.orderYield.rawValue {
                guard wire.field <= 5 else { throw UnusualEncoding() }
                _ = try wire.uint64()
            } else {
                return
            }
        }
    }
}

/// What a delivery does at its peer; the raw value is the field number in `DeliveryIntended`.
enum Effect: Int64 {
    case lotHold = 4
    case orderQualityStatus = 5
    case orderYield = 6
    case qualityNotification = 7
    case stockBlock = 8
    case orderConfirmation = 9

    var name: String {
        switch self {
        case .lotHold: "lot_hold"
        case .orderQualityStatus: "order_quality_status"
        case .orderYield: "order_yield"
        case .qualityNotification: "quality_notification"
        case .stockBlock: "stock_block"
        case .orderConfirmation: "order_confirmation"
        }
    }
}

/// `DeliveryConfirmed`.
struct ConfirmedView {
    var intentID = Bytes.none
    var peerReference = Bytes.none
    var foundByLookUp = false

    init(_ bytes: Bytes) throws(UnusualEncoding) {
        var wire = try Wire(bytes)
        while try wire.next() {
            switch wire.field {
            case 1: intentID = try wire.string()
            case 2: peerReference = try wire.string()
            case 3: foundByLookUp = try wire.uint64() != 0
            default: try wire.skip()
            }
        }
    }
}

/// `PartsCounted`, which the model keeps nothing of, but which must be sound.
func checkPartsCounted(_ bytes: Bytes) throws(UnusualEncoding) {
    var wire = try Wire(bytes)
    while try wire.next() {
        switch wire.field {
        case 1, 2, 3: _ = try wire.string()
        case 4...8: _ = try wire.uint64()
        default: try wire.skip()
        }
    }
}
