import Foundation
import PlantEvents
import SwiftProtobuf
import Testing

@Suite struct GoldenTests {
    /// Every kind that a running service writes has samples that set every field, and their bytes never change.
    /// `LINELEDGER_UPDATE_GOLDEN=1` writes samples for new kinds and fields; it edits none.
    @Test(arguments: frozenRecords.map(\.file))
    func bytesStayTheSame(file: String) throws {
        let schema = try Schema.load()
        let record = try #require(frozenRecords.first { $0.file == file }?.record)
        try check(record, file: file, schema: schema)
    }

    private func check<Record: TopicRecord & Equatable>(_: Record.Type, file: String, schema: Schema) throws {
        let name = String(Record.protoMessageName.split(separator: ".").last ?? "")
        let kinds = schema.members(of: "\(name).Event", oneof: "kind").map(\.name)
            .filter { frozenKinds[file]?.contains($0) ?? true }
        #expect(!kinds.isEmpty)
        for kind in kinds {
            let samples = try complete(Record.self, name: name, file: file, kind: kind, schema: schema)
            for sample in samples {
                let place = "proto/golden/\(file).\(kind).\(sample.number)"
                let expected = try Record(textFormatString: sample.text)
                let decoded = try Codec.decode(Record.self, from: sample.bytes)
                #expect(decoded == expected, "\(place): the bytes say something else than the text")
                #expect(try Codec.encode(expected) == sample.bytes, "\(place): encodes to other bytes")
                #expect(try Codec.encode(decoded) == sample.bytes, "\(place): encodes to other bytes")
                #expect(try Codec.decodeMeta(from: sample.bytes) == expected.meta, "\(place)")
                #expect(decoded.events.map(\.kindName) == [kind], "\(place)")
            }
        }
    }

    /// The samples of a kind; with new ones for what is not covered yet, where asked for.
    private func complete<Record: TopicRecord & Equatable>(
        _: Record.Type,
        name: String,
        file: String,
        kind: String,
        schema: Schema
    ) throws -> [Golden] {
        var samples = try Golden.load(file: file, kind: kind)
        var sampler = Sampler(schema: schema)
        let all = sampler.paths(of: name, kind: kind)
        var missing = all.subtracting(samples.reduce(into: []) { $0.formUnion($1.paths) })
        while !missing.isEmpty, ProcessInfo.processInfo.environment["LINELEDGER_UPDATE_GOLDEN"] == "1" {
            let text = sampler.sample(of: name, kind: kind, missing: missing)
            let bytes = try Codec.encode(Record(textFormatString: text))
            let sample = Golden(file: file, kind: kind, number: samples.count + 1, text: text, bytes: bytes)
            try #require(!missing.isDisjoint(with: sample.paths), "no sample sets \(missing.sorted())")
            try sample.write()
            samples.append(sample)
            missing.subtract(sample.paths)
        }
        #expect(
            missing.isEmpty,
            "\(file).\(kind): no sample sets \(missing.sorted()); LINELEDGER_UPDATE_GOLDEN=1 adds one"
        )
        return samples
    }

    @Test func noSampleIsLeftOver() throws {
        let schema = try Schema.load()
        var expected: Set<String> = []
        for (file, record) in frozenRecords {
            let name = record.protoMessageName.split(separator: ".").last.map(String.init) ?? ""
            for kind in schema.members(of: "\(name).Event", oneof: "kind").map(\.name) {
                for sample in try Golden.load(file: file, kind: kind) {
                    expected.insert("\(file).\(kind).\(sample.number).txtpb")
                    expected.insert("\(file).\(kind).\(sample.number).hex")
                }
            }
        }
        let found = Set(try FileManager.default.contentsOfDirectory(atPath: Golden.folder.path))
        #expect(found == expected, "a kind was renamed or removed: \(found.symmetricDifference(expected).sorted())")
    }
}
