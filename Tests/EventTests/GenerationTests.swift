import PlantEvents
import SeededRandom
import SwiftProtobuf
import Testing

/// M19: older, current and newer writers on one topic; what a reader of today makes of each.
@Suite struct GenerationTests {
    private static func meta(mustUnderstand: Bool = false) throws -> [UInt8] {
        try Meta.with {
            $0.origin = .with {
                $0.site = "berlin"
                $0.topic = "production"
                $0.epoch = 1
                $0.sequence = 7
            }
            $0.recordID = "test:7"
            $0.recordedAtUs = 1
            $0.subject = "WO-1"
            $0.mustUnderstand = mustUnderstand
        }.serializedBytes()
    }

    /// `order_started`, by number, with `payload` as an older or newer build would write it.
    private static func record(kind: Int, _ payload: [UInt8], mustUnderstand: Bool = false, extra: [UInt8] = []) throws
        -> [UInt8]
    {
        Wire.field(1, try meta(mustUnderstand: mustUnderstand) + extra)
            + Wire.field(2, Wire.field(kind, payload) + extra)
            + extra
    }

    private static var orderStarted: Int {
        get throws {
            let schema = try Schema.load()
            let members = schema.members(of: "ProductionRecord.Event", oneof: "kind")
            return try #require(members.first { $0.name == "order_started" }).number
        }
    }

    @Test func olderWritersLeaveFieldsOut() throws {
        let line = Wire.field(1, Array("line-1".utf8))
        let bytes = try Self.record(kind: Self.orderStarted, line)
        let record = try AnyRecord(topic: .production, value: bytes)
        guard case .production(let production) = record, case .orderStarted(let order)? = production.events.first?.kind
        else {
            Issue.record("not an order_started")
            return
        }
        #expect(order.line == "line-1" && order.orderID.isEmpty)
        #expect(record.unknownKinds.isEmpty && record.notUnderstood == nil)
    }

    @Test func newerWritersAddFieldsThatSurvive() throws {
        let extra = Wire.field(900, Array("tomorrow".utf8)) + Wire.field(901, 5)
        let bytes = try Self.record(kind: Self.orderStarted, Wire.field(1, Array("line-1".utf8)) + extra, extra: extra)
        guard case .production(let record) = try AnyRecord(topic: .production, value: bytes) else { return }
        #expect(try Codec.encode(record) == bytes)
        #expect(AnyRecord.production(record).notUnderstood == nil)
    }

    @Test(arguments: [true, false]) func newerKindsHoldOnlyWhereTheyMust(mustUnderstand: Bool) throws {
        let bytes = try Self.record(kind: 9_999, [1, 2], mustUnderstand: mustUnderstand)
        let record = try AnyRecord(topic: .production, value: bytes)
        #expect(record.unknownKinds == [9_999])
        #expect((record.notUnderstood != nil) == mustUnderstand)
        #expect(record.notUnderstood?.contains("9999") ?? true)
        // Known kinds are understood, whoever insists.
        let known = try Self.record(kind: Self.orderStarted, [], mustUnderstand: mustUnderstand)
        #expect(try AnyRecord(topic: .production, value: known).notUnderstood == nil)
    }

    @Test func bytesAreToldWithoutASchema() throws {
        let bytes = try Self.record(kind: 9_999, Wire.field(3, 300) + Wire.field(4, [0, 1]))
        let raw = RawMessage(bytes)
        #expect(raw.problem == nil && raw.text(at: [1, 2]) == "test:7" && raw.text(at: [1, 1, 1]) == "berlin")
        #expect(raw.paths().isSuperset(of: ["1.1.1", "2.9999.3", "2.9999.4"]))
        #expect(raw.lines().contains("    3: 300") && raw.lines().contains("    4: 0001"))
        let cut = RawMessage(Array(bytes.dropLast(2)))
        let problem = try #require(cut.problem)
        #expect(problem.text.contains("field 2 is cut off") && problem.offset == raw.fields.last?.offset)
        #expect(RawMessage([0x07]).problem?.offset == 0)
        #expect(RawMessage([]).problem == nil)
    }

    @Test func rawReadingStandsEverything() throws {
        var random = SplitMix64(seed: 20_240_518)
        var deep: [UInt8] = [8, 1]
        for _ in 0..<5_000 { deep = Wire.field(1, deep) }
        #expect(!RawMessage(deep).lines().isEmpty)
        for _ in 0..<3_000 {
            let bytes = (0..<Int.random(in: 0..<80, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            let raw = RawMessage(bytes)
            #expect(raw.problem != nil || bytes.isEmpty || !raw.fields.isEmpty)
            _ = raw.lines()
        }
    }
}
