/// Found pixels against marked ones, over all pictures together.
package struct PixelScore: Sendable {
    /// Pixels marked and found.
    package private(set) var right = 0
    /// Pixels found but not marked.
    package private(set) var wrong = 0
    /// Pixels marked but not found.
    package private(set) var missed = 0
    /// Pictures.
    package private(set) var pictures = 0

    /// Strengths that agree in sign, exponent and 11 bits after it are not told apart: differences below 0.05 %.
    private static let dropped: UInt32 = 12
    /// Pixels of each strength, marked and not.
    private var marked = [Int](repeating: 0, count: 1 << 19)
    private var unmarked = [Int](repeating: 0, count: 1 << 19)

    package init() {}

    /// Adds one picture; mask and map are of one size.
    package mutating func add(_ map: DefectMap, truth mask: DefectMask) {
        precondition(map.width == mask.width && map.height == mask.height)
        pictures += 1
        for pixel in mask.values.indices {
            let strength = max(0, map.strength[pixel])
            let bin = Int((strength.bitPattern & 0x7FFF_FFFF) >> Self.dropped)
            if mask.values[pixel] > 0 {
                marked[bin] += 1
                if map.found[pixel] { right += 1 } else { missed += 1 }
            } else {
                unmarked[bin] += 1
                if map.found[pixel] { wrong += 1 }
            }
        }
    }

    /// Intersection over union of found and marked pixels; nil where there are neither.
    package var intersectionOverUnion: Double? { Self.share(right, of: right + wrong + missed) }
    /// Share of the found pixels that is marked; nil where none was found.
    package var precision: Double? { Self.share(right, of: right + wrong) }
    /// Share of the marked pixels that was found; nil where none is marked.
    package var recall: Double? { Self.share(right, of: right + missed) }
    /// Harmonic mean of precision and recall (Dice's coefficient); nil where nothing is marked or found.
    package var f: Double? { Self.share(2 * right, of: 2 * right + wrong + missed) }

    private static func share(_ part: Int, of whole: Int) -> Double? {
        whole > 0 ? Double(part) / Double(whole) : nil
    }

    /// Area under the receiver operating characteristic of the strengths, equal ones counting half; nil where either
    /// kind of pixel is missing.
    package var auroc: Double? {
        let (positives, negatives) = (right + missed, unmarked.reduce(0, +))
        guard positives > 0, negatives > 0 else { return nil }
        var (below, sum) = (0, 0.0)
        for bin in marked.indices where marked[bin] + unmarked[bin] > 0 {
            sum += Double(marked[bin]) * (Double(below) + Double(unmarked[bin]) / 2)
            below += unmarked[bin]
        }
        return sum / (Double(positives) * Double(negatives))
    }

    /// Mean over the marked pixels of the precision at their strength, no interpolation; nil where none is marked.
    package var averagePrecision: Double? {
        let positives = right + missed
        guard positives > 0 else { return nil }
        var (marks, found, sum) = (0, 0, 0.0)
        for bin in marked.indices.reversed() where marked[bin] + unmarked[bin] > 0 {
            marks += marked[bin]
            found += marked[bin] + unmarked[bin]
            sum += Double(marked[bin]) * Double(marks) / Double(found)
        }
        return sum / Double(positives)
    }
}
