import CPlantEvents
import PlantEvents
import SQLite

private struct DeliveryOutcome {
    var state = DeliveryState.pending
    /// Nil before there is an outcome.
    var answer: Bytes?
    var isFound = false
    var atUs: Int64?
    var mark = Mark()
}

/// A row of table `delivery` from `DeliveryIntended`, with the outcome if it is known by now.
private struct IntentRow: BlockRow {
    static let target = """
        delivery(
            channel, intent_id, effect, peer, business_key, subject, intended_at_us, state, answer,
            found_by_look_up, outcome_at_us, partition, epoch, sequence)
        """
    static let columns: Int32 = 14

    let channel: Int64
    let intentID: Bytes
    let effect: Effect
    let peer: Bytes
    let businessKey: Bytes
    let subject: Bytes
    let intendedAtUs: Int64
    var outcome = DeliveryOutcome()

    @inline(__always)
    func bind(to statement: Statement, from first: Int32) {
        bindIntent(to: statement, from: first)
        statement.bind(first + 7, outcome.state)
        if let answer = outcome.answer {
            statement.bind(first + 8, lentText: answer)
        } else {
            statement.bindNull(first + 8)
        }
        statement.bind(first + 9, Int64(outcome.isFound ? 1 : 0))
        if let atUs = outcome.atUs { statement.bind(first + 10, atUs) } else { statement.bindNull(first + 10) }
        statement.bind(first + 11, mark: outcome.mark)
    }

    @inline(__always)
    func bindIntent(to statement: Statement, from first: Int32) {
        statement.bind(first, channel)
        statement.bind(first + 1, lentText: intentID)
        statement.bind(first + 2, effect.rawValue)
        statement.bind(first + 3, lentText: peer)
        statement.bind(first + 4, lentText: businessKey)
        statement.bind(first + 5, lentText: subject)
        statement.bind(first + 6, intendedAtUs)
    }
}

/// Folds topics `mes-deliveries` and `erp-deliveries`: every effect on another system as intent and outcome.
///
/// An intent and its outcome mostly come close together; they are put together first and written once, with the chunk.
final class DeliveryFold {
    @exclusivity(unchecked) private var drafts: [IntentRow] = []
    @exclusivity(unchecked) private var draftOfIntent = ByteTable()
    @exclusivity(unchecked) private var rows: RowBlock<IntentRow>
    private let database: Database
    private let tallies: Tallies
    private let complete, conclude, concludeEarly, findState: Statement
    private let peer: LatestRow

