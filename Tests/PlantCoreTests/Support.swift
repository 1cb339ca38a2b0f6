import Foundation
import PlantCore
import PlantEvents
import SeededRandom
import SwiftProtobuf
import Testing

/// A core run as its service does: what it decides is recorded and at once taken in.
struct Live<C: Core> {
    private(set) var core: C
    private(set) var records: [C.Record] = []
    /// Steps by a millisecond with each input.
    private(set) var nowUs: Int64 = 1_715_922_000_000_000

    init(_ core: C) {
        self.core = core
    }

    @discardableResult
    mutating func submit(_ input: C.Input) -> C.Record? {
        nowUs += 1_000
        guard let step = core.decide(input, nowUs: nowUs) else { return nil }
        let record = recorded(step, sequence: UInt64(records.count), nowUs: nowUs)
        core.evolve(with: record)
        records.append(record)
        return record
    }

    var kinds: [C.Record.Event.Kind] { records.flatMap(\.kinds) }
}

extension TopicRecord {
    var kinds: [Event.Kind] { events.compactMap(\.kind) }
}

private func recorded<Record: TopicRecord>(_ step: Step<Record>, sequence: UInt64, nowUs: Int64) -> Record {
    var record = Record()
    record.meta = .with {
        $0.origin = .with {
            $0.site = "berlin"
            $0.topic = Record.protoMessageName
            $0.epoch = 1
            $0.sequence = sequence
        }
        $0.recordID = step.recordID
        $0.occurredAtUs = step.occurredAtUs
        $0.recordedAtUs = nowUs
        $0.place.workCenter = step.line
        $0.place.workUnit = step.station
        $0.subject = step.subject
        $0.mustUnderstand = step.mustUnderstand
    }
    record.events = step.kinds.map { Record.Event($0) }
    return record
}

/// A record of another service, as a core gets to see it.
func foreign<Record: TopicRecord>(
    _ id: String,
    _ kinds: [Record.Event.Kind],
    line: String = "line-1",
    station: String = "",
    atUs: Int64 = 1_715_922_000_000_000,
    sequence: UInt64 = 0
) -> Record {
    recorded(
        Step(
            recordID: id,
            kinds: kinds,
            key: line,
            subject: id,
            line: line,
            station: station,
            occurredAtUs: atUs
        ),
        sequence: sequence,
        nowUs: atUs
    )
}

/// State as text, the same for equal states.
func text(_ state: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    return String(decoding: try encoder.encode(state), as: UTF8.self)
}

/// Checks that own history alone gives the state of `live` back, from the beginning and from a snapshot at any point.
func expectHistoryGivesState<C: Core>(
    _ live: Live<C>,
    fresh: C,
    _ random: inout SplitMix64,
    location: SourceLocation = #_sourceLocation
) throws {
    let stored = try live.records.map { try C.Record(serializedBytes: $0.serializedBytes() as [UInt8]) }
    let expected = try text(live.core.state)

    var replayed = fresh
    for record in stored { replayed.evolve(with: record) }
    #expect(try text(replayed.state) == expected, sourceLocation: location)

    let cut = Int.random(in: 0...stored.count, using: &random)
    var before = fresh
    for record in stored[..<cut] { before.evolve(with: record) }
    var resumed = fresh
    resumed.state = try JSONDecoder().decode(C.State.self, from: try JSONEncoder().encode(before.state))
    for record in stored[cut...] { resumed.evolve(with: record) }
    #expect(try text(resumed.state) == expected, "snapshot after \(cut) of \(stored.count)", sourceLocation: location)
}

extension TriggerId {
    init(_ station: String, _ sequence: UInt64) { self.init(station, 1, sequence) }

    init(_ station: String, _ session: UInt64, _ sequence: UInt64) {
        self.init()
        self.station = station
        self.session = session
        self.sequence = sequence
    }
}

extension Array where Element: Hashable {
    var hasNoRepeats: Bool { Set(self).count == count }
}
