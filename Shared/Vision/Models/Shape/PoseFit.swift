import Glibc

/// Fits a pose to grey levels by least squares: Lucas and Kanade's method in its inverse compositional form (Baker and
/// Matthews 2004), with brightness and contrast as two more unknowns and Tukey's weights against what is covered up.
struct PoseFit {
    private static let maxSteps = 24
    /// A step that moves the rim by less ends the fit, pixels.
    private static let enough = 0.001

    let samples: [ShapeModel.Sample]
    let turns: Bool
    let grows: Bool
    /// Distance of the template's rim from its centre, pixels.
    let radius: Double

    /// Improves `pose`, which takes template coordinates to the plane's. False where the fit runs away, or where more
    /// than half of the template is out of the picture.
    func improve(_ pose: inout Similarity, in plane: Plane<UInt8>, _ scratch: Scratch) -> Bool {
        let residuals = scratch.take(Double.self, samples.count)
        let start = pose
        var (contrast, brightness) = (1.0, 0.0)
        var isFirst = true
        for _ in 0..<Self.maxSteps {
            let (inside, levels) = measure(pose, plane, residuals)
            guard 2 * inside >= samples.count else { return false }
            if isFirst {
                (contrast, brightness) = levels
                isFirst = false
            }
            guard let step = solve(residuals, contrast, brightness) else { return false }
            contrast += step.contrast
            brightness += step.brightness
            guard contrast > 0.05 else { return false }
            let (a, b) = (1 + step.a / contrast, step.b / contrast)
            let (x, y) = (step.x / contrast, step.y / contrast)
            let length = a * a + b * b
            guard length > 0.25, length < 4 else { return false }
            let turned = (
                a: (pose.a * a + pose.b * b) / length,
                b: (pose.b * a - pose.a * b) / length
            )
            pose = Similarity(
                a: turned.a,
                b: turned.b,
                x0: pose.x0 - (turned.a * x - turned.b * y),
                y0: pose.y0 - (turned.b * x + turned.a * y)
            )
            guard hypot(pose.x0 - start.x0, pose.y0 - start.y0) < 8 else { return false }
            if max(abs(x), abs(y), radius * abs(a - 1), radius * abs(b)) < Self.enough { break }
        }
        return true
    }

    /// The picture's level at each sample, NaN outside; how many are inside, and the contrast and brightness that fit
    /// them on the whole.
    private func measure(
        _ pose: Similarity,
        _ plane: Plane<UInt8>,
        _ levels: UnsafeMutablePointer<Double>
    ) -> (inside: Int, levels: (Double, Double)) {
        var (n, sx, sy, sxx, sxy) = (0.0, 0.0, 0.0, 0.0, 0.0)
        let (right, bottom) = (Double(plane.width - 1), Double(plane.height - 1))
        for (index, sample) in samples.enumerated() {
            let place = pose(sample.x, sample.y)
            guard place.x >= 0, place.y >= 0, place.x < right, place.y < bottom else {
                levels[index] = .nan
                continue
            }
            let (column, row) = (Int(place.x), Int(place.y))
            let (fx, fy) = (place.x - Double(column), place.y - Double(row))
            let (upper, lower) = (plane.row(row) + column, plane.row(row + 1) + column)
            let above = Double(upper[0]) + fx * (Double(upper[1]) - Double(upper[0]))
            let below = Double(lower[0]) + fx * (Double(lower[1]) - Double(lower[0]))
            let level = above + fy * (below - above)
            levels[index] = level
            n += 1
            sx += sample.level
            sy += level
            sxx += sample.level * sample.level
            sxy += sample.level * level
        }
        let spread = n * sxx - sx * sx
        guard spread > 0 else { return (Int(n), (1, 0)) }
        let contrast = max(0.1, (n * sxy - sx * sy) / spread)
        return (Int(n), (contrast, n > 0 ? (sy - contrast * sx) / n : 0))
    }

