import PlantEvents
import SQLite

/// Folds topic `frames`: what became of each trigger, and of its picture.
final class FrameFold {
    private let database: Database
    private let interning: Interning
    private let tallies: Tallies
    private var hashes = HashBinder()
    private let addTrigger, replaceTrigger, addEvidence, findTrigger, addRepeat: Statement
    private let session, exhausted: LatestRow

    init(_ database: Database, _ interning: Interning, _ tallies: Tallies) throws(SQLiteError) {
        self.database = database
        self.interning = interning
        self.tallies = tallies
        let columns = """
            INTO trigger(
                key, captured, triggered_at_us, device_time_us, width, height, pixel_format, pixels_sha256, source_name,
                reason, partition, epoch, sequence)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """
        addTrigger = try database.prepare("INSERT OR IGNORE \(columns)")
        replaceTrigger = try database.prepare("INSERT OR REPLACE \(columns)")
        findTrigger = try database.prepare("SELECT captured, partition, epoch, sequence FROM trigger WHERE key = ?")
        addRepeat = try database.prepare(
            "INSERT OR IGNORE INTO trigger_repeat(key, partition, epoch, sequence) VALUES (?, ?, ?, ?)"
        )
        addEvidence = try database.prepare(
            """
            INSERT INTO evidence(
                key, stored, pixels_sha256, stored_sha256, lossless, media_type, stored_bytes, reason,
                partition, epoch, sequence)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT(key) DO UPDATE SET stored = excluded.stored, pixels_sha256 = excluded.pixels_sha256,
                stored_sha256 = excluded.stored_sha256, lossless = excluded.lossless, media_type = excluded.media_type,
                stored_bytes = excluded.stored_bytes, reason = excluded.reason, partition = excluded.partition,
                epoch = excluded.epoch, sequence = excluded.sequence
            WHERE (excluded.epoch, excluded.sequence, excluded.partition) >= (epoch, sequence, partition)
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
        let key = try interning.key(frame.trigger)
        bind(frame, key, to: addTrigger, mark)
        try addTrigger.run()
        if database.changes == 0 {
            guard try claim(key, captured: true, mark) else { return }
            bind(frame, key, to: replaceTrigger, mark)
            try replaceTrigger.run()
        } else {
            count(key, captured: true)
        }
    }

    private func bind(_ frame: FrameView, _ key: Int64, to statement: Statement, _ mark: Mark) {
        statement.bind(1, key)
        statement.bind(2, Int64(1))
        statement.bind(3, frame.triggeredAtUs)
        statement.bind(4, frame.deviceTimeUs)
        statement.bind(5, frame.width)
        statement.bind(6, frame.height)
        statement.bind(7, frame.pixelFormat)
        hashes.bind(statement, 8, frame.pixelsSha256)
        statement.bind(9, optional: frame.sourceName)
        statement.bindNull(10)
        statement.bind(11, mark: mark)
    }

    func fold(_ evidence: EvidenceView, _ mark: Mark) throws {
        let mediaType = try interning.term(evidence.mediaType)
        addEvidence.bind(1, try interning.key(evidence.trigger))
        addEvidence.bind(2, Int64(1))
        hashes.bind(addEvidence, 3, evidence.pixelsSha256)
        hashes.bind(addEvidence, 4, evidence.storedSha256)
        addEvidence.bind(5, Int64(evidence.lossless ? 1 : 0))
        if let mediaType { addEvidence.bind(6, mediaType) } else { addEvidence.bindNull(6) }
        addEvidence.bind(7, Int64(clamping: evidence.storedBytes))
        addEvidence.bindNull(8)
        addEvidence.bind(9, mark: mark)
        try addEvidence.run()
    }

    func fold(_ kind: FrameRecord.Event.Kind, _ mark: Mark) throws {
        switch kind {
        case .writerTookOver: break
        case .triggerSessionStarted(let event):
            let source = try event.station.withBytes { try interning.source($0, event.session) }
            try session.put(mark, .int(source), .text(event.adapter), .text(event.device), .text(event.reason))
        case .frameMissed(let event): try missed(event, mark)
        case .evidenceNotStored(let event): try notStored(event, mark)
        case .sourceExhausted(let event):
            try exhausted.put(mark, .text(event.station), .int(Int64(clamping: event.triggers)))
        case .frameCaptured, .evidenceStored:
            preconditionFailure("\(kind) is read in place")
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
            count(key, captured: false)
        }
    }

    private func notStored(_ event: EvidenceNotStored, _ mark: Mark) throws {
        let key = try event.trigger.withKey(interning)
        event.pixelsSha256.withBytes { hashes.bind(addEvidence, 3, $0) }
        addEvidence.bind(1, key)
        addEvidence.bind(2, Int64(0))
        addEvidence.bindNull(4)
        addEvidence.bind(5, Int64(0))
        addEvidence.bindNull(6)
        addEvidence.bind(7, Int64(0))
        addEvidence.bind(8, event.reason)
        addEvidence.bind(9, mark: mark)
        try addEvidence.run()
    }

    private func count(_ key: Int64, captured: Bool) {
        let source = key >> Schema.sequenceBits
        tallies.triggers[source, default: .init()].triggers += 1
        if !captured { tallies.triggers[source, default: .init()].missed += 1 }
        let sequence = key & Schema.sequenceMask
        if tallies.triggers[source, default: .init()].last < sequence { tallies.triggers[source]?.last = sequence }
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

extension String {
    func withBytes<Result>(_ body: (Bytes) throws -> Result) rethrows -> Result {
        var text = self
        return try text.withUTF8 { try body(Bytes($0)) }
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
