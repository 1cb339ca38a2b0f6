/// The middle lines of what is narrow on a board: gaps between conductors, and conductors. An edge tolerance that
/// reaches across leaves nothing of them to compare, so that a closed gap or a cut conductor would pass.
struct NarrowPlaces: Sendable {
    /// Pixels each way within which a narrow place passes into a wider one and is none: the corners of any shape.
    private static let corner = 3

    /// For each half-width, from 1, the indices of the middle pixels.
    private let brights: [[Int]]
    private let darks: [[Int]]

    /// `deepest` is the largest edge tolerance that is used.
    init(_ board: BoardJudge, deepest: Int) {
        let isBright = board.settings.copper == .bright
        let copper = Self.middles(of: board.copperPlane.words, board.copperPlane, deepest)
        let ground = Self.middles(of: board.copperPlane.inverted, board.copperPlane, deepest)
        (brights, darks) = isBright ? (copper, ground) : (ground, copper)
    }

    /// Middle pixels of what is bright and so narrow that a tolerance of `reach` pixels covers it.
    func bright(_ reach: Int) -> [Int] { Array(brights.prefix(reach - 1).joined()) }
    func dark(_ reach: Int) -> [Int] { Array(darks.prefix(reach - 1).joined()) }

    private static func middles(of words: [UInt64], _ plane: BitPlane, _ deepest: Int) -> [[Int]] {
        guard deepest > 1 else { return [] }
        var found: [[Int]] = []
        var core = plane.eroded(words)
        for _ in 1..<deepest {
            let next = plane.eroded(core)
            var wide = next
            for _ in 0..<corner { wide = plane.dilated(wide) }
            var places: [Int] = []
            for at in core.indices {
                var left = core[at] & ~wide[at]
                while left != 0 {
                    let x = at % plane.stride * 64 + left.trailingZeroBitCount
                    places.append(at / plane.stride * plane.width + x)
                    left &= left - 1
                }
            }
            found.append(places)
            core = next
        }
        return found
    }
}

extension BitPlane {
    /// 1 where the plane is 0, within its width.
    var inverted: [UInt64] {
        let rest = width % 64
        return words.indices.map { at in
            let isLast = rest > 0 && at % stride == stride - 1
            return ~words[at] & (isLast ? (1 << UInt64(rest)) - 1 : .max)
        }
    }

    /// Pixels all of whose eight neighbours are set; what lies beyond the border counts as set.
    func eroded(_ words: [UInt64]) -> [UInt64] { near(words, beyond: .max) { $0 & $1 } }

    /// Pixels one of whose eight neighbours is set.
    func dilated(_ words: [UInt64]) -> [UInt64] { near(words, beyond: 0) { $0 | $1 } }

    @inline(__always)
    private func near(_ words: [UInt64], beyond: UInt64, _ join: (UInt64, UInt64) -> UInt64) -> [UInt64] {
        let (stride, last) = (stride, stride - 1)
        let valid: UInt64 = width % 64 > 0 ? (1 << UInt64(width % 64)) - 1 : .max
        let outside = beyond & ~valid
        var across = words
        words.withUnsafeBufferPointer { words in
            across.withUnsafeMutableBufferPointer { across in
                for row in Swift.stride(from: 0, to: words.count, by: stride) {
                    var (left, word) = (beyond, words[row])
                    for column in 0..<last {
                        let right = words[row &+ column &+ 1] | (column == last - 1 ? outside : 0)
                        across[row &+ column] = join(word, join(word << 1 | left >> 63, word >> 1 | right << 63))
                        (left, word) = (word, right)
                    }
                    word |= outside
                    across[row &+ last] = join(word, join(word << 1 | left >> 63, word >> 1 | beyond << 63)) & valid
                }
            }
        }
        return [UInt64](unsafeUninitializedCapacity: words.count) { out, initialised in
            across.withUnsafeBufferPointer { across in
                for y in 0..<height {
                    let (here, above) = (y &* stride, max(0, y &- 1) &* stride)
                    let below = min(height &- 1, y &+ 1) &* stride
                    for x in 0..<stride {
                        out[here &+ x] = join(across[here &+ x], join(across[above &+ x], across[below &+ x]))
                    }
                }
            }
            initialised = words.count
        }
    }
}
