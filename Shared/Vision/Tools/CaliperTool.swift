/// Measures a width, a position or a diameter between edges, to a fraction of a pixel.
///
/// ```yaml
/// caliper:
///   measure: width      # width, position (from the region's left or upper border) or diameter
///   direction: right    # along which edges are looked for: right, left, down or up; outward for a diameter
///   edge: falling       # first edge: rising (towards bright), falling or any
///   second: rising      # second edge of a width
///   lines: 16           # scan lines across the region; rays of a diameter
///   contrast: 20        # grey levels of the weakest edge
///   nominal: 12.5       # in millimetres where the recipe has a scale, else in pixels
///   plus: 0.1
///   minus: 0.1
/// ```
package struct CaliperSettings: ToolSettings {
    package static let key = "caliper"
    package static let task = VisionTask.inspect
    package var categories: [DefectCategory] { [.dimension, .missing] }

    package enum Measure: String, CaseIterable, Sendable { case width, position, diameter }
    package enum Direction: String, CaseIterable, Sendable { case right, left, down, up }

    /// Change of the grey level along the direction.
    package enum Edge: String, CaseIterable, Sendable { case any, rising, falling }

    /// Which of several edges of a scan line counts.
    package enum Choice: String, CaseIterable, Sendable {
        /// The first; for a width the first and the last.
        case outermost
        /// The strongest; for a width the two strongest.
        case strongest
    }

    package var measure = Measure.width
    package var direction = Direction.right
    package var edge = Edge.any
    package var second = Edge.any
    package var choice = Choice.outermost
    package var lines = 16
    /// Standard deviation of the Gaussian smoothing, pixels. Places of perfectly sharp edges are off by up to 0.04 pixels at
    /// 1, 0.02 at 1.5, 0.01 at 2; edges closer than three times this run into each other.
    package var smoothing = 1.5
    package var contrast = 20.0
    /// In millimetres where the part has a scale, else in pixels.
    package var nominal: Double
    package var plus: Double
    package var minus: Double

    package init(measure: Measure, nominal: Double, plus: Double, minus: Double) {
        (self.measure, self.nominal, self.plus, self.minus) = (measure, nominal, plus, minus)
    }

    package init(_ section: RecipeSection) {
        measure = section.choice("measure", of: Measure.self)
        direction = section.choice("direction", of: Direction.self, default: direction)
        edge = section.choice("edge", of: Edge.self, default: edge)
        second = section.choice("second", of: Edge.self, default: second)
        choice = section.choice("choose", of: Choice.self, default: choice)
        lines = section.integer("lines", 1...1_000, default: measure == .diameter ? 64 : lines)
        smoothing = section.number("smoothing", 0.5...10, default: smoothing)
        contrast = section.number("contrast", 1...255, default: contrast)
        nominal = section.number("nominal", -1_000_000...1_000_000)
        plus = section.number("plus", 0.000_001...1_000_000)
        minus = section.number("minus", 0.000_001...1_000_000, default: plus)
        if measure == .diameter, lines < 8 {
            section.note("lines", found: "\(lines)", expected: "at least 8 rays for a diameter")
        }
    }

    package func load(_ files: RecipeFiles) throws -> any Tool { CaliperTool(self) }
}

