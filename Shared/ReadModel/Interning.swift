import Crypto
import PlantEvents
import SQLite
import SwiftProtobuf

/// Small numbers for what many rows repeat: trigger sources, production contexts, recipes, media types.
///
/// The numbers depend on the order of arrival, so no digest and no answer contains one.
final class Interning {
    @exclusivity(unchecked) private var sources = Memo()
    @exclusivity(unchecked) private var contexts = Memo()
    @exclusivity(unchecked) private var terms = Memo()
    private let findSource, addSource, findTerm, addTerm, findContext, addContext, addLot: Statement

    init(_ database: Database) throws(SQLiteError) {
        findSource = try database.prepare("SELECT id FROM source WHERE station = ? AND session = ?")
        addSource = try database.prepare("INSERT INTO source(station, session) VALUES (?, ?) RETURNING id")
        findTerm = try database.prepare("SELECT id FROM term WHERE text = ?")
        addTerm = try database.prepare("INSERT INTO term(text) VALUES (?) RETURNING id")
        findContext = try database.prepare("SELECT id FROM context WHERE content_sha256 = ?")
        addContext = try database.prepare(
            """
            INSERT INTO context(
                content_sha256, order_id, sku, batch_id, variant, customer_order, line, shift, recipe_id,
                recipe_sha256, target_quantity, changeover, control_plan_revision, customer_requirements)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id
            """
        )
        addLot = try database.prepare("INSERT OR IGNORE INTO context_lot(context, material_lot_id) VALUES (?, ?)")
    }

    /// The key of a trigger.
    @inline(__always)
    func key(_ trigger: TriggerView) throws -> Int64 {
        let source = try self.source(trigger.station, trigger.session)
        return source << Schema.sequenceBits | Int64(trigger.sequence)
    }

    func source(_ station: Bytes, _ session: UInt64) throws -> Int64 {
        if let id = sources.find(station, session) { return id }
        let cells = (Cell.text(station.text), Cell.int(Int64(session)))
        let found = try findSource.firstInt(cells.0, cells.1)
        guard let id = try found ?? addSource.firstInt(cells.0, cells.1), id < Schema.sourceLimit else {
            throw ReadModelFailure.tooManySources(limit: Schema.sourceLimit)
        }
        sources.note(station, session, id)
        return id
    }

    func term(_ text: Bytes) throws -> Int64? {
        if text.isEmpty { return nil }
        if let id = terms.find(text, 0) { return id }
        let cell = Cell.text(text.text)
        let found = try findTerm.firstInt(cell)
        guard let id = try found ?? addTerm.firstInt(cell) else { return nil }
        terms.note(text, 0, id)
        return id
    }

    /// The context without its conditions, and the conditions, which change from part to part.
    func context(_ bytes: Bytes) throws -> (id: Int64, conditions: [ProductionCondition]) {
        if let id = contexts.find(bytes, 0) { return (id, []) }
        let context = try ProductionContext(serializedBytes: [UInt8](bytes))
        let id = try self.context(context)
        if context.conditions.isEmpty { contexts.note(bytes, 0, id) }
        return (id, context.conditions)
    }

    func context(_ context: ProductionContext) throws -> Int64 {
        var content = context
        content.conditions = []
        content.unknownFields = UnknownStorage()
        let hash = Cell.blob(Array(SHA256.hash(data: try content.serializedBytes() as [UInt8])))
        if let id = try findContext.firstInt(hash) { return id }
        let requirements = context.customerRequirements.joined(separator: "\n")
        let added = try addContext.firstInt(
            hash,
            .text(context.orderID),
            .text(context.sku),
            .text(context.batchID),
            .text(context.variant),
            .text(context.customerOrder),
            .text(context.line),
            .text(context.shift),
            .text(context.recipeID),
            .text(context.recipeSha256),
            .int(Int64(clamping: context.targetQuantity)),
            .int(Int64(context.changeover.rawValue)),
            .text(context.controlPlanRevision),
            .text(requirements)
        )
        guard let added else { throw ReadModelFailure.damaged("context: a row was added without an id") }
        for lot in context.materialLots { try addLot.run([.int(added), .text(lot)]) }
        return added
    }
}

/// The last few things that were looked up; most parts ask for what the part before asked for.
private struct Memo {
    private struct Entry {
        let hash: UInt64
        let number: UInt64
        let id: Int64
        let bytes: [UInt8]
    }

    private var entries: [Entry] = []
    private var oldest = 0
    private static let capacity = 16

    @inline(__always)
    func find(_ bytes: Bytes, _ number: UInt64) -> Int64? {
        let hash = bytes.hash
        return entries.withUnsafeBufferPointer { entries in
            for index in entries.indices where entries[index].hash == hash && entries[index].number == number {
                if bytes.equals(entries[index].bytes) { return entries[index].id }
            }
            return nil
        }
    }

    mutating func note(_ bytes: Bytes, _ number: UInt64, _ id: Int64) {
        let entry = Entry(hash: bytes.hash, number: number, id: id, bytes: [UInt8](bytes))
        if entries.count < Self.capacity {
            entries.append(entry)
        } else {
            entries[oldest] = entry
            oldest = (oldest + 1) % Self.capacity
        }
    }
}
