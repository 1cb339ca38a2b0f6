import Foundation
import PlantEvents
import SwiftProtobuf
import Testing

/// The records that running services write, by schema file; their bytes are frozen.
let frozenRecords: [(file: String, record: any (TopicRecord & Equatable).Type)] = [
    ("frames", FrameRecord.self), ("inspections", InspectionRecord.self), ("production", ProductionRecord.self),
    ("materials", MaterialRecord.self), ("deliveries", DeliveryRecord.self), ("alarms", AlarmRecord.self),
    ("parked", ParkedRecord.self), ("decisions", DecisionRecord.self),
]

/// Of a topic that is written in part: the kinds that a service writes, by schema file.
let frozenKinds: [String: Set<String>] = [
    "decisions": [
        "writer_took_over", "recipe_submitted", "recipe_tested", "recipe_approved", "recipe_returned",
        "recipe_released",
        "recipe_retired", "model_trained", "performance_reviewed", "legal_hold_placed", "legal_hold_lifted",
    ]
]

/// The records of topics that no running service writes yet.
let cataloguedRecords: [any TopicRecord.Type] = [AccessRecord.self, LedgerRecord.self]

@Suite struct SchemaTests {
    let schema: Schema

    init() throws {
        schema = try Schema.load()
    }

    @Test func everythingIsCommented() {
        #expect(schema.problems.isEmpty, "\(schema.problems.joined(separator: "\n"))")
        #expect(schema.blocks.count > 200)
    }

    @Test func aMissingCommentIsFound() {
        var broken = Schema()
        broken.read("// One.\nmessage One {\n  string a = 1;\n  // B.\n  string b = 2;\n}\n", file: "broken")
        #expect(broken.problems == ["broken.proto:3: no comment above:   string a = 1;"])
    }

    @Test func generatedCodeIsUpToDate() throws {
        let check = Process()
        check.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        check.arguments = ["sha256sum", "--check", "--quiet", "proto/generated.sha256"]
        check.currentDirectoryURL = Schema.root
        try check.run()
        check.waitUntilExit()
        #expect(check.terminationStatus == 0, "run proto/generate.sh: schemas and generated code differ")
        let sums = try String(contentsOf: Schema.root.appending(path: "proto/generated.sha256"), encoding: .utf8)
        for file in Set(schema.blocks.map(\.file)) {
            #expect(sums.contains("proto/lineledger/v1/\(file).proto"), "run proto/generate.sh: \(file) is new")
        }
    }

    /// "Catalogued: field number N of X.Y when …" promises a number: no two may promise the same, none may be in use.
    @Test func cataloguedNumbersAreFreeAndUnique() throws {
        var promised: [String: String] = [:]
        for block in schema.blocks {
            for line in block.comment.joined(separator: " ").components(separatedBy: "Catalogued: ").dropFirst() {
                let words = line.split(separator: " ").map(String.init)
                try #require(words.count > 5 && words[0...1] == ["field", "number"], "\(block.name): \(line)")
                let number = try #require(Int(words[2]))
                let path = words[4].split(separator: ".").map(String.init)
                let oneof = try #require(path.last)
                let members = schema.members(of: path.dropLast().joined(separator: "."), oneof: oneof)
                #expect(!members.isEmpty, "\(block.name): no oneof \(words[4])")
                #expect(!members.contains { $0.number == number }, "\(block.name): \(words[4]) uses \(number) already")
                #expect(
                    !members.contains { $0.type == block.name },
                    "\(block.name) is written; drop its Catalogued line"
                )
                let place = "\(words[4]) \(number)"
                let other = promised.updateValue(block.name, forKey: place)
                #expect(other == nil, "\(place): promised to \(other ?? "") and \(block.name)")
            }
        }
        #expect(promised.count > 80)
    }

    @Test func everyEventHasAnExample() {
        let events = schema.blocks.flatMap(\.fields).filter { ["kind", "effect"].contains($0.oneof) }.map(\.type)
        let catalogued = schema.blocks.filter { $0.comment.contains { $0.hasPrefix("Catalogued:") } }.map(\.name)
        for name in Set(events + catalogued) {
            let comment = schema.message(name)?.comment ?? []
            #expect(comment.contains { $0.hasPrefix("Example: ") }, "\(name) has no Example line")
        }
    }

    @Test func everyTopicHasItsRecord() {
        for record in frozenRecords.map(\.record) + cataloguedRecords {
            expectTopicShape(of: record)
        }
    }

    private func expectTopicShape<Record: TopicRecord>(of record: Record.Type) {
        let name = String(Record.protoMessageName.split(separator: ".").last ?? "")
        let fields = schema.message(name)?.fields.map { "\($0.type) \($0.name) \($0.number)" }
        #expect(fields == ["Meta meta 1", "Event events 2"], "\(name)")
        let kinds = schema.members(of: "\(name).Event", oneof: "kind")
        #expect(kinds.first.map { "\($0.type) \($0.number)" } == "WriterTookOver 1", "\(name)")
        #expect(Record.Event.takeover(WriterTookOver()).kindName == "writer_took_over")
        #expect(Record.Event().kindName == "unknown")
        for kind in kinds { expectKindName(kind, of: record) }
    }

    /// The name in the `events` header is the field's name.
    private func expectKindName<Record: TopicRecord>(_ kind: Schema.Field, of _: Record.Type) {
        let event = try? Record.Event(serializedBytes: Wire.field(kind.number, []))
        #expect(event?.kindName == kind.name, "\(Record.protoMessageName): kind \(kind.number)")
    }
}
