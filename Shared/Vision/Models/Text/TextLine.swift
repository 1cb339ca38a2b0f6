import Glibc

/// Where a line of text lies: a rectangle that may be turned. Pixels of the picture.
struct TextLine: Equatable, Sendable {
    var x: Double
    var y: Double
    /// Along the line.
    var length: Double
    var height: Double
    /// Radians from the picture's rows, clockwise as rows go down; in -pi/2...pi/2.
    var angle: Double

    /// The whole picture as one line.
    init(whole picture: Picture) {
        (x, y) = (Double(picture.width) / 2, Double(picture.height) / 2)
        (length, height, angle) = (Double(picture.width), Double(picture.height), 0)
    }

    init(x: Double, y: Double, length: Double, height: Double, angle: Double) {
        (self.x, self.y, self.length, self.height, self.angle) = (x, y, length, height, angle)
    }

    /// The rectangle of least area around the centres of a blob's pixels (one of its sides lies along the convex hull,
    /// Freeman and Shapira 1975), lengths along the longer side; nil where they lie on one line.
    init?(around blob: Blob) {
        let hull = Self.hull(of: blob)
        guard hull.count > 2 else { return nil }
        var best: (area: Double, line: TextLine)?
        for index in hull.indices {
            let (from, to) = (hull[index], hull[(index + 1) % hull.count])
            let (dx, dy) = (Double(to.x - from.x), Double(to.y - from.y))
            let norm = (dx * dx + dy * dy).squareRoot()
            let (cosine, sine) = (dx / norm, dy / norm)
            var (lowU, highU, lowV, highV) = (Double.infinity, -Double.infinity, Double.infinity, -Double.infinity)
            for point in hull {
                let u = Double(point.x) * cosine + Double(point.y) * sine
                let v = Double(point.y) * cosine - Double(point.x) * sine
                (lowU, highU, lowV, highV) = (min(lowU, u), max(highU, u), min(lowV, v), max(highV, v))
            }
            let area = (highU - lowU) * (highV - lowV)
            guard best.map({ area < $0.area }) ?? true else { continue }
            let (u, v) = ((lowU + highU) / 2, (lowV + highV) / 2)
            let line = TextLine(
                x: u * cosine - v * sine,
                y: u * sine + v * cosine,
                length: highU - lowU,
                height: highV - lowV,
                angle: atan2(sine, cosine)
            )
            best = (area, line.upright)
        }
        guard let best else { return nil }
        self = best.line
    }

    /// The same rectangle with its length along the longer side and the angle within a quarter turn.
    private var upright: TextLine {
        var line = self
        if line.height > line.length {
            (line.length, line.height) = (line.height, line.length)
            line.angle += .pi / 2
        }
        while line.angle > .pi / 2 { line.angle -= .pi }
        while line.angle <= -.pi / 2 { line.angle += .pi }
        return line
    }

    /// Corners of the convex hull of the blob's pixels (Andrew 1979), in order.
    private static func hull(of blob: Blob) -> [(x: Int, y: Int)] {
        let points = blob.runs.flatMap { [(x: $0.start, y: $0.y), (x: $0.end - 1, y: $0.y)] }
            .sorted { ($0.x, $0.y) < ($1.x, $1.y) }
        func half(_ points: some Sequence<(x: Int, y: Int)>) -> [(x: Int, y: Int)] {
            var half: [(x: Int, y: Int)] = []
            for point in points {
                while half.count > 1 {
                    let (a, b) = (half[half.count - 2], half[half.count - 1])
                    guard (b.x - a.x) * (point.y - a.y) - (b.y - a.y) * (point.x - a.x) <= 0 else { break }
                    half.removeLast()
                }
                half.append(point)
            }
            return half
        }
        return half(points).dropLast() + half(points.reversed()).dropLast()
    }

    /// Wider by so much of its height on each side, higher by so much of it above and below.
    func widened(along: Double, across: Double) -> TextLine {
        var line = self
        line.length += 2 * along * height
        line.height += 2 * across * height
        return line
    }

