import CPixels
import SeededRandom
import Testing

/// Each variant of the loops in CPixels against the plainest way to write the same thing, bit for bit (M20). Where the
/// processor has no wider vectors both variants are the same.
@Suite struct PixelVariantsTests {
    private let variants = [pixels_plain().pointee, pixels_best().pointee]

    private func bytes(_ count: Int, _ generator: inout SplitMix64) -> [UInt8] {
        (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
    }

    private func name(_ set: PixelLoopSet) -> String { String(cString: set.name) }

    @Test(arguments: 0..<40) func greyIsLuma_M20(seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        let count = Int.random(in: 0...300, using: &generator)
        let rgb = bytes(3 * count, &generator)
        let expected = (0..<count).map { at -> UInt8 in
            let (red, green, blue) = (Int(rgb[3 * at]), Int(rgb[3 * at + 1]), Int(rgb[3 * at + 2]))
            return UInt8((77 * red + 150 * green + 29 * blue + 128) / 256)
        }
        for set in variants {
            var out = [UInt8](repeating: 0, count: count)
            set.grey(rgb, &out, count)
            #expect(out == expected, "\(name(set))")
        }
    }

    @Test(arguments: 0..<60) func samplesAreBilinear_M20(seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        let (width, height) = (Int.random(in: 2...90, using: &generator), Int.random(in: 2...90, using: &generator))
        // No byte more than the picture has, so that a read beyond it is one of other memory.
        let pixels = seed % 4 == 0 ? [UInt8](repeating: 255, count: width * height) : bytes(width * height, &generator)
        let count = Int.random(in: 0...60, using: &generator)
        func line(_ size: Int) -> (from: Int64, step: Int64) {
            let limit = (Int64(size - 1) << 32) - 1
            let from = Int64.random(in: 0...limit, using: &generator)
            let to = Int64.random(in: 0...limit, using: &generator)
            return (from, (to - from) / Int64(max(1, count)))
        }
        let (x, y) = (line(width), line(height))
        let expected = (0..<Int64(count)).map { index -> UInt8 in
            let (atX, atY) = (x.from + index * x.step, y.from + index * y.step)
            let (right, down) = (Int(atX >> 25 & 127), Int(atY >> 25 & 127))
            let place = Int(atY >> 32) * width + Int(atX >> 32)
            let (upper, lower) = (place, place + width)
            let above = Int(pixels[upper]) * (128 - right) + Int(pixels[upper + 1]) * right
            let below = Int(pixels[lower]) * (128 - right) + Int(pixels[lower + 1]) * right
            return UInt8((above * (128 - down) + below * down + 8192) / 16384)
        }
        for set in variants {
            var out = [UInt8](repeating: 0, count: count)
            set.sample(pixels, width, PixelPlace(x: x.from, y: y.from), PixelPlace(x: x.step, y: y.step), &out, count)
            #expect(out == expected, "\(name(set))")
        }
    }

    @Test(arguments: 0..<40) func differencesAndBitsAreCounted_M20(seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        let count = Int.random(in: 0...300, using: &generator)
        let (left, right) = (bytes(count, &generator), bytes(count, &generator))
        let level = UInt8.random(in: 0...255, using: &generator)
        let difference = zip(left, right).reduce(0) { $0 + abs(Int($1.0) - Int($1.1)) }
        var words = [UInt64](repeating: 0, count: (count + 63) / 64)
        for at in 0..<count where left[at] >= level { words[at / 64] |= 1 << UInt64(at % 64) }
        for set in variants {
            #expect(set.difference(left, right, count) == UInt32(difference), "\(name(set))")
            var out = [UInt64](repeating: 0, count: words.count)
            set.bits(left, count, level, &out)
            #expect(out == words, "\(name(set))")
        }
    }

    @Test(arguments: 0..<60) func differingBitsAreCountedByTile_M20(seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        let stride = Int.random(in: 5...9, using: &generator)
        let rows = Int.random(in: 0...16, using: &generator)
        let shift = Int.random(in: 0...63, using: &generator)
        func words(_ count: Int) -> [UInt64] {
            (0..<count).map { _ in seed % 4 == 0 ? .max : UInt64.random(in: 0 ... .max, using: &generator) }
        }
        let (part, known) = (words(16 * stride), words(4))
        let golden = seed % 4 == 0 ? [UInt64](repeating: 0, count: 16 * stride) : words(16 * stride)
        var expected = [UInt16](repeating: 0, count: 16)
        for y in 0..<rows {
            for x in 0..<256 {
                let from = 64 + x - shift
                let moved = golden[y * stride + from / 64] >> UInt64(from % 64) & 1
                let judged = part[y * stride + x / 64] >> UInt64(x % 64) & 1
                if known[x / 64] >> UInt64(x % 64) & 1 == 1, moved != judged { expected[x / 16] += 1 }
            }
        }
        for set in variants {
            var counts = [UInt16](repeating: 7, count: 16)
            golden.withUnsafeBufferPointer { golden in
                guard let base = golden.baseAddress else { return }
                set.differing(part, stride, base + 1, stride, UInt32(shift), known, rows, &counts)
            }
            #expect(counts == expected, "\(name(set))")
        }
    }
}
