import SQLite

/// A legal hold: pictures of its subjects do not expire while it stands (TRC-16).
package struct LegalHoldInfo: Codable, Sendable, Equatable {
    package let legalHoldID: String
    /// Whatever has one of these ids is held: parts, batches, material lots, orders, customer orders, stations, lines.
    package let subjectIds: [String]
    package let reason: String
    /// Person who placed it.
    package let placedBy: String
    package let placedAtUs: Int64
    /// Person who lifted it, why and when; nil while it stands.
    package let liftedBy: String?
    package let liftReason: String?
    package let liftedAtUs: Int64?

    package var stands: Bool { liftedAtUs == nil }
}

extension Queries {
    /// All legal holds, newest first, lifted ones too.
    package func legalHolds() throws -> [LegalHoldInfo] {
        try snapshot { try legalHoldList() }
    }

    func standingLegalHolds() throws -> [LegalHoldInfo] {
        try legalHoldList().filter(\.stands)
    }

    /// Those that name one of these ids.
    func legalHolds(naming ids: Set<String>) throws -> [LegalHoldInfo] {
        var held: Set<String> = []
        for id in ids {
            held.formUnion(
                try texts("SELECT legal_hold_id FROM legal_hold_subject WHERE subject_id = ?", .text(id))
            )
        }
        return held.isEmpty ? [] : try legalHoldList().filter { held.contains($0.legalHoldID) }
    }

    private func legalHoldList() throws -> [LegalHoldInfo] {
        try rows(
            """
            SELECT h.legal_hold_id, h.reason, h.person_id, h.at_us, l.person_id, l.reason, l.at_us
            FROM legal_hold h LEFT JOIN legal_hold_lifted l ON l.legal_hold_id = h.legal_hold_id
            ORDER BY h.at_us DESC, h.legal_hold_id
            """
        ) { row in
            LegalHoldInfo(
                legalHoldID: row.text(0),
                subjectIds: try texts(
                    "SELECT subject_id FROM legal_hold_subject WHERE legal_hold_id = ? ORDER BY subject_id",
                    .text(row.text(0))
                ),
                reason: row.text(1),
                placedBy: row.text(2),
                placedAtUs: row.int(3),
                liftedBy: row.isNull(4) ? nil : row.text(4),
                liftReason: row.isNull(5) ? nil : row.text(5),
                liftedAtUs: row.optionalInt(6)
            )
        }
    }
}
