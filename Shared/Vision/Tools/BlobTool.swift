import Glibc

/// Counts and sizes what is brighter or darker than its surroundings: presence, holes, drops, labels.
///
/// ```yaml
/// blobs:
///   threshold: otsu     # otsu, fixed (with `level`) or adaptive (with `reach` and `offset`)
///   polarity: dark      # dark or bright
///   min_area: 20        # pixels; smaller ones are not counted
///   max_area: 400       # pixels; larger ones are defects
///   max_elongation: 3   # length over width; longer ones are defects
///   min_count: 4
///   max_count: 4
/// ```
package struct BlobSettings: ToolSettings {
    package static let key = "blobs"
    package static let task = VisionTask.count
    package var categories: [DefectCategory] { [.missing, .surplus, .dimension, .shape] }

    /// How the grey level is found that separates blobs from their surroundings.
    package enum Threshold: String, CaseIterable, Sendable {
        /// The level that splits the region's histogram best (Otsu 1979).
        case otsu
        /// `level` of the recipe.
        case fixed
        /// The mean around each pixel, and `offset` beyond it.
        case adaptive
    }

    /// Which side of the level blobs are on.
    package enum Polarity: String, CaseIterable, Sendable { case bright, dark }

    package var threshold = Threshold.otsu
    package var polarity = Polarity.bright
    /// Grey level from which a pixel is bright, for `fixed`.
    package var level = 128
    /// Half the side of the square that `adaptive` averages, pixels.
    package var reach = 15
    /// Grey levels by which a pixel stands out from its square, for `adaptive`.
    package var offset = 10
    /// Grey levels between the two classes of `otsu` below which there is nothing to be seen.
    package var minContrast = 20
    /// Specks and hair-thin parts of less than twice this width are taken away first, pixels.
    package var clean = 0
    /// Pixels.
    package var minArea = 10
    /// Pixels.
    package var maxArea: Int?
    package var maxElongation: Double?
    package var minCount = 1
    package var maxCount: Int?

    package init() {}

    package init(_ section: RecipeSection) {
        threshold = section.choice("threshold", of: Threshold.self, default: threshold)
        polarity = section.choice("polarity", of: Polarity.self, default: polarity)
        level = section.integer("level", 1...255, default: level)
        reach = section.integer("reach", 1...500, default: reach)
        offset = section.integer("offset", 1...254, default: offset)
        minContrast = section.integer("min_contrast", 1...254, default: minContrast)
        clean = section.integer("clean", 0...5, default: clean)
        minArea = section.integer("min_area", 1...100_000_000, default: minArea)
        if section.has("max_area") { maxArea = section.integer("max_area", 1...100_000_000) }
        maxElongation = section.optionalNumber("max_elongation", 1...1_000)
        minCount = section.integer("min_count", 0...10_000, default: minCount)
        if section.has("max_count") { maxCount = section.integer("max_count", 0...10_000) }
        if let maxArea, maxArea < minArea {
            section.note("max_area", found: "\(maxArea)", expected: "at least min_area (\(minArea))")
        }
        if let maxCount, maxCount < minCount {
            section.note("max_count", found: "\(maxCount)", expected: "at least min_count (\(minCount))")
        }
    }

    package func load(_ files: RecipeFiles) throws -> any Tool { BlobTool(self) }
}

