import EventLog
import Foundation
import Logging
import PlantCore
import PlantEvents
import ServiceRuntime
import SwiftProtobuf
import Testing

/// A service with one intake on a log in memory, and a hand-made writer of its input.
struct ParkedBench {
    static let site = "berlin"
    static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    let log: any EventLog
    let context: ServiceContext
    let place = TopicPartition(TopicName(site: site, topic: .production).description)

    init(
        log: any EventLog = MemoryLog(),
        service: String = "mes-bridge",
        nowUs: @escaping @Sendable () -> Int64 = { 1_000_000 }
    ) {
        self.log = log
        context = ServiceContext(
            service: service,
            instance: "run-\(UInt64.random(in: 0...UInt64.max))",
            plant: PlantFile(
                enterprise: "acme",
                site: Self.site,
                area: "assembly",
                log: "memory:",
                state: NSTemporaryDirectory() + "lineledger-parked-\(UInt64.random(in: 0...UInt64.max))",
                lines: []
            ),
            log: log,
            logger: Self.quiet,
            nowUs: nowUs
        )
    }

    func intake(_ parker: Parker, from positions: IntakePositions = IntakePositions(), owner: Intake.Owner = .watcher)
        -> Intake
    {
        Intake(context, topics: [.production], from: positions, parker: parker, owner: owner)
    }

    var shelf: ParkedShelf { ParkedShelf(log: log, site: Self.site, service: context.service) }

    func parkedItems() async throws -> [ParkedDesk.Item] { try await shelf.entries().entries.map(\.item) }

    /// Bytes of a production record; `tail` goes behind it, which is how foreign fields get in.
    static func record(
        _ sequence: UInt64,
        subject: String = "WO-1",
        epoch: UInt64 = 1,
        kind: [UInt8]? = nil,
        mustUnderstand: Bool = false
    ) throws -> [UInt8] {
        var record = ProductionRecord.with {
            $0.meta.origin = .with {
                $0.site = site
                $0.topic = Topic.production.rawValue
                $0.epoch = epoch
                $0.sequence = sequence
            }
            $0.meta.recordID = "test:\(sequence)"
            $0.meta.recordedAtUs = 1
            $0.meta.occurredAtUs = 1
            $0.meta.subject = subject
            $0.meta.producer.instance = "writer-\(epoch)"
            $0.meta.producer.service = "mes-bridge"
            $0.meta.producer.build = "9.9.9"
            $0.meta.mustUnderstand = mustUnderstand
        }
        if kind == nil {
            record.events = [
                ProductionRecord.Event(
                    .orderCompleted(
                        .with {
                            $0.line = "line-1"
                            $0.orderID = subject
                        }
                    )
                )
            ]
        }
        return try record.serializedBytes() + (kind ?? [])
    }

    /// An event of a kind that no build knows: field 2 of the record, field 9999 in it.
    static let unknownKind: [UInt8] = [0x12, 0x05, 0xfa, 0xf0, 0x04, 0x01, 0x78]

    func append(_ values: [[UInt8]]) async throws {
        try await log.create(topic: place.topic, partitions: 1)
        try await log.append(values.map { LogRecord(key: [1], value: $0) }, to: place)
    }
}

/// A core that remembers which orders it was told of, one event an input.
struct ListeningCore: Core {
    typealias Record = ProductionRecord
    typealias Input = String
    static let version = 1
    var state: [String] = []

    func decide(_ input: String, nowUs: Int64) -> Step<ProductionRecord>? {
        let kind = ProductionRecord.Event.OneOf_Kind.orderCompleted(.with { $0.orderID = input })
        return Step(recordID: "heard:\(input)", kinds: [kind], key: input, subject: input, occurredAtUs: nowUs)
    }

    mutating func evolve(with kind: ProductionRecord.Event.OneOf_Kind) {
        if case .orderCompleted(let order) = kind { state.append(order.orderID) }
    }
}
