import PlantEvents

/// A legal hold that stands: pictures of its subjects must not expire (TRC-16).
package struct LegalHold: Codable, Equatable, Sendable {
    /// Parts by serial number or trigger, batches, material lots, orders, customer orders, stations or lines.
    package let subjects: [String]
    package let reason: String
    /// Person who placed it.
    package let placedBy: String
    /// Microseconds since 1970.
    package let placedAtUs: Int64
    package let requestID: String

    init(_ event: LegalHoldPlaced) {
        subjects = event.subjectIds
        reason = event.act.reason
        placedBy = event.act.personID
        placedAtUs = event.act.actedAtUs
        requestID = event.act.requestID
    }
}
