import Glibc

/// How far a part may lie from its master.
struct SearchRange: Equatable, Sendable {
    /// Pixels in each direction.
    var margin: Double
    /// Degrees in each direction.
    var rotation: Double
    /// Share by which it may be larger or smaller.
    var scale: Double
    /// Likeness from which it is found, 0 to 1.
    var minScore: Double
}

/// Finds a shape model in a picture: every pose of the coarsest level is tried, the best are followed to finer ones,
/// the last step is a least-squares fit of grey levels (`PoseFit`).
struct ShapeSearch {
    /// A pose of the model: where its centre is, full-size pixels of the window, and the turned scale m = a + ib.
    struct Candidate {
        var x: Double
        var y: Double
        var a: Double
        var b: Double
        var score: Double

        var scale: Double { hypot(a, b) }
        var radians: Double { atan2(b, a) }
    }

    private static let followed = 16
    let model: ShapeModel
    let range: SearchRange

    /// The best pose, whatever its score; nil where nothing like the model is there. `window` is the part of the picture
    /// that is searched, (`centreX`, `centreY`) where the model's centre is expected in it.
    func best(in window: Plane<UInt8>, centreX: Double, centreY: Double, _ scratch: Scratch) -> Candidate? {
        let halves = Halves(window, depth: model.levels.count - 1, scratch)
        let coarsest = halves.planes.count - 1
        var found = coarse(halves.planes[coarsest], coarsest, centreX, centreY, scratch)
        for level in stride(from: coarsest, through: min(1, coarsest), by: -1) {
            for index in found.indices { climb(&found[index], halves.planes[level], level) }
            found.sort { $0.score > $1.score }
            found.removeLast(found.count - min(found.count, max(2, Self.followed >> (coarsest - level + 1))))
        }
        var best: Candidate?
        for candidate in found where candidate.score >= 0.6 * range.minScore {
            var fitted = candidate
            guard fit(&fitted, halves, scratch) else { continue }
            if fitted.score > best?.score ?? 0 { best = fitted }
        }
        return best
    }

    private func fit(_ candidate: inout Candidate, _ halves: Halves, _ scratch: Scratch) -> Bool {
        for level in stride(from: min(1, halves.planes.count - 1), through: 0, by: -1) {
            let fit = PoseFit(
                samples: model.levels[level].samples,
                turns: range.rotation > 0,
                grows: range.scale > 0,
                radius: model.levels[level].radius
            )
            var pose = Similarity(
                a: candidate.a,
                b: candidate.b,
                x0: Halves.coordinate(candidate.x, at: level),
                y0: Halves.coordinate(candidate.y, at: level)
            )
            guard fit.improve(&pose, in: halves.planes[level], scratch) else { return false }
            candidate.a = pose.a
            candidate.b = pose.b
            candidate.x = Halves.fullSize(pose.x0, of: level)
            candidate.y = Halves.fullSize(pose.y0, of: level)
        }
        let level = min(1, halves.planes.count - 1)
        candidate.score = likeness(candidate, halves.planes[level], level)
        return true
    }

    // MARK: Coarsest level

