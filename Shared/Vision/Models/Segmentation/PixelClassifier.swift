import Glibc

/// A network of one hidden layer that tells of a cell's features how likely each category of defect is. Its first layer
/// is linear up to the sum over all features, so it is applied to each layer of a pyramid at that layer's own
/// resolution, and only its results are brought to the finest: a small part of the work, the same numbers but for the
/// order of summing.
package struct PixelClassifier: Equatable, Sendable {
    /// Units of the hidden layer.
    package static let hidden = 32

    /// Features a cell.
    let depth: Int
    /// Categories of defects, and none before them.
    let outputs: Int
    /// Feature by feature, `hidden` each.
    var first: [Float]
    var firstBias: [Float]
    /// Hidden unit by hidden unit, `outputs` each.
    var second: [Float]
    var secondBias: [Float]

    package init(
        depth: Int,
        outputs: Int,
        first: [Float],
        firstBias: [Float],
        second: [Float],
        secondBias: [Float]
    ) {
        (self.depth, self.outputs) = (depth, outputs)
        (self.first, self.firstBias, self.second, self.secondBias) = (first, firstBias, second, secondBias)
    }

    var isSound: Bool {
        first.count == depth * Self.hidden && firstBias.count == Self.hidden && second.count == Self.hidden * outputs
            && secondBias.count == outputs
            && [first, firstBias, second, secondBias].allSatisfy { $0.allSatisfy(\.isFinite) }
    }

    /// Chance of each category of defect, plane by plane, of the pyramid's finest cells.
    package func apply(to pyramid: FeaturePyramid) -> [Float] {
        precondition(pyramid.depth == depth)
        let sums = hiddenSums(pyramid)
        let cells = pyramid.columns * pyramid.rows
        return [Float](unsafeUninitializedCapacity: cells * (outputs - 1)) { out, initialised in
            withUnsafeTemporaryAllocation(of: Float.self, capacity: outputs) { logits in
                sums.withUnsafeBufferPointer { sums in
                    for cell in 0..<cells {
                        for output in 0..<outputs { logits[output] = secondBias[output] }
                        for unit in 0..<Self.hidden {
                            let value = max(0, sums[unit &* cells &+ cell] + firstBias[unit])
                            for output in 0..<outputs { logits[output] += value * second[unit &* outputs &+ output] }
                        }
                        Self.softmax(logits)
                        for output in 1..<outputs { out[(output &- 1) &* cells &+ cell] = logits[output] }
                    }
                }
            }
            initialised = cells * (outputs - 1)
        }
    }

    /// The first layer's sums over all features, unit by unit.
    private func hiddenSums(_ pyramid: FeaturePyramid) -> [Float] {
        let (columns, rows) = (pyramid.columns, pyramid.rows)
        var sums = [Float](repeating: 0, count: Self.hidden * columns * rows)
        var feature = 0
        for layer in pyramid.layers {
            let part = hiddenPart(of: layer, from: feature)
            feature += layer.depth
            sums.withUnsafeMutableBufferPointer { sums in
                part.withUnsafeBufferPointer { part in
                    if layer.columns == columns, layer.rows == rows {
                        for index in sums.indices { sums[index] += part[index] }
                    } else {
                        Self.add(part, layer.columns, layer.rows, to: sums, columns, rows)
                    }
                }
            }
        }
        return sums
    }

    /// What one layer's features, the first of which is number `feature`, add to the sums, unit by unit.
    private func hiddenPart(of layer: FeaturePyramid.Layer, from feature: Int) -> [Float] {
        let cells = layer.columns * layer.rows
        // As many cells as stay in the processor's first cache.
        let tile = 1_024
        var part = [Float](repeating: 0, count: Self.hidden * cells)
        part.withUnsafeMutableBufferPointer { part in
            layer.values.withUnsafeBufferPointer { values in
                for start in stride(from: 0, to: cells, by: tile) {
                    let count = min(tile, cells - start)
                    for unit in 0..<Self.hidden {
                        let out = unit * cells + start
                        for plane in 0..<layer.depth {
                            let weight = first[(feature + plane) * Self.hidden + unit]
                            let from = plane * cells + start
                            for index in 0..<count { part[out &+ index] += weight * values[from &+ index] }
                        }
                    }
                }
            }
        }
        return part
    }

    /// Adds planes of larger cells, read between their centres.
    private static func add(
        _ part: UnsafeBufferPointer<Float>,
        _ partColumns: Int,
        _ partRows: Int,
        to sums: UnsafeMutableBufferPointer<Float>,
        _ columns: Int,
        _ rows: Int
    ) {
        let across = (0..<columns).map { Between($0, columns / partColumns, partColumns) }
        withUnsafeTemporaryAllocation(of: Float.self, capacity: partColumns) { line in
            for y in 0..<rows {
                let down = Between(y, rows / partRows, partRows)
                for unit in 0..<hidden {
                    let (upper, lower) = (
                        (unit * partRows + down.first) * partColumns, (unit * partRows + down.second) * partColumns
                    )
                    for x in 0..<partColumns { line[x] = down.value(part[upper &+ x], part[lower &+ x]) }
                    let out = (unit * rows + y) * columns
                    for x in 0..<columns {
                        let between = across[x]
                        sums[out &+ x] += between.value(line[between.first], line[between.second])
                    }
                }
            }
        }
    }

    static func softmax(_ values: UnsafeMutableBufferPointer<Float>) {
        var largest = values[0]
        for value in values { largest = max(largest, value) }
        var sum: Float = 0
        for index in values.indices {
            values[index] = expf(values[index] - largest)
            sum += values[index]
        }
        for index in values.indices { values[index] /= sum }
    }
}
