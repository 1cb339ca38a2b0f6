import Foundation
import SeededRandom
import Vision

/// Pictures that both programs work on: a board of conductors in noise, a part of it that is moved and damaged, and one
/// that is turned.
struct VisionBenchInput {
    /// How far the part has moved, pixels.
    static let shift = (dx: 7, dy: -4)
    /// What takes the template's place to the turned part's.
    static let turn = Pose(dx: 6, dy: -11, angle: 4.2, scale: 1.02)

    let template: Picture
    let part: Picture
    let colour: Picture
    let turned: Picture
    /// Taught for the alignment.
    let box: Box
    let png: [UInt8]
    let jpeg: [UInt8]

    init(width: Int, height: Int) throws {
        let board = Self.board(width, height)
        let side = min(width, height) * 3 / 10
        box = Box(x: (width - side) / 2, y: (height - side) / 2, width: side, height: side)
        template = try Self.noisy(board, width, height, seed: 1)
        var damaged = [UInt8](repeating: 40, count: width * height)
        for y in 0..<height {
            for x in 0..<width {
                let (fromX, fromY) = (x - Self.shift.dx, y - Self.shift.dy)
                guard (0..<width).contains(fromX), (0..<height).contains(fromY) else { continue }
                damaged[y * width + x] = board[fromY * width + fromX]
            }
        }
        for (share, level) in [(2, UInt8(40)), (3, 210), (5, 40), (7, 210)] {
            let (left, top) = (width / share, height * 2 / (share + 3))
            for y in top..<min(height, top + 9) {
                for x in left..<min(width, left + 9) { damaged[y * width + x] = level }
            }
        }
        part = try Self.noisy(damaged, width, height, seed: 2)
        colour = try Picture(
            width: width,
            height: height,
            channels: 3,
            pixels: part.pixels.flatMap { [$0, $0 / 2 + 40, 255 - $0] }
        )
        let whole = Box(x: 0, y: 0, width: width, height: height)
        let middle = (x: Double(box.x) + Double(side - 1) / 2, y: Double(box.y) + Double(side - 1) / 2)
        // The picture of a part in a pose is the master's, seen through the pose's inverse.
        let radians = Self.turn.angle * .pi / 180
        let (cosine, sine) = (cos(radians) / Self.turn.scale, sin(radians) / Self.turn.scale)
        let back = Pose(
            dx: -(cosine * Self.turn.dx + sine * Self.turn.dy),
            dy: -(cosine * Self.turn.dy - sine * Self.turn.dx),
            angle: -Self.turn.angle,
            scale: 1 / Self.turn.scale
        )
        turned = try PoseWarp(back, centreX: middle.x, centreY: middle.y).region(whole, of: template)
        png = try PictureCodec.encodePNG(part)
        jpeg = try PictureCodec.encodeJPEG(part, quality: 90)
    }

    /// Writes what the Python program reads.
    func write(to folder: String) throws {
        try Files.writeAtomically(png, to: "\(folder)/part.png")
        try Files.writeAtomically(jpeg, to: "\(folder)/part.jpg")
        try Files.writeAtomically(try PictureCodec.encodePNG(template), to: "\(folder)/template.png")
        try Files.writeAtomically(try PictureCodec.encodePNG(turned), to: "\(folder)/turned.png")
        let header = Array("P6\n\(colour.width) \(colour.height)\n255\n".utf8)
        try Files.writeAtomically(header + colour.pixels, to: "\(folder)/part.ppm")
        let place = "\(box.x) \(box.y) \(box.width) \(box.height)\n"
        try Files.writeAtomically(Array(place.utf8), to: "\(folder)/box.txt")
    }

    /// Conductors, pads and vias, no two places alike.
    private static func board(_ width: Int, _ height: Int) -> [UInt8] {
        var pixels = [UInt8](repeating: 40, count: width * height)
        func fill(_ x: Int, _ y: Int, _ w: Int, _ h: Int, _ level: UInt8) {
            for row in max(0, y)..<max(0, y, min(height, y + h)) {
                for column in max(0, x)..<max(0, x, min(width, x + w)) { pixels[row * width + column] = level }
            }
        }
        var random = SplitMix64(seed: 7)
        func below(_ limit: Int) -> Int { Int(random.next() % UInt64(limit)) }
        for _ in 0..<width * height / 3_000 {
            let (x, y, length) = (below(width), below(height), 20 + below(120))
            let breadth = 4 + below(8)
            if below(2) == 0 { fill(x, y, length, breadth, 210) } else { fill(x, y, breadth, length, 210) }
            fill(x - 5, y - 5, 14, 14, 190)
            fill(x, y, 4, 4, 40)
        }
        return pixels
    }

    private static func noisy(_ levels: [UInt8], _ width: Int, _ height: Int, seed: UInt64) throws -> Picture {
        var random = SplitMix64(seed: seed)
        let pixels = levels.map { level in
            // The mean of four even numbers is near enough to normal: standard deviation 4.
            let bits = random.next()
            let sum = (0..<4).reduce(0) { $0 + Int(bits >> (8 * UInt64($1)) & 255) }
            return UInt8(clamping: Int(level) + (sum - 510) * 4 / 148)
        }
        return try Picture(width: width, height: height, channels: 1, pixels: pixels)
    }
}
