/// Where each place of a part is found in the template: one shift for each tile of the part's picture. Films and boards
/// stretch, so that one shift for all leaves edges pixels apart.
struct ShiftField: Sendable {
    /// Pixels of a tile each way; tiles at the right and lower border may be cut.
    static let tile = 16
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

    let columns: Int
    let rows: Int
    private(set) var shifts: [Shift]

    /// The same shift everywhere.
    init(uniform shift: Shift, width: Int, height: Int) {
        columns = (width + Self.tile - 1) / Self.tile
        rows = (height + Self.tile - 1) / Self.tile
        shifts = [Shift](repeating: shift, count: columns * rows)
    }

    /// Finds each tile's shift near `whole`, the shift of the whole part: that with the fewest differing pixels among
    /// the tiles around, in two steps, larger ones at a disadvantage. Only pixels of `frame` are compared.
    init(of part: BitPlane, to template: BitPlane, near whole: Shift, within frame: PixelWindow) {
        precondition(part.width == template.width && part.height == template.height)
        self.init(uniform: Shift(dx: 0, dy: 0), width: part.width, height: part.height)
        // In a small picture most of the template could be moved out of sight.
        let side = min(part.width, part.height)
        for farthest in [Self.reach, Self.farReach] {
            let (reach, fineReach) = (min(farthest, side / 16 * 2), min(Self.fineReach, side / 16))
            var costs = TileCosts(part, template, near: whole, reach: reach + fineReach, within: frame)
            search(&costs, reach: reach)
            let isEnough = reach < farthest || shifts.allSatisfy { max(abs($0.dx), abs($0.dy)) < reach }
            guard isEnough || farthest == Self.farReach else { continue }
            refine(&costs, Self.steps(fineReach))
            break
        }
        for at in shifts.indices {
            shifts[at].dx += whole.dx
            shifts[at].dy += whole.dy
        }
    }

    /// The best even step of each tile.
    private mutating func search(_ costs: inout TileCosts, reach: Int) {
        var best = [UInt32](repeating: .max, count: shifts.count)
        var around = [UInt32](repeating: 0, count: shifts.count)
        for step in Self.steps(reach) where step.dx % 2 == 0 && step.dy % 2 == 0 {
            costs.sum(step, tiles: Self.coarseTiles, columns: columns, into: &around)
            let far = UInt32(abs(step.dx) + abs(step.dy))
            for at in shifts.indices {
                let cost = around[at] &* (50 + far) &+ 25 &* far
                if cost < best[at] {
                    best[at] = cost
                    shifts[at] = step
                }
            }
        }
    }

    private mutating func refine(_ costs: inout TileCosts, _ steps: [Shift]) {
        let coarse = shifts
        var best = [UInt32](repeating: .max, count: shifts.count)
        var around = [UInt32](repeating: 0, count: shifts.count)
        for from in Self.distinct(coarse) {
            for step in steps {
                let tried = Shift(dx: from.dx + step.dx, dy: from.dy + step.dy)
                costs.sum(tried, tiles: Self.fineTiles, columns: columns, into: &around)
                let far = UInt32(abs(step.dx) + abs(step.dy))
                for at in shifts.indices where coarse[at] == from {
                    let cost = around[at] &* (20 + far) &+ 20 &* far
                    if cost < best[at] {
                        best[at] = cost
                        shifts[at] = tried
                    }
                }
            }
        }
    }

    private static func distinct(_ shifts: [Shift]) -> [Shift] {
        var found: [Shift] = []
        for shift in shifts where !found.contains(shift) { found.append(shift) }
        return found
    }

    /// Shift at the pixel of the part.
    func shift(x: Int, y: Int) -> Shift { shifts[y / Self.tile * columns + x / Self.tile] }

