import Glibc

/// A template as a search by edges sees it: at full size and at halves of it, the places where its grey level changes
/// most and the direction of the change there (Steger, "Occlusion, clutter, and illumination invariant object
/// recognition", 2002).
struct ShapeModel: Sendable {
    /// One place of an edge, pixels of its level from the template's centre, and the unit vector towards bright.
    struct EdgePoint: Sendable {
        let x: Float
        let y: Float
        let right: Float
        let down: Float
    }

    /// One place that a fine fit looks at: from the centre, the level there and its slope.
    struct Sample: Sendable {
        let x: Double
        let y: Double
        let level: Double
        let right: Double
        let down: Double
    }

    struct Level: Sendable {
        let edges: [EdgePoint]
        let samples: [Sample]
        /// Furthest edge from the centre.
        let radius: Double
    }

    /// Sobel responses below this are noise.
    static let minSlope: Int32 = 24
    /// Fewest edge points of a level that is searched.
    static let minEdges = 24
    private static let maxEdges = [320, 240, 160, 96]
    private static let maxSamples = 1_600
    private static let maxDepth = 5
    private static let smallestSide = 12

    /// Full size first.
    let levels: [Level]
    /// The template's centre in the master picture.
    let centreX: Double
    let centreY: Double
    /// Half the size of all boxes together.
    let reachX: Double
    let reachY: Double

    /// Learns the boxes of a master picture, which move, turn and grow as one. Boxes lie in the picture.
    init(_ master: Picture, boxes: [Box], turns: Bool, grows: Bool) throws(ToolError) {
        let grey = master.grey()
        let left = boxes.map(\.x).min() ?? 0
        let top = boxes.map(\.y).min() ?? 0
        let width = (boxes.map { $0.x + $0.width }.max() ?? 0) - left
        let height = (boxes.map { $0.y + $0.height }.max() ?? 0) - top
        centreX = Double(left) + Double(width - 1) / 2
        centreY = Double(top) + Double(height - 1) / 2
        (reachX, reachY) = (Double(width) / 2, Double(height) / 2)
        let smallest = boxes.map { min($0.width, $0.height) }.min() ?? 0
        let pool = ScratchPool()
        let moved = boxes.map { Box(x: $0.x - left, y: $0.y - top, width: $0.width, height: $0.height) }
        levels = grey.withPlane { plane in
            pool.lend { scratch in
                Self.learn(
                    plane.part(x: left, y: top, width: width, height: height),
                    moved,
                    depth: Self.depth(smallest),
                    scratch
                )
            }
        }
        guard let finest = levels.first, finest.edges.count >= Self.minEdges else {
            throw ToolError(
                "template of \(width)x\(height) at (\(left), \(top)) has \(levels.first?.edges.count ?? 0) places with a "
                    + "clear edge; expected at least \(Self.minEdges): choose boxes with more contrast"
            )
        }
        try Self.checkThatItHolds(finest, turns: turns, grows: grows)
    }

    private static func depth(_ smallest: Int) -> Int {
        var depth = 0
        while depth < maxDepth, smallest >> (depth + 1) >= smallestSide { depth += 1 }
        return depth
    }

    private static func learn(_ plane: Plane<UInt8>, _ boxes: [Box], depth: Int, _ scratch: Scratch) -> [Level] {
        let pyramid = Halves(plane, depth: depth, scratch)
        var levels: [Level] = []
        for (level, plane) in pyramid.planes.enumerated() {
            let shrunk = boxes.map {
                Box(x: $0.x >> level, y: $0.y >> level, width: $0.width >> level, height: $0.height >> level)
            }
            let learned = Learning(
                plane: plane,
                boxes: shrunk,
                centreX: Halves.coordinate(Double(pyramid.planes[0].width - 1) / 2, at: level),
                centreY: Halves.coordinate(Double(pyramid.planes[0].height - 1) / 2, at: level),
                scratch: scratch
            )
            let edges = learned.edges(atMost: maxEdges[min(level, maxEdges.count - 1)])
            guard level == 0 || edges.count >= minEdges else { break }
            levels.append(
                Level(
                    edges: edges,
                    samples: learned.samples(atMost: maxSamples),
                    radius: edges.map { Double(hypotf($0.x, $0.y)) }.max() ?? 1
                )
            )
        }
        return levels
    }

