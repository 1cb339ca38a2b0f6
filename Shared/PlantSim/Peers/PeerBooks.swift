import Foundation
import SQLite

/// What a simulated peer holds, in a SQLite file of its own: a restart goes on where it was. Survives a kill of the
/// process; a power cut may cost the last moments (synchronous NORMAL), which a real peer would not allow itself.
actor PeerBooks {
    struct Receipt: Encodable, Equatable, Sendable {
        let intentID: String
        let reference: String

        private enum CodingKeys: String, CodingKey {
            case intentID = "intent_id"
            case reference
        }
    }

    /// Most effects that `report` lists.
    static let reportLimit = 100_000

    private let database: Database
    private let rules: any PeerRules
    private let nowUs: @Sendable () -> Int64
    private var facts: PeerFacts = [:]
    private var lastNumber: Int64 = 0
    private var waiters: [Int: CheckedContinuation<Void, Never>] = [:]
    private var nextWaiter = 0

    init(path: String, rules: any PeerRules, nowUs: @escaping @Sendable () -> Int64) throws {
        database = try Database(path: path)
        self.rules = rules
        self.nowUs = nowUs
        try database.execute(
            """
            PRAGMA journal_mode = WAL;
            PRAGMA synchronous = NORMAL;
            CREATE TABLE IF NOT EXISTS messages (number INTEGER PRIMARY KEY, kind TEXT NOT NULL, json TEXT NOT NULL);
            CREATE TABLE IF NOT EXISTS effects (
                number INTEGER PRIMARY KEY, intent TEXT NOT NULL, kind TEXT NOT NULL, business_key TEXT NOT NULL,
                body TEXT NOT NULL, at_us INTEGER NOT NULL);
            CREATE INDEX IF NOT EXISTS effects_intent ON effects (intent);
            CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
            """
        )
        let known = try database.prepare("SELECT name, value FROM facts")
        while try known.step() { facts[known.text(0)] = known.text(1) }
        let last = try database.prepare("SELECT coalesce(max(number), 0) FROM messages")
        if try last.step() { lastNumber = last.int(0) }
    }

    /// Publishes what the scenario asks for and the books do not have yet.
    func open() throws {
        try write { facts throws(PeerRefusal) in rules.opening(&facts) }
    }

    /// Carries an effect out; with `deduplicate`, one that was carried out before only gets its receipt again.
    func carryOut(_ effect: PeerEffect, deduplicate: Bool) throws -> (receipt: Receipt, isNew: Bool) {
        if deduplicate, let receipt = try receipt(of: effect.intentID) { return (receipt, false) }
        let atUs = nowUs()
        try write { facts in
            let notes = try rules.carryOut(effect, &facts)
            let row = try database.prepare(
                "INSERT INTO effects (intent, kind, business_key, body, at_us) VALUES (?, ?, ?, ?, ?)"
            )
            row.bind(1, effect.intentID)
            row.bind(2, effect.kind)
            row.bind(3, effect.businessKey)
            row.bind(4, String(decoding: effect.body, as: UTF8.self))
            row.bind(5, atUs)
            try row.run()
            return notes
        }
        guard let receipt = try receipt(of: effect.intentID) else {
            throw PeerRefusal(words: "the books lost intent \(effect.intentID)")
        }
        return (receipt, true)
    }

    /// The receipt of an intent; nil where it was never carried out.
    func receipt(of intentID: String) throws -> Receipt? {
        let row = try database.prepare("SELECT number, kind FROM effects WHERE intent = ? ORDER BY number LIMIT 1")
        row.bind(1, intentID)
        guard try row.step() else { return nil }
        let digits = String(row.int(0))
        let padding = String(repeating: "0", count: max(0, 6 - digits.count))
        return Receipt(intentID: intentID, reference: "\(rules.series(of: row.text(1)))-\(padding)\(digits)")
    }

    /// Messages after a number, each as the JSON that was published.
    func messages(after number: Int64, limit: Int) throws -> [String] {
        let rows = try database.prepare("SELECT json FROM messages WHERE number > ? ORDER BY number LIMIT ?")
        rows.bind(1, number)
        rows.bind(2, Int64(limit))
        var messages: [String] = []
        while try rows.step() { messages.append(rows.text(0)) }
        return messages
    }

    /// Returns once there is a message after `number`, or when the task is cancelled.
    func waitForMessage(after number: Int64) async {
        let waiter = nextWaiter
        nextWaiter += 1
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                if lastNumber > number || Task.isCancelled {
                    continuation.resume()
                } else {
                    waiters[waiter] = continuation
                }
            }
        } onCancel: {
            Task { await self.release(waiter) }
        }
    }

    private func release(_ waiter: Int) {
        waiters.removeValue(forKey: waiter)?.resume()
    }

    /// One change of the books: all of it or nothing.
    private func write(_ change: (inout PeerFacts) throws -> [PeerNote]) throws {
        var next = facts
        let last = try database.transaction {
            var last = lastNumber
            let row = try database.prepare("INSERT INTO messages (number, kind, json) VALUES (?, ?, ?)")
            for note in try change(&next) {
                last += 1
                row.bind(1, last)
                row.bind(2, note.kind)
                row.bind(3, try PublishedMessage(number: last, occurredAtUs: nowUs(), note: note).json())
                try row.run()
            }
            let fact = try database.prepare("INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)")
            for (name, value) in next where facts[name] != value {
                fact.bind(1, name)
                fact.bind(2, value)
                try fact.run()
            }
            return last
        }
        facts = next
        guard last > lastNumber else { return }
        lastNumber = last
        for waiter in waiters.keys.sorted() { release(waiter) }
    }

    /// Everything held, for comparing with what the plant meant to do.
    func report() throws -> PeerReport {
        var report = PeerReport(peer: rules.peer)
        let messages = try database.prepare("SELECT kind, count(*) FROM messages GROUP BY kind")
        while try messages.step() { report.messages[messages.text(0)] = Int(messages.int(1)) }
        let effects = try database.prepare("SELECT kind, count(*) FROM effects GROUP BY kind")
        while try effects.step() { report.effects[effects.text(0)] = Int(effects.int(1)) }
        let rows = try database.prepare("SELECT intent, kind, business_key FROM effects ORDER BY number LIMIT ?")
        rows.bind(1, Int64(Self.reportLimit))
        var places: [String: Int] = [:]
        while try rows.step() {
            let intent = rows.text(0)
            if let place = places[intent] {
                report.intents[place].times += 1
            } else {
                places[intent] = report.intents.count
                report.intents.append(
                    PeerReport.Intent(intentID: intent, kind: rows.text(1), businessKey: rows.text(2), times: 1)
                )
            }
            report.businessKeys[rows.text(2), default: []].append(intent)
        }
        report.isTruncated = report.effects.values.reduce(0, +) > Self.reportLimit
        return report
    }
}