    /// Best poses of the grid, no two of them neighbours.
    private func coarse(
        _ plane: Plane<UInt8>,
        _ level: Int,
        _ centreX: Double,
        _ centreY: Double,
        _ scratch: Scratch
    ) -> [Candidate] {
        let shape = model.levels[level]
        let directions = Directions(plane, border: Int(shape.radius * (1 + range.scale)) + 2, scratch)
        let (midX, midY) = (Halves.coordinate(centreX, at: level), Halves.coordinate(centreY, at: level))
        let reach = range.margin / Double(1 << level)
        let left = max(0, Int((midX - reach).rounded(.down)))
        let right = min(plane.width - 1, Int((midX + reach).rounded(.up)))
        let top = max(0, Int((midY - reach).rounded(.down)))
        let bottom = min(plane.height - 1, Int((midY + reach).rounded(.up)))
        guard left <= right, top <= bottom else { return [] }
        let (columns, rows) = (right - left + 1, bottom - top + 1)
        let sums = scratch.take(Int32.self, columns * rows)
        let step = 1.2 / max(shape.radius, 1)
        let turns = Self.steps(range.rotation * Double.pi / 180, step)
        let sizes = Self.steps(range.scale, step)
        var found: [Candidate] = []
        found.reserveCapacity(Self.followed + 1)
        for turn in turns {
            for size in sizes {
                let (a, b) = ((1 + size) * cos(turn), (1 + size) * sin(turn))
                sums.update(repeating: 0, count: columns * rows)
                for edge in shape.edges {
                    directions.add(edge, a, b, size: 1 + size, left, top, columns, rows, to: sums)
                }
                let full = Double(shape.edges.count) * 127 * 127
                for index in 0..<columns * rows where Double(sums[index]) > 0.3 * full {
                    let candidate = Candidate(
                        x: Halves.fullSize(Double(left + index % columns), of: level),
                        y: Halves.fullSize(Double(top + index / columns), of: level),
                        a: a,
                        b: b,
                        score: Double(sums[index]) / full
                    )
                    Self.keep(candidate, in: &found, apart: 2.5 * Double(1 << level), turned: 1.5 * step)
                }
            }
        }
        return found
    }

    /// Zero, and as many steps of at most `step` as reach `limit` on either side.
    private static func steps(_ limit: Double, _ step: Double) -> [Double] {
        let count = Int((limit / step).rounded(.up))
        return count == 0 ? [0] : (-count...count).map { limit * Double($0) / Double(count) }
    }

    private static func keep(_ candidate: Candidate, in found: inout [Candidate], apart: Double, turned: Double) {
        if found.count == followed, let last = found.last, last.score >= candidate.score { return }
        let near = found.firstIndex {
            abs($0.x - candidate.x) < apart && abs($0.y - candidate.y) < apart
                && abs($0.a - candidate.a) < turned && abs($0.b - candidate.b) < turned
        }
        if let near {
            guard found[near].score < candidate.score else { return }
            found.remove(at: near)
        }
        found.insert(candidate, at: found.firstIndex { $0.score < candidate.score } ?? found.count)
        if found.count > followed { found.removeLast() }
    }

    // MARK: Finer levels

    /// Moves, turns and scales by ever smaller steps as long as the likeness grows.
    private func climb(_ candidate: inout Candidate, _ plane: Plane<UInt8>, _ level: Int) {
        let pixel = Double(1 << level)
        let rim = 1 / max(model.levels[level].radius, 1)
        candidate.score = likeness(candidate, plane, level)
        for step in [1.0, 0.5] {
            for _ in 0..<8 {
                let before = candidate.score
                for sign in [-step, step] {
                    attempt(&candidate, plane, level) { $0.x += sign * pixel }
                    attempt(&candidate, plane, level) { $0.y += sign * pixel }
                    if range.rotation > 0 {
                        let turn = sign * rim
                        attempt(&candidate, plane, level) {
                            ($0.a, $0.b) = ($0.a - turn * $0.b, $0.b + turn * $0.a)
                        }
                    }
                    if range.scale > 0 {
                        attempt(&candidate, plane, level) {
                            ($0.a, $0.b) = ($0.a * (1 + sign * rim), $0.b * (1 + sign * rim))
                        }
                    }
                }
                if candidate.score <= before { break }
            }
        }
    }

    @inline(__always)
    private func attempt(
        _ candidate: inout Candidate,
        _ plane: Plane<UInt8>,
        _ level: Int,
        _ change: (inout Candidate) -> Void
    ) {
        var changed = candidate
        change(&changed)
        changed.score = likeness(changed, plane, level)
        if changed.score > candidate.score { candidate = changed }
    }

