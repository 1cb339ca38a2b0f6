import EventLog
import Foundation
import PlantCore
import PlantEvents
import ServiceRuntime
import SwiftProtobuf

/// One thing that is set aside: a record that a service could not take, or a delivery that a peer refused.
struct ParkedWork {
    enum Kind {
        case record(ParkedShelf.Entry)
        case delivery(DeliveryCore.Refused)
    }

    let service: PlantProgram
    let kind: Kind
    /// When it was set aside, microseconds since 1970.
    let sinceUs: Int64

    /// `inspector:frames/0/4711`, `mes-bridge:hold:vision-1-9`.
    var id: String {
        switch kind {
        case .record(let entry):
            "\(service.rawValue):\(Self.short(entry.item.topic))/\(entry.item.partition)/\(entry.item.offset)"
        case .delivery(let refused): "\(service.rawValue):\(refused.intent.intentID)"
        }
    }

    static func short(_ topic: String) -> String { TopicName(topic)?.topic ?? topic }

    var row: Row {
        switch kind {
        case .record(let entry):
            Row(
                id: id,
                service: service.rawValue,
                kind: "record",
                source: "\(Self.short(entry.item.topic))/\(entry.item.partition)/\(entry.item.offset)",
                since_us: sinceUs,
                reason: entry.reason,
                state: entry.state.rawValue,
                blocks: entry.cause.holdsSubject && entry.state == .parked ? "subject \(entry.subject)" : "nothing",
                by: entry.closedBy,
                bytes: entry.bytes
            )
        case .delivery(let refused):
            Row(
                id: id,
                service: service.rawValue,
                kind: "delivery",
                source: refused.intent.intentID,
                since_us: sinceUs,
                reason: refused.reason,
                state: "parked",
                blocks: "\(refused.intent.businessKey), \(refused.waiting) waiting",
                by: "",
                bytes: 0
            )
        }
    }

    struct Row: Encodable {
        let id: String
        let service: String
        let kind: String
        let source: String
        let since_us: Int64
        let reason: String
        let state: String
        /// What cannot go on until it is dealt with.
        let blocks: String
        /// Who ended it; empty while it is parked.
        let by: String
        let bytes: UInt64
    }
}

/// Finds what a plant's services have set aside, from the log alone: they need not run.
struct ParkedSearch {
    let log: any EventLog
    let plant: PlantFile

    /// The services that have inputs of their own.
    static let services: [PlantProgram] = [
        .cameraIngest, .inspector, .mesBridge, .erpBridge, .traceabilityProjector, .alerting,
    ]

    /// - Returns: what is there, oldest first within each service, and how many more there are.
    func find(_ services: [PlantProgram], withClosed: Bool) async throws -> (work: [ParkedWork], leftOut: Int64) {
        var work: [ParkedWork] = []
        var leftOut: Int64 = 0
        for service in services {
            let listing = try await shelf(service).entries(withClosed: withClosed)
            leftOut += listing.leftOut
            work += listing.entries.map { ParkedWork(service: service, kind: .record($0), sinceUs: $0.parkedAtUs) }
            switch service {
            case .mesBridge: work += try await refused(service, .mesDeliveries, .mes)
            case .erpBridge: work += try await refused(service, .erpDeliveries, .erp)
            default: break
            }
        }
        return (work, leftOut)
    }

    func shelf(_ service: PlantProgram) -> ParkedShelf {
        ParkedShelf(log: log, site: plant.site, service: service.rawValue)
    }

    /// Replays the bridge's own history through its core, which says what is refused and what waits behind it.
    private func refused(_ service: PlantProgram, _ topic: Topic, _ dialect: DeliveryDialect) async throws
        -> [ParkedWork]
    {
        let name = TopicName(site: plant.site, topic: topic).description
        guard try await log.topics().contains(name) else { return [] }
        var work: [ParkedWork] = []
        for number in 0..<(try await log.partitionCount(of: name)) {
            let place = TopicPartition(name, number)
            let end = try await log.endOffset(of: place)
            let reader = try await log.reader(from: [place: 0])
            var gate = RecordGate<DeliveryRecord>()
            var core = DeliveryCore(dialect: dialect)
            var since: [String: Int64] = [:]
            var next: Int64 = 0
            var progress = ProgressLine(quietFor: .seconds(10))
            while next < end {
                for stored in try await reader.next(max: 1_024, wait: .seconds(1)) where stored.offset < end {
                    next = stored.offset + 1
                    guard let record = gate.read(stored).record else { continue }
                    core.evolve(with: record)
                    for event in record.events {
                        if case .deliveryRefused(let refused)? = event.kind {
                            since[refused.intentID] = record.meta.recordedAtUs
                        }
                    }
                }
                if end > 100_000 { progress.show("\(ProgressLine.bar(Double(next) / Double(end))) \(topic.rawValue)") }
            }
            progress.finish()
            await reader.close()
            work += core.refused.map {
                ParkedWork(service: service, kind: .delivery($0), sinceUs: since[$0.intent.intentID] ?? 0)
            }
        }
        return work
    }
}