/// What `GET /books` of a simulated peer answers.
package struct PeerReport: Codable, Equatable, Sendable {
    /// One intent that was carried out at least once.
    package struct Intent: Codable, Equatable, Sendable {
        package let intentID: String
        package let kind: String
        package let businessKey: String
        /// How many times it took effect; more than 1 only where deduplication was switched off.
        package fileprivate(set) var times: Int

        private enum CodingKeys: String, CodingKey {
            case kind, times
            case intentID = "intent_id"
            case businessKey = "business_key"
        }
    }

    package let peer: String
    /// Messages published, by kind.
    package fileprivate(set) var messages: [String: Int] = [:]
    /// Effects carried out, by kind, repeats included.
    package fileprivate(set) var effects: [String: Int] = [:]
    /// In the order in which they first arrived.
    package fileprivate(set) var intents: [Intent] = []
    /// Intent ids by business key, in order of arrival, repeats included.
    package fileprivate(set) var businessKeys: [String: [String]] = [:]
    /// The books hold more effects than are listed here.
    package fileprivate(set) var isTruncated = false

    fileprivate init(peer: String) {
        self.peer = peer
    }

    private enum CodingKeys: String, CodingKey {
        case peer, messages, effects, intents
        case businessKeys = "business_keys"
        case isTruncated = "is_truncated"
    }
}

/// A message as it goes over the wire.
private struct PublishedMessage: Encodable {
    let number: Int64
    let occurredAtUs: Int64
    let note: PeerNote

    private enum CodingKeys: String, CodingKey {
        case number, kind, subject, content
        case occurredAtUs = "occurred_at_us"
    }

    func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: CodingKeys.self)
        try fields.encode(number, forKey: .number)
        try fields.encode(note.kind, forKey: .kind)
        try fields.encode(note.subject, forKey: .subject)
        try fields.encode(occurredAtUs, forKey: .occurredAtUs)
        try note.content.encode(to: fields.superEncoder(forKey: .content))
    }

    func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(self), as: UTF8.self)
    }
}
