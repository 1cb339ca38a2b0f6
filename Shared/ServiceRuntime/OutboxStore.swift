package import EventLog
import Foundation
import SQLite

/// The SQLite file of a watcher that also writes: its state, its input positions and what it has decided to append
/// change in one transaction, so that after a crash nothing is appended twice and nothing is forgotten.
package final class OutboxStore<State: Codable, Draft: Codable> {
    /// Raised when the tables change.
    private static var format: Int { 2 }

    private let database: Database
    /// Why the file that was there is not used, and where it is now; nil where it is used, or there was none.
    package let setAside: String?

    /// Opens or makes the file. A file of another `version` is emptied, and a damaged one is set aside under another
    /// name; the log is then replayed.
    package init(path: String, version: Int) throws {
        let folder = (path as NSString).deletingLastPathComponent
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        do {
            database = try Self.opened(path, version)
            setAside = nil
        } catch let damage as Damage {
            let place = try Self.moveAside(path)
            setAside = "\(damage.reason); the file is now \(place), and the log is replayed"
            database = try Self.opened(path, version)
        }
    }

    /// The kept state and input positions; nil before the first commit.
    package func load() throws -> (state: State, positions: IntakePositions)? {
        guard let state = try value("state", State.self), let positions = try value("positions", IntakePositions.self)
        else { return nil }
        return (state, positions)
    }

    /// Keeps state, positions and new drafts together.
    package func commit(_ state: State, _ positions: IntakePositions, drafts: [Draft]) throws {
        try database.transaction {
            try set("state", state)
            try set("positions", positions)
            let insert = try database.prepare("INSERT INTO outbox (draft, crc32c) VALUES (?1, ?2)")
            for draft in drafts {
                let bytes = [UInt8](try JSONEncoder().encode(draft))
                insert.bind(1, bytes)
                insert.bind(2, Self.checksum(bytes))
                try insert.run()
            }
        }
    }

    /// Drafts not yet known to be in the log, oldest first.
    package func outbox(limit: Int) throws -> [(number: Int64, draft: Draft)] {
        let select = try database.prepare("SELECT number, draft FROM outbox ORDER BY number LIMIT ?1")
        select.bind(1, Int64(limit))
        var drafts: [(Int64, Draft)] = []
        while try select.step() {
            drafts.append((select.int(0), try JSONDecoder().decode(Draft.self, from: Data(select.blob(1)))))
        }
        return drafts
    }

    /// Forgets drafts that are in the log.
    package func sent(upTo number: Int64) throws {
        let delete = try database.prepare("DELETE FROM outbox WHERE number <= ?1")
        delete.bind(1, number)
        try delete.run()
    }

    private func value<Value: Decodable>(_ name: String, _: Value.Type) throws -> Value? {
        let select = try database.prepare("SELECT value FROM state WHERE name = ?1")
        select.bind(1, name)
        guard try select.step() else { return nil }
        return try JSONDecoder().decode(Value.self, from: Data(select.blob(0)))
    }

    private func set(_ name: String, _ value: some Encodable) throws {
        let upsert = try database.prepare("INSERT OR REPLACE INTO state (name, value, crc32c) VALUES (?1, ?2, ?3)")
        let bytes = [UInt8](try JSONEncoder().encode(value))
        upsert.bind(1, name)
        upsert.bind(2, bytes)
        upsert.bind(3, Self.checksum(bytes))
        try upsert.run()
    }

    private struct Damage: Error {
        let reason: String
    }

    private static func opened(_ path: String, _ version: Int) throws -> Database {
        do {
            let database = try Database(path: path)
            try database.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cell_size_check = ON")
            let stated = try database.prepare("PRAGMA user_version")
            let found = try stated.step() ? stated.int(0) : 0
            stated.reset()
            let expected = Int64(100 * version + format)
            guard found == expected else {
                try database.execute(
                    """
                    DROP TABLE IF EXISTS state;
                    DROP TABLE IF EXISTS outbox;
                    CREATE TABLE state (name TEXT PRIMARY KEY, value BLOB NOT NULL, crc32c INTEGER NOT NULL);
                    CREATE TABLE outbox (number INTEGER PRIMARY KEY, draft BLOB NOT NULL, crc32c INTEGER NOT NULL);
                    PRAGMA user_version = \(expected);
                    """
                )
                return database
            }
            try check(database, path)
            return database
        } catch let error as SQLiteError where error.isCorrupt || error.isMismatch {
            throw Damage(reason: "\(path): \(error)")
        }
    }

    /// SQLite notices a broken page, but not a changed byte inside a value.
    private static func check(_ database: Database, _ path: String) throws {
        let sound = try database.prepare("PRAGMA quick_check(1)")
        guard try sound.step(), sound.text(0) == "ok" else { throw Damage(reason: "\(path): \(sound.text(0))") }
        sound.reset()
        let values = try database.prepare(
            "SELECT 'state ' || name, value, crc32c FROM state UNION ALL SELECT 'outbox ' || number, draft, crc32c FROM outbox"
        )
        while try values.step() {
            guard checksum(values.blob(1)) == values.int(2) else {
                throw Damage(reason: "\(path): \(values.text(0)) is not what was written (checksum)")
            }
        }
    }

    private static func moveAside(_ path: String) throws -> String {
        let files = FileManager.default
        let place = (1...).lazy.map { "\(path).damaged-\($0)" }.first { !files.fileExists(atPath: $0) } ?? path
        for suffix in ["", "-wal", "-shm"] where files.fileExists(atPath: path + suffix) {
            try files.moveItem(atPath: path + suffix, toPath: place + suffix)
        }
        return place
    }

    private static func checksum(_ bytes: [UInt8]) -> Int64 {
        var crc = Crc32c()
        crc.add(bytes)
        return Int64(crc.value)
    }
}