    /// A template of one straight edge could slide along it, one of circles turn: the smallest eigenvalue of the fit's
    /// normal matrix, in pixels at the rim, says how firmly the template holds.
    private static func checkThatItHolds(_ level: Level, turns: Bool, grows: Bool) throws(ToolError) {
        var matrix = [[Double]](repeating: [Double](repeating: 0, count: 4), count: 4)
        for edge in level.edges {
            let (x, y) = (Double(edge.x) / level.radius, Double(edge.y) / level.radius)
            let (right, down) = (Double(edge.right), Double(edge.down))
            let row = [right, down, turns ? down * x - right * y : 0, grows ? right * x + down * y : 0]
            for i in 0..<4 { for j in 0..<4 { matrix[i][j] += row[i] * row[j] / Double(level.edges.count) } }
        }
        if !turns { matrix[2][2] = 1 }
        if !grows { matrix[3][3] = 1 }
        guard smallestEigenvalue(matrix) >= 0.02 else {
            throw ToolError(
                "the template's edges do not fix its place: expected edges in two directions, and for max_rotation or "
                    + "max_scale above 0 edges that a turn about the centre or a change of size would move"
            )
        }
    }

    /// Of a symmetric matrix, by Jacobi's rotations.
    private static func smallestEigenvalue(_ matrix: [[Double]]) -> Double {
        var m = matrix
        for _ in 0..<50 {
            for p in 0..<3 {
                for q in p + 1..<4 where abs(m[p][q]) > 1e-12 {
                    let angle = 0.5 * atan2(2 * m[p][q], m[q][q] - m[p][p])
                    let (c, s) = (cos(angle), sin(angle))
                    for k in 0..<4 { (m[k][p], m[k][q]) = (c * m[k][p] - s * m[k][q], s * m[k][p] + c * m[k][q]) }
                    for k in 0..<4 { (m[p][k], m[q][k]) = (c * m[p][k] - s * m[q][k], s * m[p][k] + c * m[q][k]) }
                }
            }
        }
        return (0..<4).map { m[$0][$0] }.min() ?? 0
    }
}

/// A smoothed picture and halves of it, in scratch memory.
struct Halves {
    /// Full size first.
    let planes: [Plane<UInt8>]

    init(_ source: Plane<UInt8>, depth: Int, _ scratch: Scratch) {
        let smooth = scratch.plane(UInt8.self, source.width, source.height)
        PixelLoops.smooth(source, into: smooth, rows: scratch.take(UInt16.self, source.width))
        var planes = [smooth]
        planes.reserveCapacity(depth + 1)
        for level in 0..<depth {
            let last = planes[level]
            guard last.width >= 4, last.height >= 4 else { break }
            let half = scratch.plane(UInt8.self, last.width / 2, last.height / 2)
            PixelLoops.halve(last, into: half)
            planes.append(half)
        }
        self.planes = planes
    }

    /// A full-size coordinate at a level: pixels have their middles at whole numbers.
    static func coordinate(_ value: Double, at level: Int) -> Double {
        (value + 0.5) / Double(1 << level) - 0.5
    }

    static func fullSize(_ value: Double, of level: Int) -> Double {
        (value + 0.5) * Double(1 << level) - 0.5
    }
}

/// Picks the places of one level that a search or a fit shall look at.
private struct Learning {
    private let plane: Plane<UInt8>
    private let gx: Plane<Int16>
    private let gy: Plane<Int16>
    private let boxes: [Box]
    private let centreX: Double
    private let centreY: Double
    /// Pixels of a box, its rim left out, strongest slope first.
    private let ranked: [(x: Int, y: Int, slope: Int32)]

