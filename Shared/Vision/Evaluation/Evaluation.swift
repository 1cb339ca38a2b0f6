import Glibc

/// A rate and what can be said about it from so few parts.
package struct Rate: Equatable, Sendable {
    package let events: Int
    package let trials: Int
    /// Exact 95 % bounds of Clopper and Pearson (1934).
    package let lower: Double
    package let upper: Double

    /// nil where nothing was tried.
    package var value: Double? { trials > 0 ? Double(events) / Double(trials) : nil }

    package init(events: Int, trials: Int) {
        precondition(events >= 0 && events <= trials, "\(events) of \(trials)")
        self.events = events
        self.trials = trials
        (lower, upper) = Evaluation.clopperPearson(events: events, trials: trials, confidence: 0.95)
    }
}

/// Verdicts against labels.
package struct Confusion: Equatable, Sendable {
    package var goodPassed = 0
    package var goodUncertain = 0
    package var goodFailed = 0
    package var badPassed = 0
    package var badUncertain = 0
    package var badFailed = 0

    package init() {}

    package mutating func add(isBad: Bool, verdict: Outcome) {
        switch (isBad, verdict) {
        case (false, .pass): goodPassed += 1
        case (false, .uncertain): goodUncertain += 1
        case (false, .fail): goodFailed += 1
        case (true, .pass): badPassed += 1
        case (true, .uncertain): badUncertain += 1
        case (true, .fail): badFailed += 1
        }
    }

    /// Bad parts that passed, among bad parts.
    package var escapes: Rate { Rate(events: badPassed, trials: badPassed + badUncertain + badFailed) }
    /// Good parts that failed, among good parts.
    package var overkill: Rate { Rate(events: goodFailed, trials: goodPassed + goodUncertain + goodFailed) }
}

/// Figures of merit of an inspection. Pure functions.
package enum Evaluation {
    /// Area under the receiver operating characteristic: the chance that a bad part scores above a good one, equal
    /// scores counting half (Mann and Whitney's U by midranks). nil where either kind is missing.
    package static func auroc(good: [Double], bad: [Double]) -> Double? {
        guard !good.isEmpty, !bad.isEmpty else { return nil }
        let all = (good.map { ($0, false) } + bad.map { ($0, true) }).sorted { $0.0 < $1.0 }
        var rankSum = 0.0
        var first = 0
        while first < all.count {
            var end = first
            while end < all.count, all[end].0 == all[first].0 { end += 1 }
            let midrank = Double(first + 1 + end) / 2
            rankSum += midrank * Double(all[first..<end].count { $0.1 })
            first = end
        }
        let badCount = Double(bad.count)
        return (rankSum - badCount * (badCount + 1) / 2) / (badCount * Double(good.count))
    }

    /// Mean of the two middle values of an even number; nil of nothing.
    package static func median(_ values: [Double]) -> Double? {
        guard !values.isEmpty else { return nil }
        let sorted = values.sorted()
        let middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }

    /// Exact two-sided bounds of a rate (Clopper and Pearson 1934): quantiles of the beta distribution. (0, 1) of
    /// nothing.
    package static func clopperPearson(
        events: Int,
        trials: Int,
        confidence: Double
    ) -> (lower: Double, upper: Double) {
        let tail = (1 - confidence) / 2
        let (x, n) = (Double(events), Double(trials))
        let lower = events == 0 ? 0 : betaQuantile(tail, x, n - x + 1)
        let upper = events == trials ? 1 : betaQuantile(1 - tail, x + 1, n - x)
        return (lower, upper)
    }

    /// Where the beta distribution function reaches `probability`, by bisection to the last bit.
    private static func betaQuantile(_ probability: Double, _ a: Double, _ b: Double) -> Double {
        var (low, high) = (0.0, 1.0)
        for _ in 0..<200 {
            let middle = (low + high) / 2
            guard middle > low, middle < high else { break }
            if betaDistribution(middle, a, b) < probability { low = middle } else { high = middle }
        }
        return (low + high) / 2
    }

    /// Regularised incomplete beta function by its continued fraction (DLMF 8.17.22), evaluated after Lentz.
    private static func betaDistribution(_ x: Double, _ a: Double, _ b: Double) -> Double {
        guard x > 0 else { return 0 }
        guard x < 1 else { return 1 }
        if x > (a + 1) / (a + b + 2) { return 1 - betaDistribution(1 - x, b, a) }
        let front = exp(a * log(x) + b * log1p(-x) + logGamma(a + b) - logGamma(a) - logGamma(b)) / a
        let tiny = 1e-300
        var (c, d) = (1.0, 1 - (a + b) * x / (a + 1))
        d = 1 / (abs(d) < tiny ? tiny : d)
        var fraction = d
        for step in 1...10_000 {
            let m = Double(step)
            let even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
            let odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
            var change = 1.0
            for coefficient in [even, odd] {
                d = 1 + coefficient * d
                d = 1 / (abs(d) < tiny ? tiny : d)
                c = 1 + coefficient / c
                c = abs(c) < tiny ? tiny : c
                change = c * d
                fraction *= change
            }
            if abs(change - 1) < 1e-16 { break }
        }
        return front * fraction
    }

    private static func logGamma(_ x: Double) -> Double {
        var sign: Int32 = 0
        return lgamma_r(x, &sign)
    }
}
