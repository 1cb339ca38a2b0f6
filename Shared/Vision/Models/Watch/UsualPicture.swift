/// What a station's pictures usually are like, learned from the first ones.
struct UsualPicture: Sendable {
    /// One measure of the pictures that taught.
    struct Range: Sendable {
        private var values: [Double] = []
        private(set) var lowest = 0.0
        private(set) var highest = 0.0
        private(set) var median = 0.0

        mutating func add(_ value: Double) {
            values.append(value)
        }

        mutating func settle() {
            values.sort()
            lowest = values.first ?? 0
            highest = values.last ?? 0
            median = values.isEmpty ? 0 : values[values.count / 2]
        }

        /// Against a share of what is usual, or of the lowest value ever seen where the pictures differ much.
        func below(_ value: Double, _ share: Double, slack: Double) -> PictureWatch.Judgement? {
            values.isEmpty ? nil : .below(value, min(share * median, slack * lowest))
        }
    }

    private(set) var mean = Range()
    private(set) var saturated = Range()
    private(set) var sharpness = Range()
    private(set) var noise = Range()
    private var flatRows = Range()
    private(set) var isKnown = false
    private let pictures: Int
    private var taught = 0
    /// Largest step from each measured row to the next, and largest bend along it, grey levels.
    private var rowSteps = [Float](repeating: 0, count: PictureMeasures.side)
    private var rowBends = [Float](repeating: 0, count: PictureMeasures.side)
    private var view = UsualView()

    /// Rows beyond their limit from which a picture counts as damaged.
    static let damagedShare = 0.02
    /// Rows without any structure, more than ever seen, from which it does.
    static let flatShare = 0.03

    init(pictures: Int) {
        self.pictures = pictures
    }

    mutating func learn(_ measures: PictureMeasures) {
        taught += 1
        mean.add(measures.mean)
        saturated.add(measures.saturated)
        if let sharpness = measures.sharpness { self.sharpness.add(sharpness) }
        noise.add(measures.noise)
        flatRows.add(measures.flatRows)
        for row in rowSteps.indices {
            rowSteps[row] = max(rowSteps[row], measures.rowSteps[row])
            rowBends[row] = max(rowBends[row], measures.rowBends[row])
        }
        view.learn(measures.edges)
        guard taught >= pictures else { return }
        mean.settle()
        saturated.settle()
        sharpness.settle()
        noise.settle()
        flatRows.settle()
        view.settle()
        rowSteps = Self.widened(rowSteps)
        rowBends = Self.widened(rowBends)
        isKnown = true
    }

    /// What lies a little higher or lower next time is usual too.
    private static func widened(_ known: [Float]) -> [Float] {
        let reach = 4
        let most = known.max() ?? 0
        return known.indices.map { row in
            let near = known[max(0, row - reach)...min(known.count - 1, row + reach)].max() ?? 0
            return max(1.5 * near, 0.7 * most) + 8
        }
    }

    /// Share of the rows that are rougher, or differ more from the next one, than any was before, or that show nothing.
    func damagedRows(_ measures: PictureMeasures) -> PictureWatch.Judgement {
        var damaged = 0
        for row in rowSteps.indices
        where measures.rowSteps[row] > rowSteps[row] || measures.rowBends[row] > rowBends[row] {
            damaged += 1
        }
        let share = Double(damaged) / Double(rowSteps.count)
        if share > Self.damagedShare { return .above(share, Self.damagedShare) }
        return .above(measures.flatRows, flatRows.highest + Self.flatShare)
    }

    /// How far the view lies from where it was, in parts of its width or height.
    func shift(of edges: [UInt8], limit: Double) -> PictureWatch.Judgement? { view.shift(of: edges, limit: limit) }
}

/// Where a station's pictures have edges that stay: background, fixtures, guides.
struct UsualView: Sendable {
    private static let cells = PictureMeasures.cells
    /// Farthest shift that is looked for, cells.
    private static let reach = 8
    /// Part of the mean deviation without shift that the best shift may leave at most.
    private static let bestPart = 0.7
    /// Multiple of the largest deviation that was usual from which a shift is looked for.
    private static let deviationFactor = 1.2
    /// Least share of cells with edges that stay.
    private static let leastSteady = 0.02

    private var sums = [Float](repeating: 0, count: Self.cells * Self.cells)
    private var squares = [Float](repeating: 0, count: Self.cells * Self.cells)
    private var count: Float = 0
    /// All maps that taught, for the deviation that is usual; empty once settled.
    private var taught: [[UInt8]] = []
    private var edges = [Float](repeating: 0, count: Self.cells * Self.cells)
    /// How much each cell counts: its edges' strength where they stay, else 0.
    private var weights = [Float](repeating: 0, count: Self.cells * Self.cells)
    private var usualDeviation = 0.0
    private var isUsable = false

    mutating func learn(_ map: [UInt8]) {
        for cell in map.indices {
            sums[cell] += Float(map[cell])
            squares[cell] += Float(map[cell]) * Float(map[cell])
        }
        count += 1
        taught.append(map)
    }

    mutating func settle() {
        var steady = 0
        for cell in sums.indices {
            let mean = sums[cell] / count
            let deviation = max(0, squares[cell] / count - mean * mean).squareRoot()
            edges[cell] = mean
            // An edge that stays: well above the flat surface, and varying little.
            weights[cell] = mean >= 12 && deviation <= 0.25 * mean ? mean : 0
            if weights[cell] > 0 { steady += 1 }
        }
        isUsable = Double(steady) >= Self.leastSteady * Double(sums.count)
        usualDeviation = taught.map { deviation($0, 0, 0) ?? 0 }.max() ?? 0
        taught = []
        sums = []
        squares = []
    }

    func shift(of map: [UInt8], limit: Double) -> PictureWatch.Judgement? {
        guard isUsable, let standing = deviation(map, 0, 0) else { return nil }
        guard standing > Self.deviationFactor * usualDeviation + 0.02 else { return .above(0, limit) }
        var best = (deviation: standing, x: 0, y: 0)
        for y in -Self.reach...Self.reach {
            for x in -Self.reach...Self.reach {
                if let found = deviation(map, x, y), found < best.deviation { best = (found, x, y) }
            }
        }
        guard best.deviation < Self.bestPart * standing else { return .above(0, limit) }
        let cells = Double(best.x * best.x + best.y * best.y).squareRoot()
        return .above(cells / Double(Self.cells), limit)
    }

    /// Mean deviation of the map, moved by whole cells, from what is usual, in parts of the edges' strength; nil where too
    /// little of it is left in view.
    private func deviation(_ map: [UInt8], _ x: Int, _ y: Int) -> Double? {
        let cells = Self.cells
        let (rows, columns) = (max(0, -y)..<min(cells, cells - y), max(0, -x)..<min(cells, cells - x))
        var (off, weight): (Float, Float) = (0, 0)
        map.withUnsafeBufferPointer { map in
            edges.withUnsafeBufferPointer { edges in
                weights.withUnsafeBufferPointer { weights in
                    for row in rows {
                        let (known, now) = (row * cells, (row + y) * cells + x)
                        for column in columns {
                            off +=
                                weights[known + column] == 0 ? 0 : abs(Float(map[now + column]) - edges[known + column])
                            weight += weights[known + column]
                        }
                    }
                }
            }
        }
        return weight > 0 ? Double(off / weight) : nil
    }
}