    init(plane: Plane<UInt8>, boxes: [Box], centreX: Double, centreY: Double, scratch: Scratch) {
        self.plane = plane
        self.boxes = boxes
        self.centreX = centreX
        self.centreY = centreY
        gx = scratch.plane(Int16.self, plane.width, plane.height)
        gy = scratch.plane(Int16.self, plane.width, plane.height)
        PixelLoops.sobel(plane, gx: gx, gy: gy)
        var ranked: [(x: Int, y: Int, slope: Int32)] = []
        for y in 1..<max(1, plane.height - 1) {
            for x in 1..<max(1, plane.width - 1)
            where boxes.contains(where: {
                x > $0.x && y > $0.y && x < $0.x + $0.width - 1 && y < $0.y + $0.height - 1
            }) {
                let slope = Self.slope(gx.row(y)[x], gy.row(y)[x])
                if slope >= ShapeModel.minSlope * ShapeModel.minSlope { ranked.append((x, y, slope)) }
            }
        }
        self.ranked = ranked.sorted { ($1.slope, $0.y, $0.x) < ($0.slope, $1.y, $1.x) }
    }

    private static func slope(_ right: Int16, _ down: Int16) -> Int32 {
        Int32(right) * Int32(right) + Int32(down) * Int32(down)
    }

    /// Ridges of the slope, spread over the template: weak ones, below a fifth of the strong ones, left out.
    func edges(atMost limit: Int) -> [ShapeModel.EdgePoint] {
        guard !ranked.isEmpty else { return [] }
        let strong = Double(ranked[ranked.count / 20].slope)
        let ridges = ranked.filter { Double($0.slope) >= strong / 25 && isRidge($0.x, $0.y, $0.slope) }
        return spread(ridges, limit).map { point in
            let (right, down) = (Float(gx.row(point.y)[point.x]), Float(gy.row(point.y)[point.x]))
            let length = Float(point.slope).squareRoot()
            return .init(
                x: Float(Double(point.x) - centreX),
                y: Float(Double(point.y) - centreY),
                right: right / length,
                down: down / length
            )
        }
    }

    func samples(atMost limit: Int) -> [ShapeModel.Sample] {
        spread(ranked, limit).map { point in
            .init(
                x: Double(point.x) - centreX,
                y: Double(point.y) - centreY,
                level: Double(plane.row(point.y)[point.x]),
                right: Double(gx.row(point.y)[point.x]) / 8,
                down: Double(gy.row(point.y)[point.x]) / 8
            )
        }
    }

    private func isRidge(_ x: Int, _ y: Int, _ slope: Int32) -> Bool {
        let (right, down) = (Int(gx.row(y)[x]), Int(gy.row(y)[x]))
        let isFlat = 2 * abs(down) <= abs(right)
        let isSteep = 2 * abs(right) <= abs(down)
        let dx = isSteep ? 0 : 1
        let dy = isFlat ? 0 : (right > 0) == (down > 0) || isSteep ? 1 : -1
        return slope > Self.slope(gx.row(y - dy)[x - dx], gy.row(y - dy)[x - dx])
            && slope >= Self.slope(gx.row(y + dy)[x + dx], gy.row(y + dy)[x + dx])
    }

    /// The strongest of each of 12x12 cells, then the second of each, and so on.
    private func spread(_ points: [(x: Int, y: Int, slope: Int32)], _ limit: Int) -> [(x: Int, y: Int, slope: Int32)] {
        guard points.count > limit else { return points }
        let cells = 12
        var taken = [Int](repeating: 0, count: cells * cells)
        let turns = points.enumerated().map { index, point in
            let cell = point.y * cells / plane.height * cells + point.x * cells / plane.width
            taken[cell] += 1
            return (turn: taken[cell], index: index)
        }
        return turns.sorted { ($0.turn, $0.index) < ($1.turn, $1.index) }.prefix(limit).map { points[$0.index] }
    }
}
