import SeededRandom
import Testing
import Vision

/// Each loop against the plainest way to write the same thing.
@Suite struct PixelLoopsTests {
    private struct Grid {
        let width: Int
        let height: Int
        var values: [Int]

        /// The nearest pixel's value outside.
        func at(_ x: Int, _ y: Int) -> Int {
            values[min(max(0, y), height - 1) * width + min(max(0, x), width - 1)]
        }

        func map(_ value: (Int, Int) -> Int) -> [Int] {
            (0..<height).flatMap { y in (0..<width).map { value($0, y) } }
        }
    }

    private func grid(_ picture: Picture) -> Grid {
        Grid(width: picture.width, height: picture.height, values: picture.pixels.map(Int.init))
    }

    /// What a loop makes of a picture, in scratch memory that is used again and full of other values.
    private func made(
        _ picture: Picture,
        _ pool: ScratchPool,
        _ loop: (Plane<UInt8>, Plane<UInt8>, Scratch) -> Void
    ) -> [Int] {
        pool.lend { scratch in
            picture.withPlane { source in
                let out = scratch.plane(UInt8.self, source.width, source.height)
                loop(source, out, scratch)
                return (0..<out.height).flatMap { y in (0..<out.width).map { Int(out.row(y)[$0]) } }
            }
        }
    }

    @Test(arguments: 0..<40) func neighbourhoodsAreWhatTheySay(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        let picture = try randomPicture(&generator, channels: 1)
        let grid = grid(picture)
        let pool = ScratchPool()
        let near = (-1...1).flatMap { dy in (-1...1).map { ($0, dy) } }
        let smooth = made(picture, pool) { PixelLoops.smooth($0, into: $1, rows: $2.take(UInt16.self, $0.width)) }
        #expect(
            smooth
                == grid.map { x, y in
                    (near.reduce(8) { $0 + (2 - abs($1.0)) * (2 - abs($1.1)) * grid.at(x + $1.0, y + $1.1) }) >> 4
                }
        )
        let dilated = made(picture, pool) { PixelLoops.dilate($0, into: $1, rows: $2.take(UInt8.self, $0.width)) }
        #expect(dilated == grid.map { x, y in near.map { grid.at(x + $0.0, y + $0.1) }.max() ?? 0 })
        let eroded = made(picture, pool) { PixelLoops.erode($0, into: $1, rows: $2.take(UInt8.self, $0.width)) }
        #expect(eroded == grid.map { x, y in near.map { grid.at(x + $0.0, y + $0.1) }.min() ?? 0 })
        let (reach, offset) = (Int.random(in: 1...9, using: &generator), Int.random(in: 1...30, using: &generator))
        for isDark in [false, true] {
            let local = made(picture, pool) {
                PixelLoops.standsOut(
                    $0,
                    reach: reach,
                    offset: offset,
                    isDark: isDark,
                    into: $1,
                    sums: $2.take(Int32.self, $0.width)
                )
            }
            let expected = grid.map { x, y in
                let (columns, rows) = (
                    max(0, x - reach)...min(grid.width - 1, x + reach),
                    max(0, y - reach)...min(grid.height - 1, y + reach)
                )
                let sum = rows.reduce(0) { total, row in columns.reduce(total) { $0 + grid.at($1, row) } }
                let excess = grid.at(x, y) * columns.count * rows.count - sum
                return (isDark ? -excess : excess) > offset * columns.count * rows.count ? 1 : 0
            }
            #expect(local == expected)
        }
    }

    @Test(arguments: 0..<40) func pixelsAreWhatTheySay(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        let picture = try randomPicture(&generator, channels: 1)
        let other = try Picture(
            width: picture.width,
            height: picture.height,
            channels: 1,
            pixels: picture.pixels.map { _ in UInt8.random(in: 0...255, using: &generator) }
        )
        let (grid, pool) = (grid(picture), ScratchPool())
        let difference = made(picture, pool) { plane, out, _ in
            other.withPlane { PixelLoops.absoluteDifference(plane, $0, into: out) }
        }
        #expect(difference == zip(picture.pixels, other.pixels).map { abs(Int($0) - Int($1)) })
        let level = UInt8.random(in: 0...255, using: &generator)
        let dark = made(picture, pool) { plane, out, _ in
            PixelLoops.threshold(plane, from: level, isDark: true, into: out)
        }
        #expect(dark == picture.pixels.map { $0 < level ? 1 : 0 })
        let halves: [Int] = pool.lend { scratch in
            picture.withPlane { plane in
                let out = scratch.plane(UInt8.self, plane.width / 2, plane.height / 2)
                PixelLoops.halve(plane, into: out)
                return (0..<out.height).flatMap { y in (0..<out.width).map { Int(out.row(y)[$0]) } }
            }
        }
        let expected = (0..<grid.height / 2).flatMap { y in
            (0..<grid.width / 2).map { x in
                (grid.at(2 * x, 2 * y) + grid.at(2 * x + 1, 2 * y) + grid.at(2 * x, 2 * y + 1)
                    + grid.at(2 * x + 1, 2 * y + 1) + 2) / 4
            }
        }
        #expect(halves == expected)
        let counts: [UInt32] = pool.lend { scratch in
            let counts = scratch.take(UInt32.self, 256)
            counts.update(repeating: 0, count: 256)
            picture.withPlane { PixelLoops.histogram($0, into: counts) }
            return (0..<256).map { counts[$0] }
        }
        #expect(counts == (0..<256).map { value in UInt32(grid.values.count { $0 == value }) })
    }

    @Test(arguments: 0..<20) func sobelIsTheSlopeOfAPlane(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        let (right, down) = (Int.random(in: -3...3, using: &generator), Int.random(in: -3...3, using: &generator))
        let pixels = (0..<400).map { UInt8(128 + right * ($0 % 20 - 10) + down * ($0 / 20 - 10)) }
        let picture = try Picture(width: 20, height: 20, channels: 1, pixels: pixels)
        let found: [[Int16]] = ScratchPool().lend { scratch in
            picture.withPlane { plane in
                let (gx, gy) = (scratch.plane(Int16.self, 20, 20), scratch.plane(Int16.self, 20, 20))
                PixelLoops.sobel(plane, gx: gx, gy: gy)
                return (0..<20).flatMap { y in (0..<20).map { [gx.row(y)[$0], gy.row(y)[$0]] } }
            }
        }
        let expected: [[Int16]] = (0..<400).map { place in
            let isRim = [place % 20, place / 20].contains { $0 == 0 || $0 == 19 }
            return isRim ? [0, 0] : [Int16(8 * right), Int16(8 * down)]
        }
        #expect(found == expected)
    }
}