/// Measures by its settings.
package struct CaliperTool: Tool {
    /// Score of a part on which the edges are not found.
    private static let notFound = 10.0

    private let settings: CaliperSettings
    private let filter: EdgeFilter
    private let pool = ScratchPool()

    package init(_ settings: CaliperSettings) {
        self.settings = settings
        filter = EdgeFilter(smoothing: settings.smoothing)
    }

    package func inspect(_ part: PartView, timer: inout StepTimer) throws(ToolError) -> ToolResult {
        let grey = part.picture.grey()
        guard min(grey.width, grey.height) >= 4 else {
            throw ToolError("caliper region of \(grey.width)x\(grey.height) pixels; expected at least 4x4")
        }
        let measured = pool.lend { scratch in
            grey.withPlane { plane in
                settings.measure == .diameter ? circle(plane, scratch) : straight(plane, scratch)
            }
        }
        timer.finish("caliper")
        return result(measured, part)
    }

    private struct Measured {
        let value: Double
        /// Name, value, and whether the value is an angle in degrees.
        var others: [(name: String, value: Double, isAngle: Bool)] = []
    }

    private func result(_ measured: Measured?, _ part: PartView) -> ToolResult {
        let (length, unit) = part.lengthUnit
        let (lower, upper) = (settings.nominal - settings.minus, settings.nominal + settings.plus)
        let box = Box(x: 0, y: 0, width: part.picture.width, height: part.picture.height)
        let name = settings.measure.rawValue
        guard let measured else {
            let feature = Feature(
                name: name,
                value: 0,
                unit: unit,
                text: "no edges found",
                lowerLimit: lower,
                upperLimit: upper,
                conforms: false
            )
            let defect = FoundDefect(.missing, box, area: box.width * box.height, score: Self.notFound)
            return ToolResult(score: Self.notFound, defects: [defect], features: [feature])
        }
        let value = measured.value * length
        let deviation = value - settings.nominal
        let score = deviation >= 0 ? deviation / settings.plus : -deviation / settings.minus
        let main = Feature(
            name: name,
            value: value,
            unit: unit,
            lowerLimit: lower,
            upperLimit: upper,
            conforms: score < 1
        )
        let others = measured.others.map {
            Feature(
                name: $0.name,
                value: $0.isAngle ? $0.value : $0.value * length,
                unit: $0.isAngle ? "DD" : unit,
                conforms: true
            )
        }
        let defects = score >= 0.5 ? [FoundDefect(.dimension, box, area: box.width * box.height, score: score)] : []
        return ToolResult(score: score, defects: defects, features: [main] + others)
    }

    // MARK: Straight edges

    private func straight(_ plane: Plane<UInt8>, _ scratch: Scratch) -> Measured? {
        let isAcross = settings.direction == .right || settings.direction == .left
        let (length, breadth) = isAcross ? (plane.width, plane.height) : (plane.height, plane.width)
        let lines = min(settings.lines, breadth)
        let profile = scratch.take(Double.self, length)
        let slopes = scratch.take(Double.self, length)
        var (first, last): ([EdgePlace], [EdgePlace]) = ([], [])
        for line in 0..<lines {
            let band = line * breadth / lines..<(line + 1) * breadth / lines
            read(plane, band, isAcross, into: profile, length)
            filter.slopes(profile, length, into: slopes)
            let middle = Double(band.lowerBound + band.upperBound - 1) / 2
            if settings.measure == .position {
                guard let edge = one(settings.edge, slopes, length) else { continue }
                first.append(EdgePlace(across: middle, along: edge))
            } else if let (near, far) = pair(slopes, length) {
                first.append(EdgePlace(across: middle, along: near))
                last.append(EdgePlace(across: middle, along: far))
            }
        }
        guard 2 * first.count >= lines, let near = StraightFit(first) else { return nil }
        let middle = Double(breadth - 1) / 2
        if settings.measure == .position {
            let place = near.along(at: middle)
            let isBackward = settings.direction == .left || settings.direction == .up
            let position = isBackward ? Double(length - 1) - place : place
            return Measured(value: position, others: [("tilt", near.degrees, true)])
        }
        guard let far = StraightFit(last) else { return nil }
        let slope = (near.slope + far.slope) / 2
        let width = (far.along(at: middle) - near.along(at: middle)) / (1 + slope * slope).squareRoot()
        return Measured(value: width, others: [("tilt", (near.degrees + far.degrees) / 2, true)])
    }

    /// Mean grey levels of the band of rows or columns, in the order of the direction.
    private func read(
        _ plane: Plane<UInt8>,
        _ band: Range<Int>,
        _ isAcross: Bool,
        into profile: UnsafeMutablePointer<Double>,
        _ length: Int
    ) {
        let share = 1 / Double(band.count)
        let isBackward = settings.direction == .left || settings.direction == .up
        for index in 0..<length {
            var sum = 0
            if isAcross {
                for row in band { sum += Int(plane.row(row)[index]) }
            } else {
                let row = plane.row(index)
                for column in band { sum += Int(row[column]) }
            }
            profile[isBackward ? length - 1 - index : index] = Double(sum) * share
        }
    }

    private func one(_ kind: CaliperSettings.Edge, _ slopes: UnsafePointer<Double>, _ length: Int) -> Double? {
        switch settings.choice {
        case .outermost: filter.first(kind, slopes, length, from: settings.contrast)
        case .strongest: filter.strongest(kind, slopes, length, from: settings.contrast, but: nil)
        }
    }

    private func pair(_ slopes: UnsafePointer<Double>, _ length: Int) -> (Double, Double)? {
        let contrast = settings.contrast
        switch settings.choice {
        case .outermost:
            guard let near = filter.first(settings.edge, slopes, length, from: contrast),
                let far = filter.last(settings.second, slopes, length, from: contrast), far - near > 0.5
            else { return nil }
            return (near, far)
        case .strongest:
            guard let one = filter.strongest(settings.edge, slopes, length, from: contrast, but: nil),
                let other = filter.strongest(settings.second, slopes, length, from: contrast, but: one)
            else { return nil }
            return (min(one, other), max(one, other))
        }
    }

    // MARK: Circles

    /// Rays from the region's middle find the circle, those from the circle's own middle measure it.
    private func circle(_ plane: Plane<UInt8>, _ scratch: Scratch) -> Measured? {
        var (x, y) = (Double(plane.width - 1) / 2, Double(plane.height - 1) / 2)
        let length = min(plane.width, plane.height) / 2
        let profile = scratch.take(Double.self, length)
        let slopes = scratch.take(Double.self, length)
        var fit: CircleFit?
        for _ in 0..<2 {
            var points: [CircleFit.Point] = []
            for ray in 0..<settings.lines {
                let (right, down) = CircleFit.direction(ray, of: settings.lines)
                let count = read(plane, x, y, right, down, into: profile, length)
                filter.slopes(profile, count, into: slopes)
                if let radius = one(settings.edge, slopes, count) {
                    points.append(.init(x: x + radius * right, y: y + radius * down))
                }
            }
            guard 2 * points.count >= settings.lines, let found = CircleFit(points) else { return nil }
            (x, y) = (found.x, found.y)
            guard x >= 1, y >= 1, x < Double(plane.width) - 2, y < Double(plane.height) - 2 else { return nil }
            fit = found
        }
        return fit.map {
            Measured(
                value: 2 * $0.radius,
                others: [("x", $0.x, false), ("y", $0.y, false), ("roundness", $0.roundness, false)]
            )
        }
    }

    /// Levels along a ray, bilinear, one pixel apart; how many are in the picture.
    private func read(
        _ plane: Plane<UInt8>,
        _ x: Double,
        _ y: Double,
        _ right: Double,
        _ down: Double,
        into profile: UnsafeMutablePointer<Double>,
        _ length: Int
    ) -> Int {
        for index in 0..<length {
            let (px, py) = (x + Double(index) * right, y + Double(index) * down)
            guard px >= 0, py >= 0, px < Double(plane.width - 1), py < Double(plane.height - 1) else { return index }
            let (column, row) = (Int(px), Int(py))
            let (fx, fy) = (px - Double(column), py - Double(row))
            let (upper, lower) = (plane.row(row) + column, plane.row(row + 1) + column)
            let above = Double(upper[0]) * (1 - fx) + Double(upper[1]) * fx
            let below = Double(lower[0]) * (1 - fx) + Double(lower[1]) * fx
            profile[index] = above * (1 - fy) + below * fy
        }
        return length
    }
}
