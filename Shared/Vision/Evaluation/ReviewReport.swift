/// The periodic review of a model or recipe by the scores that it gave (ML-04), as it is kept with its record.
package struct ReviewReport: Codable, Equatable, Sendable {
    /// Scores of one tool, or of the parts as a whole.
    package struct Series: Codable, Equatable, Sendable {
        /// What the series of the parts as a whole is called; tools come before it.
        package static let wholePart = "part"

        /// The tool's name in the recipe; `part` for the parts as a whole, with the score of their verdict.
        package let name: String
        /// Where the parts were judged; nil for pictures of a folder.
        package let station: String?
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

        /// - Parameters:
        ///   - recent: Names of the parts or pictures and their scores, in the order of time.
        ///   - series: How many are reviewed together: the chance of a false alarm is that of all of them (Bonferroni).
        package init(
            name: String,
            station: String? = nil,
            known: [Double],
            recent: [(name: String, score: Double)],
            of series: Int = 1
        ) {
            let review = ScoreReview(
                known: known,
                recent: recent.map(\.score),
                significance: ScoreReview.significance / Double(max(1, series))
            )
            self.station = station
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

        /// Example "copper at vision-1".
        package var label: String { station.map { "\(name) at \($0)" } ?? name }

        /// How far it is over the bounds of both questions: 1 is on the nearer one.
        fileprivate var excess: Double { max(difference / bound, limit > 0 ? sum / limit : 0) }

        private enum CodingKeys: String, CodingKey {
            case name, station, known, recent, conclusion, difference, bound, shift, sum, allowance, limit, drift
            case since
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
    /// Of the series with that conclusion the one furthest over its bounds, example "copper at vision-1"; nil where all are
    /// steady.
    package let worst: String?

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
        let conclusion = order.first { found.contains($0.rawValue) }
        self.conclusion = (conclusion ?? .steady).rawValue
        // The first of equals: a tool before the part that it decides on.
        worst =
            series.filter { $0.conclusion == conclusion?.rawValue }
            .reduce(nil) { (worst: Series?, next) in
                worst.map { next.excess > $0.excess ? next : $0 } ?? next
            }?.label
    }

    /// Whether scores have moved: somebody should find out why.
    package var isMoved: Bool {
        let moved: [ScoreReview.Conclusion] = [.shifted, .drifting]
        return moved.contains { $0.rawValue == conclusion }
    }

    /// Whether it found out nothing, for want of scores.
    package var isTooFew: Bool { conclusion == ScoreReview.Conclusion.tooFew.rawValue }

    private enum CodingKeys: String, CodingKey {
        case subject, basis, series, conclusion, worst
        case subjectSHA256 = "subject_sha256"
        case fromUs = "from_us"
        case toUs = "to_us"
    }
}
