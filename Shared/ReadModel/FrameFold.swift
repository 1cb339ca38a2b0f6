import CPlantEvents
import PlantEvents
import SQLite

/// A row of table `trigger` from `FrameCaptured`.
private struct FrameRow: BlockRow {
    static let target = FrameFold.triggerTarget
    static let columns: Int32 = 13

    let key: Int64
    let frame: FrameView
    let pixels: HashCell
    let mark: Mark

    @inline(__always)
    func bind(to statement: Statement, from first: Int32) {
        statement.bind(first, key)
        statement.bind(first + 1, Int64(1))
        statement.bind(first + 2, frame.pointee.triggered_at_us)
        statement.bind(first + 3, frame.pointee.device_time_us)
        statement.bind(first + 4, Int64(frame.pointee.width))
        statement.bind(first + 5, Int64(frame.pointee.height))
        statement.bind(first + 6, Int64(frame.pointee.pixel_format.rawValue))
        pixels.bind(to: statement, first + 7)
        statement.bind(first + 8, optional: frame.pointee.source_name.bytes)
        statement.bindNull(first + 9)
        statement.bind(first + 10, mark: mark)
    }
}

/// A row of table `evidence` from `EvidenceStored`.
private struct EvidenceRow: BlockRow {
    static let target = FrameFold.evidenceTarget
    static let columns: Int32 = 11

    let key: Int64
    let evidence: EvidenceView
    let pixels: HashCell
    let stored: HashCell
    let mediaType: Int64?
    let mark: Mark

    @inline(__always)
    func bind(to statement: Statement, from first: Int32) {
        statement.bind(first, key)
        statement.bind(first + 1, Int64(1))
        pixels.bind(to: statement, first + 2)
        stored.bind(to: statement, first + 3)
        statement.bind(first + 4, Int64(evidence.pointee.lossless != 0 ? 1 : 0))
        if let mediaType { statement.bind(first + 5, mediaType) } else { statement.bindNull(first + 5) }
        statement.bind(first + 6, Int64(clamping: evidence.pointee.stored_bytes))
        statement.bindNull(first + 7)
        statement.bind(first + 8, mark: mark)
    }
}

/// Folds topic `frames`: what became of each trigger, and of its picture.
final class FrameFold {
    private let database: Database
    private let interning: Interning
    private let tallies: Tallies
    @exclusivity(unchecked) private var frames: RowBlock<FrameRow>
    @exclusivity(unchecked) private var evidences: RowBlock<EvidenceRow>
    private let addTrigger, replaceTrigger, addEvidence, addExpiry, findTrigger, addRepeat: Statement
    private let session, exhausted: LatestRow

    fileprivate static let triggerTarget = """
        trigger(
            key, captured, triggered_at_us, device_time_us, width, height, pixel_format, pixels_sha256, source_name,
            reason, partition, epoch, sequence)
        """
    fileprivate static let evidenceTarget = """
        evidence(
            key, stored, pixels_sha256, stored_sha256, lossless, media_type, stored_bytes, reason,
            partition, epoch, sequence)
        """

    init(_ database: Database, _ interning: Interning, _ tallies: Tallies) throws(SQLiteError) {
        self.database = database
        self.interning = interning
        self.tallies = tallies
        frames = try RowBlock(database)
        evidences = try RowBlock(database)
        let columns = "INTO \(Self.triggerTarget) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        addTrigger = try database.prepare("INSERT OR IGNORE \(columns)")
        replaceTrigger = try database.prepare("INSERT OR REPLACE \(columns)")
        findTrigger = try database.prepare("SELECT captured, partition, epoch, sequence FROM trigger WHERE key = ?")
        addRepeat = try database.prepare(
            "INSERT OR IGNORE INTO trigger_repeat(key, partition, epoch, sequence) VALUES (?, ?, ?, ?)"
        )
        addEvidence = try database.prepare(
            """
            INSERT INTO \(Self.evidenceTarget) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT(key) DO UPDATE SET stored = excluded.stored, pixels_sha256 = excluded.pixels_sha256,
                stored_sha256 = excluded.stored_sha256, lossless = excluded.lossless, media_type = excluded.media_type,
                stored_bytes = excluded.stored_bytes, reason = excluded.reason, partition = excluded.partition,
                epoch = excluded.epoch, sequence = excluded.sequence
            WHERE (excluded.epoch, excluded.sequence, excluded.partition) >= (epoch, sequence, partition)
            """
        )
        addExpiry = try database.prepare(
            """
            INSERT INTO evidence_expired(pixels_sha256, partition, policy, at_us, epoch, sequence)
            VALUES (?, ?, ?, ?, ?, ?)
            ON CONFLICT(pixels_sha256, partition) DO UPDATE SET policy = excluded.policy, at_us = excluded.at_us,
                epoch = excluded.epoch, sequence = excluded.sequence
            WHERE (excluded.epoch, excluded.sequence) >= (epoch, sequence)
            """
        )
        session = try LatestRow(
            database,
            "trigger_session",
            key: ["source"],
            values: ["adapter", "device", "reason"]
        )
        exhausted = try LatestRow(database, "source_exhausted", key: ["station"], values: ["triggers"])
    }

    func fold(_ frame: FrameView, _ mark: Mark) throws {
        let key = try interning.key(TriggerView(frame.pointee.trigger))
        frames.add(FrameRow(key: key, frame: frame, pixels: HashCell(frame.pointee.pixels_sha256), mark: mark))
    }

