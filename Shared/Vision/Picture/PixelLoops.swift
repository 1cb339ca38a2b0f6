import CPixels

/// Loops over pixels that every tool is made of. Integers only, so that each gives the same bits on every machine; plain
/// inner loops over rows, which the compiler turns into vector instructions. The few that gain most from wide vectors are
/// in CPixels. Planes of one call have equal sizes unless it says otherwise.
package enum PixelLoops {
    /// Mean of each 2x2 block, rounded; `out` is half as wide and high, an odd last column or row is left out.
    package static func halve(_ source: Plane<UInt8>, into out: Plane<UInt8>) {
        precondition(out.width == source.width / 2 && out.height == source.height / 2)
        for y in 0..<out.height {
            let upper = UnsafeRawPointer(source.row(2 &* y))
            let lower = UnsafeRawPointer(source.row(2 &* y &+ 1))
            let target = out.row(y)
            // Two neighbours are one 16-bit word: its low and its high byte.
            for x in 0..<out.width {
                let above = upper.loadUnaligned(fromByteOffset: 2 &* x, as: UInt16.self)
                let below = lower.loadUnaligned(fromByteOffset: 2 &* x, as: UInt16.self)
                let sum = (above & 255) &+ (above >> 8) &+ (below & 255) &+ (below >> 8)
                target[x] = UInt8(truncatingIfNeeded: (sum &+ 2) >> 2)
            }
        }
    }

    /// Binomial smoothing 1-2-1 of rows and columns, the border repeated. `rows` is room for one row of words.
    package static func smooth(_ source: Plane<UInt8>, into out: Plane<UInt8>, rows: UnsafeMutablePointer<UInt16>) {
        let (width, height) = (source.width, source.height)
        for y in 0..<height {
            let (here, above) = (source.row(y), source.row(max(0, y &- 1)))
            let below = source.row(min(height &- 1, y &+ 1))
            for x in 0..<width {
                rows[x] = UInt16(above[x]) &+ UInt16(below[x]) &+ 2 &* UInt16(here[x])
            }
            let target = out.row(y)
            let last = width - 1
            target[0] = UInt8(truncatingIfNeeded: (3 &* rows[0] &+ rows[min(1, last)] &+ 8) >> 4)
            guard last > 0 else { continue }
            for x in 1..<max(1, last) {
                target[x] = UInt8(truncatingIfNeeded: (rows[x &- 1] &+ rows[x &+ 1] &+ 2 &* rows[x] &+ 8) >> 4)
            }
            target[last] = UInt8(truncatingIfNeeded: (3 &* rows[last] &+ rows[last &- 1] &+ 8) >> 4)
        }
    }

    /// |a - b|.
    package static func absoluteDifference(_ a: Plane<UInt8>, _ b: Plane<UInt8>, into out: Plane<UInt8>) {
        for y in 0..<out.height {
            let (left, right, target) = (a.row(y), b.row(y), out.row(y))
            for x in 0..<out.width { target[x] = max(left[x], right[x]) &- min(left[x], right[x]) }
        }
    }

    /// 1 where a pixel is at least `level`, else 0; the other way round where `isDark`.
    package static func threshold(_ source: Plane<UInt8>, from level: UInt8, isDark: Bool, into out: Plane<UInt8>) {
        let flip: UInt8 = isDark ? 1 : 0
        for y in 0..<out.height {
            let (pixels, target) = (source.row(y), out.row(y))
            for x in 0..<out.width { target[x] = (pixels[x] >= level ? 1 : 0) ^ flip }
        }
    }

    /// Adds the pixels to 256 counts. Four tables take turns, so that equal neighbours do not wait for each other.
    package static func histogram(_ source: Plane<UInt8>, into counts: UnsafeMutablePointer<UInt32>) {
        withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 1024) { tables in
            tables.initialize(repeating: 0)
            guard let table = tables.baseAddress else { return }
            for y in 0..<source.height {
                let pixels = source.row(y)
                var x = 0
                while x &+ 4 <= source.width {
                    table[Int(pixels[x])] &+= 1
                    table[256 &+ Int(pixels[x &+ 1])] &+= 1
                    table[512 &+ Int(pixels[x &+ 2])] &+= 1
                    table[768 &+ Int(pixels[x &+ 3])] &+= 1
                    x &+= 4
                }
                while x < source.width {
                    table[Int(pixels[x])] &+= 1
                    x &+= 1
                }
            }
            for value in 0..<256 {
                counts[value] &+= table[value] &+ table[256 &+ value] &+ table[512 &+ value] &+ table[768 &+ value]
            }
        }
    }

    /// Smallest value of each 3x3 neighbourhood, the border repeated. `rows` is room for one row.
    package static func erode(_ source: Plane<UInt8>, into out: Plane<UInt8>, rows: UnsafeMutablePointer<UInt8>) {
        extreme(source, into: out, rows: rows) { min($0, $1) }
    }

    /// Largest value of each 3x3 neighbourhood, the border repeated. `rows` is room for one row.
    package static func dilate(_ source: Plane<UInt8>, into out: Plane<UInt8>, rows: UnsafeMutablePointer<UInt8>) {
        extreme(source, into: out, rows: rows) { max($0, $1) }
    }

    @inline(__always)
    private static func extreme(
        _ source: Plane<UInt8>,
        into out: Plane<UInt8>,
        rows: UnsafeMutablePointer<UInt8>,
        _ pick: (UInt8, UInt8) -> UInt8
    ) {
        let (width, height) = (source.width, source.height)
        let last = width - 1
        for y in 0..<height {
            let (here, above) = (source.row(y), source.row(max(0, y &- 1)))
            let (below, target) = (source.row(min(height &- 1, y &+ 1)), out.row(y))
            for x in 0..<width { rows[x] = pick(here[x], pick(above[x], below[x])) }
            target[0] = pick(rows[0], rows[min(1, last)])
            guard last > 0 else { continue }
            for x in 1..<max(1, last) { target[x] = pick(rows[x], pick(rows[x &- 1], rows[x &+ 1])) }
            target[last] = pick(rows[last], rows[last &- 1])
        }
    }

    /// Gradients by Sobel's 3x3 operators, eight times the slope in levels a pixel; 0 on the border.
    package static func sobel(_ source: Plane<UInt8>, gx: Plane<Int16>, gy: Plane<Int16>) {
        let (width, height) = (source.width, source.height)
        for y in [0, height - 1] {
            gx.row(y).update(repeating: 0, count: width)
            gy.row(y).update(repeating: 0, count: width)
        }
        guard width > 2, height > 2 else { return }
        for y in 1..<height &- 1 {
            let (above, here, below) = (source.row(y &- 1), source.row(y), source.row(y &+ 1))
            let (right, down) = (gx.row(y), gy.row(y))
            for x in 1..<width &- 1 {
                let diagonal = Int16(below[x &+ 1]) &- Int16(above[x &- 1])
                let counter = Int16(above[x &+ 1]) &- Int16(below[x &- 1])
                right[x] = diagonal &+ counter &+ 2 &* (Int16(here[x &+ 1]) &- Int16(here[x &- 1]))
                down[x] = diagonal &- counter &+ 2 &* (Int16(below[x]) &- Int16(above[x]))
            }
            (right[0], right[width - 1], down[0], down[width - 1]) = (0, 0, 0, 0)
        }
    }

    /// 1 where a pixel is brighter than the mean of the square of side `2 * reach + 1` around it by more than `offset`;
    /// darker where `isDark`. Squares are cut off at the border. `sums` is room for one row.
    package static func standsOut(
        _ source: Plane<UInt8>,
        reach: Int,
        offset: Int,
        isDark: Bool,
        into out: Plane<UInt8>,
        sums: UnsafeMutablePointer<Int32>
    ) {
        let (width, height) = (source.width, source.height)
        sums.update(repeating: 0, count: width)
        for y in 0..<min(reach, height) { add(source.row(y), 1, to: sums, width) }
        for y in 0..<height {
            if y + reach < height { add(source.row(y + reach), 1, to: sums, width) }
            if y - reach - 1 >= 0 { add(source.row(y - reach - 1), -1, to: sums, width) }
            let rows = min(height - 1, y + reach) - max(0, y - reach) + 1
            let (pixels, target) = (source.row(y), out.row(y))
            var sum: Int32 = 0
            for x in 0..<min(reach, width) { sum &+= sums[x] }
            for x in 0..<width {
                if x &+ reach < width { sum &+= sums[x &+ reach] }
                if x &- reach &- 1 >= 0 { sum &-= sums[x &- reach &- 1] }
                let count = rows &* (min(width &- 1, x &+ reach) &- max(0, x &- reach) &+ 1)
                let excess = Int(pixels[x]) &* count &- Int(sum)
                target[x] = (isDark ? 0 &- excess : excess) > offset &* count ? 1 : 0
            }
        }
    }

    private static func add(
        _ row: UnsafeMutablePointer<UInt8>,
        _ sign: Int32,
        to sums: UnsafeMutablePointer<Int32>,
        _ count: Int
    ) {
        for x in 0..<count { sums[x] &+= sign &* Int32(row[x]) }
    }

    /// Luma of red, green, blue pixels as `Picture.grey()` has it.
    package static func grey(_ rgb: UnsafePointer<UInt8>, into out: UnsafeMutablePointer<UInt8>, count: Int) {
        pixels_best().pointee.grey(rgb, out, count)
    }

    /// The level from which a pixel is bright: it splits the histogram into the two classes furthest apart (Otsu 1979).
    package static func otsuLevel(_ counts: UnsafePointer<UInt32>) -> UInt8 {
        var (total, weighted) = (0, 0)
        for value in 0..<256 {
            total += Int(counts[value])
            weighted += value * Int(counts[value])
        }
        var (below, belowWeighted) = (0, 0)
        var (best, bestSpread) = (128, -1.0)
        for value in 1..<256 {
            below += Int(counts[value - 1])
            belowWeighted += (value - 1) * Int(counts[value - 1])
            guard below > 0, below < total else { continue }
            let means =
                Double(belowWeighted) / Double(below) - Double(weighted - belowWeighted) / Double(total - below)
            let spread = Double(below) * Double(total - below) * means * means
            if spread > bestSpread { (best, bestSpread) = (value, spread) }
        }
        return UInt8(best)
    }
}
