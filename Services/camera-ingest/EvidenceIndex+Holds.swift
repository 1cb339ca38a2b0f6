import PlantCore
import PlantEvents
import SQLite

// Which holds stand, and on what: quality holds block one thing of one kind, legal holds name ids of any kind.
extension EvidenceIndex {
    func place(_ hold: HoldPlaced) throws {
        try run(
            """
            INSERT INTO hold(id, subject, is_open) VALUES (?1, ?2, 1) ON CONFLICT(id) DO UPDATE SET subject = ?2
            """,
            [.text(hold.holdID), .text(Self.subject(hold.subjectKind, hold.subjectID))]
        )
        try loadHolds()
    }

    func place(_ hold: LegalHoldPlaced) throws {
        try run("INSERT OR IGNORE INTO legal_hold(id, is_lifted) VALUES (?1, 0)", [.text(hold.legalHoldID)])
        for subject in hold.subjectIds {
            try run(
                "INSERT OR IGNORE INTO legal_subject(id, subject) VALUES (?1, ?2)",
                [.text(hold.legalHoldID), .text(subject)]
            )
        }
        try loadHolds()
    }

    func lift(_ id: String) throws {
        try run(
            "INSERT INTO legal_hold(id, is_lifted) VALUES (?1, 1) ON CONFLICT(id) DO UPDATE SET is_lifted = 1",
            [.text(id)]
        )
        try run("DELETE FROM legal_subject WHERE id = ?1", [.text(id)])
        try loadHolds()
    }

    /// A release may be read before the hold that it closes.
    func close(_ id: String) throws {
        try run(
            "INSERT INTO hold(id, subject, is_open) VALUES (?1, '', 0) ON CONFLICT(id) DO UPDATE SET is_open = 0",
            [.text(id)]
        )
        try loadHolds()
    }

    /// Everything that a hold on this part's picture may name.
    static func subjects(_ trigger: TriggerId, _ part: String, _ context: ProductionContext) -> [String] {
        var subjects = [
            subject(.part, part), subject(.part, trigger.text), subject(.station, trigger.station),
            subject(.batch, context.batchID), subject(.order, context.orderID), subject(.line, context.line),
            // Only legal holds name a customer's order.
            subject(.unspecified, context.customerOrder),
        ]
        subjects += context.materialLots.map { subject(.materialLot, $0) }
        return subjects
    }

    private static func subject(_ kind: SubjectKind, _ id: String) -> String { "\(kind.rawValue) \(id)" }

    /// Whether a hold is open on anything that the picture shows, or on where it was taken.
    package func isHeld(_ pixels: String) throws -> Bool {
        guard !blocked.isEmpty || !preserved.isEmpty else { return false }
        let select = try database.prepare("SELECT station, line FROM picture WHERE pixels = ?1")
        select.bind(1, pixels)
        var subjects: [String] = []
        while try select.step() {
            subjects += [Self.subject(.station, select.text(0)), Self.subject(.line, select.text(1))]
        }
        for text in try texts("SELECT subjects FROM sight WHERE pixels = ?1", pixels) {
            subjects += text.split(separator: "\n").map(String.init)
        }
        return subjects.contains { blocked.contains($0) || isPreserved($0) }
    }

    /// Whether a legal hold stands on the part of this trigger, as far as it is known.
    package func isPreserved(trigger: String) throws -> Bool {
        guard !preserved.isEmpty else { return false }
        return try texts("SELECT subjects FROM sight WHERE trigger = ?1", trigger)
            .contains { $0.split(separator: "\n").contains { isPreserved(String($0)) } }
    }

    /// - Parameter subject: as `subject(_:_:)` writes it.
    private func isPreserved(_ subject: String) -> Bool {
        preserved.contains(String(subject.drop { $0 != " " }.dropFirst()))
    }

    func loadHolds() throws {
        blocked = Set(try texts("SELECT DISTINCT subject FROM hold WHERE is_open = 1", nil))
        preserved = Set(
            try texts(
                "SELECT DISTINCT s.subject FROM legal_subject s JOIN legal_hold h ON h.id = s.id WHERE h.is_lifted = 0",
                nil
            )
        )
    }
}