    /// Calls for each stretch of row `y` of `frame` in which the shift and the tiles' `keys` are the same, without
    /// pixels that it finds outside a template of the size.
    func forEachStretch(
        y: Int,
        of frame: PixelWindow,
        width: Int,
        height: Int,
        also keys: [UInt8],
        _ body: (_ x: Int, _ end: Int, _ shift: Shift, _ key: UInt8) -> Void
    ) {
        let row = y / Self.tile * columns
        var first = 0
        while first < columns {
            let (shift, key) = (shifts[row + first], keys[row + first])
            var next = first + 1
            while next < columns, shifts[row + next] == shift, keys[row + next] == key { next += 1 }
            let left = max(first * Self.tile, shift.dx, frame.left)
            let right = min(next * Self.tile, width + shift.dx, frame.right)
            if left < right, y >= shift.dy, y < height + shift.dy { body(left, right, shift, key) }
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
        var across = values
        for at in values.indices {
            let (row, column) = (at / columns * columns, at % columns)
            across[at] = values[row + max(0, column - tiles)...row + min(columns - 1, column + tiles)].reduce(0, &+)
        }
        var sums = [UInt32](repeating: 0, count: values.count)
        for row in 0..<rows {
            for near in max(0, row - tiles)...min(rows - 1, row + tiles) {
                for column in 0..<columns { sums[row * columns + column] &+= across[near * columns + column] }
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

/// Differing pixels of each tile at each step that was asked for.
private struct TileCosts {
    private let part: BitPlane
    private let template: BitPlane
    private let inside: BitPlane
    private let whole: Shift
    private let frame: PixelWindow
    private let reach: Int
    private let rows: Int
    /// Four tiles share a word; the last word's tiles beyond the picture count nothing.
    private let stride: Int
    private var moved: [[UInt64]]
    private var counts: [[UInt16]]
    private var across: [UInt32]

    init(_ part: BitPlane, _ template: BitPlane, near whole: Shift, reach: Int, within frame: PixelWindow) {
        (self.part, self.template, self.whole, self.frame, self.reach) = (part, template, whole, frame, reach)
        inside = BitPlane([UInt8](repeating: 1, count: part.width), width: part.width, height: 1)
        rows = (part.height + ShiftField.tile - 1) / ShiftField.tile
        stride = part.stride * 4
        let steps = 2 * reach + 1
        moved = [[UInt64]](repeating: [], count: steps)
        counts = [[UInt16]](repeating: [], count: steps * steps)
        across = [UInt32](repeating: 0, count: rows * stride)
    }

    /// Sums of the tiles up to `tiles` away each way, for every tile of the picture.
    mutating func sum(_ step: Shift, tiles: Int, columns: Int, into sums: inout [UInt32]) {
        let at = (step.dy + reach) * (2 * reach + 1) + step.dx + reach
        if counts[at].isEmpty { counts[at] = counted(step) }
        let (rows, stride) = (rows, stride)
        counts[at].withUnsafeBufferPointer { counts in
            across.withUnsafeMutableBufferPointer { across in
                for row in 0..<rows {
                    let first = row * stride
                    var sum: UInt32 = 0
                    for column in 0..<min(tiles, columns) { sum &+= UInt32(counts[first &+ column]) }
                    for column in 0..<columns {
                        if column + tiles < columns { sum &+= UInt32(counts[first &+ column &+ tiles]) }
                        if column > tiles { sum &-= UInt32(counts[first &+ column &- tiles &- 1]) }
                        across[row &* columns &+ column] = sum
                    }
                }
                sums.withUnsafeMutableBufferPointer { sums in
                    for row in 0..<rows {
                        for column in 0..<columns { sums[row &* columns &+ column] = 0 }
                        for near in max(0, row - tiles)...min(rows - 1, row + tiles) {
                            for column in 0..<columns {
                                sums[row &* columns &+ column] &+= across[near &* columns &+ column]
                            }
                        }
                    }
                }
            }
        }
    }

    /// Counts, tile by tile, the bits in which the part and the moved template differ, where both are known.
    private mutating func counted(_ step: Shift) -> [UInt16] {
        let (dx, dy) = (whole.dx + step.dx, whole.dy + step.dy)
        if moved[step.dx + reach].isEmpty { moved[step.dx + reach] = template.moved(right: dx) }
        let known = zip(inside.moved(right: dx), BitPlane.row(from: frame.left, to: frame.right, of: part.width))
            .map { $0 & $1 }
        let words = part.stride
        let (first, last) = (max(frame.top, dy), min(frame.bottom, part.height + dy))
        var sums = [UInt64](repeating: 0, count: words)
        var counts = [UInt16](repeating: 0, count: rows * stride)
        part.words.withUnsafeBufferPointer { part in
            moved[step.dx + reach].withUnsafeBufferPointer { template in
                known.withUnsafeBufferPointer { known in
                    sums.withUnsafeMutableBufferPointer { sums in
                        for row in 0..<rows {
                            let top = row * ShiftField.tile
                            for column in 0..<words { sums[column] = 0 }
                            let (from, to) = (max(top, first), min(top + ShiftField.tile, last))
                            for y in from..<max(from, to) {
                                let (here, there) = (y &* words, (y &- dy) &* words)
                                for column in 0..<words {
                                    let differ = (part[here &+ column] ^ template[there &+ column]) & known[column]
                                    sums[column] &+= Self.bitsOfBytes(differ)
                                }
                            }
                            for tile in 0..<stride {
                                let pair = sums[tile / 4] >> UInt64(16 * (tile % 4))
                                counts[row * stride + tile] =
                                    UInt16(truncatingIfNeeded: (pair & 0xFF) &+ ((pair >> 8) & 0xFF))
                            }
                        }
                    }
                }
            }
        }
        return counts
    }

    /// Bits set in each byte.
    @inline(__always)
    private static func bitsOfBytes(_ word: UInt64) -> UInt64 {
        let pairs = word &- ((word >> 1) & 0x5555_5555_5555_5555)
        let nibbles = (pairs & 0x3333_3333_3333_3333) &+ ((pairs >> 2) & 0x3333_3333_3333_3333)
        return (nibbles &+ (nibbles >> 4)) & 0x0F0F_0F0F_0F0F_0F0F
    }
}
