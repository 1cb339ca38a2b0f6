import Foundation
import SeededRandom
import Testing
import Vision

@Suite struct CaliperToolTests {
    /// A bar whose edges lie anywhere between pixels, turned a little, in noise.
    @Test(arguments: 0..<40) func aWidthIsMeasuredToATwentiethOfAPixel(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        let width = Double.random(in: 12...50, using: &generator)
        let middle = Double.random(in: 38...42, using: &generator)
        let tilt = Double.random(in: -4...4, using: &generator) * .pi / 180
        let isDown = seed % 2 == 1
        let levels = drawn(80, 60, steps: 8) { x, y in
            let along = isDown ? y + 10 : x
            let across = isDown ? x - 10 : y
            return abs((along - middle) * cos(tilt) - (across - 29.5) * sin(tilt)) < width / 2 ? 190 : 50
        }
        var settings = CaliperSettings(measure: .width, nominal: width, plus: 1, minus: 1)
        settings.direction = isDown ? .down : .right
        (settings.edge, settings.second) = (.rising, .falling)
        let inside = min(width + 24, 58)
        guard !isDown || width < inside - 10 else { return }
        let result = try CaliperTool(settings).inspect(pictured(levels, 80, noise: 3, &generator))
        let measured = try #require(result.value("width"))
        #expect(abs(measured - width) < 0.05)
        #expect(abs(abs(try #require(result.value("tilt"))) - abs(tilt) * 180 / .pi) < 0.2)
        #expect(result.features[0].conforms)
    }

    @Test(arguments: 0..<40) func aPositionIsMeasuredToATwentiethOfAPixel(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        let edge = Double.random(in: 20...40, using: &generator)
        // The share of each pixel that is behind the edge, exactly.
        let levels = (0..<64 * 40).map { 180 - 120 * min(1, max(0, edge - Double($0 % 64) + 0.5)) }
        let picture = try pictured(levels, 64, noise: 3, &generator)
        var settings = CaliperSettings(measure: .position, nominal: edge, plus: 0.5, minus: 0.5)
        settings.edge = .rising
        #expect(abs(try #require(CaliperTool(settings).inspect(picture).value("position")) - edge) < 0.05)
        // From the other side the same edge falls.
        (settings.direction, settings.edge) = (.left, .falling)
        #expect(abs(try #require(CaliperTool(settings).inspect(picture).value("position")) - edge) < 0.05)
    }

    /// A disc off the middle of its region, a tenth of its rim covered.
    @Test(arguments: 0..<30) func aDiameterIsMeasuredToATwentiethOfAPixel(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        let radius = Double.random(in: 15...40, using: &generator)
        let x = 59.5 + Double.random(in: -6...6, using: &generator)
        let y = 59.5 + Double.random(in: -6...6, using: &generator)
        let covered = Double.random(in: 0...(2 * .pi), using: &generator)
        let levels = drawn(120, 120, steps: 8) { px, py in
            let turn = (atan2(py - y, px - x) - covered).truncatingRemainder(dividingBy: 2 * .pi)
            let reach = radius + (turn > 0 && turn < 0.6 ? 4 : 0)
            return hypot(px - x, py - y) < reach ? 200 : 60
        }
        var settings = CaliperSettings(measure: .diameter, nominal: 2 * radius, plus: 0.5, minus: 0.5)
        (settings.edge, settings.lines) = (.falling, 64)
        let result = try CaliperTool(settings).inspect(pictured(levels, 120, noise: 3, &generator))
        #expect(abs(try #require(result.value("diameter")) - 2 * radius) < 0.05)
        #expect(abs(try #require(result.value("x")) - x) < 0.05)
        #expect(abs(try #require(result.value("y")) - y) < 0.05)
    }

    @Test func millimetresAndLimits() throws {
        let levels = drawn(60, 20, steps: 8) { x, _ in x > 10 && x < 40 ? 200 : 40 }
        var generator = SplitMix64(seed: 0)
        let picture = try pictured(levels, 60, &generator)
        func result(_ nominal: Double, _ plus: Double, _ minus: Double) throws -> ToolResult {
            try CaliperTool(CaliperSettings(measure: .width, nominal: nominal, plus: plus, minus: minus))
                .inspect(picture, millimetresPerPixel: 0.1)
        }
        let good = try result(2.9, 0.4, 0.2)
        #expect(good.features[0].unit == "MMT")
        #expect(good.features[0].lowerLimit.map { abs($0 - 2.7) < 1e-9 } == true)
        #expect(good.features[0].upperLimit.map { abs($0 - 3.3) < 1e-9 } == true)
        #expect(abs(good.score - 0.25) < 0.02)
        #expect(good.defects.isEmpty)
        let large = try result(2.9, 0.05, 0.2)
        #expect(large.score > 1.8 && large.score < 2.2)
        #expect(large.defects.map(\.category) == [.dimension])
        let small = try result(3.1, 0.4, 0.05)
        #expect(small.score > 1.8 && small.score < 2.2)
        #expect(!small.features[0].conforms)
    }

    @Test func whatIsNotThereIsMissing() throws {
        let flat = try Picture(width: 60, height: 40, channels: 1, pixels: [UInt8](repeating: 90, count: 2_400))
        for measure in CaliperSettings.Measure.allCases {
            let result = try CaliperTool(CaliperSettings(measure: measure, nominal: 5, plus: 1, minus: 1)).inspect(flat)
            #expect(result.score == 10)
            #expect(result.defects.map(\.category) == [.missing])
            #expect(result.features.map(\.conforms) == [false])
        }
    }

    @Test(arguments: 0..<40) func picturesOfAnySizeAreNoCrash(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        let picture = try randomPicture(&generator, channels: 1)
        for measure in CaliperSettings.Measure.allCases {
            for choice in CaliperSettings.Choice.allCases {
                var settings = CaliperSettings(measure: measure, nominal: 5, plus: 1, minus: 1)
                (settings.choice, settings.direction) = (choice, seed % 2 == 0 ? .up : .left)
                let tool = CaliperTool(settings)
                guard min(picture.width, picture.height) >= 4 else {
                    #expect(throws: ToolError.self) { try tool.inspect(picture) }
                    continue
                }
                let result = try tool.inspect(picture)
                #expect(result == (try tool.inspect(picture)))
                #expect(result.score.isFinite)
            }
        }
    }
}
