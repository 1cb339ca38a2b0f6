package import EventLog
import Foundation
package import PlantCore
package import PlantEvents
import SQLite
import ServiceRuntime
import SwiftProtobuf

/// What the log says about each picture kept on this machine: which parts it shows, what became of them, which holds are open.
/// A watcher's state: kept with the input positions in one transaction, rebuilt by replay where the file is lost.
///
/// Of a picture of which something is not known yet nothing is ever due.
package final class EvidenceIndex {
    /// Raised when a table or the meaning of a column changes: the file is then made anew.
    private static let version = "2"

    let database: Database
    private let policy: KeepingPolicy
    /// Subjects of open quality holds, by kind and id.
    var blocked: Set<String> = []
    /// Ids that legal holds name, whatever kind of thing has them.
    var preserved: Set<String> = []

    /// A kept picture whose time may have come.
    package struct Candidate {
        package let pixels: String
        package let stored: String
        package let station: String
        package let storedAtUs: Int64
        package let bytes: Int
        package let kind: KeepingPolicy.Kind
        package let dueUs: Int64
    }

    /// Opens or makes the file; one of another version or made for another policy is brought up to date.
    package init(path: String, policy: KeepingPolicy) throws {
        self.policy = policy
        try FileManager.default.createDirectory(
            atPath: (path as NSString).deletingLastPathComponent,
            withIntermediateDirectories: true
        )
        database = try Self.opened(path)
        try loadHolds()
        if try value("policy") != policy.ruleText { try judgeAgain() }
    }

    private static func opened(_ path: String) throws -> Database {
        if let database = try usable(path) { return database }
        for ending in ["", "-wal", "-shm"] where FileManager.default.fileExists(atPath: path + ending) {
            try FileManager.default.removeItem(atPath: path + ending)
        }
        if let database = try usable(path) { return database }
        throw ServiceProgram.Stop.unreachable("\(path): cannot be made; the state folder must be writable")
    }

    /// Nil where the file is damaged or of another version: nothing is in it that the log does not have.
    private static func usable(_ path: String) throws(SQLiteError) -> Database? {
        do {
            let database = try Database(path: path)
            try database.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;" + schema)
            try database.execute("INSERT OR IGNORE INTO state(name, value) VALUES ('version', '\(version)')")
            let select = try database.prepare("SELECT value FROM state WHERE name = 'version'")
            return try select.step() && select.text(0) == version ? database : nil
        } catch {
            if error.isCorrupt { return nil }
            throw error
        }
    }

    private static let schema = """
        CREATE TABLE IF NOT EXISTS state(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS picture(
            pixels TEXT PRIMARY KEY, stored TEXT NOT NULL, media TEXT NOT NULL, lossless INTEGER NOT NULL,
            station TEXT NOT NULL, line TEXT NOT NULL, stored_at_us INTEGER NOT NULL, bytes INTEGER NOT NULL,
            is_process INTEGER NOT NULL, is_expired INTEGER NOT NULL, kind INTEGER, due_us INTEGER,
            room_kind INTEGER) WITHOUT ROWID;
        CREATE INDEX IF NOT EXISTS picture_by_due ON picture(due_us) WHERE due_us IS NOT NULL;
        CREATE INDEX IF NOT EXISTS picture_by_age ON picture(room_kind, stored_at_us)
            WHERE room_kind IS NOT NULL;
        CREATE TABLE IF NOT EXISTS sight(
            trigger TEXT PRIMARY KEY, pixels TEXT, outcome INTEGER NOT NULL, subjects TEXT NOT NULL) WITHOUT ROWID;
        CREATE INDEX IF NOT EXISTS sight_by_pixels ON sight(pixels) WHERE pixels IS NOT NULL;
        CREATE TABLE IF NOT EXISTS hold(
            id TEXT PRIMARY KEY, subject TEXT NOT NULL, is_open INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS legal_hold(id TEXT PRIMARY KEY, is_lifted INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS legal_subject(
            id TEXT NOT NULL, subject TEXT NOT NULL, PRIMARY KEY (id, subject)) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS removal(number INTEGER PRIMARY KEY AUTOINCREMENT, pixels TEXT NOT NULL UNIQUE);
        """

    /// How far its inputs are folded.
    package func positions() throws -> IntakePositions {
        guard let text = try value("positions") else { return IntakePositions() }
        return try JSONDecoder().decode(IntakePositions.self, from: Data(text.utf8))
    }

    /// Folds records and keeps how far the inputs are handled, all of it or nothing.
    package func commit(_ records: [AnyRecord], positions: IntakePositions) throws {
        let known = (blocked, preserved)
        do {
            try database.transaction {
                for record in records { try fold(record) }
                try set("positions", String(decoding: try JSONEncoder().encode(positions), as: UTF8.self))
            }
        } catch {
            (blocked, preserved) = known
            throw error
        }
    }

    // MARK: Folding

    private func fold(_ record: AnyRecord) throws {
        switch record {
        case .frames(let record):
            for event in record.events { try fold(event, record.meta) }
        case .inspections(let record):
            for event in record.events { try fold(event) }
        case .decisions(let record):
            for event in record.events {
                switch event.kind {
                case .holdReleased(let released): for id in released.holdIds { try close(id) }
                case .holdPlacementOrdered(let ordered): try place(ordered.hold)
                case .legalHoldPlaced(let placed): try place(placed)
                case .legalHoldLifted(let lifted): try lift(lifted.legalHoldID)
                default: break
                }
            }
        case .production, .materials, .deliveries, .alarms, .parked: break
        }
    }

    private func fold(_ event: FrameRecord.Event, _ meta: Meta) throws {
        switch event.kind {
        case .evidenceStored(let stored):
            try keep(stored, meta, isProcess: false)
            try see(stored.trigger.text, pixels: stored.pixelsSha256)
            try judge(stored.pixelsSha256)
        case .processImageStored(let image):
            let stored = EvidenceStored.with {
                $0.pixelsSha256 = image.pixelsSha256
                $0.storedSha256 = image.storedSha256
                $0.mediaType = image.mediaType
                $0.lossless = image.lossless
                $0.storedBytes = image.storedBytes
            }
            try keep(stored, meta, isProcess: true)
            try judge(image.pixelsSha256)
        case .evidenceNotStored(let lost): try see(lost.trigger.text, pixels: "")
        case .frameMissed(let gap): try see(gap.trigger.text, pixels: "")
        case .evidenceExpired(let expired): try expire(expired.pixelsSha256)
        case .writerTookOver, .triggerSessionStarted, .frameCaptured, .sourceExhausted, .cameraLost, .cameraReturned,
            .pictureQualityDegraded, .pictureQualityRestored, .clockSkewEstimated, .cameraConfigured, .frameRepeated,
            .frameUnmatched, nil:
            break
        }
    }

    private func fold(_ event: InspectionRecord.Event) throws {
        switch event.kind {
        case .partInspected(let part):
            try settle(part.trigger, part.partID, part.context, KeepingPolicy.Outcome(part.verdict))
        case .inspectionMissed(let missed):
            try settle(missed.trigger, missed.partID, missed.context, .fail)
        case .holdPlaced(let hold): try place(hold)
        default: break
        }
    }

    private func keep(_ stored: EvidenceStored, _ meta: Meta, isProcess: Bool) throws {
        try run(
            """
            INSERT INTO picture(
                pixels, stored, media, lossless, station, line, stored_at_us, bytes, is_process, is_expired)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0)
            ON CONFLICT(pixels) DO UPDATE SET stored = ?2, media = ?3, lossless = ?4, station = ?5, line = ?6,
                stored_at_us = ?7, bytes = ?8, is_process = max(is_process, ?9), is_expired = 0
            """,
            [
                .text(stored.pixelsSha256), .text(stored.storedSha256), .text(stored.mediaType),
                .int(stored.lossless ? 1 : 0), .text(meta.place.workUnit), .text(meta.place.workCenter),
                .int(meta.occurredAtUs), .int(Int64(stored.storedBytes)), .int(isProcess ? 1 : 0),
            ]
        )
        try run("DELETE FROM removal WHERE pixels = ?1", [.text(stored.pixelsSha256)])
    }

    /// A trigger's picture is kept; with empty `pixels`, it is not. Its verdict may be known already.
    private func see(_ trigger: String, pixels: String) throws {
        try run(
            """
            INSERT INTO sight(trigger, pixels, outcome, subjects) VALUES (?1, ?2, 0, '')
            ON CONFLICT(trigger) DO UPDATE SET pixels = ?2
            """,
            [.text(trigger), .text(pixels)]
        )
        try dropSettled(trigger)
    }

    private func settle(
        _ trigger: TriggerId,
        _ part: String,
        _ context: ProductionContext,
        _ outcome: KeepingPolicy.Outcome
    ) throws {
        let subjects = Self.subjects(trigger, part, context)
        try run(
            """
            INSERT INTO sight(trigger, pixels, outcome, subjects) VALUES (?1, NULL, ?2, ?3)
            ON CONFLICT(trigger) DO UPDATE SET outcome = ?2, subjects = ?3
            """,
            [.text(trigger.text), .int(Int64(outcome.rawValue)), .text(subjects.joined(separator: "\n"))]
        )
        try dropSettled(trigger.text)
        for pixels in try texts("SELECT pixels FROM sight WHERE trigger = ?1 AND pixels <> ''", trigger.text) {
            try judge(pixels)
        }
    }

    /// A picture that is not kept and whose verdict is known is nobody's concern.
    private func dropSettled(_ trigger: String) throws {
        try run("DELETE FROM sight WHERE trigger = ?1 AND pixels = '' AND outcome <> 0", [.text(trigger)])
    }

    /// The log says that the picture is deleted: its file is to go, unless it is held by then or kept anew.
    private func expire(_ pixels: String) throws {
        try run(
            "UPDATE picture SET is_expired = 1, due_us = NULL, room_kind = NULL WHERE pixels = ?1",
            [.text(pixels)]
        )
        try run("INSERT OR IGNORE INTO removal(pixels) VALUES (?1)", [.text(pixels)])
    }

    /// A picture whose file is to go, numbered in the order in which their expiries were read.
    package struct Removal: Equatable {
        package let number: Int64
        package let pixels: String
    }

    /// Pictures whose files are to go, at most `limit`, with numbers of that range.
    package func removals(_ numbers: ClosedRange<Int64> = 1...Int64.max, limit: Int) throws -> [Removal] {
        let select = try database.prepare(
            "SELECT number, pixels FROM removal WHERE number BETWEEN ?1 AND ?2 ORDER BY number LIMIT \(limit)"
        )
        select.bind(1, numbers.lowerBound)
        select.bind(2, numbers.upperBound)
        var found: [Removal] = []
        while try select.step() { found.append(Removal(number: select.int(0), pixels: select.text(1))) }
        return found
    }

    /// Number of the newest of them; 0 where there is none.
    package func lastRemoval() throws -> Int64 {
        let select = try database.prepare("SELECT coalesce(max(number), 0) FROM removal")
        return try select.step() ? select.int(0) : 0
    }

    package func removed(_ pixels: [String]) throws {
        try database.transaction {
            for name in pixels {
                try run("DELETE FROM removal WHERE pixels = ?1", [.text(name)])
                try disown(name)
            }
        }
    }

    /// What says anew that an expired picture is kept, for each part that it shows; nil where nothing is known of it.
    package func kept(_ pixels: String) throws -> (station: String, kinds: [FrameRecord.Event.OneOf_Kind])? {
        let select = try database.prepare(
            "SELECT stored, media, lossless, bytes, station, is_process, stored_at_us FROM picture WHERE pixels = ?1"
        )
        select.bind(1, pixels)
        guard try select.step() else { return nil }
        var stored = EvidenceStored.with {
            $0.pixelsSha256 = pixels
            $0.storedSha256 = select.text(0)
            $0.mediaType = select.text(1)
            $0.lossless = select.int(2) == 1
            $0.storedBytes = UInt64(clamping: select.int(3))
        }
        let (station, isProcess, storedAtUs) = (select.text(4), select.int(5) == 1, select.int(6))
        select.reset()
        var kinds: [FrameRecord.Event.OneOf_Kind] = []
        for text in try texts("SELECT trigger FROM sight WHERE pixels = ?1 ORDER BY trigger", pixels) {
            guard let trigger = TriggerId(text: text) else { continue }
            stored.trigger = trigger
            kinds.append(.evidenceStored(stored))
        }
        guard isProcess else { return (station, kinds) }
        let image = ProcessImageStored.with {
            $0.station = station
            $0.view = "station"
            $0.takenAtUs = storedAtUs
            $0.pixelsSha256 = pixels
            $0.storedSha256 = stored.storedSha256
            $0.mediaType = stored.mediaType
            $0.lossless = stored.lossless
            $0.storedBytes = stored.storedBytes
        }
        return (station, kinds + [.processImageStored(image)])
    }

    /// Forgets a picture whose file is not on this machine: another one keeps it.
    func disown(_ pixels: String) throws {
        try run("DELETE FROM picture WHERE pixels = ?1", [.text(pixels)])
        try run("DELETE FROM sight WHERE pixels = ?1", [.text(pixels)])
    }

    // MARK: Time

    /// Says anew of what kind a picture is and when it is due.
    private func judge(_ pixels: String) throws {
        let select = try database.prepare("SELECT outcome FROM sight WHERE pixels = ?1")
        select.bind(1, pixels)
        var outcomes: [KeepingPolicy.Outcome] = []
        while try select.step() { outcomes.append(KeepingPolicy.Outcome(rawValue: Int(select.int(0))) ?? .unknown) }
        let picture = try database.prepare(
            "SELECT is_process, stored_at_us FROM picture WHERE pixels = ?1 AND is_expired = 0"
        )
        picture.bind(1, pixels)
        guard try picture.step() else { return }
        let (isProcess, storedAtUs) = (picture.int(0) == 1, picture.int(1))
        picture.reset()
        let kind = KeepingPolicy.kind(of: outcomes, isProcess: isProcess)
        // A picture of a part and of the process stays as long as either asks for.
        let kinds = kind.map { isProcess ? [$0, .process] : [$0] } ?? []
        let dues = kinds.map { policy.dueUs($0, storedAtUs: storedAtUs) }
        let mayMakeRoom = kinds.allSatisfy { policy.retention(of: $0) == .whileRoom }
        let update = try database.prepare("UPDATE picture SET kind = ?2, due_us = ?3, room_kind = ?4 WHERE pixels = ?1")
        update.bind(1, pixels)
        update.bindNull(2)
        update.bindNull(3)
        update.bindNull(4)
        if let kind {
            update.bind(2, Int64(kind.rawValue))
            if mayMakeRoom { update.bind(4, Int64(kind.rawValue)) }
            if let due = dues.compactMap(\.self).max(), !dues.contains(nil) { update.bind(3, due) }
        }
        try update.run()
    }

    /// The policy changed: all that is kept is judged by the present one.
    private func judgeAgain() throws {
        try database.transaction {
            for pixels in try texts("SELECT pixels FROM picture", nil) { try judge(pixels) }
            try set("policy", policy.ruleText)
        }
    }

    /// Pictures whose time is over, the one due longest first; at most `limit`, beginning after `cursor`.
    package func due(nowUs: Int64, after cursor: Candidate?, limit: Int) throws -> [Candidate] {
        let select = try database.prepare(
            """
            SELECT pixels, stored, station, stored_at_us, bytes, kind, due_us FROM picture
            WHERE due_us <= ?1 AND (due_us, pixels) > (?2, ?3) ORDER BY due_us, pixels LIMIT ?4
            """
        )
        select.bind(1, nowUs)
        select.bind(2, cursor?.dueUs ?? .min)
        select.bind(3, cursor?.pixels ?? "")
        select.bind(4, Int64(limit))
        return try candidates(select)
    }

    /// The oldest pictures of a kind that is kept while there is room, beginning after `cursor`.
    package func oldest(_ kind: KeepingPolicy.Kind, after cursor: Candidate?, limit: Int) throws -> [Candidate] {
        let select = try database.prepare(
            """
            SELECT pixels, stored, station, stored_at_us, bytes, kind, 0 FROM picture
            WHERE room_kind = ?1 AND (stored_at_us, pixels) > (?2, ?3) ORDER BY stored_at_us, pixels LIMIT ?4
            """
        )
        select.bind(1, Int64(kind.rawValue))
        select.bind(2, cursor?.storedAtUs ?? .min)
        select.bind(3, cursor?.pixels ?? "")
        select.bind(4, Int64(limit))
        return try candidates(select)
    }

    private func candidates(_ select: Statement) throws -> [Candidate] {
        var found: [Candidate] = []
        while try select.step() {
            found.append(
                Candidate(
                    pixels: select.text(0),
                    stored: select.text(1),
                    station: select.text(2),
                    storedAtUs: select.int(3),
                    bytes: Int(select.int(4)),
                    kind: KeepingPolicy.Kind(rawValue: Int(select.int(5))) ?? .fail,
                    dueUs: select.int(6)
                )
            )
        }
        return found
    }

    /// What became of the part of this trigger.
    package func outcome(of trigger: String) throws -> KeepingPolicy.Outcome {
        let select = try database.prepare("SELECT outcome FROM sight WHERE trigger = ?1")
        select.bind(1, trigger)
        guard try select.step() else { return .unknown }
        return KeepingPolicy.Outcome(rawValue: Int(select.int(0))) ?? .unknown
    }

    // MARK: SQLite

    enum Cell {
        case int(Int64)
        case text(String)
    }

    func run(_ sql: String, _ cells: [Cell]) throws {
        let statement = try database.prepare(sql)
        for (index, cell) in cells.enumerated() {
            switch cell {
            case .int(let value): statement.bind(Int32(index + 1), value)
            case .text(let value): statement.bind(Int32(index + 1), value)
            }
        }
        try statement.run()
    }

    func texts(_ sql: String, _ argument: String?) throws -> [String] {
        let select = try database.prepare(sql)
        if let argument { select.bind(1, argument) }
        var found: [String] = []
        while try select.step() { found.append(select.text(0)) }
        return found
    }

    private func value(_ name: String) throws -> String? {
        try texts("SELECT value FROM state WHERE name = ?1", name).first
    }

    private func set(_ name: String, _ value: String) throws {
        try run("INSERT OR REPLACE INTO state(name, value) VALUES (?1, ?2)", [.text(name), .text(value)])
    }

}

extension TriggerId {
    /// Of `station/session/sequence`; nil where it is none.
    fileprivate init?(text: String) {
        let pieces = text.split(separator: "/", omittingEmptySubsequences: false)
        guard pieces.count >= 3, let sequence = UInt64(pieces[pieces.count - 1]),
            let session = UInt64(pieces[pieces.count - 2])
        else { return nil }
        self = .with {
            $0.station = pieces.dropLast(2).joined(separator: "/")
            $0.session = session
            $0.sequence = sequence
        }
    }
}

extension KeepingPolicy {
    /// All that decides when a picture is due.
    fileprivate var ruleText: String { Kind.allCases.map(rule).joined(separator: ", ") }
}
