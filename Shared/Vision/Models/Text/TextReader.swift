import Glibc

/// How a text was put on the part.
package enum PrintKind: String, CaseIterable, Sendable {
    /// Closed strokes: labels, laser, thermal transfer.
    case continuous
    /// Dots: continuous ink-jet, dot peen.
    case dots
}

/// Reads one line of text with a recogniser of PaddleOCR's kind: 48 pixels high, probabilities of characters step by
/// step along the line.
struct TextReader: Sendable {
    private static let height = 48
    private static let shortest = 320
    private static let longest = 1_280
    /// Weakest confidence from which a line is not looked at again.
    private static let sure = 0.9
    /// Widths are multiples of this, so that there are few of them.
    private static let step = 64

    private let model: NeuralModel
    private let decoder: TextDecoder
    private let kind: PrintKind

    init(_ model: NeuralModel, decoder: TextDecoder, kind: PrintKind) {
        (self.model, self.decoder, self.kind) = (model, decoder, kind)
    }

    /// What was read in two ways: as it stands there, and as the fielding would have it.
    struct Reading: Equatable, Sendable {
        var free: ReadText
        var fielded: ReadText?

        var evidence: Double { max(free.evidence, fielded?.evidence ?? -.infinity) }
    }

    /// Reads the line. Where the text is `alone` in the grey picture and doubtful, or was not found, the whole picture
    /// is read too; the reading with more evidence counts. Dots are blurred into strokes.
    func read(
        _ line: TextLine?,
        alone: Bool,
        of picture: Picture,
        _ fielding: TextFielding?
    ) throws(NeuralError) -> Reading {
        let places = fielding?.places(in: decoder.alphabet)
        var best: Reading?
        func consider(_ candidate: Picture, _ blurs: [Blur?]) throws(NeuralError) {
            let levels = Self.levels(of: candidate)
            for blur in blurs {
                let blurred = blur?.apply(levels, width: levels.count / Self.height) ?? levels
                let reading = try read(blurred, places)
                if best.map({ reading.evidence > $0.evidence }) ?? true { best = reading }
            }
        }
        if let line { try consider(line.cut(from: picture), [nil]) }
        if kind == .dots {
            if let line { try consider(line.widened(along: 0.4, across: 0.15).cut(from: picture), Blur.dots) }
            if alone || line == nil { try consider(picture, Blur.dots) }
        } else if line == nil || (alone && (best?.free.weakest ?? 0) < Self.sure) {
            try consider(picture, [nil])
        }
        return best ?? Reading(free: .nothing)
    }

    /// The picture's levels at the recogniser's height.
    private static func levels(of picture: Picture) -> [UInt8] {
        let width = max(1, min(longest, (height * picture.width + picture.height - 1) / picture.height))
        let resizing = PictureResizing(of: picture, to: width, height, picture.height > height ? .area : .bilinear)
        return [UInt8](unsafeUninitializedCapacity: width * height) { out, initialised in
            resizing.each(of: picture) { y, row in
                for x in 0..<width { out[y * width + x] = row[x] }
            }
            initialised = width * height
        }
    }

    private func read(_ levels: [UInt8], _ places: [TextFielding.Place]?) throws(NeuralError) -> Reading {
        let width = levels.count / Self.height
        let padded = max(Self.shortest, (width + Self.step - 1) / Self.step * Self.step)
        return try model.run(
            shape: [1, 3, Self.height, padded],
            fill: { buffer in
                let plane = padded * Self.height
                for y in 0..<Self.height {
                    for x in 0..<padded {
                        let value = x < width ? Float(levels[y * width + x]) / 127.5 - 1 : 0
                        let pixel = y * padded + x
                        buffer[pixel] = value
                        buffer[plane + pixel] = value
                        buffer[2 * plane + pixel] = value
                    }
                }
            },
            read: { outputs throws(NeuralError) in
                let output = outputs[0]
                guard output.shape.count == 3, output.shape[2] == decoder.alphabet.characters.count else {
                    throw NeuralError(
                        "the recogniser's output is \(output.shape); its dictionary expects [1, steps, "
                            + "\(decoder.alphabet.characters.count)]"
                    )
                }
                return Reading(free: decoder.free(output), fielded: places.flatMap { decoder.fielded(output, $0) })
            }
        )
    }

    /// A Gaussian of 14-bit integers, so that it gives the same bits everywhere.
    private struct Blur: Sendable {
        /// Standard deviations that close the gaps of dots when a line is 48 pixels high.
        static let dots: [Blur?] = [Blur(sigma: 1.44), Blur(sigma: 2.4)]

        private let weights: [Int32]

        init(sigma: Double) {
            let radius = Int((3 * sigma).rounded(.up))
            let shares = (-radius...radius).map { exp(-Double($0 * $0) / (2 * sigma * sigma)) }
            let sum = shares.reduce(0, +)
            var weights = shares.map { Int32(($0 / sum * Double(Resampling.one)).rounded()) }
            weights[radius] += Resampling.one - weights.reduce(0, +)
            self.weights = weights
        }

        func apply(_ levels: [UInt8], width: Int) -> [UInt8] {
            let height = levels.count / width
            let across = line(levels, count: width, step: 1, lines: height, between: width)
            return line(across, count: height, step: width, lines: width, between: 1)
        }

        private func line(_ levels: [UInt8], count: Int, step: Int, lines: Int, between: Int) -> [UInt8] {
            let radius = weights.count / 2
            var out = [UInt8](repeating: 0, count: levels.count)
            for line in 0..<lines {
                for index in 0..<count {
                    var sum = Resampling.one / 2
                    for tap in weights.indices {
                        let place = max(0, min(count - 1, index + tap - radius))
                        sum += Int32(levels[line * between + place * step]) * weights[tap]
                    }
                    out[line * between + index * step] = UInt8(truncatingIfNeeded: sum >> 14)
                }
            }
            return out
        }
    }
}
