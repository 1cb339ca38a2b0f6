/// How good parts look at each cell of their frame: a normal distribution of each feature, its spread pooled over
/// neighbouring cells because parts lie and are made a little differently (after PaDiM, Defard et al. 2020, with plain
/// features in place of a network's).
struct PartAppearance: Equatable, Sendable {
    /// Brightness, two colour differences, edge strength, coverage.
    static let features = 5
    /// Spread of each feature that says nothing.
    private static let tolerances: [Float] = [10, 8, 8, 6, 0.15]
    /// Share of the cells, the worst, that make the score.
    private static let worstShare = 0.002

    /// Coverage from which a cell shows the surface.
    private static let insideFrom: Float = 0.95

    /// Share of good parts that cover each cell.
    let coverage: [Float]
    /// Cell by cell, feature by feature.
    let means: [Float]
    /// One over the variance.
    let weights: [Float]

    init(coverage: [Float], means: [Float], weights: [Float]) {
        self.coverage = coverage
        self.means = means
        self.weights = weights
    }

    init(_ samples: [[Float]], coverage: [Float]) {
        let size = PartFrame.cells * Self.features
        var counts = [Float](repeating: 0, count: size)
        var means = counts
        for sample in samples {
            for index in 0..<size where !sample[index].isNaN {
                counts[index] += 1
                means[index] += sample[index]
            }
        }
        for index in 0..<size { means[index] /= max(1, counts[index]) }
        var squares = [Float](repeating: 0, count: size)
        for sample in samples {
            for index in 0..<size where !sample[index].isNaN {
                squares[index] += (sample[index] - means[index]) * (sample[index] - means[index])
            }
        }
        var weights = [Float](repeating: 0, count: size)
        for feature in 0..<Self.features {
            let of = { (values: [Float]) in (0..<PartFrame.cells).map { values[$0 * Self.features + feature] } }
            let pooledSquares = Self.boxMean(of(squares))
            let pooledFreedom = Self.boxMean(of(counts).map { max(0, $0 - 1) })
            let tolerance = Self.tolerances[feature] * Self.tolerances[feature]
            for cell in 0..<PartFrame.cells where counts[cell * Self.features + feature] >= 2 {
                let variance = pooledSquares[cell] / max(0.1, pooledFreedom[cell])
                let count = counts[cell * Self.features + feature]
                weights[cell * Self.features + feature] = 1 / (variance * (1 + 1 / count) + tolerance)
            }
        }
        self.coverage = coverage
        self.means = means
        self.weights = weights
    }

    /// Features of each cell; those of the surface are NaN where the cell is not well inside the part.
    static func sample(_ view: SurfaceView, _ frame: PartFrame, _ pose: PartPose) -> [Float] {
        let (width, height) = (view.image.width, view.image.height)
        let covered = view.mask.covered.map { Float($0) }
        let reach = max(1, Int((frame.cellSize / 2).rounded()))
        let edges = edgeStrength(view.image.planes[0], width, height)
        let surfaces = (view.image.planes + [edges]).map { blurred($0, width, height, reach) }
        let coverage = blurred(covered, width, height, reach)
        var features = [Float](repeating: 0, count: PartFrame.cells * Self.features)
        frame.forEachCell(pose) { cell, x, y in
            let (column, row) = (Int(x.rounded()), Int(y.rounded()))
            let isInPicture = column >= 0 && row >= 0 && column < width && row < height
            let pixel = isInPicture ? row * width + column : 0
            let covered = isInPicture ? coverage[pixel] : 0
            for (feature, plane) in surfaces.enumerated() {
                features[cell * Self.features + feature] = covered > insideFrom ? plane[pixel] : .nan
            }
            features[cell * Self.features + Self.features - 1] = covered
        }
        return features
    }

    /// How far each cell of a part is from those of good parts nearby, in units of their spread, smoothed.
    struct Distances {
        /// Whether the part is there.
        let coverage: [Float]
        /// What it looks like there.
        let surface: [Float]