/// Counts and sizes blobs by their settings.
package struct BlobTool: Tool {
    private let settings: BlobSettings
    private let pool = ScratchPool()

    package init(_ settings: BlobSettings) { self.settings = settings }

    package func inspect(_ part: PartView, timer: inout StepTimer) throws(ToolError) -> ToolResult {
        let grey = part.picture.grey()
        let blobs = try pool.lend { scratch throws(ToolError) in
            try grey.withPlane { plane throws(ToolError) in try find(plane, scratch) }
        }
        timer.finish("blobs")
        return result(blobs.filter { $0.area >= settings.minArea }, part)
    }

    private func find(_ source: Plane<UInt8>, _ scratch: Scratch) throws(ToolError) -> [MeasuredBlob] {
        let isDark = settings.polarity == .dark
        let (width, height) = (source.width, source.height)
        var mask = scratch.plane(UInt8.self, width, height)
        switch settings.threshold {
        case .fixed:
            PixelLoops.threshold(source, from: UInt8(settings.level), isDark: isDark, into: mask)
        case .adaptive:
            PixelLoops.standsOut(
                source,
                reach: settings.reach,
                offset: settings.offset,
                isDark: isDark,
                into: mask,
                sums: scratch.take(Int32.self, width)
            )
        case .otsu:
            let counts = scratch.take(UInt32.self, 256)
            counts.update(repeating: 0, count: 256)
            PixelLoops.histogram(source, into: counts)
            let level = PixelLoops.otsuLevel(counts)
            guard Self.contrast(counts, level) >= Double(settings.minContrast) else { return [] }
            PixelLoops.threshold(source, from: level, isDark: isDark, into: mask)
        }
        if settings.clean > 0 {
            var other = scratch.plane(UInt8.self, width, height)
            let rows = scratch.take(UInt8.self, width)
            for step in 0..<2 * settings.clean {
                if step < settings.clean {
                    PixelLoops.erode(mask, into: other, rows: rows)
                } else {
                    PixelLoops.dilate(mask, into: other, rows: rows)
                }
                swap(&mask, &other)
            }
        }
        guard let blobs = MeasuredBlob.all(in: mask, scratch) else {
            throw ToolError(
                "more than \(MeasuredBlob.limit) blobs: the threshold lies in the noise; expected another threshold, "
                    + "polarity or clean"
            )
        }
        return blobs
    }

    /// Between the means of the two classes.
    private static func contrast(_ counts: UnsafePointer<UInt32>, _ level: UInt8) -> Double {
        func mean(_ values: Range<Int>) -> Double {
            let count = values.reduce(0) { $0 + Int(counts[$1]) }
            return count > 0 ? Double(values.reduce(0) { $0 + $1 * Int(counts[$1]) }) / Double(count) : .nan
        }
        let difference = mean(Int(level)..<256) - mean(0..<Int(level))
        return difference.isNaN ? 0 : difference
    }

    private func result(_ blobs: [MeasuredBlob], _ part: PartView) -> ToolResult {
        let ranked = blobs.sorted { ($1.area, $0.top, $0.left) < ($0.area, $1.top, $1.left) }
        var score = 0.0
        var defects: [FoundDefect] = []
        func add(_ category: DefectCategory, _ blob: MeasuredBlob, _ strength: Double) {
            score = max(score, strength)
            if strength >= 0.5 { defects.append(FoundDefect(category, blob.box, area: blob.area, score: strength)) }
        }
        for blob in ranked {
            // Beyond the limit the defect is there: at the limit itself the blob is still good.
            if let limit = settings.maxArea { add(.dimension, blob, Double(blob.area) / Double(limit + 1)) }
            if let limit = settings.maxElongation { add(.shape, blob, blob.elongation / (limit * (1 + 1e-9))) }
        }
        for blob in ranked.dropFirst(settings.maxCount ?? ranked.count) {
            add(.surplus, blob, Double(ranked.count - (settings.maxCount ?? 0)))
        }
        if ranked.count < settings.minCount {
            let missing = Double(settings.minCount - ranked.count)
            let box = Box(x: 0, y: 0, width: part.picture.width, height: part.picture.height)
            score = max(score, missing)
            defects.append(FoundDefect(.missing, box, area: box.width * box.height, score: missing))
        }
        return ToolResult(score: score, defects: defects, features: features(ranked, part))
    }

    private func features(_ ranked: [MeasuredBlob], _ part: PartView) -> [Feature] {
        let (length, unit) = part.lengthUnit
        let areaUnit = part.millimetresPerPixel == nil ? unit : "MMK"
        let limit = settings.maxArea.map { Double($0) * length * length }
        let count = Feature(
            name: "count",
            value: Double(ranked.count),
            unit: "C62",
            lowerLimit: Double(settings.minCount),
            upperLimit: settings.maxCount.map(Double.init),
            conforms: ranked.count >= settings.minCount && ranked.count <= settings.maxCount ?? .max
        )
        guard let largest = ranked.first else { return [count] }
        let total = Double(ranked.reduce(0) { $0 + $1.area }) * length * length
        let area = Double(largest.area) * length * length
        return [
            count,
            Feature(name: "total area", value: total, unit: areaUnit, conforms: true),
            Feature(
                name: "largest area",
                value: area,
                unit: areaUnit,
                upperLimit: limit,
                conforms: largest.area <= settings.maxArea ?? .max
            ),
            Feature(name: "x", value: largest.x * length, unit: unit, conforms: true),
            Feature(name: "y", value: largest.y * length, unit: unit, conforms: true),
        ]
    }
}

