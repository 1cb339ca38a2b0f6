/// Why a surface model cannot be learned, read or used.
package struct SurfaceModelError: Error, Equatable, CustomStringConvertible {
    /// The picture or model file.
    package let name: String
    package let reason: String

    package init(name: String, reason: String) {
        self.name = name
        self.reason = reason
    }

    package var description: String { "\(name): \(reason)" }
}

/// What good parts look like, learned from pictures of good parts only, in three aspects: the outline wherever it lies
/// (`Silhouette`), and, laid over each other, where the part is and what its surface looks like there
/// (`PartAppearance`).
///
/// Each aspect gives a distance, and `AspectScores` its limit, from leaving each training part out in turn and
/// measuring it by what the others taught. The score is the largest of the distances in units of their limits, so 1 is
/// the limit estimated from the training parts. With few of them it is a rough estimate, which is why recipes have
/// limits of their own.
package struct SurfaceModel: Equatable, Sendable {
    /// Pictures needed to learn from, at least.
    package static let minPictures = 3
    /// Pictures to learn from, at most.
    package static let maxPictures = 1_000

    /// Score of a picture in which nothing of a part's colour is found.
    private static let nothingFound = 1_000.0

    /// A picture it was learned from.
    package struct Source: Equatable, Sendable {
        package let name: String
        /// SHA-256 over its pixels.
        package let pixelsSHA256: String
    }

    /// Geometry of the pictures it judges.
    package let width: Int
    package let height: Int
    package let channels: Int
    /// What it was learned from.
    package let sources: [Source]
    let classes: ColourClasses
    let outline: OutlineStatistics
    let frame: PartFrame
    let appearance: PartAppearance
    /// Distances at which the score is 1.
    let limits: AspectScores
    /// Scores of the training parts, each left out in turn; empty in a file of format 1.
    package let goodScores: [Double]

    /// Learns from pictures of good parts, all of one size. The same pictures in the same order give the same model.
    package static func train(
        pictures: [(name: String, picture: Picture)]
    ) throws(SurfaceModelError) -> SurfaceModel {
        guard (minPictures...maxPictures).contains(pictures.count), let first = pictures.first?.picture else {
            throw SurfaceModelError(
                name: "training",
                reason: "\(pictures.count) pictures; expected \(minPictures) to \(maxPictures)"
            )
        }
        for (name, picture) in pictures {
            guard (picture.width, picture.height, picture.channels) == (first.width, first.height, first.channels)
            else {
                throw SurfaceModelError(
                    name: name,
                    reason: "\(picture.width)x\(picture.height)x\(picture.channels); expected \(first.width)x"
                        + "\(first.height)x\(first.channels) as the first training picture"
                )
            }
        }
        let images = pictures.map { SurfaceImage($0.picture) }
        let classes = ColourClasses(learning: images)
        var views: [SurfaceView] = []
        for (image, name) in zip(images, pictures.map(\.name)) {
            guard let mask = PartMask(image, classes) else {
                throw SurfaceModelError(
                    name: name,
                    reason: "no part found; expected one part that stands out from its background"
                )
            }
            views.append(SurfaceView(image: image, mask: mask, silhouette: Silhouette(mask)))
        }
        return learn(views, classes, first, pictures.map { Source(name: $0.name, pixelsSHA256: $0.picture.sha256) })
    }

    private static func learn(
        _ views: [SurfaceView],
        _ classes: ColourClasses,
        _ picture: Picture,
        _ sources: [Source]
    ) -> SurfaceModel {
        let radii = views.map(\.radius).sorted()
        let frame = PartFrame(cellSize: max(0.25, 2.4 * radii[radii.count / 2] / Double(PartFrame.side)))
        var average = views[0].coverage(
            frame,
            PartPose(x: views[0].silhouette.centreX, y: views[0].silhouette.centreY, angle: 0)
        )
        var poses: [PartPose] = []
        for _ in 0..<2 {
            let search = PoseSearch(frame: frame, average: average)
            poses = views.map { search.pose(of: $0) }
            average = mean(zip(views, poses).map { $0.coverage(frame, $1) })
        }
        let samples = zip(views, poses).map { PartAppearance.sample($0, frame, $1) }
        let outlines = views.map(\.silhouette.values)
        let leftOut = views.indices.map { left in
            let others = views.indices.filter { $0 != left }
            let distances = PartAppearance(others.map { samples[$0] }, coverage: average).distances(samples[left])
            return AspectScores(
                outline: OutlineStatistics(others.map { outlines[$0] }).distance(outlines[left]),
                coverage: distances.coverageScore,
                surface: distances.surfaceScore
            )
        }
        let limits = AspectScores(limitsOf: leftOut)
        return SurfaceModel(
            width: picture.width,
            height: picture.height,
            channels: picture.channels,
            sources: sources,
            classes: classes,
            outline: OutlineStatistics(outlines),
            frame: frame,
            appearance: PartAppearance(samples, coverage: average),
            limits: limits,
            goodScores: leftOut.map { $0.inUnits(of: limits, atMost: nothingFound).largest }
        )
    }

    /// What the model says about one part.
    package func measure(_ picture: Picture, timer: inout StepTimer) throws(ToolError) -> ToolResult {
        guard (picture.width, picture.height, picture.channels) == (width, height, channels) else {
            throw ToolError(
                "picture of \(picture.width)x\(picture.height)x\(picture.channels); the model was learned from "
                    + "\(width)x\(height)x\(channels)"
            )
        }
        let image = SurfaceImage(picture)
        guard let mask = PartMask(image, classes) else {
            let whole = FoundDefect(
                category: .shape,
                x: 0,
                y: 0,
                width: width,
                height: height,
                area: width * height,
                score: Self.nothingFound
            )
            return ToolResult(score: Self.nothingFound, defects: [whole])
        }
        let view = SurfaceView(image: image, mask: mask, silhouette: Silhouette(mask))
        timer.finish("outline")
        let pose = PoseSearch(frame: frame, average: appearance.coverage).pose(of: view)
        timer.finish("align")
        let found = appearance.distances(PartAppearance.sample(view, frame, pose))
        let scores = AspectScores(
            outline: outline.distance(view.silhouette.values),
            coverage: found.coverageScore,
            surface: found.surfaceScore
        ).inUnits(of: limits, atMost: Self.nothingFound)
        let factor = SurfaceImage.factor(width: width, height: height)
        let places = SurfaceDefects(width: width, height: height, factor: factor, frame: frame, pose: pose)
        let defects =
            places.outline(view, score: scores.outline)
            + places.cells(found.coverage, limit: limits.coverage, score: scores.coverage, .shape)
            + places.cells(found.surface, limit: limits.surface, score: scores.surface, .surface)
        timer.finish("surface")
        return ToolResult(score: scores.largest, defects: defects)
    }

    private static func mean(_ planes: [[Float]]) -> [Float] {
        var sums = planes[0]
        for plane in planes.dropFirst() {
            for index in sums.indices { sums[index] += plane[index] }
        }
        return sums.map { $0 / Float(planes.count) }
    }
}

