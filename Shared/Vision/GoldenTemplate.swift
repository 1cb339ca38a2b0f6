/// A golden picture prepared for comparison: for each pixel the darkest and brightest grey level that is no difference.
package struct GoldenTemplate: Sendable {
    /// Largest shift that can be searched, pixels.
    package static let maxShift = 128
    /// Largest edge tolerance, pixels.
    package static let maxEdgeTolerance = 4

    private static let brighter: UInt8 = 1
    private static let darker: UInt8 = 2
    /// Differences below this strength are not reported.
    private static let reportedFrom = 0.5

    package let width: Int
    package let height: Int
    private let settings: GoldenSettings
    private let pyramid: Pyramid
    private let lowest: [UInt8]
    private let highest: [UInt8]
    private let board: BoardClassifier?

    package init(_ picture: Picture, settings: GoldenSettings) {
        let grey = picture.grey()
        width = grey.width
        height = grey.height
        self.settings = settings
        pyramid = Pyramid(grey, deepest: Pyramid.depth(maxShift: settings.maxShift))
        let threshold = UInt8(settings.threshold)
        lowest = Self.envelope(grey, reach: settings.edgeTolerance) { $0 < $1 ? $0 : $1 }.map {
            $0 < threshold ? 0 : $0 - threshold
        }
        highest = Self.envelope(grey, reach: settings.edgeTolerance) { $0 > $1 ? $0 : $1 }
            .map { $0 > 255 - threshold ? 255 : $0 + threshold }
        board =
            settings.copper == .none ? nil : BoardClassifier(template: grey, copperIsBright: settings.copper == .bright)
    }

    /// Compares a part with the template: aligns it by translation, then finds connected pixels that are brighter or
    /// darker than every template pixel within the edge tolerance by more than the threshold. A difference's score is
    /// its area divided by the smallest area that counts. Pixels that the shift moves out of the picture are not
    /// compared.
    package func compare(_ picture: Picture, timer: inout StepTimer) throws(ToolError) -> PartMeasurement {
        guard picture.width == width, picture.height == height else {
            throw ToolError(
                "picture of \(picture.width)x\(picture.height) pixels; the template has \(width)x\(height)"
            )
        }
        let part = picture.grey()
        let shift = Alignment.shift(
            of: Pyramid(part, deepest: pyramid.levels.count - 1),
            to: pyramid,
            maxShift: settings.maxShift
        )
        timer.finish("align")
        let blobs = Blobs.joined(differences(part, shift))
        timer.finish("compare")
        let largest = blobs.map(\.area).max() ?? 0
        let reported = blobs.filter { score(area: $0.area) >= Self.reportedFrom }
            .sorted { ($1.area, $0.top, $0.left) < ($0.area, $1.top, $1.left) }
            .prefix(PartMeasurement.maxDefects)
        let defects = reported.map { defect($0, part: part, shift: shift) }
        timer.finish("classify")
        return PartMeasurement(score: score(area: largest), defects: defects)
    }

    private func score(area: Int) -> Double { Double(area) / Double(settings.minArea) }

    private func differences(_ part: Picture, _ shift: Shift) -> [Run] {
        var runs: [Run] = []
        var row = [UInt8](repeating: 0, count: width)
        let first = max(0, -shift.dx)
        let count = min(width, width - shift.dx) - first
        for y in max(0, -shift.dy)..<min(height, height - shift.dy) {
            row.withUnsafeMutableBufferPointer { out in
                part.pixels.withUnsafeBufferPointer { part in
                    lowest.withUnsafeBufferPointer { lowest in
                        highest.withUnsafeBufferPointer { highest in
                            let golden = y * width + first
                            let judged = (y + shift.dy) * width + first + shift.dx
                            for x in 0..<count {
                                let value = part[judged &+ x]
                                let above: UInt8 = value > highest[golden &+ x] ? Self.brighter : 0
                                let below: UInt8 = value < lowest[golden &+ x] ? Self.darker : 0
                                out[first &+ x] = above | below
                            }
                        }
                    }
                }
                Blobs.appendRuns(of: UnsafeBufferPointer(out), y: y, to: &runs)
            }
        }
        return runs
    }

    private func defect(_ blob: Blob, part: Picture, shift: Shift) -> FoundDefect {
        let reach = settings.edgeTolerance
        let left = max(0, blob.left + shift.dx - reach)
        let top = max(0, blob.top + shift.dy - reach)
        let right = min(width, blob.right + shift.dx + reach)
        let bottom = min(height, blob.bottom + shift.dy + reach)
        let category =
            board.map {
                $0.category(
                    of: blob,
                    added: (blob.kind == Self.brighter) == $0.copperIsBright,
                    part: part,
                    shift: shift,
                    edgeTolerance: reach
                )
            } ?? .difference
        return FoundDefect(
            category: category,
            x: left,
            y: top,
            width: right - left,
            height: bottom - top,
            area: blob.area,
            score: score(area: blob.area)
        )
    }

    /// Smallest or largest value within `reach` pixels in each direction: of rows, then of columns.
    @inline(__always)
    private static func envelope(_ grey: Picture, reach: Int, _ pick: (UInt8, UInt8) -> UInt8) -> [UInt8] {
        var pixels = grey.pixels
        let (width, height) = (grey.width, grey.height)
        for _ in 0..<reach {
            let rows = [UInt8](unsafeUninitializedCapacity: width * height) { out, initialised in
                pixels.withUnsafeBufferPointer { source in
                    for first in stride(from: 0, to: width * height, by: width) {
                        let last = first + width - 1
                        out[first] = pick(source[first], source[min(last, first + 1)])
                        for at in first + 1..<max(first + 1, last) {
                            out[at] = pick(source[at], pick(source[at &- 1], source[at &+ 1]))
                        }
                        out[last] = pick(source[last], source[max(first, last - 1)])
                    }
                }
                initialised = width * height
            }
            pixels.withUnsafeMutableBufferPointer { out in
                rows.withUnsafeBufferPointer { source in
                    for y in 0..<height {
                        let (here, above, below) = (y * width, max(0, y - 1) * width, min(height - 1, y + 1) * width)
                        for x in 0..<width {
                            out[here &+ x] = pick(source[here &+ x], pick(source[above &+ x], source[below &+ x]))
                        }
                    }
                }
            }
        }
        return pixels
    }
}

/// Difference to one golden picture.
package struct GoldenTemplateTool: Tool {
    package static let categories: [DefectCategory] = [
        .open, .short, .mousebite, .spur, .copper, .pinHole, .difference,
    ]

    /// SHA-256 over the template file.
    package let sha256: String
    private let template: GoldenTemplate

    package init(path: String, settings: GoldenSettings) throws(PictureError) {
        let (picture, sha256) = try GoldenPairsTool.read(path)
        self.sha256 = sha256
        template = GoldenTemplate(picture, settings: settings)
    }

    package init(_ template: GoldenTemplate, sha256: String) {
        self.template = template
        self.sha256 = sha256
    }

    package func inspect(
        _ picture: Picture,
        sourceName: String,
        timer: inout StepTimer
    ) throws(ToolError) -> PartMeasurement {
        try template.compare(picture, timer: &timer)
    }
}
