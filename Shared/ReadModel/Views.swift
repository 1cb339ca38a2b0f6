// The messages of which a plant writes one or more for each part, read in place: nothing is copied or allocated.

/// What every record says of itself, as far as a fold needs it.
struct MetaView {
    var site = Bytes.none
    var topic = Bytes.none
    var partition: Int64 = 0
    var epoch: UInt64 = 0
    var sequence: UInt64 = 0
    var occurredAtUs: Int64 = 0
    var recordedAtUs: Int64 = 0
    var subject = Bytes.none
    var instance = Bytes.none
    var mustUnderstand = false
    private var hasRecordID = false

    init(_ bytes: Bytes, _ memo: inout MetaMemo) throws(UnusualEncoding) {
        var wire = try Wire(bytes)
        var seen = Once()
        while try wire.next() {
            switch wire.field {
            case 1:
                try seen.mark(1)
                try readOrigin(try wire.message())
            case 2: hasRecordID = try !wire.string().isEmpty
            case 3:
                try seen.mark(3)
                try Self.checkOrigin(try wire.message())
            case 4: occurredAtUs = try wire.int64()
            case 5: recordedAtUs = try wire.int64()
            case 6:
                try seen.mark(6)
                let place = try wire.message()
                if !place.equals(memo.place) {
                    try Self.checkPlace(place)
                    memo.place = [UInt8](place)
                }
            case 7: subject = try wire.string()
            case 8, 9, 11: _ = try wire.string()
            case 10:
                try seen.mark(10)
                let producer = try wire.message()
                if !producer.equals(memo.producer) {
                    memo.instance = try Self.instance(of: producer)
                    memo.producer = [UInt8](producer)
                }
                instance = Bytes(rebasing: producer[memo.instance])
            case 12: mustUnderstand = try wire.uint64() != 0
            default: try wire.skip()
            }
        }
        // The same rules as the codec's; it then words the refusal.
        guard !site.isEmpty, !topic.isEmpty, epoch > 0, hasRecordID, recordedAtUs > 0 else { throw UnusualEncoding() }
        guard epoch <= Int64.max, sequence < Int64.max else { throw UnusualEncoding() }
    }

    private mutating func readOrigin(_ bytes: Bytes) throws(UnusualEncoding) {
        var wire = try Wire(bytes)
        while try wire.next() {
            switch wire.field {
            case 1: site = try wire.string()
            case 2: topic = try wire.string()
            case 3: partition = try wire.int32()
            case 4: epoch = try wire.uint64()
            case 5: sequence = try wire.uint64()
            default: try wire.skip()
            }
        }
    }

    private static func checkOrigin(_ bytes: Bytes) throws(UnusualEncoding) {
        var wire = try Wire(bytes)
        while try wire.next() {
            switch wire.field {
            case 1, 2: _ = try wire.string()
            case 3, 4, 5: _ = try wire.uint64()
            default: try wire.skip()
            }
        }
    }

    private static func checkPlace(_ bytes: Bytes) throws(UnusualEncoding) {
        var wire = try Wire(bytes)
        while try wire.next() {
            guard wire.field <= 5 else { throw UnusualEncoding() }
            _ = try wire.string()
        }
    }

    /// Where in the producer's bytes its instance stands.
    private static func instance(of producer: Bytes) throws(UnusualEncoding) -> Range<Int> {
        var wire = try Wire(producer)
        var instance = 0..<0
        while try wire.next() {
            switch wire.field {
            case 1, 3: _ = try wire.string()
            case 2:
                let text = try wire.string()
                instance = wire.position - text.count..<wire.position
            default: try wire.skip()
            }
        }
        return instance
    }
}

/// What the records of one writer repeat: found sound once, recognised by comparing.
struct MetaMemo {
    var place: [UInt8] = []
    var producer: [UInt8] = []
    /// Where the instance stands in `producer`.
    var instance = 0..<0
}

/// Nested messages that may come only once: twice would mean that they are merged, which the codec does.
struct Once {
    private var seen: UInt32 = 0

    @inline(__always)
    mutating func mark(_ field: UInt32) throws(UnusualEncoding) {
        guard seen & (1 << field) == 0 else { throw UnusualEncoding() }
        seen |= 1 << field
    }
}

/// `TriggerId`.
struct TriggerView {
    var station = Bytes.none
    var session: UInt64 = 0
    var sequence: UInt64 = 0

    init() {}

    init(_ bytes: Bytes) throws(UnusualEncoding) {
        var wire = try Wire(bytes)
        while try wire.next() {
            switch wire.field {
            case 1: station = try wire.string()
            case 2: session = try wire.uint64()
            case 3: sequence = try wire.uint64()
            default: try wire.skip()
            }
        }
        guard session <= Int64.max, sequence <= Schema.sequenceMask else { throw UnusualEncoding() }
    }

    /// Whether `id` is the three joined by "/", the id of a part whose serial number was not read.
    func isNamed(_ id: Bytes) -> Bool {
        guard id.count > station.count, Bytes(rebasing: id[..<station.count]).equals(station) else { return false }
        var at = station.count
        return Self.match(session, in: id, at: &at) && Self.match(sequence, in: id, at: &at) && at == id.count
    }

