/// Features of good parts' patches, searched for the nearest one (the memory bank of PatchCore; Roth et al., 2022).
///
/// Entries lie in blocks of eight, feature by feature, so that eight are compared at once and each number read is used
/// for four patches.
package struct PatchMemory: Equatable, Sendable {
    private static let lanes = 8
    /// Blocks that stay in the processor's cache while all patches of a picture pass over them.
    private static let tile = 32

    /// Features a patch.
    package let depth: Int
    package private(set) var count = 0
    private var values: [SIMD8<Float>] = []
    /// Half the squared length of each entry; infinite where a block has none.
    private var halfSquares: [SIMD8<Float>] = []

    package init(depth: Int) { self.depth = depth }

    /// Entry by entry, as `append` took them.
    var entries: [Float] {
        var out: [Float] = []
        out.reserveCapacity(count * depth)
        for entry in 0..<count {
            let (block, lane) = (entry / Self.lanes, entry % Self.lanes)
            for feature in 0..<depth { out.append(values[block * depth + feature][lane]) }
        }
        return out
    }

    package mutating func append(_ patch: UnsafeBufferPointer<Float>) {
        let (block, lane) = (count / Self.lanes, count % Self.lanes)
        if lane == 0 {
            values += [SIMD8<Float>](repeating: .zero, count: depth)
            halfSquares.append(SIMD8(repeating: .infinity))
        }
        var square: Float = 0
        for feature in 0..<depth {
            values[block * depth + feature][lane] = patch[feature]
            square += patch[feature] * patch[feature]
        }
        halfSquares[block][lane] = square / 2
        count += 1
    }

    /// Adds those patches of `map` that are further than `reach` from every entry, in order, at most until `limit`
    /// entries; so every patch is within `reach` of the memory. False where the limit was reached before the end.
    package mutating func cover(_ map: FeatureMap, reach: Float, atMost limit: Int) -> Bool {
        let known = distances(map)
        let before = count
        return map.values.withUnsafeBufferPointer { patches in
            for cell in 0..<map.cells where known[cell] > reach {
                let patch = UnsafeBufferPointer(rebasing: patches[cell * depth..<(cell + 1) * depth])
                guard count == before || distance(patch, since: before) > reach else { continue }
                guard count < limit else { return false }
                append(patch)
            }
            return true
        }
    }

    /// Distance of each patch to its nearest entry; infinite where there is none.
    package func distances(_ map: FeatureMap) -> [Float] {
        precondition(map.depth == depth)
        var nearest = [Float](repeating: .infinity, count: map.cells)
        lower(&nearest, map)
        return Self.lengths(nearest, map)
    }

    /// Distance of each patch to the nearest entry of all memories.
    package static func distances(_ map: FeatureMap, to memories: some Sequence<PatchMemory>) -> [Float] {
        var nearest = [Float](repeating: .infinity, count: map.cells)
        for memory in memories { memory.lower(&nearest, map) }
        return lengths(nearest, map)
    }

    /// Half the squared distance less half the patch's squared length, for the nearest entry, where it is lower.
    private func lower(_ nearest: inout [Float], _ map: FeatureMap) {
        let blocks = halfSquares.count
        map.values.withUnsafeBufferPointer { patches in
            values.withUnsafeBufferPointer { values in
                halfSquares.withUnsafeBufferPointer { halfSquares in
                    for first in stride(from: 0, to: blocks, by: Self.tile) {
                        let tile = first..<min(blocks, first + Self.tile)
                        for cell in stride(from: 0, to: map.cells, by: 4) {
                            let last = map.cells - 1
                            let cells = (cell, min(cell + 1, last), min(cell + 2, last), min(cell + 3, last))
                            let found = Self.lowest(patches, cells, depth, values, halfSquares, tile)
                            nearest[cells.0] = min(nearest[cells.0], found.0)
                            nearest[cells.1] = min(nearest[cells.1], found.1)
                            nearest[cells.2] = min(nearest[cells.2], found.2)
                            nearest[cells.3] = min(nearest[cells.3], found.3)
                        }
                    }
                }
            }
        }
    }

    /// The lowest value over the tile's entries for four patches at once.
    private static func lowest(
        _ patches: UnsafeBufferPointer<Float>,
        _ cells: (Int, Int, Int, Int),
        _ depth: Int,
        _ values: UnsafeBufferPointer<SIMD8<Float>>,
        _ halfSquares: UnsafeBufferPointer<SIMD8<Float>>,
        _ tile: Range<Int>
    ) -> (Float, Float, Float, Float) {
        let starts = (cells.0 * depth, cells.1 * depth, cells.2 * depth, cells.3 * depth)
        var best = SIMD8<Float>(repeating: .infinity)
        var lowest = (best, best, best, best)
        for block in tile {
            best = halfSquares[block]
            var sums = (best, best, best, best)
            for feature in 0..<depth {
                let entry = values[block &* depth &+ feature]
                sums.0 -= entry * patches[starts.0 &+ feature]
                sums.1 -= entry * patches[starts.1 &+ feature]
                sums.2 -= entry * patches[starts.2 &+ feature]
                sums.3 -= entry * patches[starts.3 &+ feature]
            }
            lowest.0 = pointwiseMin(lowest.0, sums.0)
            lowest.1 = pointwiseMin(lowest.1, sums.1)
            lowest.2 = pointwiseMin(lowest.2, sums.2)
            lowest.3 = pointwiseMin(lowest.3, sums.3)
        }
        return (lowest.0.min(), lowest.1.min(), lowest.2.min(), lowest.3.min())
    }

    /// Distance of one patch to the nearest of the entries from the block of `first` on.
    private func distance(_ patch: UnsafeBufferPointer<Float>, since first: Int) -> Float {
        var lowest = SIMD8<Float>(repeating: .infinity)
        values.withUnsafeBufferPointer { values in
            for block in first / Self.lanes..<halfSquares.count {
                var sums = halfSquares[block]
                for feature in 0..<depth { sums -= values[block &* depth &+ feature] * patch[feature] }
                lowest = pointwiseMin(lowest, sums)
            }
        }
        var square: Float = 0
        for feature in 0..<depth { square += patch[feature] * patch[feature] }
        return max(0, 2 * lowest.min() + square).squareRoot()
    }

    private static func lengths(_ nearest: [Float], _ map: FeatureMap) -> [Float] {
        map.values.withUnsafeBufferPointer { patches in
            nearest.indices.map { cell in
                var square: Float = 0
                for feature in cell * map.depth..<(cell + 1) * map.depth {
                    square += patches[feature] * patches[feature]
                }
                return max(0, 2 * nearest[cell] + square).squareRoot()
            }
        }
    }
}
