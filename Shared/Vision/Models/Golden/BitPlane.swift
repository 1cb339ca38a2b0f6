import CPixels

/// A two-level picture, one bit a pixel: bit `x % 64` of word `x / 64` of a row. Bits beyond the width are 0.
package struct BitPlane: Sendable {
    package let width: Int
    package let height: Int
    /// Words of a row.
    let stride: Int
    let words: [UInt64]

    /// `bits` has a byte, 0 or 1, for each pixel.
    package init(_ bits: [UInt8], width: Int, height: Int) {
        precondition(bits.count == width * height)
        self.width = width
        self.height = height
        let stride = (width + 63) / 64
        self.stride = stride
        let loops = pixels_best().pointee
        words = [UInt64](unsafeUninitializedCapacity: stride * height) { words, initialised in
            bits.withUnsafeBufferPointer { bits in
                guard let from = bits.baseAddress, let to = words.baseAddress else { return }
                for y in 0..<height { loops.bits(from + y * width, width, 1, to + y * stride) }
            }
            initialised = stride * height
        }
    }

    /// The smallest box around the pixels that are set; nil where none is.
    var bounds: (left: Int, top: Int, right: Int, bottom: Int)? {
        func isSet(_ row: Int) -> Bool { words[row * stride..<(row + 1) * stride].contains { $0 != 0 } }
        guard let top = (0..<height).first(where: isSet), let last = (0..<height).last(where: isSet) else { return nil }
        var columns = [UInt64](repeating: 0, count: stride)
        for at in words.indices { columns[at % stride] |= words[at] }
        let left = columns.indices.first { columns[$0] != 0 }.map { $0 * 64 + columns[$0].trailingZeroBitCount } ?? 0
        let right =
            columns.indices.last { columns[$0] != 0 }.map { $0 * 64 + 64 - columns[$0].leadingZeroBitCount } ?? 0
        return (left, top, right, last + 1)
    }

    /// Pixels of each tile of `ShiftField` that differ from the one to the right or below.
    func edgesOfTiles() -> [UInt32] {
        let tile = ShiftField.tile
        let columns = (width + tile - 1) / tile
        let last = stride - 1
        return words.withUnsafeBufferPointer { words in
            var edges: [UInt32] = []
            edges.reserveCapacity(columns * ((height + tile - 1) / tile))
            // The bits set in each byte of a column of words.
            var sums = [UInt64](repeating: 0, count: stride)
            for top in Swift.stride(from: 0, to: height, by: tile) {
                sums.withUnsafeMutableBufferPointer { sums in
                    sums.update(repeating: 0)
                    for y in top..<min(top + tile, height) {
                        let (here, below) = (y &* stride, min(y &+ 1, height &- 1) &* stride)
                        for column in 0..<last {
                            let word = words[here &+ column]
                            let next = word >> 1 | words[here &+ column &+ 1] << 63
                            sums[column] &+= Self.bitsOfBytes((word ^ next) | (word ^ words[below &+ column]))
                        }
                        let word = words[here &+ last]
                        let next = word >> 1 | word & (1 << 63)
                        sums[last] &+= Self.bitsOfBytes((word ^ next) | (word ^ words[below &+ last]))
                    }
                }
                for column in 0..<columns {
                    let pair = sums[column / 4] >> UInt64(16 * (column % 4))
                    edges.append(UInt32((pair & 0xFF) + (pair >> 8 & 0xFF)))
                }
            }
            return edges
        }
    }

    /// Bits set in each byte.
    @inline(__always)
    private static func bitsOfBytes(_ word: UInt64) -> UInt64 {
        let pairs = word &- ((word >> 1) & 0x5555_5555_5555_5555)
        let nibbles = (pairs & 0x3333_3333_3333_3333) &+ ((pairs >> 2) & 0x3333_3333_3333_3333)
        return (nibbles &+ (nibbles >> 4)) & 0x0F0F_0F0F_0F0F_0F0F
    }
}
