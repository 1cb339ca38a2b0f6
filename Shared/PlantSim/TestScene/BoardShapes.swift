/// A point on the board, pixels; x to the right, y down.
struct Point: Equatable, Sendable {
    var x: Float
    var y: Float

    static func + (left: Self, right: Self) -> Self { Self(x: left.x + right.x, y: left.y + right.y) }
    static func - (left: Self, right: Self) -> Self { Self(x: left.x - right.x, y: left.y - right.y) }
    static func * (left: Self, factor: Float) -> Self { Self(x: left.x * factor, y: left.y * factor) }
    var length: Float { (x * x + y * y).squareRoot() }
    /// Turned by 90 degrees.
    var normal: Self { Self(x: -y, y: x) }
}

/// A region of the board, known by its signed distance: negative inside, pixels.
enum Shape: Sendable {
    case disc(center: Point, radius: Float)
    /// Everything within `radius` of the line from `from` to `to`; a trace.
    case capsule(from: Point, to: Point, radius: Float)
    /// An upright rectangle with corners rounded by `corner`.
    case rectangle(center: Point, halfWidth: Float, halfHeight: Float, corner: Float)
    /// A band of `halfLength` each way along `along` (unit length) and `halfWidth` across it; square ends.
    case band(center: Point, along: Point, halfLength: Float, halfWidth: Float)

    func distance(to point: Point) -> Float {
        switch self {
        case .disc(let center, let radius):
            return (point - center).length - radius
        case .capsule(let from, let to, let radius):
            let line = to - from
            let offset = point - from
            let squared = line.x * line.x + line.y * line.y
            let t = squared > 0 ? max(0, min(1, (offset.x * line.x + offset.y * line.y) / squared)) : 0
            return (offset - line * t).length - radius
        case .rectangle(let center, let halfWidth, let halfHeight, let corner):
            let offset = point - center
            return Self.box(abs(offset.x) - halfWidth + corner, abs(offset.y) - halfHeight + corner) - corner
        case .band(let center, let along, let halfLength, let halfWidth):
            let offset = point - center
            let u = abs(offset.x * along.x + offset.y * along.y)
            let v = abs(offset.x * along.y - offset.y * along.x)
            return Self.box(u - halfLength, v - halfWidth)
        }
    }

    /// Left, top, right and bottom of the shape.
    var bounds: (left: Float, top: Float, right: Float, bottom: Float) {
        switch self {
        case .disc(let center, let radius):
            return (center.x - radius, center.y - radius, center.x + radius, center.y + radius)
        case .capsule(let from, let to, let radius):
            return (
                min(from.x, to.x) - radius, min(from.y, to.y) - radius,
                max(from.x, to.x) + radius, max(from.y, to.y) + radius
            )
        case .rectangle(let center, let halfWidth, let halfHeight, _):
            return (center.x - halfWidth, center.y - halfHeight, center.x + halfWidth, center.y + halfHeight)
        case .band(let center, _, let halfLength, let halfWidth):
            let reach = (halfLength * halfLength + halfWidth * halfWidth).squareRoot()
            return (center.x - reach, center.y - reach, center.x + reach, center.y + reach)
        }
    }

    private static func box(_ x: Float, _ y: Float) -> Float {
        let outside = Point(x: max(x, 0), y: max(y, 0)).length
        return outside + min(max(x, y), 0)
    }
}
