import Synchronization

/// Finds lines of text by a model that marks them in a map of probabilities (differentiable binarization, Liao et al.
/// 2020, as PaddleOCR's text detectors).
final class TextDetector: Sendable {
    /// The shorter side of the input, pixels: characters are to be some 10 to 60 of it high.
    private static let shortSide = 96
    private static let longestSide = 1_536
    /// Sides are multiples of this.
    private static let step = 32
    /// Probability from which a pixel belongs to text.
    private static let threshold: Float = 0.3
    /// How far marked places grow: area times this over perimeter (the model marks the inner part of a line only).
    private static let growth = 1.6

    private let model: NeuralModel
    private let input = Mutex<(width: Int, height: Int, input: PictureInput)?>(nil)

    init(_ model: NeuralModel) { self.model = model }

    /// Lines of the grey picture, at most `count`, the largest ones, from top to bottom.
    func lines(of picture: Picture, atMost count: Int) throws(NeuralError) -> [TextLine] {
        let input = input(for: picture)
        let found: [TextLine] = try model.run(
            shape: input.shape,
            fill: { input.write(picture, to: $0) },
            read: { outputs throws(NeuralError) in try self.pieces(of: outputs[0], picture) }
        )
        return Array(grouped(found).prefix(count)).sorted { ($0.y, $0.x) < ($1.y, $1.x) }
    }

    private func input(for picture: Picture) -> PictureInput {
        input.withLock { kept in
            if let kept, kept.width == picture.width, kept.height == picture.height { return kept.input }
            let (shorter, longer) = (min(picture.width, picture.height), max(picture.width, picture.height))
            let factor = min(Double(Self.shortSide) / Double(shorter), Double(Self.longestSide) / Double(longer))
            func side(_ pixels: Int) -> Int {
                max(1, Int((Double(pixels) * factor / Double(Self.step)).rounded())) * Self.step
            }
            let made = PictureInput(
                width: side(picture.width),
                height: side(picture.height),
                channels: .rgb,
                mean: [0.5],
                deviation: [0.5]
            )
            kept = (picture.width, picture.height, made)
            return made
        }
    }

    /// Marked places, grown to whole pieces of lines, in pixels of the picture.
    private func pieces(of output: NeuralOutput, _ picture: Picture) throws(NeuralError) -> [TextLine] {
        guard output.shape.count == 4, output.shape[0] == 1, output.shape[1] == 1 else {
            throw NeuralError("the detector's output is \(output.shape); expected [1, 1, height, width]")
        }
        let (width, height) = (output.shape[3], output.shape[2])
        var runs: [Run] = []
        var marks = [UInt8](repeating: 0, count: width)
        for y in 0..<height {
            for x in 0..<width { marks[x] = output.values[y * width + x] > Self.threshold ? 1 : 0 }
            marks.withUnsafeBufferPointer { Blobs.appendRuns(of: $0, y: y, to: &runs) }
        }
        let x = Double(picture.width) / Double(width)
        let y = Double(picture.height) / Double(height)
        return Blobs.joined(runs).compactMap { blob in
            guard var line = TextLine(around: blob), line.height >= 3 else { return nil }
            let growth = line.length * line.height * Self.growth / (2 * (line.length + line.height))
            line.length = (line.length + 2 * growth) * x
            line.height = (line.height + 2 * growth) * y
            (line.x, line.y) = ((line.x + 0.5) * x, (line.y + 0.5) * y)
            return line
        }
    }

    /// Pieces beside each other joined, largest first. A piece far smaller than its neighbour is no part of its line.
    private func grouped(_ pieces: [TextLine]) -> [TextLine] {
        var lines: [TextLine] = []
        let ranked = pieces.sorted { ($1.length * $1.height, $0.y, $0.x) < ($0.length * $0.height, $1.y, $1.x) }
        for piece in ranked {
            let near = lines.firstIndex { $0.distance(to: piece) < $0.height / 2 }
            guard let near else {
                lines.append(piece)
                continue
            }
            if piece.height >= lines[near].height * 0.4 { lines[near] = lines[near].union(piece) }
        }
        return lines
    }
}
