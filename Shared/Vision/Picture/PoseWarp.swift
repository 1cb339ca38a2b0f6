import CPixels
import Glibc

/// Where a part lies, against where its master lay.
package struct Pose: Equatable, Sendable {
    /// Movement of the template's centre, pixels to the right.
    package var dx: Double
    /// Pixels down.
    package var dy: Double
    /// Turn about the template's centre, degrees, clockwise on the screen.
    package var angle: Double
    /// Size over the master's.
    package var scale: Double
    /// Likeness of the edges found there, 0 to 1.
    package var score: Double

    package init(dx: Double, dy: Double, angle: Double = 0, scale: Double = 1, score: Double = 1) {
        self.dx = dx
        self.dy = dy
        self.angle = angle
        self.scale = scale
        self.score = score
    }

    /// The master's own place.
    package static let identity = Pose(dx: 0, dy: 0)
}

/// A turn, a scaling and a movement: (x, y) goes to (a x - b y + x0, b x + a y + y0).
struct Similarity: Equatable, Sendable {
    var a: Double
    var b: Double
    var x0: Double
    var y0: Double

    @inline(__always)
    func callAsFunction(_ x: Double, _ y: Double) -> (x: Double, y: Double) {
        (a * x - b * y + x0, b * x + a * y + y0)
    }
}

/// Takes places of the recipe's picture to the part's, and cuts regions out of it as if the part lay like its master.
package struct PoseWarp: Equatable, Sendable {
    /// A region all of whose corners move by whole pixels to within this is copied, not resampled.
    private static let exact = 1.0 / 64

    package let pose: Pose
    /// The template's centre in the recipe's picture, about which the part is turned.
    package let centreX: Double
    package let centreY: Double
    let map: Similarity

    package init(_ pose: Pose, centreX: Double, centreY: Double) {
        self.pose = pose
        self.centreX = centreX
        self.centreY = centreY
        let radians = pose.angle * Double.pi / 180
        let (a, b) = (pose.scale * cos(radians), pose.scale * sin(radians))
        map = Similarity(
            a: a,
            b: b,
            x0: centreX + pose.dx - a * centreX + b * centreY,
            y0: centreY + pose.dy - b * centreX - a * centreY
        )
    }

    /// Where a place of the recipe's picture is in the part's.
    package func place(x: Double, y: Double) -> (x: Double, y: Double) { map(x, y) }

    /// The upright box around a box of the recipe's picture where it is in the part's.
    package func box(_ box: Box) -> Box {
        let (left, top) = (Double(box.x), Double(box.y))
        let (right, bottom) = (left + Double(box.width) - 1, top + Double(box.height) - 1)
        let corners = [map(left, top), map(right, top), map(left, bottom), map(right, bottom)]
        func span(_ values: [Double]) -> (first: Int, count: Int) {
            let first = Int((values.min() ?? 0).rounded())
            return (first, Int((values.max() ?? 0).rounded()) - first + 1)
        }
        let (x, y) = (span(corners.map(\.x)), span(corners.map(\.y)))
        return Box(x: x.first, y: y.first, width: x.count, height: y.count)
    }

    /// The recipe's region of the part's picture, resampled bilinearly; a movement by whole pixels alone, or none, copies
    /// it exactly. Where the region reaches out of the picture the nearest pixel stands in. An error where more than half
    /// of it does.
    package func region(_ box: Box, of picture: Picture) throws(ToolError) -> Picture {
        let corners = [
            map(Double(box.x), Double(box.y)), map(Double(box.x + box.width - 1), Double(box.y)),
            map(Double(box.x), Double(box.y + box.height - 1)),
            map(Double(box.x + box.width - 1), Double(box.y + box.height - 1)),
        ]
        let middle = map(Double(box.x) + Double(box.width - 1) / 2, Double(box.y) + Double(box.height - 1) / 2)
        guard box.width > 0, box.height > 0, middle.x >= -0.5, middle.y >= -0.5,
            middle.x <= Double(picture.width) - 0.5, middle.y <= Double(picture.height) - 0.5
        else {
            throw ToolError(
                "region of \(box.width)x\(box.height) at (\(box.x), \(box.y)) lies outside the picture of "
                    + "\(picture.width)x\(picture.height), the part being moved by (\(Int(pose.dx.rounded())), "
                    + "\(Int(pose.dy.rounded()))); expected more than half of it inside"
            )
        }
        let (dx, dy) = (corners[0].x.rounded() - Double(box.x), corners[0].y.rounded() - Double(box.y))
        let places = [(0, 0), (box.width - 1, 0), (0, box.height - 1), (box.width - 1, box.height - 1)]
        let isWhole = zip(corners, places).allSatisfy { corner, place in
            abs(corner.x - Double(box.x + place.0) - dx) < Self.exact
                && abs(corner.y - Double(box.y + place.1) - dy) < Self.exact
        }
        return isWhole ? copy(box, of: picture, Int(dx), Int(dy)) : resample(box, of: picture)
    }

    private func copy(_ box: Box, of picture: Picture, _ dx: Int, _ dy: Int) -> Picture {
        let (left, top, channels) = (box.x + dx, box.y + dy, picture.channels)
        if left == 0, top == 0, box.width == picture.width, box.height == picture.height { return picture }
        return Picture(width: box.width, height: box.height, channels: channels) { out in
            picture.pixels.withUnsafeBufferPointer { source in
                guard let pixels = source.baseAddress else { return }
                let first = min(max(0, -left), box.width)
                let end = max(first, min(box.width, picture.width - left))
                for y in 0..<box.height {
                    let row = pixels + min(max(0, top + y), picture.height - 1) * picture.width * channels
                    let target = out + y * box.width * channels
                    if end > first {
                        (target + first * channels).update(
                            from: row + (left + first) * channels,
                            count: (end - first) * channels
                        )
                    }
                    for x in 0..<box.width where x < first || x >= end {
                        let nearest = row + min(max(0, left + x), picture.width - 1) * channels
                        (target + x * channels).update(from: nearest, count: channels)
                    }
                }
            }
        }
    }

    private func resample(_ box: Box, of picture: Picture) -> Picture {
        Picture(width: box.width, height: box.height, channels: picture.channels) { out in
            picture.pixels.withUnsafeBufferPointer { source in
                guard let pixels = source.baseAddress else { return }
                let resampler = Resampler(
                    pixels: pixels,
                    width: picture.width,
                    height: picture.height,
                    channels: picture.channels
                )
                for y in 0..<box.height {
                    let start = map(Double(box.x), Double(box.y + y))
                    let target = out + y * box.width * picture.channels
                    resampler.row(from: start, step: (map.a, map.b), into: target, count: box.width)
                }
            }
        }
    }
}

