package import PlantEvents
import SwiftProtobuf

// The periodic review of active recipes (ML-04): one that is overdue raises an alarm, and recording it ends it.
extension AlarmFold {
    /// A released recipe, as far as its reviews go.
    struct ReviewedRecipe: Codable, Sendable, Equatable {
        var recipeID: String
        var station: String
        /// Item codes that it is active for.
        var activeFor: [String] = []
        /// How often it became active.
        var activations = 0
        /// When it was first released, microseconds since 1970.
        var releasedAtUs: Int64
        /// End of the newest period reviewed; 0 before the first review.
        var reviewedToUs: Int64 = 0

        /// As `RecipeLife.reviewDueUs` has it.
        func dueUs(everyUs: Int64) -> Int64 { max(releasedAtUs, reviewedToUs) + everyUs }
    }

    package mutating func fold(_ record: DecisionRecord) -> [Draft] {
        var drafts: [Draft] = []
        for event in record.events {
            switch event.kind {
            case .recipeReleased(let released): take(released, record.meta, into: &drafts)
            case .recipeRetired(let retired):
                endReview(of: retired.recipeSha256, record.meta, into: &drafts)
                reviews[retired.recipeSha256] = nil
            case .performanceReviewed(let review):
                guard let known = reviews[review.subjectSha256], known.reviewedToUs < review.toUs else { continue }
                reviews[review.subjectSha256]?.reviewedToUs = review.toUs
                endReview(of: review.subjectSha256, record.meta, into: &drafts)
            default:
                // What else people decide says nothing of a review.
                break
            }
        }
        return drafts
    }

    /// The new recipe takes the place of the one before it, of the same id, for these products.
    private mutating func take(_ released: RecipeReleased, _ meta: Meta, into drafts: inout [Draft]) {
        for (sha256, other) in reviews.sorted(by: { $0.key < $1.key })
        where other.recipeID == released.recipeID && sha256 != released.recipeSha256 {
            reviews[sha256]?.activeFor.removeAll { released.skus.contains($0) }
            if reviews[sha256]?.activeFor.isEmpty == true { endReview(of: sha256, meta, into: &drafts) }
        }
        var recipe =
            reviews[released.recipeSha256]
            ?? ReviewedRecipe(
                recipeID: released.recipeID,
                station: released.stations.first ?? "",
                releasedAtUs: released.act.actedAtUs
            )
        if recipe.activeFor.isEmpty { recipe.activations += 1 }
        recipe.activeFor += released.skus.filter { !recipe.activeFor.contains($0) }
        reviews[released.recipeSha256] = recipe
    }

    private mutating func endReview(of sha256: String, _ meta: Meta, into drafts: inout [Draft]) {
        guard let recipe = reviews[sha256] else { return }
        var meta = meta
        meta.place = place(of: recipe)
        clear("review-overdue", sha256, meta, into: &drafts)
    }

    /// Looks for reviews that are overdue.
    mutating func tickReviews(nowUs: Int64, _ limits: Limits, into drafts: inout [Draft]) {
        for (sha256, recipe) in reviews.sorted(by: { $0.key < $1.key }) where !recipe.activeFor.isEmpty {
            let meta = overdue(sha256, recipe, limits)
            if nowUs >= meta.occurredAtUs {
                raise(
                    "review-overdue",
                    sha256,
                    .low,
                    meta,
                    text: "recipe \(recipe.recipeID) (\(sha256.prefix(12))) was not reviewed for "
                        + "\(limits.reviewEveryUs / 86_400_000_000) days",
                    response: "Review how it performs and put that on record; retrain or retire it where scores moved.",
                    into: &drafts
                )
            } else if activeAlarms["review-overdue \(sha256)"].map({ !$0.hasSuffix(":\(meta.recordID)") }) == true {
                // Raised for another day: reviews are due less often now.
                clear("review-overdue", sha256, meta, into: &drafts)
            }
        }
    }

    /// Whether the alarm of an earlier state is that of a review which is overdue still.
    func isOverdue(_ raised: AlarmRaised, _ limits: Limits) -> Bool {
        guard raised.kind == "review-overdue", let recipe = reviews[raised.subject], !recipe.activeFor.isEmpty else {
            return false
        }
        return raised.alarmID.hasSuffix(":\(overdue(raised.subject, recipe, limits).recordID)")
    }

    /// The timer of the review's day. A recipe that becomes active again after that day is another occurrence.
    private func overdue(_ sha256: String, _ recipe: ReviewedRecipe, _ limits: Limits) -> Meta {
        .with {
            $0.occurredAtUs = recipe.dueUs(everyUs: limits.reviewEveryUs)
            $0.recordID = "review:\(sha256)/\(recipe.activations)/\($0.occurredAtUs)"
            $0.place = place(of: recipe)
        }
    }

    private func place(of recipe: ReviewedRecipe) -> Place {
        .with {
            $0.workCenter = stations[recipe.station]?.line ?? ""
            $0.workUnit = recipe.station
        }
    }
}
