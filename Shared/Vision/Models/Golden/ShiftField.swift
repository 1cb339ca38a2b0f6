/// Where each place of a part is found in the template: one shift for each tile of the part's picture. Films and boards
/// stretch, so that one shift for all leaves edges pixels apart.
package struct ShiftField: Sendable {
    /// Pixels of a tile each way; tiles at the right and lower border may be cut.
    package static let tile = 16
    /// Steps from the shift of the whole part that the coarse search tries, pixels each way: even ones only.
    private static let reach = 4
    /// The same where some tile is found as far away as that.
    private static let farReach = 8
    /// Farthest from the coarse shift that the fine search tries.
    private static let fineReach = 2
    /// Tiles each way that are compared together in the coarse and in the fine search: this one and those up to so many
    /// away.
    private static let coarseTiles = 3
    private static let fineTiles = 1

    package let columns: Int
    package let rows: Int
    package private(set) var shifts: [Shift]

    /// The same shift everywhere.
    init(uniform shift: Shift, width: Int, height: Int) {
        columns = (width + Self.tile - 1) / Self.tile
        rows = (height + Self.tile - 1) / Self.tile
        shifts = [Shift](repeating: shift, count: columns * rows)
    }

    /// Finds each tile's shift near `whole`, the shift of the whole part: that with the fewest differing pixels among
    /// the tiles around, in two steps, larger ones at a disadvantage. Only pixels of `frame` are compared.
    package init(
        of part: BitPlane,
        to template: BitPlane,
        near whole: Shift,
        within frame: PixelWindow,
        _ scratch: Scratch
    ) {
        precondition(part.width == template.width && part.height == template.height)
        self.init(uniform: Shift(dx: 0, dy: 0), width: part.width, height: part.height)
        // In a small picture most of the template could be moved out of sight.
        let side = min(part.width, part.height)
        let fineReach = min(Self.fineReach, side / 16)
        let reaches = [Self.reach, Self.farReach].map { min($0, side / 16 * 2) }
        let differences = TileDifferences(
            part,
            template,
            near: whole,
            reach: reaches[1] + fineReach,
            within: frame,
            scratch
        )
        search(differences, reach: reaches[0], scratch)
        var reach = reaches[0]
        if reaches[1] > reach, shifts.contains(where: { max(abs($0.dx), abs($0.dy)) >= reach }) {
            reach = reaches[1]
            search(differences, reach: reach, scratch)
        }
        refine(differences, reach: reach, fineReach, scratch)
        for at in shifts.indices {
            shifts[at].dx += whole.dx
            shifts[at].dy += whole.dy
        }
    }

    /// The best even step of each tile.
    private mutating func search(_ differences: TileDifferences, reach: Int, _ scratch: Scratch) {
        let steps = Self.steps(reach).filter { $0.dx % 2 == 0 && $0.dy % 2 == 0 }
        let counts = TileCounts(steps: steps.count, rows: 2 * Self.coarseTiles + 2, differences, scratch)
        let best = scratch.take(UInt32.self, columns)
        let choice = scratch.take(UInt32.self, columns)
        // For each step the sums over the rows around.
        let sums = TileCounts(steps: steps.count, rows: 1, differences, scratch)
        for row in 0..<rows + Self.coarseTiles {
            for (index, step) in steps.enumerated() {
                let sum = sums.row(0, step: index)
                if row < rows {
                    let counted = counts.row(row, step: index)
                    for block in 0..<differences.blocks {
                        differences.count(step, row: row, block: block, into: counted + block * TileDifferences.block)
                    }
                    for at in 0..<columns { sum[at] &+= counted[at] }
                }
                let leaving = row - 2 * Self.coarseTiles - 1
                guard leaving >= 0 else { continue }
                let left = counts.row(leaving, step: index)
                for at in 0..<columns { sum[at] &-= left[at] }
            }
            guard row >= Self.coarseTiles else { continue }
            best.update(repeating: .max, count: columns)
            for (index, step) in steps.enumerated() {
                let far = UInt32(abs(step.dx) + abs(step.dy))
                let sum = sums.row(0, step: index)
                for at in 0..<columns {
                    // Those up to `coarseTiles` to either side, written out so that it becomes vector instructions.
                    let around =
                        sum[at &- 3] &+ sum[at &- 2] &+ sum[at &- 1] &+ sum[at] &+ sum[at &+ 1] &+ sum[at &+ 2]
                        &+ sum[at &+ 3]
                    let cost = UInt32(around) &* (50 &+ far) &+ 25 &* far
                    choice[at] = cost < best[at] ? UInt32(truncatingIfNeeded: index) : choice[at]
                    best[at] = min(cost, best[at])
                }
            }
            let first = (row - Self.coarseTiles) * columns
            for at in 0..<columns { shifts[first + at] = steps[Int(choice[at])] }
        }
    }

    /// The best step near the coarse one of each tile.
    private mutating func refine(_ differences: TileDifferences, reach: Int, _ fineReach: Int, _ scratch: Scratch) {
        let farthest = reach + fineReach
        let side = 2 * farthest + 1
        let steps = Self.steps(fineReach)
        let counts = TileCounts(steps: side * side, rows: 3, differences, scratch)
        let nothing = TileCounts(steps: 1, rows: 1, differences, scratch).row(0, step: 0)
        let wanted = WantedSteps(shifts, columns: columns, farthest: farthest, fineReach, differences, scratch)
        let best = scratch.take(UInt16.self, columns)
        let choice = scratch.take(UInt16.self, columns)
        let coarse = shifts
        for counted in 0...rows {
            if counted < rows {
                wanted.forEach(row: counted, rows: rows) { block, step in
                    let index = (step.dy + farthest) * side + step.dx + farthest
                    differences.count(
                        step,
                        row: counted,
                        block: block,
                        into: counts.row(counted, step: index) + block * TileDifferences.block
                    )
                }
            }
            let row = counted - 1
            guard row >= 0 else { continue }
            var start = row * columns
            while start < counted * columns {
                let from = coarse[start]
                var end = start + 1
                while end < counted * columns, coarse[end] == from { end += 1 }
                let (left, right) = (start - row * columns, end - row * columns)
                (best + left).update(repeating: .max, count: right - left)
                for (number, step) in steps.enumerated() {
                    let index = (from.dy + step.dy + farthest) * side + from.dx + step.dx + farthest
                    let above = row > 0 ? counts.row(row - 1, step: index) : nothing
                    let below = counted < rows ? counts.row(counted, step: index) : nothing
                    let here = counts.row(row, step: index)
                    let far = UInt16(abs(step.dx) + abs(step.dy))
                    for at in left..<right {
                        let around =
                            above[at &- 1] &+ above[at] &+ above[at &+ 1] &+ here[at &- 1] &+ here[at]
                            &+ here[at &+ 1] &+ below[at &- 1] &+ below[at] &+ below[at &+ 1]
                        let cost = around &* (20 &+ far) &+ 20 &* far
                        choice[at] = cost < best[at] ? UInt16(truncatingIfNeeded: number) : choice[at]
                        best[at] = min(cost, best[at])
                    }
                }
                for at in left..<right {
                    let step = steps[Int(choice[at])]
                    shifts[row * columns + at] = Shift(dx: from.dx + step.dx, dy: from.dy + step.dy)
                }
                start = end
            }
        }
    }

    /// Shift at the pixel of the part.
    func shift(x: Int, y: Int) -> Shift { shifts[y / Self.tile * columns + x / Self.tile] }

    /// Calls for each stretch of row `y` of `frame` in which the shift is the same, without pixels that it finds outside
    /// a template of the size.
    func forEachStretch(
        y: Int,
        of frame: PixelWindow,
        width: Int,
        height: Int,
        _ body: (_ x: Int, _ end: Int, _ shift: Shift) -> Void
    ) {
        let row = y / Self.tile * columns
        var first = 0
        while first < columns {
            let shift = shifts[row + first]
            var next = first + 1
            while next < columns, shifts[row + next] == shift { next += 1 }
            let left = max(first * Self.tile, shift.dx, frame.left)
            let right = min(next * Self.tile, width + shift.dx, frame.right)
            if left < right, y >= shift.dy, y < height + shift.dy { body(left, right, shift) }
            first = next
        }
    }

    /// Pixels of the runs of each kind, tile by tile.
    func areas(of runs: [Run]) -> [[UInt32]] {
        var areas = [[UInt32]](repeating: [UInt32](repeating: 0, count: shifts.count), count: 3)
        for run in runs {
            let row = run.y / Self.tile * columns
            var x = run.start
            while x < run.end {
                let end = min(run.end, (x / Self.tile + 1) * Self.tile)
                areas[Int(run.kind)][row + x / Self.tile] += UInt32(end - x)
                x = end
            }
        }
        return areas
    }

    /// For each tile the sum over those up to `tiles` away each way.
    func sums(_ values: [UInt32], tiles: Int) -> [UInt32] {
        var across = [UInt32](repeating: 0, count: values.count)
        var sums = across
        values.withUnsafeBufferPointer { values in
            across.withUnsafeMutableBufferPointer { across in
                for step in -min(tiles, columns - 1)...min(tiles, columns - 1) {
                    for row in stride(from: 0, to: values.count, by: columns) {
                        for at in row + max(0, -step)..<row + columns - max(0, step) {
                            across[at] &+= values[at &+ step]
                        }
                    }
                }
                sums.withUnsafeMutableBufferPointer { sums in
                    for row in 0..<rows {
                        for near in max(0, row - tiles)...min(rows - 1, row + tiles) {
                            let (to, from) = (row * columns, near * columns)
                            for column in 0..<columns { sums[to &+ column] &+= across[from &+ column] }
                        }
                    }
                }
            }
        }
        return sums
    }

    /// Steps up to `reach` each way, the smallest first.
    private static func steps(_ reach: Int) -> [Shift] {
        (-reach...reach).flatMap { dy in (-reach...reach).map { Shift(dx: $0, dy: dy) } }
            .sorted { (abs($0.dx) + abs($0.dy), $0.dy, $0.dx) < (abs($1.dx) + abs($1.dy), $1.dy, $1.dx) }
    }
}

