import CPixels

/// Counts, tile by tile, the pixels in which a part differs from a template that is moved.
struct TileDifferences {
    /// Tiles that are counted at once: four words of a row.
    static let block = 16
    private static let blockWords = 4

    /// Blocks of a row of tiles; what of the last lies beyond the picture counts nothing.
    let blocks: Int
    /// Farthest step each way.
    let reach: Int
    private let loops = pixels_best().pointee
    private let whole: Shift
    private let height: Int
    private let frame: PixelWindow
    /// Words of zeros to the left of each row, and at least as many to the right: so far a row can be moved.
    private let margin: Int
    private let stride: Int
    private let part: UnsafeMutablePointer<UInt64>
    private let template: UnsafeMutablePointer<UInt64>
    /// For each step to the side a row of bits: where both pictures are known.
    private let known: UnsafeMutablePointer<UInt64>

    /// Steps are from `whole` on. Pixels outside `frame`, or which the step moves out of the template, count nothing.
    init(
        _ part: BitPlane,
        _ template: BitPlane,
        near whole: Shift,
        reach: Int,
        within frame: PixelWindow,
        _ scratch: Scratch
    ) {
        (self.whole, self.reach, self.frame, height) = (whole, reach, frame, part.height)
        blocks = (part.stride + Self.blockWords - 1) / Self.blockWords
        margin = (abs(whole.dx) + reach) / 64 + 2
        stride = blocks * Self.blockWords + 2 * margin
        self.part = Self.padded(part, margin, stride, scratch)
        self.template = Self.padded(template, margin, stride, scratch)
        known = scratch.take(UInt64.self, (2 * reach + 1) * stride)
        for dx in -reach...reach {
            let moved = whole.dx + dx
            let (left, right) = (max(frame.left, moved), min(frame.right, part.width + moved))
            for word in 0..<stride {
                let first = (word - margin) * 64
                known[(dx + reach) * stride + word] = Self.ones(from: left - first, to: right - first)
            }
        }
    }

    private static func padded(
        _ plane: BitPlane,
        _ margin: Int,
        _ stride: Int,
        _ scratch: Scratch
    ) -> UnsafeMutablePointer<UInt64> {
        let padded = scratch.take(UInt64.self, stride * plane.height)
        plane.words.withUnsafeBufferPointer { words in
            guard let base = words.baseAddress else { return }
            for y in 0..<plane.height {
                let row = padded + y * stride
                row.update(repeating: 0, count: margin)
                (row + margin).update(from: base + y * plane.stride, count: plane.stride)
                (row + margin + plane.stride).update(repeating: 0, count: stride - margin - plane.stride)
            }
        }
        return padded
    }

    /// A word with the bits `from..<to` set, as far as it has them.
    private static func ones(from: Int, to: Int) -> UInt64 {
        let (from, to) = (min(max(0, from), 64), min(max(0, to), 64))
        return to > from ? (~0 << UInt64(from)) & (~0 >> UInt64(64 - to)) : 0
    }

    /// Counts of the sixteen tiles of a block in a row of tiles.
    @inline(__always)
    func count(_ step: Shift, row: Int, block: Int, into counts: UnsafeMutablePointer<UInt16>) {
        let (dx, dy) = (whole.dx &+ step.dx, whole.dy &+ step.dy)
        let top = row &* ShiftField.tile
        let first = max(top, frame.top, dy)
        let last = min(top &+ ShiftField.tile, frame.bottom, height &+ dy)
        guard first < last else {
            counts.update(repeating: 0, count: Self.block)
            return
        }
        let word = margin &+ block &* Self.blockWords
        loops.differing(
            part + (first &* stride &+ word),
            stride,
            template + ((first &- dy) &* stride &+ word &- (dx >> 6)),
            stride,
            UInt32(truncatingIfNeeded: dx & 63),
            known + ((step.dx &+ reach) &* stride &+ word),
            last &- first,
            counts
        )
    }
}