    init(_ database: Database, _ tallies: Tallies) throws(SQLiteError) {
        self.database = database
        self.tallies = tallies
        rows = try RowBlock(database)
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

    func fold(yield intent: IntentView, _ channel: Int64, _ mark: Mark) {
        let intent = intent.pointee
        draft(
            IntentRow(
                channel: channel,
                intentID: intent.intent_id.bytes,
                effect: .orderYield,
                peer: intent.peer.bytes,
                businessKey: intent.business_key.bytes,
                subject: intent.order_yield.pointee.order_id.bytes,
                intendedAtUs: mark.occurredAtUs
            )
        )
    }

    private func fold(_ intent: DeliveryIntended, _ channel: Int64, _ mark: Mark, _ chunk: RecordChunk) {
        let (effect, subject) = intent.effect?.told ?? (.unknown, "")
        draft(
            IntentRow(
                channel: channel,
                intentID: chunk.lend(intent.intentID),
                effect: effect,
                peer: chunk.lend(intent.peer),
                businessKey: chunk.lend(intent.businessKey),
                subject: chunk.lend(subject),
                intendedAtUs: mark.occurredAtUs
            )
        )
    }

    /// The intent waits for its outcome until the chunk ends; the first of several stands.
    private func draft(_ row: IntentRow) {
        let isFirst = draftOfIntent.insert(row.intentID, drafts.count) { drafts[$0].isOf(row.channel, row.intentID) }
        if isFirst { drafts.append(row) }
    }

    /// Writes what was folded since the last time.
    func flush() throws {
        for draft in drafts { rows.add(draft) }
        draftOfIntent.removeAll()
        drafts.removeAll(keepingCapacity: true)
        try rows.flush { row, isNew in
            if isNew {
                tallies.count(row.channel, state: row.outcome.state, intended: 1)
                return
            }
            // Known before: by its outcome alone, or intended again.
            row.bindIntent(to: complete, from: 1)
            try complete.run()
            if database.changes == 1 { tallies.count(row.channel, state: DeliveryState.pending, intended: 1) }
            if row.outcome.atUs != nil { try write(row.outcome, row.channel, row.intentID) }
        }
    }

    func fold(_ event: ConfirmedView, _ channel: Int64, _ mark: Mark) throws {
        let outcome = DeliveryOutcome(
            state: DeliveryState.confirmed,
            answer: event.pointee.peer_reference.bytes,
            isFound: event.pointee.found_by_look_up != 0,
            atUs: mark.occurredAtUs,
            mark: mark
        )
        try note(outcome, channel, event.pointee.intent_id.bytes)
    }

    func fold(_ kind: DeliveryRecord.Event.Kind, _ channel: Int64, _ mark: Mark, _ chunk: RecordChunk) throws {
        func outcome(_ state: Int64, _ intentID: String, _ answer: String) throws {
            let outcome = DeliveryOutcome(
                state: state,
                answer: chunk.lend(answer),
                atUs: mark.occurredAtUs,
                mark: mark
            )
            try note(outcome, channel, chunk.lend(intentID))
        }
        switch kind {
        case .writerTookOver: break
        case .deliveryIntended(let event): fold(event, channel, mark, chunk)
        case .deliveryRefused(let event): try outcome(DeliveryState.refused, event.intentID, event.reason)
        case .deliveryRedriven(let event): try outcome(DeliveryState.pending, event.intentID, "")
        case .deliverySkipped(let event): try outcome(DeliveryState.skipped, event.intentID, event.reason)
        case .peerLost(let event):
            try peer.put(mark, .int(channel), .text(event.peer), .int(1), .text(event.reason))
        case .peerRestored(let event):
            try peer.put(mark, .int(channel), .text(event.peer), .int(0), .text(""))
        case .deliveryConfirmed, .partsCounted:
            preconditionFailure("\(kind) is never rare")
        }
    }

    private func note(_ outcome: DeliveryOutcome, _ channel: Int64, _ intentID: Bytes) throws {
        guard let index = draftOfIntent.find(intentID, { drafts[$0].isOf(channel, intentID) }) else {
            return try write(outcome, channel, intentID)
        }
        if !outcome.mark.precedes(drafts[index].outcome.mark) { drafts[index].outcome = outcome }
    }

    private func write(_ outcome: DeliveryOutcome, _ channel: Int64, _ intentID: Bytes) throws {
        func bind(_ statement: Statement) {
            statement.bind(1, channel)
            statement.bind(2, lentText: intentID)
            statement.bind(3, outcome.state)
            statement.bind(4, lentText: outcome.answer ?? Bytes.none)
            statement.bind(5, Int64(outcome.isFound ? 1 : 0))
            statement.bind(6, outcome.atUs ?? 0)
            statement.bind(7, mark: outcome.mark)
        }
        bind(conclude)
        conclude.bind(10, DeliveryState.pending)
        try conclude.run()
        if database.changes == 0 {
            guard let standing = try state(channel, intentID) else {
                bind(concludeEarly)
                try concludeEarly.run()
                tallies.count(channel, state: outcome.state, intended: 0)
                return
            }
            bind(conclude)
            conclude.bind(10, standing)
            try conclude.run()
            guard database.changes == 1 else { return }
            tallies.count(channel, state: standing, intended: 0, by: -1)
        }
        tallies.count(channel, state: outcome.state, intended: 0)
    }

    private func state(_ channel: Int64, _ intentID: Bytes) throws -> Int64? {
        findState.bind(1, channel)
        findState.bind(2, lentText: intentID)
        defer { findState.reset() }
        return try findState.step() ? findState.int(0) : nil
    }
}

extension IntentRow {
    fileprivate func isOf(_ channel: Int64, _ intentID: Bytes) -> Bool {
        self.channel == channel && self.intentID.equals(intentID)
    }
}

extension DeliveryIntended.OneOf_Effect {
    /// The effect, and the hold or order that it is about.
    fileprivate var told: (Effect, subject: String) {
        switch self {
        case .lotHold(let effect): (.lotHold, effect.holdID)
        case .orderQualityStatus(let effect): (.orderQualityStatus, effect.orderID)
        case .orderYield(let effect): (.orderYield, effect.orderID)
        case .qualityNotification(let effect): (.qualityNotification, effect.holdID)
        case .stockBlock(let effect): (.stockBlock, effect.holdID)
        case .orderConfirmation(let effect): (.orderConfirmation, effect.orderID)
        }
    }
}

/// Finds numbers by bytes that are kept elsewhere: open addressing, at most half full.
private struct ByteTable {
    private var slots = [(hash: UInt64, value: Int)?](repeating: nil, count: 1024)
    private var count = 0

    /// The number noted for the bytes; `matches` says whether a number is theirs.
    @inline(__always)
    func find(_ bytes: Bytes, _ matches: (Int) -> Bool) -> Int? {
        let hash = bytes.hash
        var at = Int(truncatingIfNeeded: hash) & (slots.count - 1)
        while let slot = slots[at] {
            if slot.hash == hash, matches(slot.value) { return slot.value }
            at = (at + 1) & (slots.count - 1)
        }
        return nil
    }

    /// Notes the number; false when there is one for the bytes already.
    @inline(__always)
    mutating func insert(_ bytes: Bytes, _ value: Int, _ matches: (Int) -> Bool) -> Bool {
        guard find(bytes, matches) == nil else { return false }
        if 2 * (count + 1) > slots.count { grow() }
        place(bytes.hash, value)
        count += 1
        return true
    }

    mutating func removeAll() {
        guard count > 0 else { return }
        for index in slots.indices { slots[index] = nil }
        count = 0
    }

    private mutating func grow() {
        let old = slots
        slots = Array(repeating: nil, count: 2 * old.count)
        for case let slot? in old { place(slot.hash, slot.value) }
    }

    private mutating func place(_ hash: UInt64, _ value: Int) {
        var at = Int(truncatingIfNeeded: hash) & (slots.count - 1)
        while slots[at] != nil { at = (at + 1) & (slots.count - 1) }
        slots[at] = (hash, value)
    }
}