    /// Mean of the cosines between the model's directions and the picture's at the same places; where the picture is
    /// flat it is 0.
    func likeness(_ candidate: Candidate, _ plane: Plane<UInt8>, _ level: Int) -> Double {
        let x0 = Float(Halves.coordinate(candidate.x, at: level))
        let y0 = Float(Halves.coordinate(candidate.y, at: level))
        let (a, b) = (Float(candidate.a), Float(candidate.b))
        let size = Float(candidate.scale)
        var sum: Float = 0
        let edges = model.levels[level].edges
        for edge in edges {
            let column = Int((a * edge.x - b * edge.y + x0).rounded())
            let row = Int((b * edge.x + a * edge.y + y0).rounded())
            guard column > 0, row > 0, column < plane.width - 1, row < plane.height - 1 else { continue }
            let (above, here, below) = (
                plane.row(row - 1) + column, plane.row(row) + column, plane.row(row + 1) + column
            )
            let diagonal = Int32(below[1]) &- Int32(above[-1])
            let counter = Int32(above[1]) &- Int32(below[-1])
            let right = diagonal &+ counter &+ 2 &* (Int32(here[1]) &- Int32(here[-1]))
            let down = diagonal &- counter &+ 2 &* (Int32(below[0]) &- Int32(above[0]))
            let slope = right &* right &+ down &* down
            guard slope >= ShapeModel.minSlope * ShapeModel.minSlope else { continue }
            let along = Float(right) * (a * edge.right - b * edge.down) + Float(down) * (b * edge.right + a * edge.down)
            sum += along / (Float(slope).squareRoot() * size)
        }
        return Double(sum) / Double(edges.count)
    }
}

/// Directions of the slope of a small picture, unit vectors times 127, with a flat border around.
private struct Directions {
    private let right: Plane<Int16>
    private let down: Plane<Int16>
    private let border: Int

    init(_ plane: Plane<UInt8>, border: Int, _ scratch: Scratch) {
        self.border = border
        let (width, height) = (plane.width + 2 * border, plane.height + 2 * border)
        right = scratch.plane(Int16.self, width, height)
        down = scratch.plane(Int16.self, width, height)
        right.base.update(repeating: 0, count: width * height)
        down.base.update(repeating: 0, count: width * height)
        let inner = (
            right.part(x: border, y: border, width: plane.width, height: plane.height),
            down.part(x: border, y: border, width: plane.width, height: plane.height)
        )
        PixelLoops.sobel(plane, gx: inner.0, gy: inner.1)
        let least = Float(ShapeModel.minSlope * ShapeModel.minSlope)
        for y in 0..<plane.height {
            let (gx, gy) = (inner.0.row(y), inner.1.row(y))
            for x in 0..<plane.width {
                let (dx, dy) = (Float(gx[x]), Float(gy[x]))
                let slope = dx * dx + dy * dy
                let unit = slope >= least ? 127 / slope.squareRoot() : 0
                gx[x] = Int16(truncatingIfNeeded: Int32(dx * unit))
                gy[x] = Int16(truncatingIfNeeded: Int32(dy * unit))
            }
        }
    }

    /// Adds how well one edge of the model, turned and scaled, agrees for each place of its centre.
    @inline(__always)
    func add(
        _ edge: ShapeModel.EdgePoint,
        _ a: Double,
        _ b: Double,
        size: Double,
        _ left: Int,
        _ top: Int,
        _ columns: Int,
        _ rows: Int,
        to sums: UnsafeMutablePointer<Int32>
    ) {
        let (x, y) = (Double(edge.x), Double(edge.y))
        let column = border + left + Int((a * x - b * y).rounded())
        let row = border + top + Int((b * x + a * y).rounded())
        let (ex, ey) = (Double(edge.right), Double(edge.down))
        let toRight = Int32((127 * (a * ex - b * ey) / size).rounded())
        let toDown = Int32((127 * (b * ex + a * ey) / size).rounded())
        for line in 0..<rows {
            let (gx, gy) = (right.row(row &+ line) + column, down.row(row &+ line) + column)
            let sum = sums + line &* columns
            for index in 0..<columns {
                sum[index] &+= Int32(gx[index]) &* toRight &+ Int32(gy[index]) &* toDown
            }
        }
    }
}
