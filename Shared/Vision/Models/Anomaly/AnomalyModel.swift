/// Why an anomaly model cannot be learned, read or used.
package struct AnomalyModelError: Error, Equatable, CustomStringConvertible {
    /// The picture or model file.
    package let name: String
    package let reason: String

    package init(name: String, reason: String) {
        self.name = name
        self.reason = reason
    }

    package var description: String { "\(name): \(reason)" }
}

/// A picture of a good part to learn from, loaded when its turn comes: only its features are kept.
package struct TrainingPicture: Sendable {
    package let name: String
    package let load: @Sendable () throws -> Picture

    package init(name: String, load: @escaping @Sendable () throws -> Picture) { (self.name, self.load) = (name, load) }

    package init(name: String, picture: Picture) { self.init(name: name) { picture } }
}

/// What good parts look like to a network that has seen the world, learned from pictures of good parts only: a memory
/// of their patches' features. A patch's distance is that to the nearest one remembered; a picture's distance the mean
/// over its furthest patches (after PatchCore, Roth et al., 2022; the memory is thinned by covering instead of by a
/// core set, so that no distance is off by more than `reach`).
///
/// The score is the distance in units of the limit. The limit comes from leaving training pictures out in turn and
/// measuring each by what the others taught: the largest such distance but for a share `falseRejects` of them, and
/// `margin` more. A new good part is as likely as any of n left out ones to be the furthest, so without the margin at
/// most about 1 in n + 1, or `falseRejects` of the good parts where that is more, would be over the limit.
package struct AnomalyModel: Equatable, Sendable {
    /// Pictures needed to learn from, at least.
    package static let minPictures = 3
    /// Pictures to learn from, at most.
    package static let maxPictures = 1_000
    /// Most patches remembered.
    package static let maxPatches = 8_192
    /// Most pictures that are left out in turn; of more, evenly spread ones.
    package static let maxLeftOut = 100

    /// Pixels of the longer side that pictures are brought to.
    static let longerSide = 512
    /// Share of a picture's patches, the furthest, whose mean makes its distance.
    static let furthestShare = 0.01
    /// Good parts that may be over the limit.
    package static let falseRejects = 0.01
    /// The limit is this share beyond the left out pictures' distance.
    package static let margin = 0.05
    /// First reach tried, in units of the square root of the features' number (each has a spread of 1).
    private static let firstReach: Float = 0.3
    /// Factor to the next reach where the memory would be too large.
    private static let nextReach: Float = 1.25
    /// Largest difference of the sides' ratio to that of the pictures learned from.
    private static let ratioTolerance = 0.05

    /// A picture it was learned from.
    package struct Source: Equatable, Sendable {
        package let name: String
        /// SHA-256 over its pixels.
        package let pixelsSHA256: String
    }

    /// SHA-256 of the backbone.
    package let backboneSHA256: String
    /// Size of the first picture it was learned from.
    package let pictureWidth: Int
    package let pictureHeight: Int
    /// Size that pictures are brought to.
    let width: Int
    let height: Int
    /// What it was learned from.
    package let sources: [Source]
    /// One over each feature's spread.
    let scales: [Float]
    let memory: PatchMemory
    /// Most that a patch's distance can be too large by because the memory is thinned.
    package let reach: Float
    /// Distances of the left out training pictures.
    package let leftOut: [Double]
    /// Distance at which the score is 1.
    package let limit: Double

    /// Patches remembered.
    package var patches: Int { memory.count }
    /// Scores of the left out training pictures: what good parts may score.
    package var goodScores: [Double] { leftOut.map { $0 / limit } }

    /// Learns from pictures of good parts. The same pictures in the same order give the same model.
    /// - Parameter progress: Told the share done, 0 to 1.
    package static func train(
        pictures: [TrainingPicture],
        features source: any FeatureSource,
        progress: (Double) -> Void = { _ in }
    ) throws(AnomalyModelError) -> AnomalyModel {
        guard (minPictures...maxPictures).contains(pictures.count) else {
            throw AnomalyModelError(
                name: "training",
                reason: "\(pictures.count) pictures; expected \(minPictures) to \(maxPictures)"
            )
        }
        var (first, input) = ((width: 0, height: 0), (width: 0, height: 0))
        var maps: [FeatureMap] = []
        var sources: [Source] = []
        for (index, training) in pictures.enumerated() {
            progress(0.4 * Double(index) / Double(pictures.count))
            do {
                let picture = try training.load()
                if index == 0 {
                    first = (picture.width, picture.height)
                    input = inputSize(picture, cell: source.cellSize)
                }
                try check(picture, like: first.width, first.height)
                maps.append(try source.features(of: picture, width: input.width, height: input.height))
                sources.append(Source(name: training.name, pixelsSHA256: picture.sha256))
            } catch let error as AnomalyModelError {
                throw AnomalyModelError(name: training.name, reason: error.reason)
            } catch {
                throw AnomalyModelError(name: training.name, reason: "\(error)")
            }
        }
        let scales = scales(of: maps)
        for index in maps.indices { maps[index] = scaled(maps[index], scales) }
        let (memory, reach) = memory(of: maps)
        progress(0.5)
        let leftOut = leftOut(maps, reach: reach) { progress(0.5 + 0.5 * $0) }
        return AnomalyModel(
            backboneSHA256: source.sha256,
            pictureWidth: first.width,
            pictureHeight: first.height,
            width: input.width,
            height: input.height,
            sources: sources,
            scales: scales,
            memory: memory,
            reach: reach,
            leftOut: leftOut,
            limit: limit(leftOut, reach: reach)
        )
    }

    /// What the model says about one part; `source` is the backbone it was learned with.
    package func measure(
        _ picture: Picture,
        features source: any FeatureSource,
        timer: inout StepTimer
    ) throws(ToolError) -> ToolResult {
        let map = try features(of: picture, by: source)
        timer.finish("features")
        let distances = memory.distances(map)
        let score = Self.distance(distances) / limit
        let defects = self.defects(distances, columns: map.columns, rows: map.rows, in: picture)
        timer.finish("compare")
        return ToolResult(score: score, defects: defects)
    }

    /// Each pixel's distance, between those of the patches' centres, and the pixels whose distance is at least `share`
    /// of the limit.
    package func map(
        _ picture: Picture,
        features source: any FeatureSource,
        limit share: Double = 1
    ) throws(ToolError) -> DefectMap {
        let map = try features(of: picture, by: source)
        let distances = memory.distances(map)
        var strength = [Float](repeating: 0, count: picture.width * picture.height)
        CellValues(map.columns, map.rows, distances).eachRow(of: 0, atLeast: 0, in: picture) { y, row in
            for x in row.indices { strength[y * picture.width + x] = row[x] }
        }
        return DefectMap(
            width: picture.width,
            height: picture.height,
            strength: strength,
            found: strength.map { Double($0) >= limit * share },
            candidates: defects(distances, columns: map.columns, rows: map.rows, in: picture)
                .map { $0.scaled(to: share) }
        )
    }

    private func features(of picture: Picture, by source: any FeatureSource) throws(ToolError) -> FeatureMap {
        do throws(AnomalyModelError) {
            try Self.check(picture, like: pictureWidth, pictureHeight)
        } catch {
            throw ToolError(error.reason)
        }
        do throws(NeuralError) {
            return Self.scaled(try source.features(of: picture, width: width, height: height), scales)
        } catch {
            throw ToolError(error.reason)
        }
    }

    /// Connected patches beyond the limit.
    private func defects(_ distances: [Float], columns: Int, rows: Int, in picture: Picture) -> [FoundDefect] {
        let far = Float(limit)
        let regions = Regions(distances.map { $0 >= far ? 1 : 0 }, width: columns, height: rows)
        guard regions.areas.count > 1 else { return [] }
        struct Extent {
            var (left, top, right, bottom) = (Int.max, Int.max, 0, 0)
            var furthest: Float = 0
        }
        var extents = [Extent](repeating: Extent(), count: regions.areas.count)
        for cell in distances.indices where regions.labels[cell] > 0 {
            let (x, y, label) = (cell % columns, cell / columns, Int(regions.labels[cell]))
            extents[label].left = min(extents[label].left, x)
            extents[label].right = max(extents[label].right, x + 1)
            extents[label].top = min(extents[label].top, y)
            extents[label].bottom = max(extents[label].bottom, y + 1)
            extents[label].furthest = max(extents[label].furthest, distances[cell])
        }
        return regions.areas.indices.dropFirst().map { label in
            let extent = extents[label]
            let (x, y) = (extent.left * picture.width / columns, extent.top * picture.height / rows)
            return FoundDefect(
                category: .anomaly,
                x: x,
                y: y,
                width: max(1, extent.right * picture.width / columns - x),
                height: max(1, extent.bottom * picture.height / rows - y),
                area: regions.areas[label] * picture.width * picture.height / (columns * rows),
                score: Double(extent.furthest) / limit
            )
        }
    }
}

