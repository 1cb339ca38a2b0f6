import Glibc

/// Finds edges in a profile of grey levels: peaks of the first derivative of a Gaussian. A step's response is then a
/// Gaussian too, so that a parabola through the logarithms of a peak and its neighbours meets its middle.
struct EdgeFilter: Sendable {
    private let kernel: [Double]
    private let reach: Int

    /// `smoothing` is the Gaussian's standard deviation, pixels. A sharp step's response is its height in grey levels.
    init(smoothing: Double) {
        let reach = Int((3.5 * smoothing).rounded(.up))
        let raw = (-reach...reach).map { Double($0) * exp(-Double($0 * $0) / (2 * smoothing * smoothing)) }
        let height = raw.dropFirst(reach + 1).reduce(0, +)
        kernel = raw.map { $0 / height }
        self.reach = reach
    }

    /// Responses to the profile, whose ends are continued.
    func slopes(_ profile: UnsafePointer<Double>, _ count: Int, into out: UnsafeMutablePointer<Double>) {
        kernel.withUnsafeBufferPointer { kernel in
            for index in 0..<count {
                var sum = 0.0
                for offset in -reach...reach {
                    sum += kernel[offset + reach] * profile[min(max(0, index + offset), count - 1)]
                }
                out[index] = sum
            }
        }
    }

    func first(_ kind: CaliperSettings.Edge, _ slopes: UnsafePointer<Double>, _ count: Int, from least: Double)
        -> Double?
    {
        guard count > 2 else { return nil }
        return (1..<count - 1).first { isEdge($0, kind, slopes, least) }.map { place($0, slopes) }
    }

    func last(_ kind: CaliperSettings.Edge, _ slopes: UnsafePointer<Double>, _ count: Int, from least: Double)
        -> Double?
    {
        guard count > 2 else { return nil }
        return (1..<count - 1).last { isEdge($0, kind, slopes, least) }.map { place($0, slopes) }
    }

    /// The strongest edge that is not within a pixel of `other`.
    func strongest(
        _ kind: CaliperSettings.Edge,
        _ slopes: UnsafePointer<Double>,
        _ count: Int,
        from least: Double,
        but other: Double?
    ) -> Double? {
        guard count > 2 else { return nil }
        return (1..<count - 1)
            .filter { index in
                isEdge(index, kind, slopes, least) && other.map { abs($0 - Double(index)) > 1 } ?? true
            }
            .max { abs(slopes[$0]) < abs(slopes[$1]) }.map { place($0, slopes) }
    }

    private func isEdge(
        _ index: Int,
        _ kind: CaliperSettings.Edge,
        _ slopes: UnsafePointer<Double>,
        _ least: Double
    ) -> Bool {
        let sign = slopes[index] > 0 ? 1.0 : -1.0
        guard kind == .any || (kind == .rising) == (sign > 0) else { return false }
        let here = sign * slopes[index]
        return here >= least && here > sign * slopes[index - 1] && here >= sign * slopes[index + 1]
    }

    private func place(_ index: Int, _ slopes: UnsafePointer<Double>) -> Double {
        let sign = slopes[index] > 0 ? 1.0 : -1.0
        var (before, here, after) = (sign * slopes[index - 1], sign * slopes[index], sign * slopes[index + 1])
        if before > 0, after > 0 { (before, here, after) = (log(before), log(here), log(after)) }
        let bend = before - 2 * here + after
        return Double(index) + (bend < 0 ? 0.5 * (before - after) / bend : 0)
    }
}

/// An edge found on one scan line.
struct EdgePlace {
    /// Middle of the scan line's band.
    let across: Double
    let along: Double
}

/// A straight line through edges by least squares; those far off it are left out.
struct StraightFit {
    private(set) var slope = 0.0
    private var offset = 0.0

    var degrees: Double { atan(slope) * 180 / Double.pi }

    func along(at across: Double) -> Double { offset + slope * across }