/// A connected region and its moments.
package struct MeasuredBlob: BitwiseCopyable {
    /// Most blobs of one picture.
    package static let limit = 65_536

    package private(set) var left: Int
    package private(set) var top: Int
    /// One past the last pixel.
    package private(set) var right: Int
    package private(set) var bottom: Int
    package private(set) var area: Int
    private var sumX: Int
    private var sumY: Int
    private var sumXX: Int
    private var sumYY: Int
    private var sumXY: Int

    var box: Box { Box(x: left, y: top, width: right - left, height: bottom - top) }
    /// Centre of mass.
    var x: Double { Double(sumX) / Double(area) }
    var y: Double { Double(sumY) / Double(area) }

    /// Length over width of the ellipse with the same second moments, a pixel's own extent included.
    var elongation: Double {
        let n = Double(area)
        let xx = Double(sumXX) / n - x * x + 1.0 / 12
        let yy = Double(sumYY) / n - y * y + 1.0 / 12
        let xy = Double(sumXY) / n - x * y
        let root = hypot(xx - yy, 2 * xy)
        return ((xx + yy + root) / max(xx + yy - root, 1e-9)).squareRoot()
    }

    /// Pixels `start` to `end` (one past the last) of row `y`.
    @inline(__always)
    private init(y: Int, start: Int, end: Int) {
        let count = end &- start
        (left, top, right, bottom, area) = (start, y, end, y &+ 1, count)
        sumX = (start &+ end &- 1) &* count / 2
        sumY = y &* count
        sumYY = y &* y &* count
        sumXY = sumX &* y
        // The sum of squares below n is (n - 1) n (2n - 1) / 6.
        sumXX =
            ((end &- 1) &* end &* (2 &* end &- 1) &- (start &- 1) &* start &* (2 &* start &- 1)) / 6
    }

    @inline(__always)
    private mutating func join(_ other: MeasuredBlob) {
        (left, top) = (min(left, other.left), min(top, other.top))
        (right, bottom) = (max(right, other.right), max(bottom, other.bottom))
        area &+= other.area
        sumX &+= other.sumX
        sumY &+= other.sumY
        sumXX &+= other.sumXX
        sumYY &+= other.sumYY
        sumXY &+= other.sumXY
    }

    private struct Strip {
        var start: Int32
        var end: Int32
        var label: Int32
    }

    /// Regions of non-zero pixels, corners joined, in one pass over rows; nil where there are more than `limit`.
    package static func all(in mask: Plane<UInt8>, _ scratch: Scratch) -> [MeasuredBlob]? {
        let most = mask.width / 2 + 1
        var (above, here) = (scratch.take(Strip.self, most), scratch.take(Strip.self, most))
        let blobs = scratch.take(MeasuredBlob.self, limit)
        let parents = scratch.take(Int32.self, limit)
        var labels = 0
        var aboveCount = 0
        func root(_ label: Int32) -> Int32 {
            var label = label
            while parents[Int(label)] != label {
                parents[Int(label)] = parents[Int(parents[Int(label)])]
                label = parents[Int(label)]
            }
            return label
        }
        for y in 0..<mask.height {
            let count = strips(mask.row(y), mask.width, into: here)
            var first = 0
            for index in 0..<count {
                let strip = here[index]
                var label: Int32 = -1
                while first < aboveCount, above[first].end < strip.start { first += 1 }
                var other = first
                while other < aboveCount, above[other].start <= strip.end {
                    let found = root(above[other].label)
                    if label < 0 {
                        label = found
                    } else if found != label {
                        blobs[Int(min(label, found))].join(blobs[Int(max(label, found))])
                        parents[Int(max(label, found))] = min(label, found)
                        label = min(label, found)
                    }
                    other += 1
                }
                let pixels = MeasuredBlob(y: y, start: Int(strip.start), end: Int(strip.end))
                if label < 0 {
                    guard labels < limit else { return nil }
                    label = Int32(labels)
                    labels += 1
                    parents[Int(label)] = label
                    blobs[Int(label)] = pixels
                } else {
                    blobs[Int(label)].join(pixels)
                }
                here[index].label = label
            }
            swap(&above, &here)
            aboveCount = count
        }
        return (0..<labels).filter { parents[$0] == Int32($0) }.map { blobs[$0] }
    }

    private static func strips(
        _ row: UnsafeMutablePointer<UInt8>,
        _ width: Int,
        into out: UnsafeMutablePointer<Strip>
    ) -> Int {
        var (count, x) = (0, 0)
        let bytes = UnsafeRawPointer(row)
        while x < width {
            if x &+ 8 <= width, bytes.loadUnaligned(fromByteOffset: x, as: UInt64.self) == 0 {
                x &+= 8
                continue
            }
            guard row[x] != 0 else {
                x &+= 1
                continue
            }
            let start = x
            while x < width, row[x] != 0 { x &+= 1 }
            out[count] = Strip(start: Int32(start), end: Int32(x), label: -1)
            count &+= 1
        }
        return count
    }
}
