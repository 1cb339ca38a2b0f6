/// A two-level picture, one bit a pixel: bit `x % 64` of word `x / 64` of a row. Bits beyond the width are 0.
struct BitPlane: Sendable {
    let width: Int
    let height: Int
    /// Words of a row.
    let stride: Int
    let words: [UInt64]

    /// `bits` has a byte, 0 or 1, for each pixel.
    init(_ bits: [UInt8], width: Int, height: Int) {
        precondition(bits.count == width * height)
        self.width = width
        self.height = height
        let stride = (width + 63) / 64
        self.stride = stride
        words = [UInt64](unsafeUninitializedCapacity: stride * height) { words, initialised in
            bits.withUnsafeBytes { bits in
                for y in 0..<height {
                    for column in 0..<stride {
                        let first = column * 64
                        words[y * stride + column] = Self.word(bits, y * width + first, min(64, width - first))
                    }
                }
            }
            initialised = stride * height
        }
    }

    /// Packs `count` bytes from `start`, eight at a time by a multiplication that moves their low bits side by side.
    private static func word(_ bits: UnsafeRawBufferPointer, _ start: Int, _ count: Int) -> UInt64 {
        var word: UInt64 = 0
        var at = 0
        while at + 8 <= count {
            let bytes = UInt64(littleEndian: bits.loadUnaligned(fromByteOffset: start &+ at, as: UInt64.self))
            word |= ((bytes &* 0x0102_0408_1020_4080) >> 56) << UInt64(at)
            at += 8
        }
        while at < count {
            word |= UInt64(bits[start + at]) << UInt64(at)
            at += 1
        }
        return word
    }

    /// One row of a plane of the width, in which the pixels `from..<to` are set.
    static func row(from: Int, to: Int, of width: Int) -> [UInt64] {
        BitPlane((0..<width).map { $0 >= from && $0 < to ? 1 : 0 }, width: width, height: 1).words
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
        var edges = [UInt32](repeating: 0, count: columns * ((height + tile - 1) / tile))
        for y in 0..<height {
            for column in 0..<stride {
                let at = y * stride + column
                let word = words[at]
                let next = column + 1 < stride ? words[at + 1] << 63 : word & (1 << 63)
                let below = y + 1 < height ? words[at + stride] : word
                var differ = (word ^ (word >> 1 | next)) | (word ^ below)
                for tile in column * 4..<min(column * 4 + 4, columns) {
                    edges[y / ShiftField.tile * columns + tile] += UInt32((differ & 0xFFFF).nonzeroBitCount)
                    differ >>= 16
                }
            }
        }
        return edges
    }

    /// The plane moved right by `dx` (left where negative); 0 comes in.
    func moved(right dx: Int) -> [UInt64] {
        [UInt64](unsafeUninitializedCapacity: words.count) { out, initialised in
            words.withUnsafeBufferPointer { words in
                let step = dx >> 6
                let bits = UInt64(dx & 63)
                for row in Swift.stride(from: 0, to: words.count, by: stride) {
                    for column in 0..<stride {
                        let (here, left) = (column - step, column - step - 1)
                        var word = here >= 0 && here < stride ? words[row &+ here] << bits : 0
                        if bits > 0, left >= 0, left < stride { word |= words[row &+ left] >> (64 - bits) }
                        out[row &+ column] = word
                    }
                }
            }
            initialised = words.count
        }
    }
}