    /// Whether "/" and the number in decimal stand at `at`; moves behind them.
    private static func match(_ number: UInt64, in id: Bytes, at: inout Int) -> Bool {
        guard at < id.count, id[at] == UInt8(ascii: "/") else { return false }
        at += 1
        let start = at
        var value: UInt64 = 0
        while at < id.count, at - start < 19, case let digit = id[at] &- 48, digit <= 9 {
            value = value * 10 + UInt64(digit)
            at += 1
        }
        guard at > start, value == number else { return false }
        return at - start == 1 || id[start] != 48
    }
}

/// `FrameCaptured`.
struct FrameView {
    var trigger = TriggerView()
    var triggeredAtUs: Int64 = 0
    var deviceTimeUs: Int64 = 0
    var width: Int64 = 0
    var height: Int64 = 0
    var pixelFormat: Int64 = 0
    var pixelsSha256 = Bytes.none
    var sourceName = Bytes.none

    init(_ bytes: Bytes) throws(UnusualEncoding) {
        var wire = try Wire(bytes)
        var seen = Once()
        while try wire.next() {
            switch wire.field {
            case 1:
                try seen.mark(1)
                trigger = try TriggerView(try wire.message())
            case 2: triggeredAtUs = try wire.int64()
            case 3: deviceTimeUs = try wire.int64()
            case 4: width = try wire.int32()
            case 5: height = try wire.int32()
            case 6: pixelFormat = try wire.int32()
            case 7: pixelsSha256 = try wire.string()
            case 8: sourceName = try wire.string()
            default: try wire.skip()
            }
        }
    }
}

/// `EvidenceStored`.
struct EvidenceView {
    var trigger = TriggerView()
    var pixelsSha256 = Bytes.none
    var storedSha256 = Bytes.none
    var lossless = false
    var mediaType = Bytes.none
    var storedBytes: UInt64 = 0

    init(_ bytes: Bytes) throws(UnusualEncoding) {
        var wire = try Wire(bytes)
        var seen = Once()
        while try wire.next() {
            switch wire.field {
            case 1:
                try seen.mark(1)
                trigger = try TriggerView(try wire.message())
            case 2: pixelsSha256 = try wire.string()
            case 3: storedSha256 = try wire.string()
            case 4: lossless = try wire.uint64() != 0
            case 5: mediaType = try wire.string()
            case 6: storedBytes = try wire.uint64()
            default: try wire.skip()
            }
        }
    }
}

/// `PartInspected`.
struct PartView {
    /// The whole message, to read its defects from.
    let message: Bytes
    var partID = Bytes.none
    var trigger = TriggerView()
    var pixelsSha256 = Bytes.none
    var context = Bytes.none
    var verdict: Int64 = 0
    var score = 0.0
    var confidence = 0.0
    var defects = 0
    var rejectionReason = Bytes.none
    var recipeSha256 = Bytes.none
    var triggeredAtUs: Int64 = 0
    var decidedAtUs: Int64 = 0

    static let defectField = 9

    init(_ bytes: Bytes) throws(UnusualEncoding) {
        message = bytes
        var wire = try Wire(bytes)
        var seen = Once()
        while try wire.next() {
            switch wire.field {
            case 1: partID = try wire.string()
            case 2:
                try seen.mark(2)
                trigger = try TriggerView(try wire.message())
            case 3:
                try seen.mark(3)
                try Self.checkOrigin(try wire.message())
            case 4: pixelsSha256 = try wire.string()
            case 5:
                try seen.mark(5)
                context = try wire.message()
            case 6: verdict = try wire.int32()
            case 7: score = try wire.double()
            case 8: confidence = try wire.double()
            case Self.defectField:
                _ = try DefectView(try wire.message())
                defects += 1
            case 10: rejectionReason = try wire.string()
            case 11: _ = try wire.string()
            case 12: recipeSha256 = try wire.string()
            case 13: triggeredAtUs = try wire.int64()
            case 14: decidedAtUs = try wire.int64()
            case 15: try Self.checkTiming(try wire.message())
            case 16: _ = try wire.string()
            default: try wire.skip()
            }
        }
    }

    private static func checkOrigin(_ bytes: Bytes) throws(UnusualEncoding) {
        var wire = try Wire(bytes)
        while try wire.next() {
            switch wire.field {
            case 1, 2: _ = try wire.string()
            case 3, 4, 5: _ = try wire.uint64()
            default: try wire.skip()
            }
        }
    }

    private static func checkTiming(_ bytes: Bytes) throws(UnusualEncoding) {
        var wire = try Wire(bytes)
        while try wire.next() {
            switch wire.field {
            case 1: _ = try wire.string()
            case 2: _ = try wire.uint64()
            default: try wire.skip()
            }
        }
    }
}

/// `Defect`.
struct DefectView {
    var category = Bytes.none
    var x = 0.0
    var y = 0.0
    var width = 0.0
    var height = 0.0
    var area = 0.0
    var score = 0.0

    init(_ bytes: Bytes) throws(UnusualEncoding) {
        var wire = try Wire(bytes)
        while try wire.next() {
            switch wire.field {
            case 1: category = try wire.string()
            case 2: x = try wire.float()
            case 3: y = try wire.float()
            case 4: width = try wire.float()
            case 5: height = try wire.float()
            case 6: area = try wire.float()
            case 7: score = try wire.float()
            default: try wire.skip()
            }
        }
    }
}
