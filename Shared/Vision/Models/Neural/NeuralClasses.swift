import Glibc

/// The classes of a model and from which confidence on each is reported.
struct NeuralClasses: Sendable {
    let names: [String]
    /// Whether a class is how a good part looks, by index.
    let isGood: [Bool]
    /// Confidence from which a class counts, by index; the limit of the score.
    let thresholds: [Double]

    /// How sure the model is in units of the class's threshold; 1 is the limit.
    func score(_ confidence: Double, of index: Int) -> Double { confidence / thresholds[index] }
}

/// How an output's numbers become confidences.
enum NeuralActivation: String, CaseIterable, Sendable {
    /// They are confidences already.
    case none
    /// Logits of classes that exclude each other.
    case softmax
    /// Logits of classes that do not.
    case sigmoid
}

/// Something that a model found, in pixels of its input.
struct NeuralObject: Equatable, Sendable {
    let index: Int
    let confidence: Double
    let left: Double
    let top: Double
    let right: Double
    let bottom: Double

    var area: Double { max(0, right - left) * max(0, bottom - top) }

    /// Intersection over union.
    func overlap(_ other: NeuralObject) -> Double {
        let width = min(right, other.right) - max(left, other.left)
        let height = min(bottom, other.bottom) - max(top, other.top)
        guard width > 0, height > 0 else { return 0 }
        let common = width * height
        return common / (area + other.area - common)
    }
}

extension NeuralActivation {
    /// The confidences of classes whose numbers lie `step` apart from `start`, into `confidences`.
    func apply(
        _ values: UnsafeBufferPointer<Float>,
        start: Int,
        step: Int,
        to confidences: UnsafeMutableBufferPointer<Double>
    ) {
        switch self {
        case .none:
            for index in confidences.indices { confidences[index] = Double(values[start + index * step]) }
        case .sigmoid:
            for index in confidences.indices {
                confidences[index] = 1 / (1 + exp(-Double(values[start + index * step])))
            }
        case .softmax:
            var highest = -Float.infinity
            for index in confidences.indices { highest = max(highest, values[start + index * step]) }
            var sum = 0.0
            for index in confidences.indices {
                confidences[index] = exp(Double(values[start + index * step] - highest))
                sum += confidences[index]
            }
            for index in confidences.indices { confidences[index] /= sum }
        }
    }
}
