import Glibc

/// Whether the mean of scores that come one after the other has drifted off what it was: the tabular cumulative sum of
/// both sides (Page, Continuous Inspection Schemes, Biometrika 41, 1954; NIST/SEMATECH e-Handbook 6.3.2.3).
///
///     upper = max(0, upper + z - k),   lower = max(0, lower - z - k),   drifted once one of them is over h
///
/// Scores are neither normal nor of known spread, so `z` is a score's normal score among the known ones (van der
/// Waerden): the normal distribution's quantile of its rank. One bad part is then one large `z`, never ten.
package struct ScoreDrift: Equatable, Sendable {
    /// Smallest shift of the mean to be found, in standard deviations; half of it is the allowance.
    package static let shift = 1.0

    /// k, in standard deviations: half of `shift`, and what the mean of so few known scores may be off by.
    package let allowance: Double
    /// h, in standard deviations: chance comes over it once in `1 / significance` reviews of as many scores.
    package let limit: Double
    /// Index of the first score at which a sum was over the limit; nil where none was.
    package let foundAt: Int?
    /// Where the sum that was over the limit last left zero: when the drift began, as Page estimates it.
    package let since: Int?
    /// Whether scores went up; of no meaning without a drift.
    package let isUpward: Bool
    /// Largest of both sums.
    package let largest: Double

    /// - Parameters:
    ///   - known: What scores were when all was well, in any order.
    ///   - recent: Scores to look at, in the order of time.
    ///   - significance: Chance of a false alarm over all of `recent`.
    package init(known: [Double], recent: [Double], significance: Double) {
        let ranks = NormalScores(known)
        let allowance = Self.shift / 2 + 2.326 / Double(max(1, known.count)).squareRoot()
        let limit = Self.limit(allowance: allowance, count: recent.count, significance: significance)
        var (upper, lower, largest) = (0.0, 0.0, 0.0)
        var (upperFrom, lowerFrom) = (0, 0)
        var found: (at: Int, since: Int, isUpward: Bool)?
        for (index, score) in recent.enumerated() {
            let z = ranks.score(of: score)
            upper = max(0, upper + z - allowance)
            lower = max(0, lower - z - allowance)
            if upper == 0 { upperFrom = index + 1 }
            if lower == 0 { lowerFrom = index + 1 }
            largest = max(largest, upper, lower)
            guard found == nil, max(upper, lower) > limit else { continue }
            found = (index, upper > lower ? upperFrom : lowerFrom, upper > lower)
        }
        self.allowance = allowance
        self.limit = limit
        self.largest = largest
        foundAt = found?.at
        since = found?.since
        isUpward = found?.isUpward ?? false
    }

    /// h for which `count` scores without a drift give an alarm with probability `significance`: Siegmund's approximation
    /// of the average run length of one side, (exp(2kb) - 2kb - 1) / 2k² with b = h + 1.166 (Sequential Analysis, 1985),
    /// and run lengths taken as exponential.
    static func limit(allowance k: Double, count: Int, significance: Double) -> Double {
        let runLength = 2 * Double(max(1, count)) / -log1p(-significance)
        var (low, high) = (0.0, 1_000.0)
        for _ in 0..<100 {
            let b = (low + high) / 2
            let reached = (expm1(min(2 * k * b, 700)) - 2 * k * b) / (2 * k * k)
            if reached < runLength { low = b } else { high = b }
        }
        return max(0, high - 1.166)
    }
}

/// Normal scores of values by their rank among known ones; equal ones share their middle rank.
struct NormalScores {
    private let sorted: [Double]

    init(_ known: [Double]) { sorted = known.sorted() }

    func score(of value: Double) -> Double {
        let below = count { $0 < value }
        let equal = count { $0 <= value } - below
        let rank = Double(below) + Double(equal) / 2
        return Self.quantile((rank + 0.5) / Double(sorted.count + 1))
    }

    /// How many known values come before the first that is not `isBefore`.
    private func count(_ isBefore: (Double) -> Bool) -> Int {
        var (low, high) = (0, sorted.count)
        while low < high {
            let middle = (low + high) / 2
            if isBefore(sorted[middle]) { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Where the normal distribution function reaches `probability`, by bisection.
    static func quantile(_ probability: Double) -> Double {
        var (low, high) = (-9.0, 9.0)
        for _ in 0..<60 {
            let middle = (low + high) / 2
            if erfc(-middle / 2.squareRoot()) / 2 < probability { low = middle } else { high = middle }
        }
        return (low + high) / 2
    }
}
