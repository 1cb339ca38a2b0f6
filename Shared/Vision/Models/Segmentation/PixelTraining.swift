import Glibc
import SeededRandom

/// Learns a pixel classifier: cross entropy, small batches in an order by lot, Adam with decoupled weight decay and a
/// rate that falls as a cosine (Loshchilov and Hutter, 2019). One thread, a fixed seed: the same samples in the same
/// order give the same bits.
struct PixelTraining {
    /// Batches learned from, whatever the number of samples.
    private static let steps = 2_000
    private static let batch = 256
    private static let rate: Float = 2e-3
    private static let decay: Float = 1e-4
    private static let seed: UInt64 = 1

    private typealias Lanes = SIMD8<Float>
    private static let lanes = 8
    private static let blocks = PixelClassifier.hidden / lanes

    private let samples: [PixelSamples]
    private let depth: Int
    private let outputs: Int
    /// Mean and one over the spread of each feature.
    private var means: [Float]
    private var scales: [Float]
    private var random = SplitMix64(seed: seed)

    private var first: Parameters
    private var firstBias: Parameters
    private var second: Parameters
    private var secondBias: Parameters

    /// Numbers that are learned, with their gradient and Adam's two means of it.
    private struct Parameters {
        var values: [Lanes]
        var gradient: [Lanes]
        var mean: [Lanes]
        var square: [Lanes]
        let decay: Float

        init(_ values: [Lanes], decay: Float) {
            self.values = values
            self.decay = decay
            gradient = [Lanes](repeating: .zero, count: values.count)
            (mean, square) = (gradient, gradient)
        }

        /// Even between `-reach` and `reach`.
        init(_ count: Int, reach: Float, decay: Float, by random: inout SplitMix64) {
            var values = [Lanes](repeating: .zero, count: count)
            for index in values.indices {
                for lane in 0..<lanes { values[index][lane] = random.uniform() * reach }
            }
            self.init(values, decay: decay)
        }

        /// Number by number.
        var flat: [Float] { values.flatMap { block in (0..<lanes).map { block[$0] } } }

        /// One step of Adam; the gradient is 0 after it. `corrections` make up for the means' start from 0.
        mutating func step(rate: Float, corrections: (mean: Float, square: Float)) {
            for index in values.indices {
                let slope = gradient[index]
                mean[index] = 0.9 * mean[index] + 0.1 * slope
                square[index] = 0.999 * square[index] + 0.001 * slope * slope
                let length = (square[index] / corrections.square).squareRoot() + 1e-8
                values[index] -= rate * (mean[index] / corrections.mean / length + decay * values[index])
                gradient[index] = .zero
            }
        }
    }

    /// - Parameter samples: At least one, all of one depth.
    init(_ samples: [PixelSamples], categories: Int) {
        self.samples = samples
        (depth, outputs) = (samples[0].depth, categories + 1)
        (means, scales) = Self.spread(samples)
        // He et al. (2015), uniform.
        let reach = (6 / Float(depth)).squareRoot()
        first = Parameters(depth * Self.blocks, reach: reach, decay: Self.decay, by: &random)
        firstBias = Parameters([Lanes](repeating: .zero, count: Self.blocks), decay: 0)
        let outerReach = (3 / Float(PixelClassifier.hidden)).squareRoot()
        second = Parameters(outputs * Self.blocks, reach: outerReach, decay: Self.decay, by: &random)
        let outputBlocks = (outputs + Self.lanes - 1) / Self.lanes
        secondBias = Parameters([Lanes](repeating: .zero, count: outputBlocks), decay: 0)
    }

    /// - Parameter progress: Told the share done, 0 to 1.
    mutating func run(progress: (Double) -> Void) -> PixelClassifier {
        var order = samples.indices.flatMap { picture in
            (0..<samples[picture].count).map { (picture: Int32(picture), sample: Int32($0)) }
        }
        let batch = min(Self.batch, order.count)
        var next = order.count
        var (meanPower, squarePower) = (Float(1), Float(1))
        for step in 0..<Self.steps {
            if step % 100 == 0 { progress(Double(step) / Double(Self.steps)) }
            if next + batch > order.count {
                for index in order.indices { order.swapAt(index, index + random.below(order.count - index)) }
                next = 0
            }
            let chosen = order[next..<next + batch]
            next += batch
            for (picture, sample) in chosen {
                learn(samples[Int(picture)], Int(sample), weight: 1 / Float(chosen.count))
            }
            (meanPower, squarePower) = (meanPower * 0.9, squarePower * 0.999)
            let corrections = (mean: 1 - meanPower, square: 1 - squarePower)
            let rate = Self.rate * 0.5 * (1 + cosf(Float.pi * Float(step + 1) / Float(Self.steps)))
            first.step(rate: rate, corrections: corrections)
            firstBias.step(rate: rate, corrections: corrections)
            second.step(rate: rate, corrections: corrections)
            secondBias.step(rate: rate, corrections: corrections)
        }
        return classifier
    }