/// Counts of tiles for several steps, in as many rows as are needed at once; to either side of each row are zeros.
private struct TileCounts {
    private let base: UnsafeMutablePointer<UInt16>
    private let steps: Int
    private let rows: Int
    private let stride: Int

    init(steps: Int, rows: Int, _ differences: TileDifferences, _ scratch: Scratch) {
        (self.steps, self.rows) = (steps, rows)
        stride = (differences.blocks + 2) * TileDifferences.block
        base = scratch.take(UInt16.self, rows * steps * stride)
        base.update(repeating: 0, count: rows * steps * stride)
    }

    /// Where the row's first tile has its count.
    @inline(__always)
    func row(_ row: Int, step: Int) -> UnsafeMutablePointer<UInt16> {
        base + ((row % rows &* steps &+ step) &* stride &+ TileDifferences.block)
    }
}

/// Which steps are to be counted where: those around the coarse steps of the tiles near by.
private struct WantedSteps {
    private let farthest: Int
    private let fineReach: Int
    private let side: Int
    private let blocks: Int
    /// For each row, block and step down the steps to the side, bit by bit, that some tile near by has.
    private let coarse: UnsafeMutablePointer<UInt32>
    private let wanted: UnsafeMutablePointer<UInt32>

    init(
        _ shifts: [Shift],
        columns: Int,
        farthest: Int,
        _ fineReach: Int,
        _ differences: TileDifferences,
        _ scratch: Scratch
    ) {
        (self.farthest, self.fineReach, side, blocks) = (farthest, fineReach, 2 * farthest + 1, differences.blocks)
        let count = shifts.count / columns * blocks * side
        coarse = scratch.take(UInt32.self, count)
        coarse.update(repeating: 0, count: count)
        wanted = scratch.take(UInt32.self, side)
        for at in shifts.indices {
            let (row, column, shift) = (at / columns, at % columns, shifts[at])
            for near in [max(0, column - 1), min(columns - 1, column + 1)] {
                let place = (row * blocks + near / TileDifferences.block) * side + shift.dy + farthest
                coarse[place] |= 1 << UInt32(shift.dx + farthest)
            }
        }
    }

    func forEach(row: Int, rows: Int, _ body: (_ block: Int, _ step: Shift) -> Void) {
        for block in 0..<blocks {
            wanted.update(repeating: 0, count: side)
            for near in max(0, row - 1)...min(rows - 1, row + 1) {
                for down in fineReach..<side - fineReach {
                    let steps = coarse[(near * blocks + block) * side + down]
                    guard steps != 0 else { continue }
                    var wider = steps
                    for step in 0...UInt32(fineReach) { wider |= steps << step | steps >> step }
                    for dy in -fineReach...fineReach { wanted[down + dy] |= wider }
                }
            }
            for down in 0..<side {
                var steps = wanted[down]
                while steps != 0 {
                    body(block, Shift(dx: steps.trailingZeroBitCount - farthest, dy: down - farthest))
                    steps &= steps - 1
                }
            }
        }
    }
}