/// One picture on its way through the model.
struct SurfaceView {
    let image: SurfaceImage
    let mask: PartMask
    let silhouette: Silhouette

    /// Distance from the centre to the furthest pixel, pixels of the reduced picture.
    var radius: Double {
        Silhouette.outline(mask.covered, mask.width, mask.height)
            .map { point in
                let (dx, dy) = (point.x - silhouette.centreX, point.y - silhouette.centreY)
                return (dx * dx + dy * dy).squareRoot()
            }
            .max() ?? 1
    }

    /// 1 in the cells that the part covers.
    func coverage(_ frame: PartFrame, _ pose: PartPose) -> [Float] {
        var cells = [Float](repeating: 0, count: PartFrame.cells)
        frame.forEachCell(pose) { cell, x, y in
            let (column, row) = (Int(x.rounded()), Int(y.rounded()))
            if column >= 0, row >= 0, column < mask.width, row < mask.height {
                cells[cell] = Float(mask.covered[row * mask.width + column])
            }
        }
        return cells
    }
}

extension PoseSearch {
    func pose(of view: SurfaceView) -> PartPose {
        pose(of: view.mask, startX: view.silhouette.centreX, startY: view.silhouette.centreY)
    }
}

/// How the outlines of good parts vary.
struct OutlineStatistics: Equatable, Sendable {
    /// In the order of `Silhouette.measures`.
    let means: [Double]
    /// Spread expected of the next good part: of the training parts and their mean, and the measure's tolerance.
    let spreads: [Double]

    init(means: [Double], spreads: [Double]) {
        self.means = means
        self.spreads = spreads
    }

    init(_ outlines: [[Double]]) {
        let count = Double(outlines.count)
        var (means, spreads): ([Double], [Double]) = ([], [])
        for (index, measure) in Silhouette.measures.enumerated() {
            let values = outlines.map { $0[index] }
            let mean = values.reduce(0, +) / count
            let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / max(1, count - 1)
            means.append(mean)
            spreads.append((variance * (1 + 1 / count) + measure.tolerance * measure.tolerance).squareRoot())
        }
        self.means = means
        self.spreads = spreads
    }

    /// Root mean square of the deviations in units of their spreads.
    func distance(_ outline: [Double]) -> Double {
        var sum = 0.0
        for index in outline.indices {
            let deviation = (outline[index] - means[index]) / spreads[index]
            sum += deviation * deviation
        }
        return (sum / Double(outline.count)).squareRoot()
    }
}

/// One number for each aspect of a part.
struct AspectScores: Equatable, Sendable {
    /// Standard deviations above the mean at which a good part is held to be unlikely.
    private static let deviations = 3.0

    let outline: Double
    let coverage: Double
    let surface: Double

    init(outline: Double, coverage: Double, surface: Double) {
        self.outline = outline
        self.coverage = coverage
        self.surface = surface
    }

    /// Limits from the distances of good parts, each measured by the others.
    init(limitsOf leftOut: [AspectScores]) {
        self.init(
            outline: Self.limit(leftOut.map(\.outline)),
            coverage: Self.limit(leftOut.map(\.coverage)),
            surface: Self.limit(leftOut.map(\.surface))
        )
    }

    var largest: Double { max(outline, coverage, surface) }

    func inUnits(of limits: AspectScores, atMost most: Double) -> AspectScores {
        AspectScores(
            outline: min(most, outline / limits.outline),
            coverage: min(most, coverage / limits.coverage),
            surface: min(most, surface / limits.surface)
        )
    }

    /// Mean and `deviations` standard deviations, but no more than 1.25 times the largest: an odd good part should not
    /// hide bad ones.
    private static func limit(_ distances: [Double]) -> Double {
        let count = Double(distances.count)
        let mean = distances.reduce(0, +) / count
        let variance = distances.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / max(1, count - 1)
        let spread = max(variance.squareRoot(), mean / 10)
        return max(1e-6, min(mean + deviations * spread, 1.25 * (distances.max() ?? mean)))
    }
}