/// Bilinear sampling along straight lines. Places are fixed-point numbers of 32 fractional bits, weights of 7.
struct Resampler {
    let pixels: UnsafePointer<UInt8>
    let width: Int
    let height: Int
    let channels: Int

    private static let one = Double(1 << 32)

    /// Samples at `start`, `start + step`, …; places outside have the nearest pixel's value.
    func row(
        from start: (x: Double, y: Double),
        step: (x: Double, y: Double),
        into out: UnsafeMutablePointer<UInt8>,
        count: Int
    ) {
        // Far outside every place has the nearest pixel's value anyway.
        let reach = 1e8
        var x = Int(min(max(start.x, -reach), reach) * Self.one)
        var y = Int(min(max(start.y, -reach), reach) * Self.one)
        let (dx, dy) = (Int(step.x * Self.one), Int(step.y * Self.one))
        let inside = Self.inside(x, dx, width, count).clamped(to: Self.inside(y, dy, height, count))
        careful(&x, &y, dx, dy, out, 0..<inside.lowerBound)
        if dx == 1 << 32, dy == 0 {
            shifted(x, y, out + inside.lowerBound * channels, inside.count)
            x &+= dx &* inside.count
        } else if channels == 1 {
            pixels_best().pointee.sample(
                pixels,
                width,
                PixelPlace(x: Int64(x), y: Int64(y)),
                PixelPlace(x: Int64(dx), y: Int64(dy)),
                out + inside.lowerBound,
                inside.count
            )
            x &+= dx &* inside.count
            y &+= dy &* inside.count
        } else {
            colour(&x, &y, dx, dy, out, inside)
        }
        careful(&x, &y, dx, dy, out, inside.upperBound..<count)
    }

