import EventLog
import Foundation
import PlantEvents
import SQLite

/// The SQLite file of a watcher that also writes: its state, its input positions and what it has decided to append
/// change in one transaction, so that after a crash nothing is appended twice and nothing is forgotten.
package final class OutboxStore<State: Codable, Draft: Codable> {
    private let database: Database

    /// Opens or makes the file; a file of another `version` is emptied, and the log is replayed.
    package init(path: String, version: Int) throws {
        let folder = (path as NSString).deletingLastPathComponent
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        database = try Database(path: path)
        try database.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL")
        let stated = try database.prepare("PRAGMA user_version")
        let found = try stated.step() ? stated.int(0) : 0
        stated.reset()
        if found != Int64(version) {
            try database.execute(
                """
                DROP TABLE IF EXISTS state;
                DROP TABLE IF EXISTS outbox;
                CREATE TABLE state (name TEXT PRIMARY KEY, value BLOB NOT NULL);
                CREATE TABLE outbox (number INTEGER PRIMARY KEY, draft BLOB NOT NULL);
                PRAGMA user_version = \(version);
                """
            )
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
            let insert = try database.prepare("INSERT INTO outbox (draft) VALUES (?1)")
            for draft in drafts {
                insert.bind(1, [UInt8](try JSONEncoder().encode(draft)))
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
        let upsert = try database.prepare("INSERT OR REPLACE INTO state (name, value) VALUES (?1, ?2)")
        upsert.bind(1, name)
        upsert.bind(2, [UInt8](try JSONEncoder().encode(value)))
        try upsert.run()
    }
}
