/// Weights by which a line of samples becomes a line of another length. Integers, so that the same samples give the
/// same bits everywhere.
struct Resampling: Sendable {
    enum Method: String, CaseIterable, Sendable {
        /// Between the two nearest samples, sample centres at half steps (as OpenCV's INTER_LINEAR).
        case bilinear
        /// The mean over the place that a sample comes to lie on (as OpenCV's INTER_AREA); bilinear where it enlarges.
        case area
    }

    /// Weights are of 14 bits; those of one sample add up to exactly one.
    static let one: Int32 = 1 << 14

    /// First source sample of each sample.
    let starts: [Int32]
    /// Where the weights of each sample begin, and one past the last.
    let offsets: [Int32]
    let weights: [Int32]

    init(from source: Int, to count: Int, _ method: Method) {
        let step = Double(source) / Double(count)
        var starts: [Int32] = []
        var offsets: [Int32] = [0]
        var weights: [Int32] = []
        for index in 0..<count {
            let (start, shares) =
                method == .area && step > 1
                ? Self.covered(from: Double(index) * step, to: Double(index + 1) * step, source)
                : Self.between((Double(index) + 0.5) * step - 0.5, source)
            starts.append(Int32(start))
            weights += Self.integers(shares)
            offsets.append(Int32(weights.count))
        }
        (self.starts, self.offsets, self.weights) = (starts, offsets, weights)
    }

    private static func between(_ position: Double, _ source: Int) -> (Int, [Double]) {
        let position = max(0, min(Double(source - 1), position))
        let start = Int(position)
        let fraction = position - Double(start)
        return fraction == 0 ? (start, [1]) : (start, [1 - fraction, fraction])
    }

    private static func covered(from low: Double, to high: Double, _ source: Int) -> (Int, [Double]) {
        let start = Int(low)
        let end = max(start + 1, min(source, Int(high.rounded(.up))))
        let shares = (start..<end).map { max(0, min(high, Double($0 + 1)) - max(low, Double($0))) }
        let sum = shares.reduce(0, +)
        return (start, shares.map { $0 / sum })
    }

    /// Each share and all before it rounded, so that the sum is exactly one.
    private static func integers(_ shares: [Double]) -> [Int32] {
        var sum = 0.0
        var given: Int32 = 0
        var weights: [Int32] = []
        for (index, share) in shares.enumerated() {
            sum += share
            let upTo = index == shares.count - 1 ? one : Int32((sum * Double(one)).rounded())
            weights.append(upTo - given)
            given = upTo
        }
        return weights
    }
}

/// Brings pictures of one size to another.
struct PictureResizing: Sendable {
    let width: Int
    let height: Int
    private let sourceWidth: Int
    private let sourceHeight: Int
    private let columns: Resampling
    private let rows: Resampling

    init(of picture: Picture, to width: Int, _ height: Int, _ method: Resampling.Method) {
        (sourceWidth, sourceHeight) = (picture.width, picture.height)
        (self.width, self.height) = (width, height)
        columns = Resampling(from: picture.width, to: width, method)
        rows = Resampling(from: picture.height, to: height, method)
    }

    func isFor(_ picture: Picture) -> Bool { picture.width == sourceWidth && picture.height == sourceHeight }

    /// Hands out each line of the resized picture: its index and its pixels, in the picture's channels.
    func each(of picture: Picture, _ line: (Int, UnsafeBufferPointer<UInt8>) -> Void) {
        precondition(isFor(picture))
        let (channels, length) = (picture.channels, picture.width * picture.channels)
        withUnsafeTemporaryAllocation(of: Int32.self, capacity: length) { sums in
            withUnsafeTemporaryAllocation(of: UInt8.self, capacity: width * channels) { out in
                picture.pixels.withUnsafeBufferPointer { pixels in
                    for y in 0..<height {
                        sumRows(pixels, y, length, sums)
                        sumColumns(sums, channels, out)
                        line(y, UnsafeBufferPointer(out))
                    }
                }
            }
        }
    }

    /// Source lines added up with the weights of line `y`; 14 bits after the point.
    private func sumRows(
        _ pixels: UnsafeBufferPointer<UInt8>,
        _ y: Int,
        _ length: Int,
        _ sums: UnsafeMutableBufferPointer<Int32>
    ) {
        let (first, last) = (Int(rows.offsets[y]), Int(rows.offsets[y + 1]))
        for tap in first..<last {
            let weight = rows.weights[tap]
            let start = (Int(rows.starts[y]) + tap - first) * length
            if tap == first {
                for index in 0..<length { sums[index] = Int32(pixels[start + index]) &* weight }
            } else {
                for index in 0..<length { sums[index] &+= Int32(pixels[start + index]) &* weight }
            }
        }
    }

    /// Columns added up with their weights and rounded to levels.
    private func sumColumns(
        _ sums: UnsafeMutableBufferPointer<Int32>,
        _ channels: Int,
        _ out: UnsafeMutableBufferPointer<UInt8>
    ) {
        columns.weights.withUnsafeBufferPointer { weights in
            for x in 0..<width {
                let (first, last) = (Int(columns.offsets[x]), Int(columns.offsets[x + 1]))
                let start = Int(columns.starts[x]) * channels
                for channel in 0..<channels {
                    var sum: Int32 = 1 << 21
                    for tap in first..<last {
                        sum &+= (sums[start + (tap - first) * channels + channel] >> 6) &* weights[tap]
                    }
                    out[x * channels + channel] = UInt8(truncatingIfNeeded: sum >> 22)
                }
            }
        }
    }
}
