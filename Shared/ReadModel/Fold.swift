import CPlantEvents
import EventLog
import PlantEvents
import SQLite

/// Folds batches of records into rows, within the caller's transaction.
///
/// It and its parts belong to one owner and never call back, so the state that each event touches goes without run-time
/// checks for overlapping access: they cost some percent of a replay.
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
    private let decisions: DecisionFold
    private let lags: LagRows
    private let putNotUnderstood, putModel: Statement
    private let siteName: [UInt8]
    private let chunk = RecordChunk()
    /// Threads that read ahead; without one, records are read by the thread that folds them.
    var pool: DecodePool?

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
        decisions = try DecisionFold(database)
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
            let runs = runs(records)
            guard let pool, runs.count > 1 else {
                for run in runs {
                    chunk.read(run.records, of: run.topic)
                    try fold(run, chunk, nowUs, &result)
                }
                return
            }
            try pool.read(runs) { index, chunk in try fold(runs[index], chunk, nowUs, &result) }
        }
        try tallies.flush()
        try inputs.store()
        if isLive { try lags.add(result.verdictToProjectedUs) }
        try putModel.run([.int(nowUs)])
        return result
    }

    /// Parts of the batch that are read at once.
    private func runs(_ records: UnsafeBufferPointer<StoredRecord>) -> [RecordRun] {
        var runs: [RecordRun] = []
        var start = 0
        while start < records.count {
            let place = records[start].place
            var end = start + 1
            let limit = min(records.count, start + RecordChunk.capacity)
            while end < limit, records[end].place == place { end += 1 }
            let input = inputs.input(of: place)
            input.isTouched = true
            runs.append(RecordRun(records: UnsafeBufferPointer(rebasing: records[start..<end]), topic: input.topic))
            start = end
        }
        return runs
    }

    /// Folds what the chunk holds of the run and writes its rows, before the chunk is read anew.
    private func fold(
        _ run: RecordRun,
        _ chunk: RecordChunk,
        _ nowUs: Int64,
        _ result: inout Applied
    ) throws {
        let input = inputs.input(of: run.records[0].place)
        for index in run.records.indices {
            guard let reason = try fold(run.records, index, chunk, input, nowUs, &result) else { continue }
            input.counters.parked += 1
            result.parked.append(UnreadableRecord(record: run.records[index], reason: reason))
        }
        try frames.flush()
        try inspections.flush()
        try deliveries.flush()
    }

    /// Folds one record; returns why it cannot be understood, if so.
    private func fold(
        _ records: UnsafeBufferPointer<StoredRecord>,
        _ index: Int,
        _ chunk: RecordChunk,
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
        if let record = chunk.records[index] { return try fold(record, topic, chunk, input, nowUs, &result) }
        // Not plainly encoded: the codec has the last word.
        let plain: [UInt8]
        do {
            plain = try Normaliser.plain(records[index].record.value, of: topic)
        } catch {
            return error.description
        }
        guard let record = plain.withUnsafeBytes({ chunk.read($0, of: topic, isNormalised: true) }) else {
            return Normaliser.refusal(plain)
        }
        return try fold(record, topic, chunk, input, nowUs, &result)
    }

    private func fold(
        _ record: ReadRecord,
        _ topic: Topic,
        _ chunk: RecordChunk,
        _ input: Inputs.Input,
        _ nowUs: Int64,
        _ result: inout Applied
    ) throws -> String? {
        let meta = record.meta
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
        input.counters.applied += 1
        input.counters.events += Int64(record.eventCount)
        result.applied += 1
        result.events += record.eventCount
        let mark = Mark(
            partition: meta.partition,
            epoch: Int64(meta.epoch),
            sequence: Int64(meta.sequence),
            occurredAtUs: meta.occurredAtUs
        )
        var nextRare = record.firstRare
        for index in 0..<record.eventCount {
            switch record.event(index) {
            case .frame(let frame): try frames.fold(frame, mark)
            case .evidence(let evidence): try frames.fold(evidence, mark)
            case .part(let part):
                result.verdictToProjectedUs.append(nowUs - part.pointee.decided_at_us)
                try inspections.fold(part, mark)
            case .yield(let intent): deliveries.fold(yield: intent, topic.channel, mark)
            case .confirmed(let confirmed): try deliveries.fold(confirmed, topic.channel, mark)
            case .counted: break
            case .rare:
                try fold(chunk.rare[nextRare], topic, mark, chunk)
                nextRare += 1
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

    private func fold(_ kind: RareKind, _ topic: Topic, _ mark: Mark, _ chunk: RecordChunk) throws {
        switch kind {
        case .frames(let kind): try frames.fold(kind, mark)
        case .inspections(let kind): try inspections.fold(kind, mark)
        case .production(let kind): try production.fold(kind, mark)
        case .materials(let kind): try materials.fold(kind, mark)
        case .deliveries(let kind): try deliveries.fold(kind, topic.channel, mark, chunk)
        case .alarms(let kind): try alarms.fold(kind, mark)
        case .decisions(let kind): try decisions.fold(kind, mark)
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
