import Foundation
import Vision

/// The periodic review of a model (ML-04).
struct ReviewReport: LearningReport {
    let model: String
    /// Scores of good parts that the model keeps, and of the pictures judged now.
    let learned_scores, recent_scores: Int
    /// "steady", "shifted" or "too few".
    let conclusion: String
    /// Kolmogorov and Smirnov's D and what chance stays below.
    let difference, bound: Double
    /// Of the medians; the limit is 1.
    let shift: Double
    let over_limit: TrainReport.Share

    init(_ review: ScoreReview, model: String, learned: Int, recent: Int) {
        self.model = model
        (learned_scores, recent_scores) = (learned, recent)
        conclusion = review.conclusion.rawValue
        (difference, bound, shift) = (review.difference, review.bound, review.shift)
        over_limit = TrainReport.Share(review.overLimit)
    }

    var isProblem: Bool { conclusion == ScoreReview.Conclusion.shifted.rawValue }

    var text: String {
        String(
            format: """
                review     %@: %@
                scores     %d learned, %d recent; median moved by %+.3f of the limit
                difference %.3f; chance stays below %.3f
                over limit %d of %d (95 %% bounds %.1f to %.1f %%)
                """,
            model,
            conclusion,
            learned_scores,
            recent_scores,
            shift,
            difference,
            bound,
            over_limit.count,
            over_limit.of,
            over_limit.lower * 100,
            over_limit.upper * 100
        )
    }
}