    private struct Step {
        let a, b, x, y, contrast, brightness: Double
    }

    /// One weighted least-squares step; nil where the normal matrix is singular.
    private func solve(_ levels: UnsafeMutablePointer<Double>, _ contrast: Double, _ brightness: Double) -> Step? {
        for index in samples.indices { levels[index] -= contrast * samples[index].level + brightness }
        let limit = 4.685 * max(1, 1.4826 * medianMagnitude(levels))
        var matrix = NormalMatrix()
        for (index, sample) in samples.enumerated() {
            let residual = levels[index]
            guard abs(residual) < limit else { continue }
            let share = residual / limit
            let weight = (1 - share * share) * (1 - share * share)
            matrix.add(
                (
                    sample.right, sample.down, grows ? sample.right * sample.x + sample.down * sample.y : 0,
                    turns ? sample.down * sample.x - sample.right * sample.y : 0, sample.level, 1
                ),
                residual,
                weight
            )
        }
        if !grows { matrix.fix(2) }
        if !turns { matrix.fix(3) }
        guard let solved = matrix.solution() else { return nil }
        return Step(a: solved[2], b: solved[3], x: solved[0], y: solved[1], contrast: solved[4], brightness: solved[5])
    }

    /// Median of the magnitudes in steps of a quarter level.
    private func medianMagnitude(_ residuals: UnsafeMutablePointer<Double>) -> Double {
        withUnsafeTemporaryAllocation(of: Int32.self, capacity: 1024) { bins in
            bins.initialize(repeating: 0)
            var count: Int32 = 0
            for index in samples.indices where !residuals[index].isNaN {
                bins[min(1023, Int(abs(residuals[index]) * 4))] += 1
                count += 1
            }
            var below: Int32 = 0
            for bin in 0..<1024 {
                below += bins[bin]
                if 2 * below >= count { return (Double(bin) + 0.5) / 4 }
            }
            return 256
        }
    }
}

/// The 6x6 normal equations of a least-squares step.
private struct NormalMatrix {
    private var m = InlineMatrix()

    private struct InlineMatrix {
        var rows: (SIMD8<Double>, SIMD8<Double>, SIMD8<Double>, SIMD8<Double>, SIMD8<Double>, SIMD8<Double>) = (
            .zero, .zero, .zero, .zero, .zero, .zero
        )
    }

    typealias Row = (Double, Double, Double, Double, Double, Double)

    /// Lane 6 is the right-hand side.
    @inline(__always)
    mutating func add(_ row: Row, _ residual: Double, _ weight: Double) {
        let values = SIMD8(row.0, row.1, row.2, row.3, row.4, row.5, residual, 0)
        let weighted = values * weight
        m.rows.0 += weighted * row.0
        m.rows.1 += weighted * row.1
        m.rows.2 += weighted * row.2
        m.rows.3 += weighted * row.3
        m.rows.4 += weighted * row.4
        m.rows.5 += weighted * row.5
    }

    /// Takes unknown `index` (2 or 3) out: it stays 0.
    mutating func fix(_ index: Int) {
        if index == 2 { m.rows.2[2] = 1 } else { m.rows.3[3] = 1 }
    }

    /// By Gauss's elimination with pivots.
    func solution() -> [Double]? {
        var rows = [m.rows.0, m.rows.1, m.rows.2, m.rows.3, m.rows.4, m.rows.5]
        for column in 0..<6 {
            guard let pivot = (column..<6).max(by: { abs(rows[$0][column]) < abs(rows[$1][column]) }),
                abs(rows[pivot][column]) > 1e-9
            else { return nil }
            rows.swapAt(column, pivot)
            for other in 0..<6 where other != column {
                rows[other] -= rows[column] * (rows[other][column] / rows[column][column])
            }
        }
        return (0..<6).map { rows[$0][6] / rows[$0][$0] }
    }
}
