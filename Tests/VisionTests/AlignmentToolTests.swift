import Foundation
import SeededRandom
import Testing
import Vision

@Suite struct AlignmentToolTests {
    private static let side = 320
    private static let box = Box(x: 110, y: 110, width: 100, height: 100)
    private static let middle = 159.5

    /// A part on clutter that stays where it is while the part moves, turns, grows, gets darker and is partly covered.
    private struct Placed {
        let master: Picture
        let part: Picture
        let dx, dy, angle, scale: Double

        init(seed: UInt64, covered: Bool = true) throws {
            var generator = SplitMix64(seed: seed)
            let (side, middle) = (AlignmentToolTests.side, AlignmentToolTests.middle)
            let scene = DrawnScene(&generator, x: middle, y: middle, reach: 50, count: 8)
            let clutter = DrawnScene(&generator, x: middle, y: middle, reach: 160, count: 20)
            func isPart(_ x: Double, _ y: Double) -> Bool { abs(x - middle) < 56 && abs(y - middle) < 56 }
            master = try pictured(
                drawn(side, side) { isPart($0, $1) ? scene.level($0, $1) : clutter.level($0, $1) },
                side,
                &generator
            )
            dx = .random(in: -40...40, using: &generator)
            dy = .random(in: -40...40, using: &generator)
            angle = .random(in: -10...10, using: &generator)
            scale = .random(in: 0.95...1.05, using: &generator)
            let gain = Double.random(in: 0.6...1.2, using: &generator)
            let offset = Double.random(in: -20...30, using: &generator)
            let cover = (
                x: Double.random(in: 110...178, using: &generator), y: Double.random(in: 110...178, using: &generator),
                level: Double.random(in: 20...230, using: &generator)
            )
            let (a, b) = (scale * cos(angle * .pi / 180), scale * sin(angle * .pi / 180))
            let (dx, dy, length) = (dx, dy, scale * scale)
            let levels = drawn(side, side) { x, y in
                let (right, down) = (x - middle - dx, y - middle - dy)
                let partX = (a * right + b * down) / length + middle
                let partY = (a * down - b * right) / length + middle
                if covered, (cover.x..<cover.x + 32).contains(partX), (cover.y..<cover.y + 32).contains(partY) {
                    return cover.level * gain + offset
                }
                return (isPart(partX, partY) ? scene.level(partX, partY) : clutter.level(x, y)) * gain + offset
            }
            part = try pictured(levels, side, noise: 4, &generator)
        }

        func tool() throws -> AlignmentTool {
            try AlignmentTool(
                master: master,
                boxes: [AlignmentToolTests.box],
                margin: 42,
                rotation: 10.5,
                scale: 0.055
            )
        }
    }

    /// Moved up to 40 pixels, turned up to 10 degrees, 5 % larger or smaller, darker or brighter, a tenth covered, noise.
    @Test(arguments: 0..<10) func partsAreFoundToATenthOfAPixel(seed: UInt64) throws {
        let placed = try Placed(seed: seed)
        let pose = try placed.tool().pose(in: placed.part)
        #expect(hypot(pose.dx - placed.dx, pose.dy - placed.dy) < 0.1)
        #expect(abs(pose.angle - placed.angle) < 0.05)
        #expect(abs(pose.scale - placed.scale) < 0.002)
        #expect(pose.score >= 0.65)
    }

    /// M20: nothing of one part is left for the next, and scratch memory holds no state.
    @Test func theSamePictureHasTheSamePose() throws {
        let (placed, other) = (try Placed(seed: 3), try Placed(seed: 4))
        let tool = try placed.tool()
        let first = try tool.pose(in: placed.part)
        _ = try? tool.pose(in: other.part)
        #expect(try tool.pose(in: placed.part) == first)
        #expect(try placed.tool().pose(in: placed.part) == first)
    }

    @Test(arguments: 0..<6) func anotherPartIsNotFound(seed: UInt64) throws {
        let placed = try Placed(seed: seed)
        var generator = SplitMix64(seed: seed + 1_000)
        let other = DrawnScene(&generator, x: Self.middle, y: Self.middle, reach: 160, count: 60)
        let picture = try pictured(drawn(Self.side, Self.side, steps: 1, other.level), Self.side, noise: 4, &generator)
        let tool = try placed.tool()
        #expect(throws: ToolError.self) { try tool.pose(in: picture) }
        let result = try tool.inspect(picture)
        #expect(result.score >= 1)
        #expect(result.defects.map(\.category) == [.misplaced])
        #expect(result.features.map(\.conforms) == [false])
    }

    @Test(arguments: [(0, 0), (7, -5), (-12, 20)]) func movementByWholePixelsCopiesExactly(dx: Int, dy: Int) throws {
        var generator = SplitMix64(seed: 9)
        let scene = DrawnScene(&generator, x: 160, y: 160, reach: 120, count: 30)
        let master = try pictured(drawn(320, 320, scene.level), 320, &generator)
        let part = try pictured(
            drawn(320, 320) { scene.level($0 - Double(dx), $1 - Double(dy)) },
            320,
            &generator
        )
        let tool = try AlignmentTool(master: master, boxes: [Self.box], margin: 24, rotation: 2, scale: 0.01)
        let pose = try tool.pose(in: part)
        let region = Box(x: 40, y: 50, width: 200, height: 190)
        #expect(try tool.warp(for: pose).region(region, of: part) == #require(master.cropped(to: region)))
    }

