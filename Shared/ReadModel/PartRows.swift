import CPlantEvents
import PlantEvents
import SQLite

/// A row of table `part` from `PartInspected`.
private struct PartRow: BlockRow {
    static let target = """
        part(
            key, outcome, context, recipe, score, confidence, triggered_at_us, decided_at_us, pixels_sha256, serial,
            reason, scores, partition, epoch, sequence)
        """
    static let columns: Int32 = 15

    let key: Int64
    let part: PartView
    let outcome: Int64
    let context: Int64
    let recipe: Int64?
    let pixels: HashCell
    /// Empty where the part's id is its trigger's.
    let serial: Bytes
    let mark: Mark
    /// Index of its conditions among those that wait, if it has any.
    let conditions: Int?

    @inline(__always)
    func bind(to statement: Statement, from first: Int32) {
        statement.bind(first, key)
        statement.bind(first + 1, outcome)
        statement.bind(first + 2, context)
        if let recipe { statement.bind(first + 3, recipe) } else { statement.bindNull(first + 3) }
        statement.bind(first + 4, part.pointee.score)
        statement.bind(first + 5, part.pointee.confidence)
        statement.bind(first + 6, part.pointee.triggered_at_us)
        statement.bind(first + 7, part.pointee.decided_at_us)
        pixels.bind(to: statement, first + 8)
        statement.bind(first + 9, optional: serial)
        statement.bind(first + 10, optional: part.pointee.rejection_reason.bytes)
        let scores = Bytes(start: part.pointee.scores, count: 4 * part.pointee.n_scores)
        if scores.isEmpty { statement.bindNull(first + 11) } else { statement.bind(first + 11, lentBlob: scores) }
        statement.bind(first + 12, mark: mark)
    }
}

/// Writes what became of each part: one row a trigger, whether it got a verdict or is a named gap.
final class PartRows {
    private let database: Database
    private let interning: Interning
    private let tallies: Tallies
    @exclusivity(unchecked) private var parts: RowBlock<PartRow>
    @exclusivity(unchecked) private var conditions: [[ProductionCondition]] = []
    private let addPart, replacePart, findPart, addRepeat, addDefect, addCondition: Statement
    private let dropDefects, dropConditions, stationsOfSerial, addReinspected: Statement

    init(_ database: Database, _ interning: Interning, _ tallies: Tallies) throws(SQLiteError) {
        self.database = database
        self.interning = interning
        self.tallies = tallies
        parts = try RowBlock(database)
        let columns = "INTO \(PartRow.target) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        addPart = try database.prepare("INSERT OR IGNORE \(columns)")
        replacePart = try database.prepare("INSERT OR REPLACE \(columns)")
        findPart = try database.prepare(
            "SELECT outcome, context, partition, epoch, sequence FROM part WHERE key = ?"
        )
        addRepeat = try database.prepare(
            "INSERT OR IGNORE INTO part_repeat(key, partition, epoch, sequence) VALUES (?, ?, ?, ?)"
        )
        addDefect = try database.prepare(
            """
            INSERT INTO defect(key, ordinal, category, x, y, width, height, area, score, tool, severity)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """
        )
        addCondition = try database.prepare(
            "INSERT INTO condition(key, ordinal, name, value, unit) VALUES (?, ?, ?, ?, ?)"
        )
        dropDefects = try database.prepare("DELETE FROM defect WHERE key = ?")
        dropConditions = try database.prepare("DELETE FROM condition WHERE key = ?")
        stationsOfSerial = try database.prepare(
            """
            SELECT source.station FROM part JOIN source ON source.id = part.key >> \(Schema.sequenceBits)
            WHERE part.serial = ? GROUP BY source.station HAVING count(*) > 1
            """
        )
        addReinspected = try database.prepare("INSERT OR IGNORE INTO reinspected(serial, station) VALUES (?, ?)")
    }

    func put(_ part: PartView, _ mark: Mark) throws {
        let trigger = TriggerView(part.pointee.trigger)
        let (context, conditions) = try interning.context(part.pointee.context_message.bytes)
        if !conditions.isEmpty { self.conditions.append(conditions) }
        let id = part.pointee.part_id.bytes
        parts.add(
            PartRow(
                key: try interning.key(trigger),
                part: part,
                outcome: Outcome.of(verdict: Int64(part.pointee.verdict.rawValue)),
                context: context,
                recipe: try interning.term(part.pointee.recipe_sha256.bytes),
                pixels: HashCell(part.pointee.pixels_sha256),
                serial: trigger.isNamed(id) ? Bytes.none : id,
                mark: mark,
                conditions: conditions.isEmpty ? nil : self.conditions.count - 1
            )
        )
    }