    /// nil where more than half of the edges are off the line.
    init?(_ edges: [EdgePlace]) {
        var kept = edges
        for _ in 0..<4 {
            guard !kept.isEmpty, 2 * kept.count >= edges.count else { return nil }
            fit(kept)
            let limit = outlierLimit(kept.map { $0.along - along(at: $0.across) })
            let near = kept.filter { abs($0.along - along(at: $0.across)) <= limit }
            if near.count == kept.count { break }
            kept = near
        }
    }

    private mutating func fit(_ edges: [EdgePlace]) {
        let n = Double(edges.count)
        let (meanAcross, meanAlong) = (edges.reduce(0) { $0 + $1.across } / n, edges.reduce(0) { $0 + $1.along } / n)
        let spread = edges.reduce(0) { $0 + ($1.across - meanAcross) * ($1.across - meanAcross) }
        let product = edges.reduce(0) { $0 + ($1.across - meanAcross) * ($1.along - meanAlong) }
        slope = edges.count > 2 && spread > 0 ? product / spread : 0
        offset = meanAlong - slope * meanAcross
    }
}

/// A circle through edges by least squares of their distances from it; those far off are left out.
struct CircleFit {
    struct Point {
        let x: Double
        let y: Double
    }

    private(set) var x = 0.0
    private(set) var y = 0.0
    private(set) var radius = 0.0
    /// Largest distance of an edge outside the circle and largest inside it, added (ISO 1101 by least squares).
    private(set) var roundness = 0.0

    static func direction(_ ray: Int, of count: Int) -> (Double, Double) {
        let angle = 2 * Double.pi * Double(ray) / Double(count)
        return (cos(angle), sin(angle))
    }

    /// nil where more than half of the edges are off the circle, or fewer than five are left.
    init?(_ points: [Point]) {
        var kept = points
        for _ in 0..<4 {
            guard kept.count >= 5, 2 * kept.count >= points.count, fit(kept) else { return nil }
            let distances = kept.map { hypot($0.x - x, $0.y - y) - radius }
            roundness = (distances.max() ?? 0) - (distances.min() ?? 0)
            let limit = outlierLimit(distances)
            let near = zip(kept, distances).filter { abs($0.1) <= limit }.map(\.0)
            if near.count == kept.count { break }
            kept = near
        }
    }

    /// Starts from the points' mean, then Gauss and Newton's steps.
    private mutating func fit(_ points: [Point]) -> Bool {
        let n = Double(points.count)
        if radius == 0 {
            (x, y) = (points.reduce(0) { $0 + $1.x } / n, points.reduce(0) { $0 + $1.y } / n)
            radius = points.reduce(0) { $0 + hypot($1.x - x, $1.y - y) } / n
        }
        for _ in 0..<20 {
            var (xx, xy, yy, sx, sy, dx, dy, d) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
            for point in points {
                let distance = max(hypot(point.x - x, point.y - y), 1e-9)
                let (right, down, residual) = ((point.x - x) / distance, (point.y - y) / distance, distance - radius)
                xx += right * right
                xy += right * down
                yy += down * down
                sx += right
                sy += down
                dx += right * residual
                dy += down * residual
                d += residual
            }
            // The radius is eliminated: what is left are two equations for the middle.
            let (a, b, c) = (xx - sx * sx / n, xy - sx * sy / n, yy - sy * sy / n)
            let (u, v) = (dx - sx * d / n, dy - sy * d / n)
            let determinant = a * c - b * b
            guard determinant > 1e-9 * n * n else { return false }
            let (stepX, stepY) = ((u * c - v * b) / determinant, (a * v - b * u) / determinant)
            x += stepX
            y += stepY
            radius += (d - sx * stepX - sy * stepY) / n
            if hypot(stepX, stepY) < 1e-6 { break }
        }
        return radius > 0 && radius.isFinite
    }
}

/// Three robust standard deviations (1.4826 times the median magnitude), but at least a fifth of a pixel.
private func outlierLimit(_ residuals: [Double]) -> Double {
    let magnitudes = residuals.map(abs).sorted()
    return max(0.2, 3 * 1.4826 * magnitudes[magnitudes.count / 2])
}
