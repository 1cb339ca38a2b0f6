import Crypto
import SQLite

/// How each table is read for the digest: by its business key, without surrogate ids and processing times.
enum Canonical {
    struct Table {
        let name: String
        let sql: String
        /// Rows of one trigger source at a time, bound as its first and last key; otherwise the whole table.
        var isBySource = false
        /// The first columns, by which rows are ordered and told apart.
        let keyColumns: Int
    }

    private static let sourceOfKey = "k.key & \(Schema.sequenceMask)"
    private static let context = "(SELECT content_sha256 FROM context WHERE id = k.context)"

    /// The text that an id stands for; an id that stands for nothing is itself seen.
    private static func term(_ id: String) -> String { "coalesce((SELECT text FROM term WHERE id = \(id)), \(id))" }

    private static func byKey(_ name: String, _ columns: String, order: String = "k.key") -> Table {
        Table(
            name: name,
            sql: "SELECT \(sourceOfKey), \(columns) FROM \(name) k WHERE k.key BETWEEN ? AND ? ORDER BY \(order)",
            isBySource: true,
            keyColumns: order.split(separator: ",").count
        )
    }

    private static let origin = "k.partition, k.epoch, k.sequence"

    private static let ofSource =
        "(SELECT station FROM source WHERE id = k.source) AS station, "
        + "(SELECT session FROM source WHERE id = k.source) AS session"

    private static func plain(_ name: String, _ columns: String, by order: String) -> Table {
        Table(
            name: name,
            sql: "SELECT \(columns) FROM \(name) k ORDER BY \(order)",
            keyColumns: order.split(separator: ",").count
        )
    }

