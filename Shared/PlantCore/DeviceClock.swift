/// Compares a device's clock with the host's, frame by frame: how far it is ahead (skew), how fast that changes (drift), and
/// how sure that is (M18).
///
/// The host stamps a frame some delay after the device did, never before: so the differences device minus host lie below
/// the skew, most of them a little and some a lot. The largest difference of each stretch of time has the shortest delay; a
/// straight line through those of the newest stretches is the estimate. What even the shortest delay takes counts as skew,
/// since nothing tells the two apart. Pure, and constant in memory and work.
package struct DeviceClock: Sendable {
    package struct Estimate: Equatable, Sendable {
        /// Device time minus host time, microseconds.
        package var skewUs: Int64
        /// Half width of the 95 % interval, microseconds.
        package var uncertaintyUs: Int64
        /// Change of the skew, parts per million.
        package var driftPpm: Double
        /// Pairs of times behind the estimate.
        package var samples: Int
    }

    /// Host time that one stretch lasts at least, microseconds, and pairs that it holds at least.
    private static let stretchUs: Int64 = 1_000_000
    private static let stretchPairs = 8
    /// Newest stretches that the line goes through, and those without which there is none.
    private static let stretches = 64
    private static let leastStretches = 4
    /// A difference above the line by more than this is a step: no delay is negative. Microseconds.
    private static let leastStepUs = 2_000.0
    /// Pairs one after the other that must show a step: ahead, and behind, where delays look the same for a while.
    private static let stepAhead = 2
    private static let stepBehind = 16
    /// Between two estimates worth telling, microseconds.
    private static let soonestUs: Int64 = 10_000_000
    private static let latestUs: Int64 = 600_000_000
    /// Least change that is worth telling, microseconds.
    private static let leastChangeUs: Int64 = 200

    private struct Stretch: Sendable {
        var hostUs: Int64
        /// Device minus host, the largest of the stretch, microseconds.
        var difference: Int64
    }

    private struct Line: Sendable {
        /// Host time at which `offset` holds, and the line's `slope` from there; both relative to `base`.
        var atUs: Int64
        var base: Int64
        var offset: Double
        var slope: Double
        /// Half width of the 95 % interval at `atUs`.
        var uncertainty: Double

        func difference(at hostUs: Int64) -> Double { offset + slope * Double(hostUs - atUs) }
    }

    private var known: [Stretch] = []
    private var pairs = 0
    private var current: Stretch?
    private var currentStartUs: Int64 = 0
    private var currentPairs = 0
    private var line: Line?
    private var lastDeviceUs: Int64?
    private var lastHostUs: Int64 = 0
    private var ahead = 0
    private var behind: [Stretch] = []
    private var told: (estimate: Estimate, hostUs: Int64)?
    /// Times that the device clock was set, began again, or the host's was set.
    package private(set) var steps = 0

    package init() {}

    /// The present estimate; nil until enough pairs have come.
    package var estimate: Estimate? {
        guard let line else { return nil }
        return Estimate(
            skewUs: line.base + Int64(line.difference(at: lastHostUs).rounded()),
            uncertaintyUs: max(1, Int64(line.uncertainty.rounded(.up))),
            driftPpm: line.slope * 1_000_000,
            samples: pairs
        )
    }

    /// Takes the times of one frame; a device time of 0 says that the device has no clock. Returns an estimate when it is
    /// worth telling: the first one, one that differs from the last one told by more than both are unsure, or one after
    /// ten minutes.
    package mutating func take(deviceUs: Int64, hostUs: Int64) -> Estimate? {
        guard deviceUs > 0 else { return nil }
        let wentBack = lastDeviceUs.map { deviceUs < $0 } ?? false
        let hostWentBack = lastDeviceUs != nil && hostUs < lastHostUs - Self.stretchUs
        lastDeviceUs = deviceUs
        if wentBack || hostWentBack {
            // Wrapped, reset or set: what was known says nothing of what follows.
            startAgain()
        }
        lastHostUs = hostUs
        let pair = Stretch(hostUs: hostUs, difference: deviceUs &- hostUs)
        if let line, hasStepped(pair, line) { return nil }
        add(pair)
        return worthTelling(hostUs)
    }

    private mutating func startAgain() {
        known = []
        pairs = 0
        current = nil
        line = nil
        ahead = 0
        behind = []
        told = nil
        steps += 1
    }

    /// Whether the pair is put aside as part of a step.
    private mutating func hasStepped(_ pair: Stretch, _ line: Line) -> Bool {
        let expected = line.difference(at: pair.hostUs)
        let away = Double(pair.difference &- line.base) - expected
        let limit = Self.leastStepUs + 5 * line.uncertainty
        guard abs(away) > limit else {
            ahead = 0
            behind = []
            return false
        }
        if away > 0 {
            ahead += 1
            behind = []
            guard ahead >= Self.stepAhead else { return true }
        } else {
            ahead = 0
            behind.append(pair)
            guard behind.count >= Self.stepBehind else { return true }
            // A step behind leaves the differences as close together as ever; a backlog does not.
            let differences = behind.map(\.difference)
            let spread = Double((differences.max() ?? 0) - (differences.min() ?? 0))
            guard spread < Double(-away) / 2 else {
                behind.removeFirst()
                return true
            }
        }
        startAgain()
        return false
    }

    private mutating func add(_ pair: Stretch) {
        pairs += 1
        guard let standing = current else { return begin(pair) }
        if pair.hostUs - currentStartUs >= Self.stretchUs, currentPairs >= Self.stretchPairs {
            known.append(standing)
            if known.count > Self.stretches { known.removeFirst() }
            begin(pair)
            fit()
        } else {
            currentPairs += 1
            if pair.difference > standing.difference { current = pair }
        }
    }

    private mutating func begin(_ pair: Stretch) {
        current = pair
        currentStartUs = pair.hostUs
        currentPairs = 1
    }

    /// Least squares through the stretches, without those that are far below it: each of their pairs was delayed.
    private mutating func fit() {
        guard known.count >= Self.leastStretches, let last = known.last else { return }
        let base = last.difference
        var points = known.map { (x: Double($0.hostUs - last.hostUs), y: Double($0.difference &- base)) }
        var fitted = Self.leastSquares(points)
        for _ in 0..<4 {
            let rests = points.map { $0.y - fitted.offset - fitted.slope * $0.x }
            let typical = rests.map(abs).sorted()[rests.count / 2]
            let kept = zip(points, rests).filter { $0.1 >= -4 * typical - 1 }.map(\.0)
            guard kept.count < points.count, kept.count >= max(Self.leastStretches, known.count / 2) else { break }
            points = kept
            fitted = Self.leastSquares(points)
        }
        // The shortest delay of a stretch varies as much as it is long, on average, where short ones are frequent: half of
        // exponential and less of other delays. The line is raised by that and is unsure by as much.
        let spread = fitted.spread
        line = Line(
            atUs: last.hostUs,
            base: base,
            offset: fitted.offset + spread,
            slope: fitted.slope,
            uncertainty: 2 * (spread + fitted.error)
        )
    }

    /// A line through points, at x = 0: its value, slope, standard error there, and the points' standard deviation from it.
    private static func leastSquares(
        _ points: [(x: Double, y: Double)]
    ) -> (offset: Double, slope: Double, error: Double, spread: Double) {
        let count = Double(points.count)
        let meanX = points.reduce(0) { $0 + $1.x } / count
        let meanY = points.reduce(0) { $0 + $1.y } / count
        var (squares, products) = (0.0, 0.0)
        for point in points {
            squares += (point.x - meanX) * (point.x - meanX)
            products += (point.x - meanX) * (point.y - meanY)
        }
        let slope = squares > 0 ? products / squares : 0
        let offset = meanY - slope * meanX
        let rest = points.reduce(0) { sum, point in
            let away = point.y - offset - slope * point.x
            return sum + away * away
        }
        let spread = (rest / max(1, count - 2)).squareRoot()
        let error = spread * (1 / count + (squares > 0 ? meanX * meanX / squares : 0)).squareRoot()
        return (offset, slope, error, spread)
    }

    private mutating func worthTelling(_ hostUs: Int64) -> Estimate? {
        guard let estimate else { return nil }
        if let told {
            let passedUs = hostUs - told.hostUs
            guard passedUs >= Self.soonestUs else { return nil }
            let expected = Double(told.estimate.skewUs) + told.estimate.driftPpm * Double(passedUs) / 1_000_000
            let change = abs(Double(estimate.skewUs) - expected)
            let unsure = Double(told.estimate.uncertaintyUs + estimate.uncertaintyUs)
            guard passedUs >= Self.latestUs || change > max(Double(Self.leastChangeUs), unsure) else { return nil }
        }
        told = (estimate, hostUs)
        return estimate
    }
}
