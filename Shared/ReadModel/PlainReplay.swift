import EventLog
import PlantEvents
import SQLite
import SwiftProtobuf

/// What one writes with SwiftProtobuf and SQLite alone: each record decoded whole, its strings bound, indexes there
/// from the start, a transaction a batch. It writes the facts of the frequent events into the model's tables and leaves
/// out what costs thought: repeats, void writers, gaps, tallies.
final class PlainReplay {
    private let database: Database
    private let addSource, addContext, addTerm, addTrigger, addEvidence, addPart, addDefect: Statement
    private let addDelivery, conclude: Statement
    private var sources: [String: Int64] = [:]
    private var contexts: [ProductionContext: Int64] = [:]
    private var terms: [String: Int64] = [:]

    static func run(_ batches: [[StoredRecord]], to path: String) throws {
        let model = try ReadModel(path: path, site: SyntheticChains.site, purpose: .rebuild)
        try model.database.execute(Schema.queryIndexes)
        let replay = try PlainReplay(model.database)
        for batch in batches {
            try model.database.transaction { for record in batch { try replay.apply(record) } }
        }
        try model.database.execute("PRAGMA synchronous=FULL; PRAGMA journal_mode=DELETE;")
    }

    private init(_ database: Database) throws(SQLiteError) {
        self.database = database
        func insert(_ table: String, _ columns: Int) throws(SQLiteError) -> Statement {
            let marks = (0..<columns).map { _ in "?" }.joined(separator: ", ")
            return try database.prepare("INSERT OR REPLACE INTO \(table) VALUES (\(marks))")
        }
        addSource = try insert("source", 3)
        addContext = try insert("context", 15)
        addTerm = try insert("term", 2)
        addTrigger = try insert("trigger", 13)
        addEvidence = try insert("evidence", 11)
        addPart = try insert("part", 15)
        addDefect = try insert("defect", 11)
        addDelivery = try insert("delivery", 14)
        conclude = try database.prepare(
            """
            UPDATE delivery SET state = 1, answer = ?, found_by_look_up = ?, outcome_at_us = ?, partition = ?,
                epoch = ?, sequence = ? WHERE channel = ? AND intent_id = ?
            """
        )
    }

    private func apply(_ record: StoredRecord) throws {
        let value = record.record.value
        switch TopicName(record.place.topic).flatMap({ Topic(rawValue: $0.topic) }) {
        case .frames:
            let read = try FrameRecord(serializedBytes: value)
            for event in read.events { try fold(event.kind, Self.mark(read.meta)) }
        case .inspections:
            let read = try InspectionRecord(serializedBytes: value)
            for event in read.events {
                if case .partInspected(let part) = event.kind { try fold(part, Self.mark(read.meta)) }
            }
        case .mesDeliveries: try fold(try DeliveryRecord(serializedBytes: value), 1)
        case .erpDeliveries: try fold(try DeliveryRecord(serializedBytes: value), 2)
        case .production: _ = try ProductionRecord(serializedBytes: value)
        case .materials: _ = try MaterialRecord(serializedBytes: value)
        case .alarms: _ = try AlarmRecord(serializedBytes: value)
        case .decisions, .access, .ledger, nil: break
        }
    }

    private static func mark(_ meta: Meta) -> [Cell] {
        [.int(Int64(meta.origin.partition)), .int(Int64(meta.origin.epoch)), .int(Int64(meta.origin.sequence))]
    }

    private func key(_ trigger: TriggerId) throws -> Int64 {
        let name = "\(trigger.station)/\(trigger.session)"
        let known = sources[name]
        let source = known ?? Int64(sources.count + 1)
        if known == nil {
            sources[name] = source
            try addSource.run([.int(source), .text(trigger.station), .int(Int64(trigger.session))])
        }
        return source << Schema.sequenceBits | Int64(trigger.sequence)
    }

    private func term(_ text: String) throws -> Int64 {
        if let id = terms[text] { return id }
        let id = Int64(terms.count + 1)
        terms[text] = id
        try addTerm.run([.int(id), .text(text)])
        return id
    }

    private func context(_ context: ProductionContext) throws -> Int64 {
        if let id = contexts[context] { return id }
        let id = Int64(contexts.count + 1)
        contexts[context] = id
        try addContext.run([
            .int(id), .text("\(id)"), .text(context.orderID), .text(context.sku), .text(context.batchID),
            .text(context.variant), .text(context.customerOrder), .text(context.line), .text(context.shift),
            .text(context.recipeID), .text(context.recipeSha256), .int(Int64(context.targetQuantity)),
            .int(Int64(context.changeover.rawValue)), .text(context.controlPlanRevision),
            .text(context.customerRequirements.joined(separator: "\n")),
        ])
        return id
    }

    private func fold(_ kind: FrameRecord.Event.Kind?, _ mark: [Cell]) throws {
        switch kind {
        case .frameCaptured(let frame):
            try addTrigger.run(
                [
                    .int(try key(frame.trigger)), .int(1), .int(frame.triggeredAtUs), .int(frame.deviceTimeUs),
                    .int(Int64(frame.width)), .int(Int64(frame.height)), .int(Int64(frame.pixelFormat.rawValue)),
                    .text(frame.pixelsSha256), .text(frame.sourceName), .null,
                ] + mark
            )
        case .evidenceStored(let evidence):
            try addEvidence.run(
                [
                    .int(try key(evidence.trigger)), .int(1), .text(evidence.pixelsSha256),
                    .text(evidence.storedSha256), .int(evidence.lossless ? 1 : 0), .int(try term(evidence.mediaType)),
                    .int(Int64(evidence.storedBytes)), .null,
                ] + mark
            )
        default: break
        }
    }

    private func fold(_ part: PartInspected, _ mark: [Cell]) throws {
        let key = try key(part.trigger)
        let scores = part.scores.flatMap { score in withUnsafeBytes(of: score.bitPattern.littleEndian) { Array($0) } }
        try addPart.run(
            [
                .int(key), .int(Int64(part.verdict.rawValue)), .int(try context(part.context)),
                .int(try term(part.recipeSha256)), .real(part.score), .real(part.confidence), .int(part.triggeredAtUs),
                .int(part.decidedAtUs), .text(part.pixelsSha256), .null, .text(part.rejectionReason),
                scores.isEmpty ? .null : .blob(scores),
            ] + mark
        )
        for (ordinal, defect) in part.defects.enumerated() {
            try addDefect.run([
                .int(key), .int(Int64(ordinal)), .text(defect.category), .real(Double(defect.x)),
                .real(Double(defect.y)), .real(Double(defect.width)), .real(Double(defect.height)),
                .real(Double(defect.area)), .real(Double(defect.score)), .text(defect.tool), .text(defect.severity),
            ])
        }
    }

    private func fold(_ record: DeliveryRecord, _ channel: Int64) throws {
        let mark = Self.mark(record.meta)
        for event in record.events {
            switch event.kind {
            case .deliveryIntended(let intent):
                try addDelivery.run(
                    [
                        .int(channel), .text(intent.intentID), .int(Effect.orderYield.rawValue), .text(intent.peer),
                        .text(intent.businessKey), .text(intent.orderYield.orderID), .int(record.meta.occurredAtUs),
                        .int(0), .null, .int(0), .null,
                    ] + mark
                )
            case .deliveryConfirmed(let confirmed):
                try conclude.run(
                    [
                        .text(confirmed.peerReference), .int(confirmed.foundByLookUp ? 1 : 0),
                        .int(record.meta.occurredAtUs),
                    ] + mark + [.int(channel), .text(confirmed.intentID)]
                )
            default: break
            }
        }
    }
}
