import PlantEvents
import SQLite

/// Folds topics `mes-deliveries` and `erp-deliveries`: every effect on another system as intent and outcome.
///
/// An intent and its outcome mostly come within one batch; they are put together first and written once, at its end.
final class DeliveryFold {
    private struct Key: Hashable {
        let channel: Int64
        let intentID: String
    }

    private struct Outcome {
        var state = DeliveryState.pending
        var answer: String?
        var isFound = false
        var atUs: Int64?
        var mark = Mark()
    }

    /// An intent of this batch.
    private struct Draft {
        let key: Key
        let effect: Int64
        let peer: String
        let businessKey: String
        let subject: String
        let intendedAtUs: Int64
        var outcome = Outcome()
    }

    private var drafts: [Draft] = []
    private var draftOfKey: [Key: Int] = [:]
    private let database: Database
    private let tallies: Tallies
    private let add, complete, conclude, concludeEarly, findState: Statement
    private let peer: LatestRow

    init(_ database: Database, _ tallies: Tallies) throws(SQLiteError) {
        self.database = database
        self.tallies = tallies
        add = try database.prepare(
            """
            INSERT OR IGNORE INTO delivery(
                channel, intent_id, effect, peer, business_key, subject, intended_at_us, state, answer,
                found_by_look_up, outcome_at_us, partition, epoch, sequence)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """
        )
        complete = try database.prepare(
            """
            UPDATE delivery SET effect = ?3, peer = ?4, business_key = ?5, subject = ?6, intended_at_us = ?7
            WHERE channel = ?1 AND intent_id = ?2 AND effect IS NULL
            """
        )
        // The usual case, an open intent that is confirmed, needs to read nothing before.
        conclude = try database.prepare(
            """
            UPDATE delivery SET state = ?3, answer = ?4, found_by_look_up = ?5, outcome_at_us = ?6,
                partition = ?7, epoch = ?8, sequence = ?9
            WHERE channel = ?1 AND intent_id = ?2 AND state = ?10 AND (?8, ?9, ?7) >= (epoch, sequence, partition)
            """
        )
        concludeEarly = try database.prepare(
            """
            INSERT INTO delivery(
                channel, intent_id, state, answer, found_by_look_up, outcome_at_us, partition, epoch, sequence)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
            """
        )
        findState = try database.prepare("SELECT state FROM delivery WHERE channel = ? AND intent_id = ?")
        peer = try LatestRow(database, "peer_state", key: ["channel", "peer"], values: ["lost", "reason"])
    }

    func fold(_ intent: IntentView, _ channel: Int64, _ mark: Mark) throws {
        let key = Key(channel: channel, intentID: intent.intentID.text)
        guard draftOfKey[key] == nil else { return }
        draftOfKey[key] = drafts.count
        drafts.append(
            Draft(
                key: key,
                effect: intent.effect,
                peer: intent.peer.text,
                businessKey: intent.businessKey.text,
                subject: intent.subject.text,
                intendedAtUs: mark.occurredAtUs
            )
        )
    }

    /// Writes what the batch intended.
    func flush() throws {
        for draft in drafts {
            let key = draft.key
            bind(key, draft, to: add)
            let outcome = draft.outcome
            add.bind(8, outcome.state)
            if let answer = outcome.answer { add.bind(9, answer) } else { add.bindNull(9) }
            add.bind(10, Int64(outcome.isFound ? 1 : 0))
            if let atUs = outcome.atUs { add.bind(11, atUs) } else { add.bindNull(11) }
            add.bind(12, mark: outcome.mark)
            try add.run()
            if database.changes == 1 {
                tallies.deliveries[key.channel, default: .init()].intended += 1
                tallies.deliveries[key.channel, default: .init()].add(outcome.state, 1)
                continue
            }
            // Known before: by its outcome alone, or intended again.
            bind(key, draft, to: complete)
            try complete.run()
            if database.changes == 1 { tallies.deliveries[key.channel, default: .init()].intended += 1 }
            if outcome.atUs != nil { try write(outcome, key) }
        }
        drafts.removeAll(keepingCapacity: true)
        draftOfKey.removeAll(keepingCapacity: true)
    }

    private func bind(_ key: Key, _ draft: Draft, to statement: Statement) {
        statement.bind(1, key.channel)
        statement.bind(2, key.intentID)
        statement.bind(3, draft.effect)
        statement.bind(4, draft.peer)
        statement.bind(5, draft.businessKey)
        statement.bind(6, draft.subject)
        statement.bind(7, draft.intendedAtUs)
    }

    func fold(_ event: ConfirmedView, _ channel: Int64, _ mark: Mark) throws {
        try outcome(
            channel,
            event.intentID.text,
            DeliveryState.confirmed,
            event.peerReference.text,
            event.foundByLookUp,
            mark
        )
    }

    func fold(_ kind: DeliveryRecord.Event.Kind, _ channel: Int64, _ mark: Mark) throws {
        switch kind {
        case .writerTookOver: break
        case .deliveryRefused(let event):
            try outcome(channel, event.intentID, DeliveryState.refused, event.reason, false, mark)
        case .deliveryRedriven(let event):
            try outcome(channel, event.intentID, DeliveryState.pending, "", false, mark)
        case .deliverySkipped(let event):
            try outcome(channel, event.intentID, DeliveryState.skipped, event.reason, false, mark)
        case .peerLost(let event):
            try peer.put(mark, .int(channel), .text(event.peer), .int(1), .text(event.reason))
        case .peerRestored(let event):
            try peer.put(mark, .int(channel), .text(event.peer), .int(0), .text(""))
        case .deliveryIntended, .deliveryConfirmed, .partsCounted:
            preconditionFailure("\(kind) is read in place")
        }
    }

    private func outcome(
        _ channel: Int64,
        _ intentID: String,
        _ state: Int64,
        _ answer: String,
        _ found: Bool,
        _ mark: Mark
    ) throws {
        let key = Key(channel: channel, intentID: intentID)
        let outcome = Outcome(state: state, answer: answer, isFound: found, atUs: mark.occurredAtUs, mark: mark)
        guard let index = draftOfKey[key] else { return try write(outcome, key) }
        if !mark.precedes(drafts[index].outcome.mark) { drafts[index].outcome = outcome }
    }

    private func write(_ outcome: Outcome, _ key: Key) throws {
        func bind(_ statement: Statement) {
            statement.bind(1, key.channel)
            statement.bind(2, key.intentID)
            statement.bind(3, outcome.state)
            statement.bind(4, outcome.answer ?? "")
            statement.bind(5, Int64(outcome.isFound ? 1 : 0))
            statement.bind(6, outcome.atUs ?? 0)
            statement.bind(7, mark: outcome.mark)
        }
        bind(conclude)
        conclude.bind(10, DeliveryState.pending)
        try conclude.run()
        if database.changes == 0 {
            guard let standing = try findState.firstInt(.int(key.channel), .text(key.intentID)) else {
                bind(concludeEarly)
                try concludeEarly.run()
                tallies.deliveries[key.channel, default: .init()].add(outcome.state, 1)
                return
            }
            bind(conclude)
            conclude.bind(10, standing)
            try conclude.run()
            guard database.changes == 1 else { return }
            tallies.deliveries[key.channel, default: .init()].add(standing, -1)
        }
        tallies.deliveries[key.channel, default: .init()].add(outcome.state, 1)
    }
}
