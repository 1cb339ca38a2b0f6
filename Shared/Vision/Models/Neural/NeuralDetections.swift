/// How a detector writes what it found.
enum DetectionFormat: String, CaseIterable, Sendable {
    /// `[1, 1, N, 7]`: picture, class, confidence, left, top, right, bottom as fractions of the input; ends at the
    /// first negative picture (OpenVINO's DetectionOutput).
    case ssd
    /// `[1, N, 5 + classes]`: centre, width, height in pixels of the input, objectness, classes.
    case yolov5
    /// `[1, 4 + classes, N]`: centre, width, height in pixels of the input, classes (YOLOv8 and v11).
    case yolov8
    /// `[1, N, 6]`: left, top, right, bottom in pixels of the input, confidence, class; repeats left out by the model.
    case yolov10
}

/// Reads detectors' outputs.
struct NeuralDetector: Sendable {
    /// Most candidates that are compared with each other.
    static let maxCandidates = 4_096

    let format: DetectionFormat
    let classes: NeuralClasses
    let activation: NeuralActivation
    /// Intersection over union from which the weaker of two objects of a class is a repeat.
    let overlap: Double

    /// Objects of classes that are not good, strongest first, and the strongest score of all of them, the ones below
    /// the threshold included.
    func read(
        _ output: NeuralOutput,
        width: Int,
        height: Int
    ) throws(NeuralError) -> (objects: [NeuralObject], score: Double) {
        var (candidates, score): ([NeuralObject], Double)
        switch format {
        case .ssd: (candidates, score) = try readSSD(output, width: width, height: height)
        case .yolov10: (candidates, score) = try readRows(output)
        case .yolov5: (candidates, score) = try readCentres(output, count: 1, value: 2, objectness: 1)
        case .yolov8: (candidates, score) = try readCentres(output, count: 2, value: 1, objectness: 0)
        }
        candidates = Self.ranked(candidates).prefix(Self.maxCandidates).map(\.self)
        guard format != .ssd, format != .yolov10 else { return (candidates, score) }
        return (suppressed(candidates), score)
    }

    /// Without what a stronger object of the same class covers.
    private func suppressed(_ ranked: [NeuralObject]) -> [NeuralObject] {
        var kept: [NeuralObject] = []
        for candidate in ranked
        where !kept.contains(where: { $0.index == candidate.index && $0.overlap(candidate) > overlap }) {
            kept.append(candidate)
        }
        return kept
    }

    /// Strongest first; equals by place, so that their order in the output does not matter.
    private static func ranked(_ objects: [NeuralObject]) -> [NeuralObject] {
        objects.sorted { a, b in
            a.confidence != b.confidence
                ? a.confidence > b.confidence : (a.index, a.top, a.left, a.bottom) < (b.index, b.top, b.left, b.bottom)
        }
    }

    private func readSSD(
        _ output: NeuralOutput,
        width: Int,
        height: Int
    ) throws(NeuralError) -> ([NeuralObject], Double) {
        let rows = try rows(of: output, rank: 4, columns: 7)
        let (width, height) = (Double(width), Double(height))
        return try collect(rows) { row in
            guard output.values[7 * row] >= 0 else { return nil }
            let numbers = (1...6).map { Double(output.values[7 * row + $0]) }
            return (
                numbers[0], numbers[1], numbers[2] * width, numbers[3] * height, numbers[4] * width, numbers[5] * height
            )
        }
    }

    private func readRows(_ output: NeuralOutput) throws(NeuralError) -> ([NeuralObject], Double) {
        let rows = try rows(of: output, rank: 3, columns: 6)
        return try collect(rows) { row in
            let numbers = (0...5).map { Double(output.values[6 * row + $0]) }
            return (numbers[5], numbers[4], numbers[0], numbers[1], numbers[2], numbers[3])
        }
    }

    private func rows(of output: NeuralOutput, rank: Int, columns: Int) throws(NeuralError) -> Int {
        guard output.shape.count == rank, output.shape.last == columns, output.shape.dropLast(2).allSatisfy({ $0 == 1 })
        else { throw wrongShape(output, "[\(rank == 4 ? "1, 1" : "1"), N, \(columns)]") }
        return output.shape[rank - 2]
    }

    /// Rows of class, confidence, left, top, right, bottom up to the first nil.
    private func collect(
        _ rows: Int,
        _ row: (Int) -> (Double, Double, Double, Double, Double, Double)?
    ) throws(NeuralError) -> ([NeuralObject], Double) {
        var objects: [NeuralObject] = []
        var score = 0.0
        for index in 0..<rows {
            guard let (kind, confidence, left, top, right, bottom) = row(index) else { break }
            guard kind >= 0, kind < Double(classes.names.count) else {
                throw NeuralError(
                    "the model tells of class \(kind); the recipe names \(classes.names.count) classes, from 0"
                )
            }
            let found = Int(kind)
            guard !classes.isGood[found] else { continue }
            score = max(score, classes.score(confidence, of: found))
            guard confidence >= classes.thresholds[found] else { continue }
            objects.append(
                NeuralObject(index: found, confidence: confidence, left: left, top: top, right: right, bottom: bottom)
            )
        }
        return (objects, score)
    }

    /// Boxes by their centres; `count` and `value` are the dimensions of the objects and of their numbers.
    private func readCentres(
        _ output: NeuralOutput,
        count: Int,
        value: Int,
        objectness: Int
    ) throws(NeuralError) -> ([NeuralObject], Double) {
        let (shape, values) = (output.shape, output.values)
        let first = 4 + objectness
        guard shape.count == 3, shape[0] == 1, shape[value] == first + classes.names.count else {
            let length = "\(first) + \(classes.names.count) classes"
            throw wrongShape(output, value == 1 ? "[1, \(length), N]" : "[1, N, \(length)]")
        }
        let (objectStep, numberStep) = value == 1 ? (1, shape[2]) : (shape[2], 1)
        var objects: [NeuralObject] = []
        var score = 0.0
        withUnsafeTemporaryAllocation(of: Double.self, capacity: classes.names.count) { confidences in
            for object in 0..<shape[count] {
                let start = object * objectStep
                let factor = objectness == 0 ? 1 : Double(values[start + 4 * numberStep])
                activation.apply(values, start: start + first * numberStep, step: numberStep, to: confidences)
                var best = 0
                for index in confidences.indices where confidences[index] > confidences[best] { best = index }
                guard !classes.isGood[best] else { continue }
                let confidence = confidences[best] * factor
                score = max(score, classes.score(confidence, of: best))
                guard confidence >= classes.thresholds[best] else { continue }
                let numbers = (0..<4).map { Double(values[start + $0 * numberStep]) }
                objects.append(
                    NeuralObject(
                        index: best,
                        confidence: confidence,
                        left: numbers[0] - numbers[2] / 2,
                        top: numbers[1] - numbers[3] / 2,
                        right: numbers[0] + numbers[2] / 2,
                        bottom: numbers[1] + numbers[3] / 2
                    )
                )
            }
        }
        return (objects, score)
    }

    private func wrongShape(_ output: NeuralOutput, _ expected: String) -> NeuralError {
        NeuralError("the output's shape is \(output.shape); format \(format.rawValue) expects \(expected)")
    }
}
