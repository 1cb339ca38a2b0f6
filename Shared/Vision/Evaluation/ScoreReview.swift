import Glibc

/// The periodic review of whatever gives a score (ML-04): whether parts still score as they did when all was well. A
/// drifting camera, lamp or process shows here before good parts are rejected.
package struct ScoreReview: Equatable, Sendable {
    /// Chance of a false alarm of each question at one review.
    package static let significance = 0.01
    /// Scores needed on either side, at least.
    package static let minScores = 8

    package enum Conclusion: String, Sendable {
        /// No difference is shown.
        case steady
        /// The scores are others as a whole: find out why; learn the model anew where the parts are good.
        case shifted
        /// As a whole they are not, but their mean has drifted off in the meantime.
        case drifting
        /// Fewer than `minScores` on one side.
        case tooFew = "too few"
    }

    /// Largest difference of the two distributions' functions (Kolmogorov and Smirnov's D).
    package let difference: Double
    /// Difference that chance stays below but for the significance (Smirnov's asymptotic bound).
    package let bound: Double
    /// The cumulative sum over the recent scores in their order.
    package let drift: ScoreDrift
    /// Median of the recent scores less that of the known ones.
    package let shift: Double
    /// Recent scores over the model's limit.
    package let overLimit: Rate
    package let conclusion: Conclusion

    /// - Parameters:
    ///   - known: What parts scored when all was well: when the model was learned, or after its recipe was released.
    ///   - recent: What they scored lately, in the order of time; both in units of the limit.
    ///   - significance: Chance of a false alarm of each of the two questions.
    package init(known: [Double], recent: [Double], significance: Double = Self.significance) {
        difference = Self.difference(known, recent)
        let (n, m) = (Double(max(1, known.count)), Double(max(1, recent.count)))
        bound = (-log(significance / 2) / 2 * (n + m) / (n * m)).squareRoot()
        drift = ScoreDrift(known: known, recent: recent, significance: significance)
        shift = (Evaluation.median(recent) ?? 0) - (Evaluation.median(known) ?? 0)
        overLimit = Rate(events: recent.count { $0 >= 1 }, trials: recent.count)
        conclusion =
            if min(known.count, recent.count) < Self.minScores {
                .tooFew
            } else if difference > bound {
                .shifted
            } else if drift.foundAt != nil {
                .drifting
            } else {
                .steady
            }
    }

    private static func difference(_ first: [Double], _ second: [Double]) -> Double {
        guard !first.isEmpty, !second.isEmpty else { return 0 }
        let (a, b) = (first.sorted(), second.sorted())
        var (i, j, largest) = (0, 0, 0.0)
        while i < a.count, j < b.count {
            let value = min(a[i], b[j])
            while i < a.count, a[i] <= value { i += 1 }
            while j < b.count, b[j] <= value { j += 1 }
            largest = max(largest, abs(Double(i) / Double(a.count) - Double(j) / Double(b.count)))
        }
        return largest
    }
}
