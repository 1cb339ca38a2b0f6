import Foundation
import SeededRandom
import Vision

/// A scene that is known at every place, so that pictures of it have a true answer to a fraction of a pixel.
struct DrawnScene {
    private struct Plate {
        let x, y, halfWidth, halfHeight, cosine, sine, level: Double
    }

    private struct Disc {
        let x, y, radius, level: Double
    }

    private var plates: [Plate] = []
    private var discs: [Disc] = []
    private let ground: Double

    /// Turned plates and discs around a place.
    init(_ generator: inout SplitMix64, x: Double, y: Double, reach: Double, count: Int, ground: Double = 90) {
        self.ground = ground
        for _ in 0..<count {
            let angle = Double.random(in: 0...Double.pi, using: &generator)
            plates.append(
                Plate(
                    x: x + .random(in: -reach...reach, using: &generator),
                    y: y + .random(in: -reach...reach, using: &generator),
                    halfWidth: .random(in: 4...26, using: &generator),
                    halfHeight: .random(in: 4...26, using: &generator),
                    cosine: cos(angle),
                    sine: sin(angle),
                    level: .random(in: 30...220, using: &generator)
                )
            )
            discs.append(
                Disc(
                    x: x + .random(in: -reach...reach, using: &generator),
                    y: y + .random(in: -reach...reach, using: &generator),
                    radius: .random(in: 4...18, using: &generator),
                    level: .random(in: 30...220, using: &generator)
                )
            )
        }
    }

    func level(_ x: Double, _ y: Double) -> Double {
        var level = ground
        for plate in plates {
            let along = plate.cosine * (x - plate.x) + plate.sine * (y - plate.y)
            let across = plate.cosine * (y - plate.y) - plate.sine * (x - plate.x)
            if abs(along) < plate.halfWidth, abs(across) < plate.halfHeight { level = plate.level }
        }
        for disc in discs {
            let (right, down) = (x - disc.x, y - disc.y)
            if right * right + down * down < disc.radius * disc.radius { level = disc.level }
        }
        return level
    }
}

/// Mean levels of the pixels of a picture that is known at every place: `steps` by `steps` places a pixel.
func drawn(_ width: Int, _ height: Int, steps: Int = 4, _ level: (Double, Double) -> Double) -> [Double] {
    let offsets = (0..<steps).map { (Double($0) + 0.5) / Double(steps) - 0.5 }
    var levels = [Double](repeating: 0, count: width * height)
    for y in 0..<height {
        for x in 0..<width {
            var sum = 0.0
            for down in offsets { for right in offsets { sum += level(Double(x) + right, Double(y) + down) } }
            levels[y * width + x] = sum / Double(steps * steps)
        }
    }
    return levels
}

/// The levels as a grey picture, noise of the standard deviation added.
func pictured(
    _ levels: [Double],
    _ width: Int,
    noise: Double = 0,
    _ generator: inout SplitMix64
) throws -> Picture {
    let pixels = levels.map { level in
        UInt8(clamping: Int((level + (noise > 0 ? noise * gaussian(&generator) : 0)).rounded()))
    }
    return try Picture(width: width, height: pixels.count / width, channels: 1, pixels: pixels)
}

/// A normally distributed number (Box and Muller 1958).
func gaussian(_ generator: inout SplitMix64) -> Double {
    let radius = (-2 * log(Double.random(in: 1e-12...1, using: &generator))).squareRoot()
    return radius * cos(2 * Double.pi * Double.random(in: 0...1, using: &generator))
}

extension Tool {
    /// Inspects with a clock that stands still.
    func inspect(_ picture: Picture, millimetresPerPixel: Double? = nil) throws -> ToolResult {
        var timer = StepTimer.still
        let part = PartView(picture: picture, sourceName: "picture", millimetresPerPixel: millimetresPerPixel)
        return try inspect(part, timer: &timer)
    }
}

extension ToolResult {
    func value(_ name: String) -> Double? { features.first { $0.name == name }?.value }
}