    /// Steps at which a place and its right or lower neighbour are pixels.
    private static func inside(_ start: Int, _ step: Int, _ size: Int, _ count: Int) -> Range<Int> {
        let limit = (size - 1) << 32
        func holds(_ index: Int) -> Bool { (0..<limit).contains(start &+ index &* step) }
        guard count > 0, limit > 0 else { return 0..<0 }
        guard step != 0 else { return 0..<(holds(0) ? count : 0) }
        let ends = [-start / step, (limit - 1 - start) / step].map { min(max(0, $0), count - 1) }
        var (first, last) = (min(ends[0], ends[1]), max(ends[0], ends[1]))
        while first <= last, !holds(first) { first += 1 }
        while last >= first, !holds(last) { last -= 1 }
        return first..<max(first, last + 1)
    }

    /// Neither turned nor scaled: all pixels have the same weights.
    private func shifted(_ x: Int, _ y: Int, _ out: UnsafeMutablePointer<UInt8>, _ count: Int) {
        guard count > 0 else { return }
        let upper = pixels + ((y >> 32) &* width &+ (x >> 32)) &* channels
        let lower = upper + width &* channels
        let right = UInt16(truncatingIfNeeded: (x >> 25) & 127)
        let down = UInt32(truncatingIfNeeded: (y >> 25) & 127)
        let (left, up) = (128 &- right, 128 &- down)
        for index in 0..<count &* channels {
            let next = index &+ channels
            let above = UInt16(upper[index]) &* left &+ UInt16(upper[next]) &* right
            let below = UInt16(lower[index]) &* left &+ UInt16(lower[next]) &* right
            let level = UInt32(above) &* up &+ UInt32(below) &* down
            out[index] = UInt8(truncatingIfNeeded: (level &+ 8192) >> 14)
        }
    }

    /// Three bytes a pixel, all inside.
    private func colour(
        _ x: inout Int,
        _ y: inout Int,
        _ dx: Int,
        _ dy: Int,
        _ out: UnsafeMutablePointer<UInt8>,
        _ steps: Range<Int>
    ) {
        let rowBytes = width &* 3
        for index in steps {
            let corner = pixels + ((y >> 32) &* rowBytes &+ (x >> 32) &* 3)
            let right = Int32(truncatingIfNeeded: (x >> 25) & 127)
            let down = Int32(truncatingIfNeeded: (y >> 25) & 127)
            for channel in 0..<3 {
                let place = corner + channel
                let (first, third) = (Int32(place[0]), Int32(place[rowBytes]))
                let upper = first &* 128 &+ (Int32(place[3]) &- first) &* right
                let lower = third &* 128 &+ (Int32(place[rowBytes &+ 3]) &- third) &* right
                let level = upper &* 128 &+ (lower &- upper) &* down
                out[index &* 3 &+ channel] = UInt8(truncatingIfNeeded: (level &+ 8192) >> 14)
            }
            x &+= dx
            y &+= dy
        }
    }

    private func careful(
        _ x: inout Int,
        _ y: inout Int,
        _ dx: Int,
        _ dy: Int,
        _ out: UnsafeMutablePointer<UInt8>,
        _ steps: Range<Int>
    ) {
        func at(_ column: Int, _ row: Int, _ channel: Int) -> Int {
            let place = min(max(0, row), height - 1) * width + min(max(0, column), width - 1)
            return Int(pixels[place * channels + channel])
        }
        for index in steps {
            let (column, row, right, down) = (x >> 32, y >> 32, (x >> 25) & 127, (y >> 25) & 127)
            for channel in 0..<channels {
                let upper = at(column, row, channel) * (128 - right) + at(column + 1, row, channel) * right
                let lower = at(column, row + 1, channel) * (128 - right) + at(column + 1, row + 1, channel) * right
                let level = upper * (128 - down) + lower * down
                out[index * channels + channel] = UInt8(truncatingIfNeeded: (level + 8192) >> 14)
            }
            x &+= dx
            y &+= dy
        }
    }
}
