/// The periodic review of a model or recipe by the scores that it gave (ML-04), as it is kept with its record.
package struct ReviewReport: Codable, Equatable, Sendable {
    /// Scores of one tool, or of the parts as a whole.
    package struct Series: Codable, Equatable, Sendable {
        /// The tool's name in the recipe; `part` for the parts as a whole.
        package let name: String
        package let known: Int
        package let recent: Int
        /// "steady", "shifted", "drifting" or "too few".
        package let conclusion: String
        /// Kolmogorov and Smirnov's D and what chance stays below.
        package let difference: Double
        package let bound: Double
        /// Of the medians; the limit is 1.
        package let shift: Double
        package let overLimit: RecipeTestReport.Share
        /// Largest cumulative sum, its allowance k and its limit h, in standard deviations.
        package let sum: Double
        package let allowance: Double
        package let limit: Double
        /// `up` or `down`; nil without a drift.
        package let drift: String?
        /// Part at which the sum was over the limit, and the one from which on scores drifted; nil without a drift.
        package let foundAt: String?
        package let since: String?

        /// - Parameter recent: Names of the parts or pictures and their scores, in the order of time.
        package init(name: String, known: [Double], recent: [(name: String, score: Double)]) {
            let review = ScoreReview(known: known, recent: recent.map(\.score))
            let drift = review.drift
            self.name = name
            (self.known, self.recent) = (known.count, recent.count)
            conclusion = review.conclusion.rawValue
            (difference, bound, shift) = (review.difference, review.bound, review.shift)
            overLimit = .init(review.overLimit)
            (sum, allowance, limit) = (drift.largest, drift.allowance, drift.limit)
            self.drift = drift.foundAt.map { _ in drift.isUpward ? "up" : "down" }
            foundAt = drift.foundAt.map { recent[$0].name }
            since = drift.since.map { recent[$0].name }
        }

        private enum CodingKeys: String, CodingKey {
            case name, known, recent, conclusion, difference, bound, shift, sum, allowance, limit, drift, since
            case overLimit = "over_limit"
            case foundAt = "found_at"
        }
    }

    /// File or content hash that was reviewed.
    package let subject: String
    package let subjectSHA256: String
    /// Where the known scores are from, in words.
    package let basis: String
    /// The time that the recent parts span, microseconds since 1970, the end not included; nil for pictures of a folder.
    package let fromUs: Int64?
    package let toUs: Int64?
    package let series: [Series]
    /// The worst of the series': shifted before drifting before too few before steady.
    package let conclusion: String

    package init(
        subject: String,
        subjectSHA256: String,
        basis: String,
        period: Range<Int64>?,
        series: [Series]
    ) {
        (self.subject, self.subjectSHA256, self.basis) = (subject, subjectSHA256, basis)
        (fromUs, toUs) = (period?.lowerBound, period?.upperBound)
        self.series = series
        let found = Set(series.map(\.conclusion))
        let order: [ScoreReview.Conclusion] = [.shifted, .drifting, .tooFew]
        conclusion = (order.first { found.contains($0.rawValue) } ?? .steady).rawValue
    }

    /// Whether scores have moved: somebody should find out why.
    package var isMoved: Bool {
        let moved: [ScoreReview.Conclusion] = [.shifted, .drifting]
        return moved.contains { $0.rawValue == conclusion }
    }

    private enum CodingKeys: String, CodingKey {
        case subject, basis, series, conclusion
        case subjectSHA256 = "subject_sha256"
        case fromUs = "from_us"
        case toUs = "to_us"
    }
}
