import Glibc

/// Measures of a part's outline that do not depend on where it lies or how it is turned.
struct Silhouette {
    /// A measure: how far apart two good parts may be before it says anything, in the measure's own unit.
    struct Measure: Sendable {
        let name: String
        let tolerance: Double
    }

    static let measures = [
        Measure(name: "log area of the largest piece", tolerance: 0.04),
        Measure(name: "log area of all pieces", tolerance: 0.04),
        Measure(name: "largest piece's share of its convex hull", tolerance: 0.012),
        Measure(name: "all pieces' share of their convex hull", tolerance: 0.012),
        Measure(name: "deepest notch, in sides of a square of equal area", tolerance: 0.02),
        Measure(name: "mean notch, in sides of a square of equal area", tolerance: 0.01),
        Measure(name: "outline, in sides of a square of equal area", tolerance: 0.15),
        Measure(name: "log ratio of the principal axes", tolerance: 0.1),
        Measure(name: "share of pieces broken off", tolerance: 0.01),
    ]

    /// In the order of `measures`.
    let values: [Double]
    /// Centre of the largest piece, pixels of the mask.
    let centreX: Double
    let centreY: Double

    init(_ mask: PartMask) {
        let moments = Moments(mask.main, width: mask.width)
        let mainHull = ConvexHull(mask.main, width: mask.width, height: mask.height)
        let wholeHull = ConvexHull(mask.filled, width: mask.width, height: mask.height)
        let mainArea = Double(mask.pieces.first ?? 0)
        let allArea = Double(mask.pieces.reduce(0, +))
        let side = mainArea.squareRoot()
        let outline = Self.outline(mask.main, mask.width, mask.height)
        let depths = outline.map { mainHull.depth(of: $0) }
        values = [
            log(mainArea), log(allArea), mainArea / mainHull.area, allArea / wholeHull.area,
            (depths.max() ?? 0) / side, depths.reduce(0, +) / Double(max(1, depths.count)) / side,
            Double(outline.count) / side,
            log(max(moments.major, 0.25) / max(moments.minor, 0.25)) / 2, 1 - mainArea / allArea,
        ]
        centreX = moments.centreX
        centreY = moments.centreY
    }

    /// Pixels with a neighbour, by side, that is not on the part.
    static func outline(_ mask: [UInt8], _ width: Int, _ height: Int) -> [(x: Double, y: Double)] {
        var points: [(x: Double, y: Double)] = []
        for y in 0..<height {
            for x in 0..<width where mask[y * width + x] == 1 {
                let isInside =
                    x > 0 && y > 0 && x < width - 1 && y < height - 1
                    && mask[y * width + x - 1] + mask[y * width + x + 1] + mask[(y - 1) * width + x]
                        + mask[(y + 1) * width + x] == 4
                if !isInside { points.append((Double(x), Double(y))) }
            }
        }
        return points
    }

    private struct Moments {
        let centreX: Double
        let centreY: Double
        /// Variances along the principal axes.
        let major: Double
        let minor: Double

        init(_ mask: [UInt8], width: Int) {
            var (count, sumX, sumY, sumXX, sumYY, sumXY) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
            for (index, value) in mask.enumerated() where value == 1 {
                let (x, y) = (Double(index % width), Double(index / width))
                count += 1
                sumX += x
                sumY += y
                sumXX += x * x
                sumYY += y * y
                sumXY += x * y
            }
            count = max(count, 1)
            centreX = sumX / count
            centreY = sumY / count
            let xx = sumXX / count - centreX * centreX
            let yy = sumYY / count - centreY * centreY
            let xy = sumXY / count - centreX * centreY
            let root = ((xx - yy) * (xx - yy) / 4 + xy * xy).squareRoot()
            major = (xx + yy) / 2 + root
            minor = (xx + yy) / 2 - root
        }
    }
}

/// Smallest convex polygon around a mask's pixels.
struct ConvexHull {
    /// Corners, counter-clockwise in a frame with y up.
    let corners: [(x: Double, y: Double)]
    /// Pixels, counted as the mask's are.
    let area: Double

    init(_ mask: [UInt8], width: Int, height: Int) {
        var points: [(x: Double, y: Double)] = []
        for y in 0..<height {
            let row = mask[y * width..<(y + 1) * width]
            guard let first = row.firstIndex(of: 1), let last = row.lastIndex(of: 1) else { continue }
            let (left, right) = (Double(first - y * width), Double(last - y * width + 1))
            points += [(left, Double(y)), (left, Double(y + 1)), (right, Double(y)), (right, Double(y + 1))]
        }
        points.sort { ($0.x, $0.y) < ($1.x, $1.y) }
        let lower = Self.chain(points)
        let upper = Self.chain(points.reversed())
        corners = lower.dropLast() + upper.dropLast()
        var doubled = 0.0
        for (index, corner) in corners.enumerated() {
            let next = corners[(index + 1) % corners.count]
            doubled += corner.x * next.y - next.x * corner.y
        }
        area = max(1, abs(doubled) / 2)
    }

    /// Distance of a pixel inside to the nearest side.
    func depth(of pixel: (x: Double, y: Double)) -> Double {
        let (x, y) = (pixel.x + 0.5, pixel.y + 0.5)
        var nearest = Double.infinity
        for (index, corner) in corners.enumerated() {
            let next = corners[(index + 1) % corners.count]
            let (sideX, sideY) = (next.x - corner.x, next.y - corner.y)
            let length = (sideX * sideX + sideY * sideY).squareRoot()
            guard length > 0 else { continue }
            nearest = min(nearest, abs(sideX * (y - corner.y) - sideY * (x - corner.x)) / length)
        }
        return nearest.isFinite ? nearest : 0
    }

    /// One half of Andrew's monotone chain.
    private static func chain(_ points: [(x: Double, y: Double)]) -> [(x: Double, y: Double)] {
        var hull: [(x: Double, y: Double)] = []
        for point in points {
            while hull.count >= 2 {
                let (a, b) = (hull[hull.count - 2], hull[hull.count - 1])
                guard (b.x - a.x) * (point.y - a.y) - (b.y - a.y) * (point.x - a.x) <= 0 else { break }
                hull.removeLast()
            }
            hull.append(point)
        }
        return hull
    }
}
