import PlantEvents

/// One recipe content from its submission to its retirement.
package struct RecipeLife: Codable, Equatable, Sendable {
    package enum Stage: String, Codable, CaseIterable, Sendable {
        /// Submitted, not tested yet.
        case draft
        case tested
        /// Not approved; it may be tested again.
        case returned
        case approved
        /// Released for products: orders for them are judged by it.
        case active
        case retired
    }

    package let recipeID: String
    package let station: String
    package let revision: String
    package let controlPlanRevision: String
    /// Item codes that it was submitted for.
    package let skus: [String]
    /// Person who submitted it.
    package let author: String
    package let submittedAtUs: Int64
    /// SHA-256 of the files that it names.
    package let files: [String]
    /// SHA-256 of the newest test's report; empty before the first.
    package private(set) var report = ""
    package private(set) var escapes: UInt32 = 0
    package private(set) var overkills: UInt32 = 0
    package private(set) var pictures: UInt32 = 0
    package private(set) var challengesMissed: UInt32 = 0
    /// Person who approved it; empty before.
    package private(set) var approver = ""
    /// Item codes that it is active for.
    package var activeFor: [String] = []
    /// When it was first released; nil before.
    package private(set) var releasedAtUs: Int64?
    package private(set) var review: ModelReview?
    /// When it last changed, microseconds since 1970.
    package private(set) var changedAtUs: Int64
    private var standing = Stage.draft

    init(_ event: RecipeSubmitted) {
        recipeID = event.recipeID
        station = event.station
        revision = event.revision
        controlPlanRevision = event.controlPlanRevision
        skus = event.skus
        author = event.act.personID
        submittedAtUs = event.act.actedAtUs
        files = event.fileSha256
        changedAtUs = event.act.actedAtUs
    }

    package var stage: Stage { standing == .approved && !activeFor.isEmpty ? .active : standing }

    mutating func test(_ event: RecipeTested) {
        report = event.reportSha256
        (pictures, escapes, overkills) = (event.pictures, event.escapes, event.overkills)
        challengesMissed = event.challengesMissed
        if standing != .approved { standing = .tested }
        changedAtUs = event.act.actedAtUs
    }

    mutating func approve(_ event: RecipeApproved) {
        standing = .approved
        approver = event.act.personID
        changedAtUs = event.act.actedAtUs
    }

    mutating func sendBack(_ event: RecipeReturned) {
        standing = .returned
        changedAtUs = event.act.actedAtUs
    }

    mutating func release(_ event: RecipeReleased) {
        activeFor += event.skus.filter { !activeFor.contains($0) }
        releasedAtUs = releasedAtUs ?? event.act.actedAtUs
        changedAtUs = event.act.actedAtUs
    }

    mutating func retire(_ event: RecipeRetired) {
        standing = .retired
        activeFor = []
        changedAtUs = event.act.actedAtUs
    }

    mutating func take(_ review: ModelReview) { self.review = review.newest(self.review) }

    /// When the next periodic review is due (ML-04): a period after the newest one, or after the first release; nil for a
    /// recipe that is not active.
    package func reviewDueUs(everyUs: Int64) -> Int64? {
        guard stage == .active, let releasedAtUs else { return nil }
        return max(releasedAtUs, review?.toUs ?? 0) + everyUs
    }
}
