import Glibc

/// Where defects of each category are, learned from pictures on which people marked them: a classifier of cells by the
/// features that a network trained on photographs of everything has of them.
///
/// A part's score is -log(1 - chance) of its most likely pixel in units of that of `limit`: 1 at the limit, 0 where a
/// defect is out of the question, and each further nine of certainty adds as much. The limit comes from pictures that
/// were left out in turn (`SegmentationLearning`).
package struct SegmentationModel: Equatable, Sendable {
    /// Pictures with marked defects needed to learn from, at least.
    package static let minMarked = 3
    /// Pictures to learn from, at most.
    package static let maxPictures = 1_000
    /// Most categories of defects.
    package static let maxCategories = 64

    /// Pixels of the longer side that pictures are brought to.
    static let longerSide = 1_024
    /// Chance from which a pixel belongs to a defect.
    package static let pixelChance: Float = 0.5
    /// Chances closer to certainty are not told apart.
    static let certainty = 1 - 1e-6

    /// SHA-256 of the backbone.
    package let backboneSHA256: String
    /// Pictures it was learned from.
    package let sources: [AnomalyModel.Source]
    /// What it tells apart, in the order of the classifier's outputs.
    package let categories: [DefectCategory]
    let classifier: PixelClassifier
    /// Chance that one pixel of a defect must reach for the defect to be reported.
    package let limit: Double

    /// The picture's proportions at `longerSide`, in whole steps.
    static func inputSize(_ picture: Picture, step: Int) -> (width: Int, height: Int) {
        let factor = Double(longerSide) / Double(max(picture.width, picture.height))
        func steps(_ side: Int) -> Int { max(1, Int((Double(side) * factor / Double(step)).rounded())) }
        return (steps(picture.width) * step, steps(picture.height) * step)
    }

    /// What the model says about one part; `source` is the backbone it was learned with.
    package func measure(
        _ picture: Picture,
        features source: any PixelFeatureSource,
        timer: inout StepTimer
    ) throws(ToolError) -> ToolResult {
        let chances = try chances(of: picture, features: source, timer: &timer)
        let defects = regions(chances, in: picture).map(\.defect)
        timer.finish("regions")
        // Where no pixel reaches a defect's chance, the likeliest cell still tells one good part from another.
        let score = defects.map(\.score).max() ?? score(min(chances.highest, Self.pixelChance))
        return ToolResult(score: score, defects: defects)
    }

    /// Each pixel's chance of the likeliest defect, and the pixels of the defects whose score is at least `share`.
    package func map(
        _ picture: Picture,
        features source: any PixelFeatureSource,
        limit share: Double = 1
    ) throws(ToolError) -> DefectMap {
        var timer = StepTimer(nowUs: { 0 })
        let chances = try chances(of: picture, features: source, timer: &timer)
        var strength = [Float](repeating: 0, count: picture.width * picture.height)
        for category in categories.indices {
            chances.eachRow(of: category, atLeast: 0, in: picture) { y, row in
                for x in row.indices { strength[y * picture.width + x] = max(strength[y * picture.width + x], row[x]) }
            }
        }
        var found = [Bool](repeating: false, count: strength.count)
        let regions = regions(chances, in: picture)
        for region in regions where region.defect.score >= share {
            for run in region.blob.runs {
                for x in run.start..<run.end { found[run.y * picture.width + x] = true }
            }
        }
        return DefectMap(
            width: picture.width,
            height: picture.height,
            strength: strength,
            found: found,
            candidates: regions.map { $0.defect.scaled(to: share) }
        )
    }

    func chances(
        of picture: Picture,
        features source: any PixelFeatureSource,
        timer: inout StepTimer
    ) throws(ToolError) -> CellValues {
        let size = Self.inputSize(picture, step: source.step)
        let pyramid: FeaturePyramid
        do throws(NeuralError) {
            pyramid = try source.pyramid(of: picture, width: size.width, height: size.height)
        } catch {
            throw ToolError(error.reason)
        }
        guard pyramid.depth == classifier.depth else {
            throw ToolError("\(pyramid.depth) features a cell; the model was learned from \(classifier.depth)")
        }
        timer.finish("features")
        let chances = CellValues(pyramid.columns, pyramid.rows, classifier.apply(to: pyramid))
        timer.finish("classify")
        return chances
    }

    /// Connected pixels of one category, with what is reported of them.
    func regions(_ chances: CellValues, in picture: Picture) -> [(blob: Blob, defect: FoundDefect)] {
        categories.indices.flatMap { category in
            var runs: [Run] = []
            var peaks: [Float] = []
            chances.eachRow(of: category, atLeast: Self.pixelChance, in: picture) { y, row in
                var x = 0
                while x < row.count {
                    guard row[x] >= Self.pixelChance else {
                        x += 1
                        continue
                    }
                    let start = x
                    var peak: Float = 0
                    while x < row.count, row[x] >= Self.pixelChance {
                        peak = max(peak, row[x])
                        x += 1
                    }
                    runs.append(Run(y: y, start: start, end: x, kind: 1))
                    peaks.append(peak)
                }
            }
            let peakAt = Dictionary(uniqueKeysWithValues: zip(runs.map { $0.y * picture.width + $0.start }, peaks))
            return Blobs.joined(runs).map { blob in
                let peak = blob.runs.reduce(Float(0)) { max($0, peakAt[$1.y * picture.width + $1.start] ?? 0) }
                let box = Box(
                    x: blob.left,
                    y: blob.top,
                    width: blob.right - blob.left,
                    height: blob.bottom - blob.top
                )
                return (blob, FoundDefect(categories[category], box, area: blob.area, score: score(peak)))
            }
        }
    }

    /// -log(1 - chance) in units of the limit's.
    private func score(_ chance: Float) -> Double { log1p(-min(Double(chance), Self.certainty)) / log1p(-limit) }
}

/// Chances of categories, cell by cell.
struct CellValues {
    private let columns: Int
    private let rows: Int
    /// Category by category.
    private let values: [Float]

    init(_ columns: Int, _ rows: Int, _ values: [Float]) {
        (self.columns, self.rows, self.values) = (columns, rows, values)
    }

    var highest: Float { values.max() ?? 0 }

    /// Hands out each row of the picture's pixels that may reach `least`: chances between those of the cells' centres.
    func eachRow(
        of category: Int,
        atLeast least: Float,
        in picture: Picture,
        _ body: (Int, UnsafeMutableBufferPointer<Float>) -> Void
    ) {
        let plane = category * columns * rows
        let across = (0..<picture.width).map { x in
            Between(position: (Float(x) + 0.5) * Float(columns) / Float(picture.width) - 0.5, columns)
        }
        let highest = (0..<rows).map { row in
            values[plane + row * columns..<plane + (row + 1) * columns].reduce(0) { max($0, $1) }
        }
        withUnsafeTemporaryAllocation(of: Float.self, capacity: columns + picture.width) { room in
            let line = UnsafeMutableBufferPointer(rebasing: room[..<columns])
            let pixels = UnsafeMutableBufferPointer(rebasing: room[columns...])
            for y in 0..<picture.height {
                let down = Between(position: (Float(y) + 0.5) * Float(rows) / Float(picture.height) - 0.5, rows)
                guard max(highest[down.first], highest[down.second]) >= least else { continue }
                let (upper, lower) = (plane + down.first * columns, plane + down.second * columns)
                for x in 0..<columns { line[x] = down.value(values[upper + x], values[lower + x]) }
                for x in 0..<picture.width {
                    let between = across[x]
                    pixels[x] = between.value(line[between.first], line[between.second])
                }
                body(y, pixels)
            }
        }
    }
}