    @Test(arguments: 0..<4) func theRegionFollowsThePart(seed: UInt64) throws {
        let placed = try Placed(seed: seed, covered: false)
        let tool = try placed.tool()
        let box = Box(x: 115, y: 115, width: 90, height: 90)
        let seen = try tool.warp(for: tool.pose(in: placed.part)).region(box, of: placed.part)
        let taught = try #require(placed.master.cropped(to: box))
        // Brightness and contrast differ: what is compared is the correlation.
        let (x, y) = (seen.pixels.map(Double.init), taught.pixels.map(Double.init))
        let (meanX, meanY) = (x.reduce(0, +) / Double(x.count), y.reduce(0, +) / Double(y.count))
        let product = zip(x, y).reduce(0) { $0 + ($1.0 - meanX) * ($1.1 - meanY) }
        let spreads = [(x, meanX), (y, meanY)].map { values, mean in values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        }
        #expect(product / (spreads[0] * spreads[1]).squareRoot() > 0.97)
    }

    /// Turned, scaled or only shifted, inside and over the border: within the rounding of 7-bit weights of the exact
    /// value.
    @Test(arguments: 0..<40) func regionsAreSampledBilinearly(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        let picture = try randomPicture(&generator, channels: seed % 4 < 2 ? 1 : 3)
        let isShift = seed % 2 == 0
        let pose = Pose(
            dx: .random(in: -4...4, using: &generator),
            dy: .random(in: -4...4, using: &generator),
            angle: isShift ? 0 : .random(in: -180...180, using: &generator),
            scale: isShift ? 1 : .random(in: 0.7...1.4, using: &generator)
        )
        let (centreX, centreY) = (Double(picture.width - 1) / 2, Double(picture.height - 1) / 2)
        let warp = PoseWarp(pose, centreX: centreX, centreY: centreY)
        let box = Box(x: 0, y: 0, width: picture.width, height: picture.height)
        guard let region = try? warp.region(box, of: picture) else { return }
        func level(_ x: Int, _ y: Int, _ channel: Int) -> Double {
            let place = min(max(0, y), picture.height - 1) * picture.width + min(max(0, x), picture.width - 1)
            return Double(picture.pixels[place * picture.channels + channel])
        }
        var worst = 0.0
        for index in region.pixels.indices {
            let pixel = index / region.channels
            let place = warp.place(x: Double(pixel % region.width), y: Double(pixel / region.width))
            let (x, y) = (place.x.rounded(.down), place.y.rounded(.down))
            let (right, down) = (place.x - x, place.y - y)
            let corners = [(0, 0), (1, 0), (0, 1), (1, 1)].map {
                level(Int(x) + $0.0, Int(y) + $0.1, index % region.channels)
            }
            let above = corners[0] * (1 - right) + corners[1] * right
            let below = corners[2] * (1 - right) + corners[3] * right
            worst = max(worst, abs(Double(region.pixels[index]) - (above * (1 - down) + below * down)))
        }
        #expect(worst < 5)
    }

    @Test func aTemplateThatCouldSlideIsRefused() throws {
        let bar = try Picture(width: 64, height: 64, channels: 1, pixels: (0..<4096).map { $0 / 64 < 30 ? 20 : 220 })
        #expect(throws: ToolError.self) { try AlignmentTool(master: bar, margin: 8) }
        let flat = try Picture(width: 64, height: 64, channels: 1, pixels: [UInt8](repeating: 7, count: 4096))
        #expect(throws: ToolError.self) { try AlignmentTool(master: flat, margin: 8) }
        let disc = try Picture(
            width: 64,
            height: 64,
            channels: 1,
            pixels: (0..<4096).map { place in
                let distance = hypot(Double(place % 64) - 31.5, Double(place / 64) - 31.5)
                return UInt8(min(220, max(20, 120 + 100 * (distance - 20))))
            }
        )
        #expect(throws: ToolError.self) { try AlignmentTool(master: disc, margin: 8, rotation: 10) }
        #expect(try AlignmentTool(master: disc, margin: 8).pose(in: disc).score > 0.9)
    }

    @Test(arguments: 0..<20) func picturesOfAnySizeAreNoCrash(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        let placed = try Placed(seed: 1)
        let tool = try placed.tool()
        let picture = try randomPicture(&generator, channels: seed % 2 == 0 ? 1 : 3)
        #expect(throws: ToolError.self) { try tool.pose(in: picture) }
        let warp = PoseWarp(
            Pose(dx: .random(in: -9...9, using: &generator), dy: 3, angle: .random(in: -180...180, using: &generator)),
            centreX: 10,
            centreY: 10
        )
        let region = try? warp.region(Box(x: 0, y: 0, width: 20, height: 20), of: picture)
        #expect(region.map { $0.width == 20 && $0.height == 20 } ?? true)
    }
}