        var coverageScore: Double { Self.score(coverage) }
        var surfaceScore: Double { Self.score(surface) }

        /// Mean of the worst cells.
        private static func score(_ cells: [Float]) -> Double {
            let worst = max(1, Int(Double(PartFrame.cells) * worstShare))
            return Double(cells.sorted(by: >).prefix(worst).reduce(0, +)) / Double(worst)
        }
    }

    func distances(_ sample: [Float]) -> Distances {
        let side = PartFrame.side
        var coverage = [Float](repeating: 0, count: PartFrame.cells)
        var surface = coverage
        for row in 0..<side {
            for column in 0..<side {
                let cell = row * side + column
                var (nearestCoverage, nearestSurface) = (Float.infinity, Float.infinity)
                for nearRow in max(0, row - 1)...min(side - 1, row + 1) {
                    for nearColumn in max(0, column - 1)...min(side - 1, column + 1) {
                        let near = nearRow * side + nearColumn
                        nearestCoverage = min(nearestCoverage, squaredCoverage(sample, cell, near))
                        nearestSurface = min(nearestSurface, squaredSurface(sample, cell, near))
                    }
                }
                coverage[cell] = nearestCoverage.squareRoot()
                surface[cell] = nearestSurface.squareRoot()
            }
        }
        return Distances(coverage: Self.boxMean(coverage), surface: Self.boxMean(surface))
    }

    private func squaredCoverage(_ sample: [Float], _ cell: Int, _ near: Int) -> Float {
        let (here, there) = ((cell + 1) * Self.features - 1, (near + 1) * Self.features - 1)
        let deviation = sample[here] - means[there]
        return deviation * deviation * weights[there]
    }

    /// 0 where the cell does not show the surface.
    private func squaredSurface(_ sample: [Float], _ cell: Int, _ near: Int) -> Float {
        let (here, there) = (cell * Self.features, near * Self.features)
        guard !sample[here].isNaN else { return 0 }
        var sum: Float = 0
        for feature in 0..<Self.features - 1 {
            let deviation = sample[here + feature] - means[there + feature]
            sum += deviation * deviation * weights[there + feature]
        }
        return sum / Float(Self.features - 1)
    }

    /// Mean over the 3x3 cells around each.
    private static func boxMean(_ cells: [Float]) -> [Float] { blurred(cells, PartFrame.side, PartFrame.side, 1) }

    /// Mean over the square of `reach` pixels in each direction, as far as it lies in the picture.
    static func blurred(_ plane: [Float], _ width: Int, _ height: Int, _ reach: Int) -> [Float] {
        var rows = plane
        for y in 0..<height {
            for x in 0..<width {
                let (from, to) = (max(0, x - reach), min(width - 1, x + reach))
                var sum: Float = 0
                for near in from...to { sum += plane[y * width + near] }
                rows[y * width + x] = sum / Float(to - from + 1)
            }
        }
        var out = rows
        for y in 0..<height {
            let (from, to) = (max(0, y - reach), min(height - 1, y + reach))
            for x in 0..<width {
                var sum: Float = 0
                for near in from...to { sum += rows[near * width + x] }
                out[y * width + x] = sum / Float(to - from + 1)
            }
        }
        return out
    }

    /// Length of the brightness gradient by central differences.
    private static func edgeStrength(_ plane: [Float], _ width: Int, _ height: Int) -> [Float] {
        var out = [Float](repeating: 0, count: plane.count)
        for y in 0..<height {
            for x in 0..<width {
                let across = plane[y * width + min(width - 1, x + 1)] - plane[y * width + max(0, x - 1)]
                let down = plane[min(height - 1, y + 1) * width + x] - plane[max(0, y - 1) * width + x]
                out[y * width + x] = ((across * across + down * down) / 4).squareRoot()
            }
        }
        return out
    }
}