    /// The rectangle with another's axes that covers both.
    func union(_ other: TextLine) -> TextLine {
        let (cosine, sine) = (cos(angle), sin(angle))
        let u = (other.x - x) * cosine + (other.y - y) * sine
        let v = (other.y - y) * cosine - (other.x - x) * sine
        let (lowU, highU) = (min(-length / 2, u - other.length / 2), max(length / 2, u + other.length / 2))
        let (lowV, highV) = (min(-height / 2, v - other.height / 2), max(height / 2, v + other.height / 2))
        let (centreU, centreV) = ((lowU + highU) / 2, (lowV + highV) / 2)
        return TextLine(
            x: x + centreU * cosine - centreV * sine,
            y: y + centreU * sine + centreV * cosine,
            length: highU - lowU,
            height: highV - lowV,
            angle: angle
        )
    }

    /// How far another line's centre lies from this one's axis.
    func distance(to other: TextLine) -> Double {
        abs((other.y - y) * cos(angle) - (other.x - x) * sin(angle))
    }

    /// The upright box around the line, within the picture.
    func box(in picture: Picture) -> Box {
        let (cosine, sine) = (abs(cos(angle)), abs(sin(angle)))
        let (width, height) = (length * cosine + height * sine, length * sine + height * cosine)
        let left = max(0, min(Double(picture.width - 1), x - width / 2)).rounded(.down)
        let top = max(0, min(Double(picture.height - 1), y - height / 2)).rounded(.down)
        let right = max(left + 1, min(Double(picture.width), x + width / 2)).rounded(.up)
        let bottom = max(top + 1, min(Double(picture.height), y + height / 2)).rounded(.up)
        return Box(x: Int(left), y: Int(top), width: Int(right - left), height: Int(bottom - top))
    }

    /// The line laid straight, at the picture's own resolution; `picture` is grey. Its edge goes on outside it.
    func cut(from picture: Picture) -> Picture {
        let width = max(8, min(8_192, Int(length)))
        let height = max(8, min(2_048, Int(self.height)))
        let (cosine, sine) = (cos(angle), sin(angle))
        let pixels = [UInt8](unsafeUninitializedCapacity: width * height) { out, initialised in
            picture.pixels.withUnsafeBufferPointer { source in
                for row in 0..<height {
                    let v = Double(row) + 0.5 - Double(height) / 2
                    for column in 0..<width {
                        let u = Double(column) + 0.5 - Double(width) / 2
                        let place = (x + u * cosine - v * sine - 0.5, y + u * sine + v * cosine - 0.5)
                        out[row * width + column] = Self.level(source, picture.width, picture.height, at: place)
                    }
                }
            }
            initialised = width * height
        }
        return Picture(unchecked: pixels, width: width, height: height, channels: 1)
    }

    /// Between the four pixels around a place, in steps of 1/256 pixel.
    private static func level(
        _ source: UnsafeBufferPointer<UInt8>,
        _ width: Int,
        _ height: Int,
        at place: (x: Double, y: Double)
    ) -> UInt8 {
        let x = max(0, min(Double(width - 1), place.x))
        let y = max(0, min(Double(height - 1), place.y))
        let (left, top) = (Int(x), Int(y))
        let (shareX, shareY) = (Int(((x - Double(left)) * 256).rounded()), Int(((y - Double(top)) * 256).rounded()))
        let right = min(left + 1, width - 1)
        let (upper, lower) = (top * width, min(top + 1, height - 1) * width)
        let above = Int(source[upper + left]) * (256 - shareX) + Int(source[upper + right]) * shareX
        let below = Int(source[lower + left]) * (256 - shareX) + Int(source[lower + right]) * shareX
        return UInt8(truncatingIfNeeded: (above * (256 - shareY) + below * shareY + 32_768) >> 16)
    }
}
