/// A place that a model marks, in pixels of its output.
struct NeuralPatch: Equatable, Sendable {
    let index: Int
    /// Highest confidence or map value of the place.
    let peak: Double
    /// `right` and `bottom` are one past the last pixel.
    let left: Int
    let top: Int
    let right: Int
    let bottom: Int
    /// Pixels.
    let area: Int
}

/// Reads outputs that say something of each pixel.
struct NeuralMasks: Sendable {
    /// Most runs of pixels in one mask.
    static let maxRuns = 1 << 18

    let classes: NeuralClasses
    let activation: NeuralActivation

    /// Marked places of classes that are not good, and the highest score of any pixel of those classes.
    struct Reading {
        var width: Int
        var height: Int
        var patches: [NeuralPatch]
        var score: Double
    }

    /// Map of one value a pixel: `[1, 1, height, width]`, `[1, height, width]` or `[1, height, width, 1]`; marked from
    /// the threshold of the only class.
    func readMap(_ output: NeuralOutput) throws(NeuralError) -> Reading {
        let sides = output.shape.filter { $0 != 1 }
        guard sides.count == 2, (3...4).contains(output.shape.count) else {
            throw NeuralError("the output's shape is \(output.shape); an anomaly map's is [1, 1, height, width]")
        }
        let threshold = classes.thresholds[0]
        return try reading(width: sides[1], height: sides[0]) { pixel in
            (0, Double(output.values[pixel]), Double(output.values[pixel]) >= threshold)
        }
    }

    /// Classes of each pixel: `[1, classes, height, width]`, or their indices, `[1, height, width]`. A pixel's strongest
    /// class counts where its confidence reaches its threshold.
    func readClasses(_ output: NeuralOutput) throws(NeuralError) -> Reading {
        let (shape, values, count) = (output.shape, output.values, classes.names.count)
        if shape.count == 3, shape[0] == 1 {
            for value in values where !(value >= 0 && value < Float(count)) {
                throw NeuralError("the output has the class \(value); the recipe names \(count) classes, from 0")
            }
            return try reading(width: shape[2], height: shape[1]) { pixel in
                let index = Int(values[pixel])
                return (index, 1, !classes.isGood[index])
            }
        }
        guard shape.count == 4, shape[0] == 1, shape[1] == count else {
            throw NeuralError("the output's shape is \(shape); \(count) classes expect [1, \(count), height, width]")
        }
        let pixels = shape[2] * shape[3]
        return try withUnsafeTemporaryAllocation(of: Double.self, capacity: count) { confidences throws(NeuralError) in
            try reading(width: shape[3], height: shape[2]) { pixel in
                activation.apply(values, start: pixel, step: pixels, to: confidences)
                var best = 0
                for index in confidences.indices where confidences[index] > confidences[best] { best = index }
                let confidence = confidences[best]
                return (best, confidence, confidence >= classes.thresholds[best])
            }
        }
    }

    /// `read` tells of each pixel its class, how strongly, and whether it is marked.
    private func reading(
        width: Int,
        height: Int,
        _ read: (Int) -> (index: Int, value: Double, isMarked: Bool)
    ) throws(NeuralError) -> Reading {
        var marks = [UInt8](repeating: 0, count: width)
        var runs: [Run] = []
        var score = 0.0
        for y in 0..<height {
            for x in 0..<width {
                let (index, value, isMarked) = read(y * width + x)
                let isGood = classes.isGood[index]
                if !isGood { score = max(score, classes.score(value, of: index)) }
                marks[x] = isMarked && !isGood ? UInt8(index + 1) : 0
            }
            marks.withUnsafeBufferPointer { Blobs.appendRuns(of: $0, y: y, to: &runs) }
            guard runs.count <= Self.maxRuns else {
                throw NeuralError("the output marks more than \(Self.maxRuns) runs of pixels: raise the threshold")
            }
        }
        let patches = Blobs.joined(runs).map { blob in
            var peak = -Double.infinity
            for run in blob.runs {
                for x in run.start..<run.end { peak = max(peak, read(run.y * width + x).value) }
            }
            return NeuralPatch(
                index: Int(blob.kind) - 1,
                peak: peak,
                left: blob.left,
                top: blob.top,
                right: blob.right,
                bottom: blob.bottom,
                area: blob.area
            )
        }
        return Reading(width: width, height: height, patches: patches, score: score)
    }
}