    static let tables: [Table] = [
        plain("model", "k.version, k.site", by: "1"),
        plain("gap", "k.topic, k.partition, k.epoch, k.expected, k.found", by: "1, 2, 3, 4"),
        plain(
            "not_understood",
            "k.subject, k.topic, \(origin), k.occurred_at_us",
            by: "1, 2, 3, 4, 5"
        ),
        plain("source", "k.station, k.session", by: "1, 2"),
        plain(
            "context",
            """
            k.content_sha256, k.order_id, k.sku, k.batch_id, k.variant, k.customer_order, k.line, k.shift, k.recipe_id,
            k.recipe_sha256, k.target_quantity, k.changeover, k.control_plan_revision, k.customer_requirements
            """,
            by: "1"
        ),
        plain("context_lot", "\(context) AS content, k.material_lot_id", by: "1, 2"),
        byKey(
            "trigger",
            """
            k.captured, k.triggered_at_us, k.device_time_us, k.width, k.height, k.pixel_format, k.pixels_sha256,
            k.source_name, k.reason, \(origin)
            """
        ),
        byKey(
            "evidence",
            """
            k.stored, k.pixels_sha256, k.stored_sha256, k.lossless, \(term("k.media_type")),
            k.stored_bytes, k.reason, \(origin)
            """
        ),
        plain(
            "evidence_expired",
            "k.pixels_sha256, k.partition, k.policy, k.at_us, k.epoch, k.sequence",
            by: "1, 2"
        ),
        plain("trigger_tally", "\(ofSource), k.triggers, k.missed, k.last_sequence", by: "1, 2"),
        byKey("trigger_repeat", origin, order: "k.key, k.partition, k.epoch, k.sequence"),
        plain("trigger_session", "\(ofSource), k.adapter, k.device, k.reason, k.at_us, \(origin)", by: "1, 2"),
        plain("source_exhausted", "k.station, k.triggers, k.at_us, \(origin)", by: "1"),
        byKey(
            "part",
            """
            k.outcome, \(context), \(term("k.recipe")), k.score, k.confidence,
            k.triggered_at_us, k.decided_at_us, k.pixels_sha256, k.serial, k.reason, k.scores, \(origin)
            """
        ),
        byKey(
            "defect",
            "k.ordinal, k.category, k.x, k.y, k.width, k.height, k.area, k.score, k.tool, k.severity",
            order: "k.key, k.ordinal"
        ),
        byKey("condition", "k.ordinal, k.name, k.value, k.unit", order: "k.key, k.ordinal"),
        plain(
            "part_tally",
            "\(ofSource), \(context) AS content, k.accepted, k.rejected, k.uncertain, k.missed, k.last_sequence",
            by: "1, 2, 3"
        ),
        byKey("part_repeat", origin, order: "k.key, k.partition, k.epoch, k.sequence"),
        plain("reinspected", "k.serial, k.station", by: "1, 2"),
        plain("reject_not_commanded", "k.part_id, k.reason, k.at_us, \(origin)", by: "1"),
        plain(
            "hold",
            """
            k.hold_id, k.subject_kind, k.subject_id, k.reason, k.defect_category, k.part_id, k.rule, \(context),
            k.at_us, \(origin)
            """,
            by: "1"
        ),
        plain("adopted_context", "k.station, \(context), k.at_us, \(origin)", by: "1"),
        plain(
            "recipe_activated",
            """
            k.station, k.recipe_sha256, k.recipe_id, k.revision, k.control_plan_revision, k.model_sha256,
            k.tools, k.at_us, \(origin)
            """,
            by: "1, 2"
        ),
        plain("recipe_refused", "k.station, k.recipe_id, k.recipe_sha256, k.reason, k.at_us, \(origin)", by: "1, 2, 3"),
        plain(
            "feature",
            """
            k.part_id, k.name, k.task, k.value, k.unit, k.text, k.lower_limit, k.upper_limit, k.conforms, k.at_us,
            \(origin)
            """,
            by: "1, 2"
        ),
        plain("stop_requested", "k.stop_id, k.line, k.station, k.part_id, k.reason, k.at_us, \(origin)", by: "1"),
        plain("source_inspected", "k.station, k.triggers, k.at_us, \(origin)", by: "1"),
        plain("order_released", "k.order_id, k.line, \(context), k.priority, k.at_us, \(origin)", by: "1"),
        plain("order_step", "k.order_id, k.step, k.line, k.at_us, \(origin)", by: "1, 2, 3"),
        plain("line_order", "k.line, k.state, k.order_id, k.at_us, \(origin)", by: "1"),
        plain("line_context", "k.line, \(context), k.at_us, \(origin)", by: "1"),
        plain("shift", "k.line, k.shift, k.at_us, \(origin)", by: "1, 2"),
        plain("batch_closed", "k.batch_id, k.line, k.at_us, \(origin)", by: "1"),
        plain("material_loaded", "k.material_lot_id, k.line, k.sku, k.at_us, \(origin)", by: "1, 2"),
        plain(
            "material_lot",
            """
            k.material_lot_id, k.sku, k.supplier_id, k.supplier_lot, k.purchase_order, k.material_document, k.quantity,
            k.unit, k.at_us, \(origin)
            """,
            by: "1"
        ),
        plain(
            "shipment",
            "k.shipment_id, k.customer_id, k.customer_order, k.shipping_document, k.at_us, \(origin)",
            by: "1"
        ),
        plain("shipment_batch", "k.shipment_id, k.batch_id", by: "1, 2"),
        plain(
            "delivery",
            """
            k.channel, k.intent_id, k.effect, k.peer, k.business_key, k.subject, k.intended_at_us, k.state, k.answer,
            k.found_by_look_up, k.outcome_at_us, \(origin)
            """,
            by: "1, 2"
        ),
        plain("delivery_tally", "k.channel, k.intended, k.confirmed, k.refused, k.skipped", by: "1"),
        plain("peer_state", "k.channel, k.peer, k.lost, k.reason, k.at_us, \(origin)", by: "1, 2"),
        plain(
            "alarm",
            """
            k.alarm_id, k.kind, k.subject, k.priority, k.text, k.response, k.raised_at_us, k.returned_at_us, \(origin)
            """,
            by: "1"
        ),
        plain("legal_hold", "k.legal_hold_id, k.person_id, k.reason, k.at_us, \(origin)", by: "1"),
        plain("legal_hold_subject", "k.legal_hold_id, k.subject_id", by: "1, 2"),
        plain("legal_hold_lifted", "k.legal_hold_id, k.person_id, k.reason, k.at_us, \(origin)", by: "1"),
        plain(
            "model_trained",
            """
            k.model_sha256, k.tool, k.backbone_sha256, k.pictures, k.strata, k.training_set_sha256, k.test_set_sha256,
            k.report_sha256, k.good, k.bad, k.escapes, k.overkills, k.auroc, k.active_sha256, k.active_escapes,
            k.active_overkills, k.active_auroc, k.origin, k.licence, k.person_id, k.reason, k.at_us, \(origin)
            """,
            by: "1"
        ),
        plain(
            "performance_reviewed",
            """
            k.subject_sha256, k.to_us, k.report_sha256, k.from_us, k.conclusion, k.person_id, k.reason, k.at_us,
            \(origin)
            """,
            by: "1, 2, 3"
        ),
    ]
}

