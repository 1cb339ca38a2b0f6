import PlantEvents
import SQLite

/// A defect, in pixels of the judged picture.
package struct DefectInfo: Codable, Sendable, Equatable {
    package let category: String
    package let x: Double
    package let y: Double
    package let width: Double
    package let height: Double
    package let area: Double
    /// In units of the recipe's fail limit.
    package let score: Double
    /// Name of the recipe's tool that found it.
    package let tool: String
    /// Class of severity by the recipe; empty where it has none.
    package let severity: String
}

/// The kept picture of a part.
package struct EvidenceInfo: Codable, Sendable, Equatable {
    package let stored: Bool
    package let lossless: Bool
    package let pixelsSha256: String
    package let storedSha256: String
    package let mediaType: String
    package let storedBytes: Int64
    /// Why it was not stored.
    package let reason: String
}

/// One part as one trigger saw it.
package struct PartInfo: Codable, Sendable, Equatable {
    package let partID: String
    /// `station/session/sequence`.
    package let trigger: String
    package let station: String
    /// pass, fail, uncertain, missed or unknown.
    package let verdict: String
    package let score: Double
    package let confidence: Double
    /// Why it is rejected, or why there is no verdict.
    package let reason: String
    package let defects: [DefectInfo]
    package let orderID: String
    package let sku: String
    package let batchID: String
    package let line: String
    package let shift: String
    package let materialLots: [String]
    /// Recipe that the order asks for, and the hash of the recipe that judged.
    package let recipeID: String
    package let recipeSha256: String
    package let triggeredAtUs: Int64
    package let decidedAtUs: Int64
    package let pixelsSha256: String
    package let sourceName: String
    package let evidence: EvidenceInfo?
    /// Origin of the inspection record: `site/topic/partition/epoch/sequence`.
    package let origin: String
    /// Whether the frame's record has been read.
    package let hasFrame: Bool
    /// Whether a reject was due and not commanded, and why.
    package let rejectNotCommanded: String?
}

/// Which parts to list; nil fields do not restrict.
package struct PartFilter: Sendable {
    package var order: String?
    package var batch: String?
    package var station: String?
    package var shift: String?
    package var verdict: String?
    package var materialLot: String?
    /// At most this many, up to 1000.
    package var limit = 100
    /// `next` of the page before.
    package var cursor: Int64?

    package init() {}
}

/// A page of parts, newest first within each trigger session.
package struct PartPage: Codable, Sendable, Equatable {
    package let parts: [PartInfo]
    /// Where the next page begins; nil at the end.
    package let next: Int64?
}

extension Queries {
    package static let largestPage = 1000

    /// Parts that match the filter.
    package func parts(_ filter: PartFilter) throws -> PartPage {
        var conditions = ["p.key < ?"]
        var cells: [Cell] = [.int(filter.cursor ?? .max)]
        func restrict(_ condition: String, _ value: String?) {
            guard let value else { return }
            conditions.append(condition)
            cells.append(.text(value))
        }
        restrict("p.context IN (SELECT id FROM context WHERE order_id = ?)", filter.order)
        restrict("p.context IN (SELECT id FROM context WHERE batch_id = ?)", filter.batch)
        restrict("p.context IN (SELECT id FROM context WHERE shift = ?)", filter.shift)
        restrict("p.context IN (SELECT context FROM context_lot WHERE material_lot_id = ?)", filter.materialLot)
        restrict("p.key >> \(Schema.sequenceBits) IN (SELECT id FROM source WHERE station = ?)", filter.station)
        if let verdict = filter.verdict {
            let outcome = (0...9).first { Outcome.name($0) == verdict }
            conditions.append("p.outcome = ?")
            cells.append(.int(outcome ?? -1))
        }
        let limit = max(1, min(filter.limit, Self.largestPage))
        return try snapshot {
            let keys = try rows(
                """
                SELECT p.key FROM part p WHERE \(conditions.joined(separator: " AND "))
                ORDER BY p.key DESC LIMIT \(limit)
                """,
                cells
            ) { $0.int(0) }
            return PartPage(parts: try parts(keys), next: keys.count == limit ? keys.last : nil)
        }
    }

    /// The part with this id: its inspections, oldest first; empty when there is none.
    package func part(_ id: String) throws -> [PartInfo] {
        try snapshot { try parts(try partKeys(id)) }
    }

    /// Keys of the triggers that saw the part.
    func partKeys(_ id: String) throws -> [Int64] {
        let bySerial = try rows("SELECT key FROM part WHERE serial = ? ORDER BY triggered_at_us, key", .text(id)) {
            $0.int(0)
        }
        guard bySerial.isEmpty, let key = try triggerKey(id) else { return bySerial }
        return try exists("SELECT 1 FROM part WHERE key = ? AND serial IS NULL", .int(key)) ? [key] : []
    }

