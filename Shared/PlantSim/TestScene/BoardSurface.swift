/// The board as seen straight from above by a perfect camera: where copper is, and how bright each spot would be as
/// copper, as bare substrate or as a hole. Drawn once; defects are patched into copies.
struct BoardSurface: Sendable {
    /// Distances are known this far from copper, pixels; farther away the map says `reach`.
    static let reach: Float = 28

    let side: Int
    /// Signed distance to the nearest copper edge, negative inside copper, pixels.
    private(set) var distance: [Float]
    private var substrate: [UInt8]
    private var copper: [UInt8]
    /// How much of the pixel is drilled away, 0...255.
    private var drilled: [UInt8]
    /// Grey levels of the board without defects.
    private(set) var grey: [UInt8] = []

    init(layout: BoardLayout, seed: UInt64, side: Int) {
        self.side = side
        let count = side * side
        distance = Array(repeating: Self.reach, count: count)
        substrate = Array(repeating: 0, count: count)
        copper = substrate
        drilled = substrate
        drawDistances(layout)
        drawMaterials(seed)
        grey = (0..<count).map { level(at: $0, distance: distance[$0]) }
    }

    private mutating func drawDistances(_ layout: BoardLayout) {
        for shape in layout.copper {
            for (index, point) in pixels(of: shape, margin: Self.reach) {
                distance[index] = min(distance[index], shape.distance(to: point))
            }
        }
        for hole in layout.holes {
            for (index, point) in pixels(of: hole, margin: Self.reach) {
                let toHole = hole.distance(to: point)
                drilled[index] = max(drilled[index], UInt8(max(0, min(1, 0.5 - toHole)) * 255))
                // The barrel is plated: copper ends at the hole's edge.
                distance[index] = max(distance[index], -toHole)
            }
        }
    }

    /// Glass weave under resin for the substrate; brushed, slightly stained metal for the copper. The etched edge is
    /// rough.
    private mutating func drawMaterials(_ seed: UInt64) {
        let resin = ValueNoise(seed: seed ^ 1, cellX: 34, cellY: 30)
        let brush = ValueNoise(seed: seed ^ 2, cellX: 15, cellY: 1.7)
        let stain = ValueNoise(seed: seed ^ 3, cellX: 52, cellY: 61)
        let grain = ValueNoise(seed: seed ^ 4, cellX: 1.9, cellY: 1.9)
        let rough = ValueNoise(seed: seed ^ 5, cellX: 3.1, cellY: 3.1)
        for row in 0..<side {
            for column in 0..<side {
                let x = Float(column)
                let y = Float(row)
                let index = row * side + column
                let fine = grain(x, y)
                let weave = Self.triangle(x / 9) - Self.triangle(y / 8) * (Self.triangle((x + y) / 18) > 0 ? 1 : -1)
                substrate[index] = UInt8(63 + 4 * weave + 5 * resin(x, y) + 3 * fine)
                copper[index] = UInt8(184 + 7 * brush(x, y) + 9 * stain(x, y) + 4 * fine)
                distance[index] += 0.35 * rough(x, y)
            }
        }
    }

    /// A wave of period 1 in straight lines, -1...1.
    private static func triangle(_ t: Float) -> Float { 4 * abs(t - (t + 0.5).rounded(.down)) - 1 }

    private func level(at index: Int, distance: Float) -> UInt8 {
        let coverage = max(0, min(1, 0.5 - distance))
        // Etching leaves a sloped flank, which throws less light back to the camera.
        let flank = max(0, 1 + distance / 2.4) * 34
        let bright = Float(copper[index]) - flank
        let board = Float(substrate[index]) * (1 - coverage) + bright * coverage
        let open = Float(drilled[index]) / 255
        return UInt8(max(0, min(255, board * (1 - open) + 21 * open)))
    }

    /// The signed distance at a point, from the nearest pixel; `reach` outside the board.
    func distance(at point: Point) -> Float {
        let column = Int(point.x.rounded())
        let row = Int(point.y.rounded())
        guard (0..<side).contains(column), (0..<side).contains(row) else { return Self.reach }
        return distance[row * side + column]
    }

    /// Direction away from the nearest copper, length 1; nil where it has none.
    func outward(at point: Point) -> Point? {
        let slope = Point(
            x: distance(at: point + Point(x: 2, y: 0)) - distance(at: point - Point(x: 2, y: 0)),
            y: distance(at: point + Point(x: 0, y: 2)) - distance(at: point - Point(x: 0, y: 2))
        )
        return slope.length > 1 ? slope * (1 / slope.length) : nil
    }

    /// Adds or removes the copper inside `shapes` on `picture`, a copy of `grey`, and returns the smallest box around
    /// what that changed by at least `threshold` grey levels; nil where nothing did. `depth` 1 is full thickness, less
    /// is faint.
    func patch(
        _ picture: inout [UInt8],
        shapes: [Shape],
        adding: Bool,
        depth: Float,
        threshold: Int
    ) -> (left: Int, top: Int, right: Int, bottom: Int)? {
        var box: (left: Int, top: Int, right: Int, bottom: Int)?
        for shape in shapes {
            for (index, point) in pixels(of: shape, margin: 1) {
                let edge = shape.distance(to: point)
                let old = distance[index]
                let altered = level(at: index, distance: adding ? min(old, edge) : max(old, -edge))
                let change = Float(altered) - Float(grey[index])
                let value = UInt8(max(0, min(255, Float(grey[index]) + change * depth)))
                // Where shapes overlap, the larger change stays.
                let before = abs(Int(picture[index]) - Int(grey[index]))
                guard abs(Int(value) - Int(grey[index])) > before else { continue }
                picture[index] = value
                guard abs(Int(value) - Int(grey[index])) >= threshold else { continue }
                let column = index % side
                let row = index / side
                let known = box ?? (column, row, column, row)
                box = (
                    min(known.left, column), min(known.top, row), max(known.right, column), max(known.bottom, row)
                )
            }
        }
        return box
    }

    /// Every pixel of the board within `margin` of the shape's bounds.
    private func pixels(of shape: Shape, margin: Float) -> some Sequence<(Int, Point)> {
        let bounds = shape.bounds
        let columns = clipped(bounds.left - margin, bounds.right + margin)
        let rows = clipped(bounds.top - margin, bounds.bottom + margin)
        return rows.lazy.flatMap { row in
            columns.lazy.map { column in (row * side + column, Point(x: Float(column), y: Float(row))) }
        }
    }

    private func clipped(_ from: Float, _ to: Float) -> Range<Int> {
        let lower = max(0, min(side, Int(from.rounded(.down))))
        return lower..<max(lower, min(side, Int(to.rounded(.up)) + 1))
    }
}