    /// Adds one sample's gradient.
    private mutating func learn(_ samples: PixelSamples, _ sample: Int, weight: Float) {
        let (depth, outputs, blocks) = (depth, outputs, Self.blocks)
        let start = sample * depth
        withUnsafeTemporaryAllocation(of: Float.self, capacity: depth + outputs) { room in
            let inputs = UnsafeMutableBufferPointer(rebasing: room[..<depth])
            let slopes = UnsafeMutableBufferPointer(rebasing: room[depth...])
            for feature in 0..<depth {
                inputs[feature] = (samples.features[start + feature] - means[feature]) * scales[feature]
            }
            withUnsafeTemporaryAllocation(of: Lanes.self, capacity: 2 * blocks) { units in
                let values = UnsafeMutableBufferPointer(rebasing: units[..<blocks])
                let errors = UnsafeMutableBufferPointer(rebasing: units[blocks...])
                forward(inputs, values, slopes)
                var none: Float = 1
                for output in 1..<outputs {
                    let share = samples.shares[sample * (outputs - 1) + output - 1]
                    none -= share
                    slopes[output] = (slopes[output] - share) * weight
                }
                slopes[0] = (slopes[0] - none) * weight
                backward(inputs, values, slopes, errors)
            }
        }
    }

    /// The hidden units' values, and the chance of each output.
    private func forward(
        _ inputs: UnsafeMutableBufferPointer<Float>,
        _ units: UnsafeMutableBufferPointer<Lanes>,
        _ chances: UnsafeMutableBufferPointer<Float>
    ) {
        let blocks = Self.blocks
        for block in 0..<blocks { units[block] = firstBias.values[block] }
        first.values.withUnsafeBufferPointer { weights in
            for feature in 0..<depth {
                let value = inputs[feature]
                for block in 0..<blocks { units[block] += weights[feature &* blocks &+ block] * value }
            }
        }
        for block in 0..<blocks { units[block] = pointwiseMax(units[block], .zero) }
        second.values.withUnsafeBufferPointer { weights in
            for output in 0..<outputs {
                var sum = Lanes.zero
                for block in 0..<blocks { sum += units[block] * weights[output &* blocks &+ block] }
                chances[output] = sum.sum() + secondBias.values[output / Self.lanes][output % Self.lanes]
            }
        }
        PixelClassifier.softmax(chances)
    }

    private mutating func backward(
        _ inputs: UnsafeMutableBufferPointer<Float>,
        _ units: UnsafeMutableBufferPointer<Lanes>,
        _ slopes: UnsafeMutableBufferPointer<Float>,
        _ errors: UnsafeMutableBufferPointer<Lanes>
    ) {
        let (blocks, outputs, depth) = (Self.blocks, outputs, depth)
        for block in 0..<blocks { errors[block] = .zero }
        second.values.withUnsafeBufferPointer { weights in
            for output in 0..<outputs {
                for block in 0..<blocks { errors[block] += weights[output &* blocks &+ block] * slopes[output] }
            }
        }
        for block in 0..<blocks { errors[block].replace(with: 0, where: units[block] .<= 0) }
        second.gradient.withUnsafeMutableBufferPointer { gradient in
            for output in 0..<outputs {
                for block in 0..<blocks { gradient[output &* blocks &+ block] += units[block] * slopes[output] }
            }
        }
        for output in 0..<outputs { secondBias.gradient[output / Self.lanes][output % Self.lanes] += slopes[output] }
        for block in 0..<blocks { firstBias.gradient[block] += errors[block] }
        first.gradient.withUnsafeMutableBufferPointer { gradient in
            for feature in 0..<depth {
                let value = inputs[feature]
                for block in 0..<blocks { gradient[feature &* blocks &+ block] += errors[block] * value }
            }
        }
    }

    /// What was learned, for features as they come: their means and spreads are in the first layer's weights.
    private var classifier: PixelClassifier {
        let hidden = PixelClassifier.hidden
        var (weights, bias) = (first.flat, firstBias.flat)
        for feature in 0..<depth {
            for unit in 0..<hidden {
                let weight = weights[feature * hidden + unit] * scales[feature]
                weights[feature * hidden + unit] = weight
                bias[unit] -= weight * means[feature]
            }
        }
        // From output by output to unit by unit.
        let outer = second.flat
        let turned = (0..<hidden).flatMap { unit in (0..<outputs).map { outer[$0 * hidden + unit] } }
        return PixelClassifier(
            depth: depth,
            outputs: outputs,
            first: weights,
            firstBias: bias,
            second: turned,
            secondBias: Array(secondBias.flat.prefix(outputs))
        )
    }

    /// Mean of each feature, and one over its spread; 0 for one that never changes.
    private static func spread(_ samples: [PixelSamples]) -> (means: [Float], scales: [Float]) {
        let depth = samples[0].depth
        var (sums, squares) = ([Double](repeating: 0, count: depth), [Double](repeating: 0, count: depth))
        var count = 0.0
        for picture in samples {
            count += Double(picture.count)
            picture.features.withUnsafeBufferPointer { values in
                for sample in 0..<picture.count {
                    for feature in 0..<depth {
                        let value = Double(values[sample &* depth &+ feature])
                        sums[feature] += value
                        squares[feature] += value * value
                    }
                }
            }
        }
        let means = sums.map { $0 / count }
        let scales = (0..<depth).map { feature in
            let variance = squares[feature] / count - means[feature] * means[feature]
            return variance > 1e-9 ? Float(1 / variance.squareRoot()) : 0
        }
        return (means.map { Float($0) }, scales)
    }
}
