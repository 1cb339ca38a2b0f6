/// What people ask of the console about legal holds, and what it answers; as JSON over HTTP.
///
/// Which holds there are says `GET /v1/legal-holds`. What acts lies under `/v1/manage/legal-holds`: from this machine only,
/// and only with the token that the console left in the plant's state folder.
package enum LegalHoldWire {
    package static let manage = "\(ParkedRoutes.prefix)legal-holds"
    /// Largest request, bytes.
    package static let requestLimit = 262_144

    package static func lift(_ id: String) -> String { "\(manage)/\(id)/lift" }

    package struct Request: Codable, Sendable {
        /// Chosen by the sender; the same request sent again changes nothing.
        package var requestID: String
        /// Person who decides: claimed by the sender, since people cannot sign in yet.
        package var person: String
        /// Operating system's user name of who sends it.
        package var systemUser: String
        package var reason: String
        /// What is to be held; empty to lift.
        package var subjectIDs: [String]

        package init(requestID: String, person: String, systemUser: String, reason: String, subjectIDs: [String] = []) {
            self.requestID = requestID
            self.person = person
            self.systemUser = systemUser
            self.reason = reason
            self.subjectIDs = subjectIDs
        }
    }

    /// What became of a request.
    package struct Reply: Codable, Sendable {
        /// Whether the request was taken before; nothing changed then.
        package var isRepeated: Bool
        /// The hold that the request placed; nil where it lifted one.
        package var legalHoldID: String?

        package init(isRepeated: Bool, legalHoldID: String?) {
            self.isRepeated = isRepeated
            self.legalHoldID = legalHoldID
        }
    }
}
