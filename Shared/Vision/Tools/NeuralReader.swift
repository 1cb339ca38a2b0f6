/// Reads one kind of output.
enum NeuralReader: Sendable {
    case classification(NeuralClasses, NeuralActivation)
    case detection(NeuralDetector)
    /// `minArea` is in pixels of the picture.
    case segmentation(NeuralMasks, minArea: Int)
    case anomalyMap(NeuralMasks, minArea: Int)

    /// What the output says of the part that `placement` put into an input of `width` x `height`.
    func read(
        _ output: NeuralOutput,
        _ input: PictureInput,
        _ placement: InputPlacement
    ) throws(NeuralError) -> ToolResult {
        for value in output.values where !value.isFinite {
            throw NeuralError("the output holds \(value): the model does not take such a picture, or is damaged")
        }
        switch self {
        case .classification(let classes, let activation):
            return try Self.classify(output, classes, activation, placement)
        case .detection(let detector):
            return try Self.detect(output, detector, input, placement)
        case .segmentation(let masks, let minArea):
            return Self.result(try masks.readClasses(output), masks.classes, minArea, input, placement)
        case .anomalyMap(let masks, let minArea):
            return Self.result(try masks.readMap(output), masks.classes, minArea, input, placement)
        }
    }

    private static func classify(
        _ output: NeuralOutput,
        _ classes: NeuralClasses,
        _ activation: NeuralActivation,
        _ placement: InputPlacement
    ) throws(NeuralError) -> ToolResult {
        let count = classes.names.count
        guard output.values.count == count else {
            throw NeuralError("the output's shape is \(output.shape); the recipe names \(count) classes")
        }
        return withUnsafeTemporaryAllocation(of: Double.self, capacity: count) { confidences in
            activation.apply(output.values, start: 0, step: 1, to: confidences)
            var (best, worst) = (0, -1)
            var score = 0.0
            for index in 0..<count {
                if confidences[index] > confidences[best] { best = index }
                guard !classes.isGood[index] else { continue }
                let own = classes.score(confidences[index], of: index)
                if worst < 0 || own > score { (worst, score) = (index, own) }
            }
            let whole = placement.whole
            let defect = FoundDefect(
                category: DefectCategory(rawValue: classes.names[max(0, worst)]),
                x: whole.x,
                y: whole.y,
                width: whole.width,
                height: whole.height,
                area: whole.width * whole.height,
                score: score
            )
            let feature = Feature(
                name: "class",
                value: confidences[best],
                unit: "C62",
                text: classes.names[best],
                conforms: score < 1
            )
            return ToolResult(score: max(0, score), defects: score >= 1 ? [defect] : [], features: [feature])
        }
    }

    private static func detect(
        _ output: NeuralOutput,
        _ detector: NeuralDetector,
        _ input: PictureInput,
        _ placement: InputPlacement
    ) throws(NeuralError) -> ToolResult {
        let (objects, score) = try detector.read(output, width: input.width, height: input.height)
        let defects = objects.compactMap { object -> FoundDefect? in
            placement.onPicture(left: object.left, top: object.top, right: object.right, bottom: object.bottom).map {
                FoundDefect(
                    category: DefectCategory(rawValue: detector.classes.names[object.index]),
                    x: $0.x,
                    y: $0.y,
                    width: $0.width,
                    height: $0.height,
                    area: $0.width * $0.height,
                    score: detector.classes.score(object.confidence, of: object.index)
                )
            }
        }
        return ToolResult(score: limited(score, defects), defects: defects)
    }

    private static func result(
        _ reading: NeuralMasks.Reading,
        _ classes: NeuralClasses,
        _ minArea: Int,
        _ input: PictureInput,
        _ placement: InputPlacement
    ) -> ToolResult {
        let x = Double(input.width) / Double(reading.width)
        let y = Double(input.height) / Double(reading.height)
        let pixelArea = placement.pictureArea * x * y
        let defects = reading.patches.compactMap { patch -> FoundDefect? in
            let area = Int((Double(patch.area) * pixelArea).rounded())
            let box = placement.onPicture(
                left: Double(patch.left) * x,
                top: Double(patch.top) * y,
                right: Double(patch.right) * x,
                bottom: Double(patch.bottom) * y
            )
            guard area >= minArea, let box else { return nil }
            return FoundDefect(
                category: DefectCategory(rawValue: classes.names[patch.index]),
                x: box.x,
                y: box.y,
                width: box.width,
                height: box.height,
                area: max(1, min(area, box.width * box.height)),
                score: classes.score(patch.peak, of: patch.index)
            )
        }
        return ToolResult(score: limited(reading.score, defects), defects: defects)
    }

    /// The strongest defect's score; without a defect, what came closest, but below the limit.
    private static func limited(_ score: Double, _ defects: [FoundDefect]) -> Double {
        defects.map(\.score).max() ?? min(score, 1.0.nextDown)
    }
}
