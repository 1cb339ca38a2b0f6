import EventLog
import PlantEvents
import SQLite

/// Folds batches of records into rows, within the caller's transaction.
final class Fold {
    let inputs: Inputs
    private let site: String
    private let interning: Interning
    private let tallies: Tallies
    private let frames: FrameFold
    private let inspections: InspectionFold
    private let production: ProductionFold
    private let materials: MaterialFold
    private let deliveries: DeliveryFold
    private let alarms: AlarmFold
    private let lags: LagRows
    private let putNotUnderstood, putModel: Statement
    private let siteName: [UInt8]

    init(_ database: Database, site: String) throws {
        self.site = site
        inputs = try Inputs(database, site: site)
        interning = try Interning(database)
        tallies = try Tallies(database)
        frames = try FrameFold(database, interning, tallies)
        inspections = try InspectionFold(database, interning, tallies)
        production = try ProductionFold(database, interning)
        materials = try MaterialFold(database)
        deliveries = try DeliveryFold(database, tallies)
        alarms = try AlarmFold(database)
        lags = try LagRows(database)
        putNotUnderstood = try database.prepare(
            """
            INSERT OR IGNORE INTO not_understood(subject, topic, partition, epoch, sequence, occurred_at_us)
            VALUES (?, ?, ?, ?, ?, ?)
            """
        )
        putModel = try database.prepare("UPDATE model SET applied_at_us = ?")
        siteName = Array(site.utf8)
    }

    func apply(_ batch: [StoredRecord], nowUs: Int64, isLive: Bool) throws -> Applied {
        var result = Applied()
        // In place: copying a record would touch the reference counts of all its parts.
        try batch.withUnsafeBufferPointer { records in
            var current: Inputs.Input?
            for index in records.indices {
                let input: Inputs.Input
                if let current, current.place == records[index].place {
                    input = current
                } else {
                    input = inputs.input(of: records[index].place)
                    input.isTouched = true
                }
                current = input
                if let reason = try apply(records, index, input, nowUs, &result) {
                    input.counters.parked += 1
                    result.parked.append(UnreadableRecord(record: records[index], reason: reason))
                }
            }
        }
        try deliveries.flush()
        try tallies.flush()
        try inputs.store()
        if isLive { try lags.add(result.verdictToProjectedUs) }
        try putModel.run([.int(nowUs)])
        return result
    }

    /// Folds one record; returns why it cannot be understood, if so.
    private func apply(
        _ records: UnsafeBufferPointer<StoredRecord>,
        _ index: Int,
        _ input: Inputs.Input,
        _ nowUs: Int64,
        _ result: inout Applied
    ) throws -> String? {
        guard records[index].offset >= input.counters.nextOffset else {
            input.counters.repeats += 1
            result.repeats += 1
            return nil
        }
        input.counters.nextOffset = records[index].offset + 1
        if let damage = records[index].damage { return damage }
        guard let topic = input.topic else {
            return "topic \(input.place.topic): expected a topic of site '\(site)'"
        }
        return try fold(records[index].record.value, topic, input, nowUs, &result)
    }

    /// Folds a record's events; returns why it cannot be understood, if so.
    private func fold(
        _ value: [UInt8],
        _ topic: Topic,
        _ input: Inputs.Input,
        _ nowUs: Int64,
        _ result: inout Applied
    ) throws -> String? {
        let outcome = try value.withUnsafeBytes { bytes -> String?? in
            guard let meta = try? input.reader.read(bytes, of: topic) else { return .none }
            return .some(try fold(meta, topic, input, nowUs, &result))
        }
        if let outcome { return outcome }
        // Not plainly encoded: the codec has the last word.
        let plain: [UInt8]
        do {
            plain = try Normaliser.plain(value, of: topic)
        } catch {
            return error.description
        }
        return try plain.withUnsafeBytes { bytes in
            guard let meta = try? input.reader.read(bytes, of: topic) else {
                return "a number is out of range: expected a trigger sequence below 2^40 and others below 2^63"
            }
            return try fold(meta, topic, input, nowUs, &result)
        }
    }

    private func fold(
        _ meta: MetaView,
        _ topic: Topic,
        _ input: Inputs.Input,
        _ nowUs: Int64,
        _ result: inout Applied
    ) throws -> String? {
        guard meta.site.equals(siteName), meta.topic.equals(input.topicName) else {
            return "origin \(meta.site.text)/\(meta.topic.text): expected \(site)/\(topic.rawValue)"
        }
        switch stream(of: meta, topic, input).admit(meta) {
        case .accepted: break
        case .void:
            input.counters.void += 1
            result.void += 1
            return nil
        case .repeat:
            input.counters.repeats += 1
            result.repeats += 1
            return nil
        case .acceptedAfterGap(let gap):
            try inputs.note(gap)
            result.gaps.append(gap)
        }
        let events = input.reader.events.count
        input.counters.applied += 1
        input.counters.events += Int64(events)
        result.applied += 1
        result.events += events
        let mark = Mark(
            partition: meta.partition,
            epoch: Int64(meta.epoch),
            sequence: Int64(meta.sequence),
            occurredAtUs: meta.occurredAtUs
        )
        for index in 0..<events {
            switch input.reader.events[index] {
            case .frame(let frame): try frames.fold(frame, mark)
            case .evidence(let evidence): try frames.fold(evidence, mark)
            case .part(let part):
                result.verdictToProjectedUs.append(nowUs - part.decidedAtUs)
                try inspections.fold(part, mark)
            case .intent(let intent): try deliveries.fold(intent, topic.channel, mark)
            case .confirmed(let confirmed): try deliveries.fold(confirmed, topic.channel, mark)
            case .rare(let index): try fold(input.reader.rare[index], topic, mark)
            case .known: break
            case .unknown:
                input.counters.unknown += 1
                result.unknown += 1
                if meta.mustUnderstand { try hold(meta, topic, mark) }
            }
        }
        return nil
    }

    @inline(__always)
    private func stream(of meta: MetaView, _ topic: Topic, _ input: Inputs.Input) -> Inputs.Stream {
        if let (partition, stream) = input.stream, partition == meta.partition { return stream }
        let stream = inputs.stream(topic, meta.partition)
        input.stream = (meta.partition, stream)
        return stream
    }

    private func fold(_ kind: RareKind, _ topic: Topic, _ mark: Mark) throws {
        switch kind {
        case .frames(let kind): try frames.fold(kind, mark)
        case .inspections(let kind): try inspections.fold(kind, mark)
        case .production(let kind): try production.fold(kind, mark)
        case .materials(let kind): try materials.fold(kind, mark)
        case .deliveries(let kind): try deliveries.fold(kind, topic.channel, mark)
        case .alarms(let kind): try alarms.fold(kind, mark)
        }
    }

    /// The record must be understood and is not: its subject is held where everyone sees it.
    private func hold(_ meta: MetaView, _ topic: Topic, _ mark: Mark) throws {
        try putNotUnderstood.run([
            .text(meta.subject.text), .text(topic.rawValue), .int(mark.partition), .int(mark.epoch),
            .int(mark.sequence), .int(mark.occurredAtUs),
        ])
    }
}

extension Topic {
    /// `delivery.channel`.
    var channel: Int64 { self == .erpDeliveries ? 2 : 1 }

    static func name(ofChannel channel: Int64) -> String { channel == 2 ? "erp" : "mes" }
}