    func fold(_ evidence: EvidenceView, _ mark: Mark) throws {
        evidences.add(
            EvidenceRow(
                key: try interning.key(TriggerView(evidence.pointee.trigger)),
                evidence: evidence,
                pixels: HashCell(evidence.pointee.pixels_sha256),
                stored: HashCell(evidence.pointee.stored_sha256),
                mediaType: try interning.term(evidence.pointee.media_type.bytes),
                mark: mark
            )
        )
    }

    /// Writes what was folded since the last time.
    func flush() throws {
        try frames.flush { row, isNew in
            if isNew { return tallies.count(row.key, captured: true) }
            guard try claim(row.key, captured: true, row.mark) else { return }
            row.bind(to: replaceTrigger, from: 1)
            try replaceTrigger.run()
        }
        try evidences.flush { row, isNew in
            guard !isNew else { return }
            row.bind(to: addEvidence, from: 1)
            try addEvidence.run()
        }
    }

    func fold(_ kind: FrameRecord.Event.Kind, _ mark: Mark) throws {
        switch kind {
        case .writerTookOver, .cameraLost, .cameraReturned, .pictureQualityDegraded, .pictureQualityRestored,
            .clockSkewEstimated, .processImageStored, .cameraConfigured, .frameRepeated, .frameUnmatched:
            break
        case .evidenceExpired(let event): try expired(event, mark)
        case .triggerSessionStarted(let event):
            let source = try event.station.withBytes { try interning.source($0, event.session) }
            try session.put(mark, .int(source), .text(event.adapter), .text(event.device), .text(event.reason))
        case .frameMissed(let event): try missed(event, mark)
        case .evidenceNotStored(let event): try notStored(event, mark)
        case .sourceExhausted(let event):
            try exhausted.put(mark, .text(event.station), .int(Int64(clamping: event.triggers)))
        case .frameCaptured, .evidenceStored:
            preconditionFailure("\(kind) is never rare")
        }
    }

    private func missed(_ event: FrameMissed, _ mark: Mark) throws {
        let key = try event.trigger.withKey(interning)
        let cells: [Cell] = [
            .int(key), .int(0), .int(event.triggeredAtUs), .int(0), .int(0), .int(0), .int(0), .null,
            event.sourceName.isEmpty ? .null : .text(event.sourceName), .text(event.reason),
            .int(mark.partition), .int(mark.epoch), .int(mark.sequence),
        ]
        try addTrigger.run(cells)
        if database.changes == 0 {
            guard try claim(key, captured: false, mark) else { return }
            try replaceTrigger.run(cells)
        } else {
            tallies.count(key, captured: false)
        }
    }

    private func notStored(_ event: EvidenceNotStored, _ mark: Mark) throws {
        let key = try event.trigger.withKey(interning)
        addEvidence.bind(1, key)
        addEvidence.bind(2, Int64(0))
        HashCell.bind(event.pixelsSha256, to: addEvidence, 3)
        addEvidence.bindNull(4)
        addEvidence.bind(5, Int64(0))
        addEvidence.bindNull(6)
        addEvidence.bind(7, Int64(0))
        addEvidence.bind(8, event.reason)
        addEvidence.bind(9, mark: mark)
        try addEvidence.run()
    }

    private func expired(_ event: EvidenceExpired, _ mark: Mark) throws {
        guard !event.pixelsSha256.isEmpty else { return }
        HashCell.bind(event.pixelsSha256, to: addExpiry, 1)
        addExpiry.bind(2, mark.partition)
        addExpiry.bind(3, event.policy)
        addExpiry.bind(4, mark.occurredAtUs)
        addExpiry.bind(5, mark.epoch)
        addExpiry.bind(6, mark.sequence)
        try addExpiry.run()
    }

    /// Two records say what became of one trigger: the earlier one in the log stands, the other is named. True when the
    /// new one stands.
    private func claim(_ key: Int64, captured: Bool, _ mark: Mark) throws -> Bool {
        findTrigger.bind(1, key)
        defer { findTrigger.reset() }
        guard try findTrigger.step() else { throw ReadModelFailure.damaged("trigger: row \(key) vanished") }
        let standing = Mark(
            partition: findTrigger.int(1),
            epoch: findTrigger.int(2),
            sequence: findTrigger.int(3)
        )
        let stands = mark.precedes(standing)
        let other = stands ? standing : mark
        try addRepeat.run([.int(key), .int(other.partition), .int(other.epoch), .int(other.sequence)])
        if stands {
            let change: Int64 = (captured ? 0 : 1) - (findTrigger.int(0) == 1 ? 0 : 1)
            tallies.triggers[key >> Schema.sequenceBits, default: .init()].missed += change
        }
        return stands
    }
}

extension Mark {
    /// Whether this record stands before the other in the log.
    func precedes(_ other: Mark) -> Bool {
        (epoch, sequence, partition) < (other.epoch, other.sequence, other.partition)
    }
}

extension TriggerId {
    /// The trigger's key in the model.
    func withKey(_ interning: Interning) throws -> Int64 {
        try station.withBytes { station in
            var view = TriggerView()
            view.station = station
            view.session = session
            view.sequence = sequence
            return try interning.key(view)
        }
    }
}