    /// Writes the parts that were put since the last time.
    func flush() throws {
        try parts.flush { row, isNew in
            if isNew {
                tallies.count(row.key, row.outcome, row.context)
            } else {
                guard try claim(row.key, row.outcome, row.context, row.mark) else { return }
                row.bind(to: replacePart, from: 1)
                try replacePart.run()
            }
            if row.part.pointee.n_defects > 0 { try addDefects(of: row.part, row.key) }
            if let index = row.conditions { try add(conditions[index], row.key) }
            try noteSerial(row.serial)
        }
        conditions.removeAll(keepingCapacity: true)
    }

    func put(_ gap: InspectionMissed, _ mark: Mark) throws {
        let key = try gap.trigger.withKey(interning)
        let context = try interning.context(gap.context)
        let derived = "\(gap.trigger.station)/\(gap.trigger.session)/\(gap.trigger.sequence)"
        let serial = gap.partID == derived ? "" : gap.partID
        let cells: [Cell] = [
            .int(key), .int(Outcome.missed), .int(context), .null, .real(0), .real(0), .int(gap.triggeredAtUs), .int(0),
            .null, serial.isEmpty ? .null : .text(serial),
            gap.reason.isEmpty ? .null : .text(gap.reason), .null,
            .int(mark.partition), .int(mark.epoch), .int(mark.sequence),
        ]
        try addPart.run(cells)
        if database.changes == 0 {
            guard try claim(key, Outcome.missed, context, mark) else { return }
            try replacePart.run(cells)
        } else {
            tallies.count(key, Outcome.missed, context)
        }
        try add(gap.context.conditions, key)
        try serial.withBytes { try noteSerial($0) }
    }

    private func addDefects(of part: PartView, _ key: Int64) throws {
        for ordinal in 0..<part.pointee.n_defects {
            guard let defect = part.pointee.defects[ordinal]?.pointee else { continue }
            addDefect.bind(1, key)
            addDefect.bind(2, Int64(ordinal))
            addDefect.bind(3, lentText: defect.category.bytes)
            addDefect.bind(4, Double(defect.x))
            addDefect.bind(5, Double(defect.y))
            addDefect.bind(6, Double(defect.width))
            addDefect.bind(7, Double(defect.height))
            addDefect.bind(8, Double(defect.area))
            addDefect.bind(9, Double(defect.score))
            addDefect.bind(10, lentText: defect.tool.bytes)
            addDefect.bind(11, lentText: defect.severity.bytes)
            try addDefect.run()
        }
    }

    private func add(_ conditions: [ProductionCondition], _ key: Int64) throws {
        for (ordinal, condition) in conditions.enumerated() {
            try addCondition.run([
                .int(key), .int(Int64(ordinal)), .text(condition.name), .real(condition.value), .text(condition.unit),
            ])
        }
    }

    /// Parts with a serial number can come again: only their first inspection at a station counts for first-pass yield.
    private func noteSerial(_ serial: Bytes) throws {
        guard !serial.isEmpty else { return }
        let text = serial.text
        stationsOfSerial.bind(1, text)
        defer { stationsOfSerial.reset() }
        while try stationsOfSerial.step() {
            try addReinspected.run([.text(text), .text(stationsOfSerial.text(0))])
        }
    }

    /// Two records say what became of one trigger's part: the earlier one in the log stands, the other is named. True
    /// when the new one stands.
    private func claim(_ key: Int64, _ outcome: Int64, _ context: Int64, _ mark: Mark) throws -> Bool {
        findPart.bind(1, key)
        defer { findPart.reset() }
        guard try findPart.step() else { throw ReadModelFailure.damaged("part: row \(key) vanished") }
        let standing = Mark(partition: findPart.int(2), epoch: findPart.int(3), sequence: findPart.int(4))
        let stands = mark.precedes(standing)
        let other = stands ? standing : mark
        try addRepeat.run([.int(key), .int(other.partition), .int(other.epoch), .int(other.sequence)])
        // The same counters are touched whichever came first.
        tallies.count(key, outcome, context)
        let loser = stands ? (findPart.int(0), findPart.int(1)) : (outcome, context)
        let total = Tallies.PartsKey(source: key >> Schema.sequenceBits, context: loser.1)
        tallies.parts[total, default: .init()].add(loser.0, -1)
        if stands {
            try dropDefects.run([.int(key)])
            try dropConditions.run([.int(key)])
        }
        return stands
    }
}
