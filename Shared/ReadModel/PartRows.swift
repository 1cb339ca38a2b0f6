import PlantEvents
import SQLite

/// Writes what became of each part: one row a trigger, whether it got a verdict or is a named gap.
final class PartRows {
    private let database: Database
    private let interning: Interning
    private let tallies: Tallies
    private var hashes = HashBinder()
    private let addPart, replacePart, findPart, addRepeat, addDefect, addCondition: Statement
    private let dropDefects, dropConditions, stationsOfSerial, addReinspected: Statement

    init(_ database: Database, _ interning: Interning, _ tallies: Tallies) throws(SQLiteError) {
        self.database = database
        self.interning = interning
        self.tallies = tallies
        let columns = """
            INTO part(
                key, outcome, context, recipe, score, confidence, triggered_at_us, decided_at_us, pixels_sha256, serial,
                reason, partition, epoch, sequence)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """
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
            INSERT INTO defect(key, ordinal, category, x, y, width, height, area, score)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
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
        let key = try interning.key(part.trigger)
        let (context, conditions) = try interning.context(part.context)
        let recipe = try interning.term(part.recipeSha256)
        let outcome = Outcome.of(verdict: part.verdict)
        let serial = part.trigger.isNamed(part.partID) ? Bytes.none : part.partID
        func bind(_ statement: Statement) {
            statement.bind(1, key)
            statement.bind(2, outcome)
            statement.bind(3, context)
            if let recipe { statement.bind(4, recipe) } else { statement.bindNull(4) }
            statement.bind(5, part.score)
            statement.bind(6, part.confidence)
            statement.bind(7, part.triggeredAtUs)
            statement.bind(8, part.decidedAtUs)
            hashes.bind(statement, 9, part.pixelsSha256)
            statement.bind(10, optional: serial)
            statement.bind(11, optional: part.rejectionReason)
            statement.bind(12, mark: mark)
        }
        bind(addPart)
        try addPart.run()
        if database.changes == 0 {
            guard try claim(key, outcome, context, mark) else { return }
            bind(replacePart)
            try replacePart.run()
        } else {
            count(key, outcome, context)
        }
        if part.defects > 0 { try addDefects(of: part, key) }
        try add(conditions, key)
        try noteSerial(serial)
    }

    func put(_ gap: InspectionMissed, _ mark: Mark) throws {
        let key = try gap.trigger.withKey(interning)
        let context = try interning.context(gap.context)
        let derived = "\(gap.trigger.station)/\(gap.trigger.session)/\(gap.trigger.sequence)"
        let serial = gap.partID == derived ? "" : gap.partID
        let cells: [Cell] = [
            .int(key), .int(Outcome.missed), .int(context), .null, .real(0), .real(0), .int(gap.triggeredAtUs), .int(0),
            .null, serial.isEmpty ? .null : .text(serial),
            gap.reason.isEmpty ? .null : .text(gap.reason),
            .int(mark.partition), .int(mark.epoch), .int(mark.sequence),
        ]
        try addPart.run(cells)
        if database.changes == 0 {
            guard try claim(key, Outcome.missed, context, mark) else { return }
            try replacePart.run(cells)
        } else {
            count(key, Outcome.missed, context)
        }
        try add(gap.context.conditions, key)
        try serial.withBytes { try noteSerial($0) }
    }

    private func count(_ key: Int64, _ outcome: Int64, _ context: Int64) {
        let sequence = key & Schema.sequenceMask
        let total = Tallies.PartsKey(source: key >> Schema.sequenceBits, context: context)
        tallies.parts[total, default: .init()].add(outcome, 1)
        if tallies.parts[total, default: .init()].last < sequence { tallies.parts[total]?.last = sequence }
    }

    private func addDefects(of part: PartView, _ key: Int64) throws {
        var wire = try Wire(part.message)
        var ordinal: Int64 = 0
        while try wire.next() {
            if wire.field == PartView.defectField {
                let defect = try DefectView(try wire.message())
                addDefect.bind(1, key)
                addDefect.bind(2, ordinal)
                addDefect.bind(3, defect.category.text)
                addDefect.bind(4, defect.x)
                addDefect.bind(5, defect.y)
                addDefect.bind(6, defect.width)
                addDefect.bind(7, defect.height)
                addDefect.bind(8, defect.area)
                addDefect.bind(9, defect.score)
                try addDefect.run()
                ordinal += 1
            } else {
                try wire.skip()
            }
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
        count(key, outcome, context)
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