/// The digest of one table.
package struct TableDigest: Equatable, Sendable, Codable {
    package let table: String
    package let rows: Int64
    /// SHA-256, lower-case hexadecimal.
    package let sha256: String
}

extension ReadModel {
    /// SHA-256 over everything the model says, lower-case hexadecimal: equal for equal logs read up to equal positions,
    /// whatever the interleaving, the batches and the restarts (M01, I5).
    package func digest() throws -> String {
        try ModelDigest.digest(of: try tableDigests())
    }

    /// The digest of each table, to find where two models differ.
    package func tableDigests() throws -> [TableDigest] {
        try ModelDigest.tables(of: database)
    }
}

/// Reads a model in canonical order.
enum ModelDigest {
    static func digest(of tables: [TableDigest]) throws -> String {
        var hash = SHA256()
        for table in tables { hash.update(data: Array("\(table.table) \(table.rows) \(table.sha256)\n".utf8)) }
        return HashCell.hex(hash.finalize())
    }

    static func tables(of database: Database) throws -> [TableDigest] {
        var sources: [(station: String, session: Int64, id: Int64)] = []
        let list = try database.prepare("SELECT station, session, id FROM source ORDER BY station, session")
        while try list.step() { sources.append((list.text(0), list.int(1), list.int(2))) }
        return try Canonical.tables.map { table in
            var rows = RowHasher()
            let statement = try database.prepare(table.sql)
            guard table.isBySource else {
                try rows.add(statement)
                return rows.digest(table.name)
            }
            for source in sources {
                let first = source.id << Schema.sequenceBits
                statement.bind(1, first)
                statement.bind(2, first | Schema.sequenceMask)
                rows.group(source.station, source.session)
                try rows.add(statement)
                statement.reset()
            }
            return rows.digest(table.name)
        }
    }
}

/// Hashes rows so that no two different tables give the same bytes: each value by type, length and content.
private struct RowHasher {
    private var hash = SHA256()
    private var buffer: [UInt8] = []
    private var rows: Int64 = 0

    mutating func group(_ station: String, _ session: Int64) {
        append(station)
        append(session)
    }

    mutating func add(_ statement: Statement) throws {
        let columns = statement.columnCount
        while try statement.step() {
            for column in 0..<columns { append(statement, column) }
            rows += 1
            if buffer.count > 1 << 16 { flush() }
        }
    }

    mutating func digest(_ table: String) -> TableDigest {
        flush()
        return TableDigest(table: table, rows: rows, sha256: HashCell.hex(hash.finalize()))
    }

    private mutating func append(_ statement: Statement, _ column: Int32) {
        switch statement.storage(column) {
        case .integer: append(statement.int(column))
        case .real:
            buffer.append(UInt8(ascii: "r"))
            append(bits: statement.double(column).bitPattern)
        case .text: append(statement.text(column))
        case .blob:
            let blob = statement.blob(column)
            buffer.append(UInt8(ascii: "b"))
            append(bits: UInt64(blob.count))
            buffer.append(contentsOf: blob)
        case .null: buffer.append(UInt8(ascii: "n"))
        }
    }

    private mutating func append(_ value: Int64) {
        buffer.append(UInt8(ascii: "i"))
        append(bits: UInt64(bitPattern: value))
    }

    private mutating func append(_ text: String) {
        buffer.append(UInt8(ascii: "t"))
        append(bits: UInt64(text.utf8.count))
        buffer.append(contentsOf: text.utf8)
    }

    private mutating func append(bits: UInt64) {
        withUnsafeBytes(of: bits.littleEndian) { buffer.append(contentsOf: $0) }
    }

    private mutating func flush() {
        hash.update(data: buffer)
        buffer.removeAll(keepingCapacity: true)
    }
}

/// Storage classes of SQLite (https://sqlite.org/c3ref/c_blob.html).
enum Storage: Int32 {
    case integer = 1
    case real = 2
    case text = 3
    case blob = 4
    case null = 5
}

extension Statement {
    func storage(_ column: Int32) -> Storage { Storage(rawValue: columnType(column)) ?? .null }

    func cell(_ column: Int32) -> Cell {
        switch storage(column) {
        case .integer: .int(int(column))
        case .real: .real(double(column))
        case .text: .text(text(column))
        case .blob: .blob(blob(column))
        case .null: .null
        }
    }
}