    /// The key of `station/session/sequence`.
    func triggerKey(_ id: String) throws -> Int64? {
        let pieces = id.split(separator: "/", omittingEmptySubsequences: false)
        guard pieces.count >= 3, let sequence = Int64(pieces[pieces.count - 1]),
            let session = Int64(pieces[pieces.count - 2]), (0...Schema.sequenceMask).contains(sequence)
        else { return nil }
        let station = pieces.dropLast(2).joined(separator: "/")
        let source = try rows(
            "SELECT id FROM source WHERE station = ? AND session = ?",
            .text(station),
            .int(session)
        ) { $0.int(0) }
        return source.first.map { $0 << Schema.sequenceBits | sequence }
    }

    func parts(_ keys: [Int64]) throws -> [PartInfo] {
        let reader = try PartReader(self)
        return try keys.compactMap { try reader.read($0) }
    }
}

/// Reads whole parts by key, with prepared statements.
struct PartReader {
    private let site: String
    private let part, defects, lots: Statement

    init(_ queries: Queries) throws {
        site = queries.site
        part = try queries.database.prepare(
            """
            SELECT s.station, s.session, p.key, p.outcome, p.score, p.confidence, p.reason, p.serial, p.triggered_at_us,
                p.decided_at_us, p.pixels_sha256, p.partition, p.epoch, p.sequence, m.text,
                c.order_id, c.sku, c.batch_id, c.line, c.shift, c.recipe_id, c.id,
                t.key, t.source_name, e.stored, e.lossless, e.pixels_sha256, e.stored_sha256, k.text, e.stored_bytes,
                e.reason, r.reason, x.policy
            FROM part p JOIN source s ON s.id = p.key >> \(Schema.sequenceBits) JOIN context c ON c.id = p.context
            LEFT JOIN term m ON m.id = p.recipe LEFT JOIN trigger t ON t.key = p.key
            LEFT JOIN evidence e ON e.key = p.key LEFT JOIN term k ON k.id = e.media_type
            LEFT JOIN evidence_expired x ON \(Schema.expiryOfEvidence)
            LEFT JOIN reject_not_commanded r ON r.part_id =
                coalesce(p.serial, s.station || '/' || s.session || '/' || (p.key & \(Schema.sequenceMask)))
            WHERE p.key = ?
            """
        )
        defects = try queries.database.prepare(
            "SELECT category, x, y, width, height, area, score, tool, severity FROM defect WHERE key = ? ORDER BY ordinal"
        )
        lots = try queries.database.prepare(
            "SELECT material_lot_id FROM context_lot WHERE context = ? ORDER BY material_lot_id"
        )
    }

    func read(_ key: Int64) throws -> PartInfo? {
        part.bind(1, key)
        defer { part.reset() }
        guard try part.step() else { return nil }
        let trigger = "\(part.text(0))/\(part.int(1))/\(key & Schema.sequenceMask)"
        return PartInfo(
            partID: part.isNull(7) ? trigger : part.text(7),
            trigger: trigger,
            station: part.text(0),
            verdict: Outcome.name(part.int(3)),
            score: part.double(4),
            confidence: part.double(5),
            reason: part.text(6),
            defects: try readDefects(key),
            orderID: part.text(15),
            sku: part.text(16),
            batchID: part.text(17),
            line: part.text(18),
            shift: part.text(19),
            materialLots: try readLots(part.int(21)),
            recipeID: part.text(20),
            recipeSha256: part.text(14),
            triggeredAtUs: part.int(8),
            decidedAtUs: part.int(9),
            pixelsSha256: HashCell.text(part, 10),
            sourceName: part.text(23),
            evidence: evidence(),
            origin: "\(site)/\(Topic.inspections.rawValue)/\(part.int(11))/\(part.int(12))/\(part.int(13))",
            hasFrame: !part.isNull(22),
            rejectNotCommanded: part.isNull(31) ? nil : part.text(31)
        )
    }

    private func evidence() -> EvidenceInfo? {
        guard !part.isNull(24) else { return nil }
        return EvidenceInfo(
            stored: part.int(24) == 1 && part.isNull(32),
            lossless: part.int(25) == 1,
            pixelsSha256: HashCell.text(part, 26),
            storedSha256: HashCell.text(part, 27),
            mediaType: part.text(28),
            storedBytes: part.int(29),
            reason: part.isNull(32) ? part.text(30) : "deleted, by the rule \(part.text(32))"
        )
    }

    private func readDefects(_ key: Int64) throws -> [DefectInfo] {
        defects.bind(1, key)
        defer { defects.reset() }
        var result: [DefectInfo] = []
        while try defects.step() {
            result.append(
                DefectInfo(
                    category: defects.text(0),
                    x: defects.double(1),
                    y: defects.double(2),
                    width: defects.double(3),
                    height: defects.double(4),
                    area: defects.double(5),
                    score: defects.double(6),
                    tool: defects.text(7),
                    severity: defects.text(8)
                )
            )
        }
        return result
    }

    private func readLots(_ context: Int64) throws -> [String] {
        lots.bind(1, context)
        defer { lots.reset() }
        var result: [String] = []
        while try lots.step() { result.append(lots.text(0)) }
        return result
    }
}
