import SeededRandom
import Testing
import Vision

/// The field of shifts against the plainest way to find it, shift by shift (M20).
@Suite struct ShiftFieldTests {
    /// A two-level picture, a byte a pixel.
    private struct Board {
        let width: Int
        let height: Int
        var bits: [UInt8]

        var plane: BitPlane { BitPlane(bits, width: width, height: height) }

        /// Conductors anywhere.
        init(_ width: Int, _ height: Int, _ generator: inout SplitMix64) {
            (self.width, self.height) = (width, height)
            bits = [UInt8](repeating: 0, count: width * height)
            for _ in 0..<max(4, width * height / 400) {
                let (x, y) = (
                    Int.random(in: 0..<width, using: &generator), Int.random(in: 0..<height, using: &generator)
                )
                let (across, down) = (
                    Int.random(in: 1...40, using: &generator), Int.random(in: 1...40, using: &generator)
                )
                let bit: UInt8 = Bool.random(using: &generator) ? 1 : 0
                for row in y..<min(height, y + down) {
                    for column in x..<min(width, x + across) { bits[row * width + column] = bit }
                }
            }
        }

        /// Moved and stretched, with single pixels flipped.
        func changed(by whole: Shift, stretch: Double, flips: Int, _ generator: inout SplitMix64) -> Board {
            var out = self
            for y in 0..<height {
                let fromY = y - whole.dy + Int((Double(y - height / 2) * stretch).rounded())
                for x in 0..<width {
                    let fromX = x - whole.dx + Int((Double(x - width / 2) * stretch).rounded())
                    let isInside = (0..<width).contains(fromX) && (0..<height).contains(fromY)
                    out.bits[y * width + x] = isInside ? bits[fromY * width + fromX] : 0
                }
            }
            for _ in 0..<flips { out.bits[Int.random(in: 0..<bits.count, using: &generator)] ^= 1 }
            return out
        }
    }

    /// What the field is by its description, pixel by pixel.
    private struct Plain {
        let part: Board
        let golden: Board
        let whole: Shift
        let frame: PixelWindow
        var columns: Int { (part.width + 15) / 16 }
        var rows: Int { (part.height + 15) / 16 }
        var counted: [Int: [Int]] = [:]

        init(_ part: Board, _ golden: Board, _ whole: Shift, _ frame: PixelWindow) {
            (self.part, self.golden, self.whole, self.frame) = (part, golden, whole, frame)
        }

        /// Differing pixels of each tile.
        mutating func counts(_ step: Shift) -> [Int] {
            let key = step.dy * 100 + step.dx
            if let counts = counted[key] { return counts }
            var counts = [Int](repeating: 0, count: columns * rows)
            let (dx, dy) = (whole.dx + step.dx, whole.dy + step.dy)
            for y in max(frame.top, dy)..<max(frame.top, dy, min(frame.bottom, part.height + dy)) {
                for x in max(frame.left, dx)..<max(frame.left, dx, min(frame.right, part.width + dx))
                where part.bits[y * part.width + x] != golden.bits[(y - dy) * part.width + x - dx] {
                    counts[y / 16 * columns + x / 16] += 1
                }
            }
            counted[key] = counts
            return counts
        }

        /// The best of the steps for one tile.
        mutating func best(_ tile: Int, from: Shift, _ steps: [Shift], tiles: Int, weight: Int, perStep: Int) -> Shift {
            var best = (cost: Int.max, step: from)
            let (row, column) = (tile / columns, tile % columns)
            for step in steps {
                let tried = Shift(dx: from.dx + step.dx, dy: from.dy + step.dy)
                let counts = counts(tried)
                var around = 0
                for near in max(0, row - tiles)...min(rows - 1, row + tiles) {
                    for other in max(0, column - tiles)...min(columns - 1, column + tiles) {
                        around += counts[near * columns + other]
                    }
                }
                let far = abs(step.dx) + abs(step.dy)
                let cost = around * (weight + far) + perStep * far
                if cost < best.cost { best = (cost, tried) }
            }
            return best.step
        }

        static func steps(_ reach: Int, by pitch: Int) -> [Shift] {
            let line = stride(from: -reach, through: reach, by: pitch)
            return line.flatMap { dy in line.map { Shift(dx: $0, dy: dy) } }
                .sorted { (abs($0.dx) + abs($0.dy), $0.dy, $0.dx) < (abs($1.dx) + abs($1.dy), $1.dy, $1.dx) }
        }

        mutating func shifts() -> [Shift] {
            let side = min(part.width, part.height) / 16
            var coarse: [Shift] = []
            for farthest in [4, 8] {
                let reach = min(farthest, side * 2)
                let steps = Self.steps(reach, by: 2)
                coarse = (0..<columns * rows).map {
                    best($0, from: Shift(dx: 0, dy: 0), steps, tiles: 3, weight: 50, perStep: 25)
                }
                if reach < farthest || coarse.allSatisfy({ max(abs($0.dx), abs($0.dy)) < reach }) { break }
            }
            let steps = Self.steps(min(2, side), by: 1)
            return coarse.indices.map { tile in
                let fine = best(tile, from: coarse[tile], steps, tiles: 1, weight: 20, perStep: 20)
                return Shift(dx: whole.dx + fine.dx, dy: whole.dy + fine.dy)
            }
        }
    }

    @Test(arguments: 0..<40) func everyTileHasItsShift_M20(seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        let sizes = seed % 4 == 0 ? 1...40 : 100...330
        let (width, height) = (Int.random(in: sizes, using: &generator), Int.random(in: sizes, using: &generator))
        let golden = Board(width, height, &generator)
        let farthest = min(width, height) / 4
        let whole = Shift(
            dx: Int.random(in: -farthest...farthest, using: &generator),
            dy: Int.random(in: -farthest...farthest, using: &generator)
        )
        // Every fifth part is another board altogether, in which no two tiles need agree.
        let part =
            seed % 5 == 4
            ? Board(width, height, &generator)
            : golden.changed(
                by: whole,
                stretch: Double(Int.random(in: -4...4, using: &generator)) / 100,
                flips: Int.random(in: 0...width * height / 50, using: &generator),
                &generator
            )
        let frame = PixelWindow(
            left: Int.random(in: 0...width / 8, using: &generator),
            top: Int.random(in: 0...height / 8, using: &generator),
            right: width - Int.random(in: 0...width / 8, using: &generator),
            bottom: height - Int.random(in: 0...height / 8, using: &generator)
        )
        var plain = Plain(part, golden, whole, frame)
        let expected = plain.shifts()
        let pool = ScratchPool()
        // Once more in scratch memory that is full of other values.
        for _ in 0..<2 {
            let field = pool.lend { ShiftField(of: part.plane, to: golden.plane, near: whole, within: frame, $0) }
            #expect(field.shifts == expected, "\(width)x\(height) moved by \(whole)")
        }
    }
}