// MARK: Learning

extension AnomalyModel {
    /// The picture's proportions at `longerSide`, in whole cells.
    private static func inputSize(_ picture: Picture, cell: Int) -> (width: Int, height: Int) {
        let factor = Double(longerSide) / Double(max(picture.width, picture.height))
        func cells(_ side: Int) -> Int { max(1, Int((Double(side) * factor / Double(cell)).rounded())) }
        return (cells(picture.width) * cell, cells(picture.height) * cell)
    }

    /// Pictures may be larger or smaller than those learned from, not of other proportions.
    private static func check(_ picture: Picture, like width: Int, _ height: Int) throws(AnomalyModelError) {
        let ratio = Double(picture.width) * Double(height) / (Double(picture.height) * Double(width))
        guard abs(ratio - 1) <= ratioTolerance else {
            throw AnomalyModelError(
                name: "picture",
                reason: "picture of \(picture.width)x\(picture.height); the model is for pictures of the proportions "
                    + "of \(width)x\(height)"
            )
        }
    }

    /// One over the spread of each feature over all patches; 0 for a feature that never changes.
    private static func scales(of maps: [FeatureMap]) -> [Float] {
        let depth = maps[0].depth
        var (sums, squares) = ([Double](repeating: 0, count: depth), [Double](repeating: 0, count: depth))
        var count = 0.0
        for map in maps {
            count += Double(map.cells)
            map.values.withUnsafeBufferPointer { values in
                for cell in 0..<map.cells {
                    for feature in 0..<depth {
                        let value = Double(values[cell * depth + feature])
                        sums[feature] += value
                        squares[feature] += value * value
                    }
                }
            }
        }
        return (0..<depth).map { feature in
            let mean = sums[feature] / count
            let variance = squares[feature] / count - mean * mean
            return variance > 1e-9 ? Float(1 / variance.squareRoot()) : 0
        }
    }

