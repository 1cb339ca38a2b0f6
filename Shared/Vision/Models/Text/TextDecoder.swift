import Glibc

/// A text as it was read, with the confidence of each character; spaces are left out.
struct ReadText: Equatable, Sendable {
    var text: String
    var confidences: [Double]

    static let nothing = ReadText(text: "", confidences: [])

    /// Of the weakest character; 0 where nothing was read.
    var weakest: Double { confidences.min() ?? 0 }

    /// How much was read, and how surely: characters below one half count against it.
    var evidence: Double { confidences.reduce(0) { $0 + $1 - 0.5 } }
}

/// Reads the probabilities of a recogniser (connectionist temporal classification, Graves et al. 2006).
struct TextDecoder: Sendable {
    let alphabet: TextAlphabet

    /// The strongest class of each step, repeats and blanks left out.
    func free(_ output: NeuralOutput) -> ReadText {
        let (steps, classes) = (output.shape[1], output.shape[2])
        var read = ReadText.nothing
        var last = 0
        for step in 0..<steps {
            let start = step * classes
            var best = 0
            for index in alphabet.allowed where output.values[start + index] > output.values[start + best] {
                best = index
            }
            let confidence = Double(output.values[start + best])
            if best != 0, alphabet.characters[best] != " " {
                if best != last {
                    read.text.append(alphabet.characters[best])
                    read.confidences.append(confidence)
                } else if let latest = read.confidences.last {
                    read.confidences[read.confidences.count - 1] = max(latest, confidence)
                }
            }
            last = best
        }
        return read
    }

    /// The most probable text that has the right characters at its places (Viterbi over blanks and places); nil
    /// where the output has too few steps, or no character may stand at a place. The probability of a character's twins
    /// counts as its own.
    func fielded(_ output: NeuralOutput, _ places: [TextFielding.Place]) -> ReadText? {
        guard !places.isEmpty, places.allSatisfy({ !$0.isEmpty }) else { return nil }
        let (steps, classes) = (output.shape[1], output.shape[2])
        guard steps >= places.count else { return nil }
        let space = alphabet.characters.count - 1
        let best = strongest(output.values, steps, classes, places)
        // State 2n is the blank before place n, 2n + 1 is place n.
        let states = 2 * places.count + 1
        var scores = [Double](repeating: -.infinity, count: states)
        var cameFrom = [Int8](repeating: 0, count: steps * states)
        for step in 0..<steps {
            let values = (output.values[step * classes], output.values[step * classes + space])
            let blank = log(max(1e-9, Double(max(values.0, values.1))))
            var next = [Double](repeating: -.infinity, count: states)
            for state in 0..<states {
                let isPlace = state % 2 == 1
                var (score, back) = (step == 0 ? (state <= 1 ? 0 : -.infinity) : scores[state], Int8(0))
                if step > 0, state > 0, scores[state - 1] > score { (score, back) = (scores[state - 1], 1) }
                if step > 0, isPlace, state > 2, scores[state - 2] > score,
                    best[step][state / 2].index != best[step - 1][state / 2 - 1].index
                {
                    (score, back) = (scores[state - 2], 2)
                }
                let own = isPlace ? log(max(1e-9, best[step][state / 2].probability)) : blank
                next[state] = score + own
                cameFrom[step * states + state] = back
            }
            scores = next
        }
        var state = scores[states - 1] >= scores[states - 2] ? states - 1 : states - 2
        var read = places.map { _ in (index: 0, probability: 0.0) }
        for step in stride(from: steps - 1, through: 0, by: -1) {
            if state % 2 == 1, best[step][state / 2].probability > read[state / 2].probability {
                read[state / 2] = best[step][state / 2]
            }
            state -= Int(cameFrom[step * states + state])
        }
        return ReadText(
            text: String(read.map { alphabet.characters[$0.index] }),
            confidences: read.map(\.probability)
        )
    }

    /// The strongest class that may stand at each place, step by step.
    private func strongest(
        _ values: UnsafeBufferPointer<Float>,
        _ steps: Int,
        _ classes: Int,
        _ places: [TextFielding.Place]
    ) -> [[(index: Int, probability: Double)]] {
        (0..<steps).map { step in
            let start = step * classes
            return places.map { place in
                var best = (index: place[0].index, probability: -1.0)
                for (index, twins) in place {
                    let own = Double(values[start + index])
                    let probability = twins.reduce(own) { $0 + Double(values[start + $1]) }
                    if probability > best.probability { best = (index, probability) }
                }
                return best
            }
        }
    }
}
