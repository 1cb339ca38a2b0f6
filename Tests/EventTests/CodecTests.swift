import PlantEvents
import SeededRandom
import SwiftProtobuf
import Testing

@Suite struct CodecTests {
    /// A record as the camera service writes it.
    static func frame() throws -> [UInt8] {
        try #require(try Golden.load(file: "frames", kind: "frame_captured").first).bytes
    }

    private func refusal(of bytes: [UInt8]) -> String? {
        do throws(InvalidRecord) {
            _ = try Codec.decode(FrameRecord.self, from: bytes)
            return nil
        } catch {
            return error.description
        }
    }

    private func refusal(_ change: (inout FrameRecord) -> Void) throws -> String? {
        var record = try Codec.decode(FrameRecord.self, from: Self.frame())
        change(&record)
        return refusal(of: try Codec.encode(record))
    }

    @Test func foreignBytesAreRefused() {
        #expect(refusal(of: Array("{\"json\": true}".utf8))?.hasPrefix("not a lineledger.v1.FrameRecord") == true)
        #expect(refusal(of: []) == "meta: missing; a foreign record?")
        #expect(refusal(of: Wire.field(7, Array("text".utf8))) == "meta: missing; a foreign record?")
    }

    /// No proper prefix of a record is taken for the record, and none crashes the reader.
    @Test func truncatedBytesAreRefusedOrShorter() throws {
        let bytes = try Self.frame()
        let whole = try Codec.decode(FrameRecord.self, from: bytes)
        var taken = 0
        for count in 0..<bytes.count {
            guard let record = try? Codec.decode(FrameRecord.self, from: Array(bytes[..<count])) else { continue }
            taken += 1
            #expect(record != whole)
        }
        #expect(taken == 0, "a record with one event has no readable prefix")
    }

    @Test func incompleteMetadataIsRefused() throws {
        #expect(try refusal { $0.clearMeta() } == "meta: missing; a foreign record?")
        let incomplete = "meta.origin: incomplete; expected site, topic and an epoch of at least 1"
        #expect(try refusal { $0.meta.clearOrigin() } == incomplete)
        #expect(try refusal { $0.meta.origin.site = "" } == incomplete)
        #expect(try refusal { $0.meta.origin.topic = "" } == incomplete)
        #expect(try refusal { $0.meta.origin.epoch = 0 } == incomplete)
        #expect(try refusal { $0.meta.recordID = "" } == "meta.record_id: empty")
        #expect(try refusal { $0.meta.recordedAtUs = 0 } == "meta.recorded_at_us: 0; expected > 0")
        #expect(try refusal { $0.meta.recordedAtUs = -5 } == "meta.recorded_at_us: -5; expected > 0")
        #expect(try refusal { $0.events = [] } == "events: empty; expected at least one event")
        #expect(try refusal { _ in } == nil)
    }

    /// Damaged bytes are refused or decode to a valid record; what is accepted is written back the same each time.
    @Test(arguments: frozenRecords.map(\.file))
    func damagedBytesNeverCrash(file: String) throws {
        let record = try #require(frozenRecords.first { $0.file == file }?.record)
        let kinds = try Schema.load().members(of: recordName(record) + ".Event", oneof: "kind").map(\.name)
        let samples = try kinds.flatMap { try Golden.load(file: file, kind: $0) }.map(\.bytes)
        try #require(!samples.isEmpty)
        try damage(samples, as: record, seed: 20_240_517)
    }

    private func recordName(_ record: any Message.Type) -> String {
        record.protoMessageName.split(separator: ".").last.map(String.init) ?? ""
    }

    private func damage<Record: TopicRecord & Equatable>(
        _ samples: [[UInt8]],
        as _: Record.Type,
        seed: UInt64
    ) throws {
        var random = SplitMix64(seed: seed)
        var refused = 0
        var accepted = 0
        for _ in 0..<3_000 {
            let bytes = damaged(samples, with: &random)
            guard let record = try? Codec.decode(Record.self, from: bytes) else {
                refused += 1
                continue
            }
            accepted += 1
            #expect(record.hasMeta && record.meta.hasOrigin && record.meta.origin.epoch > 0)
            #expect(!record.meta.recordID.isEmpty && record.meta.recordedAtUs > 0 && !record.events.isEmpty)
            let written = try Codec.encode(record)
            #expect(try Codec.encode(Codec.decode(Record.self, from: written)) == written)
            #expect(throws: Never.self) { try Codec.decodeMeta(from: written) }
        }
        #expect(refused > 100 && accepted > 100, "the damage is one-sided: \(refused) refused, \(accepted) accepted")
    }

    private func damaged(_ samples: [[UInt8]], with random: inout SplitMix64) -> [UInt8] {
        var bytes = samples[Int.random(in: 0..<samples.count, using: &random)]
        for _ in 0...Int.random(in: 0..<3, using: &random) where !bytes.isEmpty {
            let at = Int.random(in: 0..<bytes.count, using: &random)
            switch Int.random(in: 0..<5, using: &random) {
            case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
            case 1: bytes[at] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 2: bytes.remove(at: at)
            case 3: bytes.insert(UInt8.random(in: 0...255, using: &random), at: at)
            default: bytes.removeSubrange(at...)
            }
        }
        return bytes
    }

    @Test func kindsOfANewerVersionSurvive() throws {
        let newer = try Self.frame() + Wire.field(2, Wire.field(9_999, Array("a kind of tomorrow".utf8)))
        let record = try Codec.decode(FrameRecord.self, from: newer)
        #expect(record.events.map(\.kindName) == ["frame_captured", "unknown"])
        #expect(record.events.last?.kind == nil)
        #expect(try Codec.encode(record) == newer)
    }

    @Test func fieldsOfANewerVersionSurvive() throws {
        let extra = Wire.field(1_000, Array("a field of tomorrow".utf8)) + Wire.field(1_001, 7)
        let old = try Codec.decode(FrameRecord.self, from: Self.frame())
        guard case .frameCaptured(let captured) = try #require(old.events.first).kind else {
            Issue.record("the sample is no frame_captured")
            return
        }
        let newer =
            Wire.field(1, try old.meta.serializedBytes() + extra)
            + Wire.field(2, Wire.field(3, try captured.serializedBytes() + extra) + extra) + extra
        let record = try Codec.decode(FrameRecord.self, from: newer)
        #expect(record.meta.recordID == old.meta.recordID)
        #expect(record.events.map(\.kindName) == ["frame_captured"])
        #expect(try Codec.encode(record) == newer)
    }

    @Test func enumValuesOfANewerVersionSurvive() throws {
        var captured = FrameCaptured()
        captured.pixelFormat = .UNRECOGNIZED(77)
        let bytes: [UInt8] = try captured.serializedBytes()
        let again = try FrameCaptured(serializedBytes: bytes)
        #expect(again.pixelFormat == .UNRECOGNIZED(77))
        #expect(try again.serializedBytes() == bytes)
    }
}