    private static func scaled(_ map: FeatureMap, _ scales: [Float]) -> FeatureMap {
        let count = map.values.count
        let values = [Float](unsafeUninitializedCapacity: count) { out, initialised in
            map.values.withUnsafeBufferPointer { values in
                scales.withUnsafeBufferPointer { scales in
                    for cell in 0..<map.cells {
                        for feature in 0..<map.depth {
                            let index = cell &* map.depth &+ feature
                            out[index] = values[index] * scales[feature]
                        }
                    }
                }
            }
            initialised = count
        }
        return FeatureMap(columns: map.columns, rows: map.rows, depth: map.depth, values: values)
    }

    /// The memory of all pictures, at the smallest reach tried at which it holds them.
    private static func memory(of maps: [FeatureMap]) -> (PatchMemory, reach: Float) {
        var reach = firstReach * Float(maps[0].depth).squareRoot()
        while true {
            var memory = PatchMemory(depth: maps[0].depth)
            if maps.allSatisfy({ memory.cover($0, reach: reach, atMost: maxPatches) }) { return (memory, reach) }
            reach *= nextReach
        }
    }

    /// Distances of training pictures, each to what the others teach.
    private static func leftOut(_ maps: [FeatureMap], reach: Float, progress: (Double) -> Void) -> [Double] {
        let memories = maps.map { map in
            var memory = PatchMemory(depth: map.depth)
            // A picture has fewer patches than any limit here.
            _ = memory.cover(map, reach: reach, atMost: map.cells)
            return memory
        }
        let count = min(maxLeftOut, maps.count)
        return (0..<count).map { index in
            progress(Double(index) / Double(count))
            let left = index * maps.count / count
            let others = memories.indices.lazy.filter { $0 != left }.map { memories[$0] }
            return distance(PatchMemory.distances(maps[left], to: others))
        }
    }

    /// Mean over the furthest patches.
    static func distance(_ distances: [Float]) -> Double {
        let count = max(1, Int(Double(distances.count) * furthestShare))
        return distances.sorted(by: >).prefix(count).reduce(0) { $0 + Double($1) } / Double(count)
    }

    /// The distance that all left out pictures but a share of `falseRejects` stay within, and `margin` more; at least
    /// `reach`, below which distances mean nothing.
    static func limit(_ leftOut: [Double], reach: Float) -> Double {
        let rank = Int((Double(leftOut.count + 1) * (1 - falseRejects)).rounded(.up))
        let within = leftOut.sorted()[min(leftOut.count, rank) - 1]
        return max(within * (1 + margin), Double(reach))
    }
}
