import Foundation
import SeededRandom
import Vision

/// A grey picture to draw on.
struct Canvas {
    let width: Int
    let height: Int
    var pixels: [UInt8]

    init(_ width: Int, _ height: Int, _ level: UInt8 = 20) {
        self.width = width
        self.height = height
        pixels = [UInt8](repeating: level, count: width * height)
    }

    mutating func fill(x: Int, y: Int, width: Int, height: Int, _ level: UInt8) {
        for row in max(0, y)..<min(self.height, y + height) {
            for column in max(0, x)..<min(self.width, x + width) { pixels[row * self.width + column] = level }
        }
    }

    /// The drawing moved right and down; what comes in has the level of a board's ground.
    func moved(_ dx: Int, _ dy: Int) -> Canvas {
        var out = Canvas(width, height)
        for y in 0..<height {
            for x in 0..<width where (0..<width).contains(x - dx) && (0..<height).contains(y - dy) {
                out.pixels[y * width + x] = pixels[(y - dy) * width + x - dx]
            }
        }
        return out
    }

    var picture: Picture {
        get throws { try Picture(width: width, height: height, channels: 1, pixels: pixels) }
    }
}

/// A board with four conductors and a pad, no two places alike.
func board() -> Canvas {
    var canvas = Canvas(160, 160)
    for (y, from) in [(30, 20), (60, 30), (90, 24), (120, 40)] {
        canvas.fill(x: from, y: y, width: 100, height: 12, 230)
    }
    canvas.fill(x: 60, y: 20, width: 8, height: 20, 230)
    canvas.fill(x: 100, y: 110, width: 28, height: 32, 230)
    return canvas
}

func randomPicture(_ generator: inout SplitMix64, channels: Int) throws -> Picture {
    let width = Int.random(in: 1...40, using: &generator)
    let height = Int.random(in: 1...40, using: &generator)
    let pixels = (0..<width * height * channels).map { _ in UInt8.random(in: 0...255, using: &generator) }
    return try Picture(width: width, height: height, channels: channels, pixels: pixels)
}

/// A folder that goes away with the test.
final class TemporaryFolder {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appending(path: "vision-\(UUID().uuidString)").path()
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

extension StepTimer {
    /// A timer whose clock stands still.
    static var still: StepTimer { StepTimer(nowUs: { 0 }) }
}
