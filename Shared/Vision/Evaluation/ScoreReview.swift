import Glibc

/// The periodic review of a learned model (ML-04): whether parts that are good today still score as the good parts did
/// that the model was learned from. A drifting camera, lamp or process shows here before good parts are rejected.
package struct ScoreReview: Equatable, Sendable {
    /// Chance of a false alarm at one review.
    package static let significance = 0.01
    /// Scores needed on either side, at least.
    package static let minScores = 8

    package enum Conclusion: String, Sendable {
        /// No difference is shown.
        case steady
        /// The scores have moved: find out why; learn the model anew where the parts are good.
        case shifted
        /// Fewer than `minScores` on one side.
        case tooFew = "too few"
    }

    /// Largest difference of the two distributions' functions (Kolmogorov and Smirnov's D).
    package let difference: Double
    /// Difference that chance stays below but for `significance` (Smirnov's asymptotic bound).
    package let bound: Double
    /// Median of the recent scores less that of the learned ones.
    package let shift: Double
    /// Recent scores over the model's limit.
    package let overLimit: Rate
    package let conclusion: Conclusion

    /// - Parameters:
    ///   - learned: What good parts scored when the model was learned.
    ///   - recent: What parts that people found good scored lately, in units of the limit.
    package init(learned: [Double], recent: [Double]) {
        difference = Self.difference(learned, recent)
        let (n, m) = (Double(max(1, learned.count)), Double(max(1, recent.count)))
        bound = (-log(Self.significance / 2) / 2 * (n + m) / (n * m)).squareRoot()
        shift = (Evaluation.median(recent) ?? 0) - (Evaluation.median(learned) ?? 0)
        overLimit = Rate(events: recent.count { $0 >= 1 }, trials: recent.count)
        conclusion =
            min(learned.count, recent.count) < Self.minScores ? .tooFew : difference > bound ? .shifted : .steady
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
