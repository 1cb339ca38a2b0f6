import SeededRandom
import Testing
import Vision

@Suite struct OverlayTests {
    /// A tool that always finds the same.
    private struct Fixed: Tool {
        let result: ToolResult

        func inspect(_ part: PartView, timer: inout StepTimer) throws(ToolError) -> ToolResult { result }
    }

    private func recipe(_ regions: [String: Box] = [:]) -> Recipe {
        Recipe(
            id: "lid",
            revision: "1",
            station: "vision-1",
            product: "lid",
            controlPlan: "CP-1",
            regions: regions,
            tools: [.init(name: "rim", settings: BlobSettings(), limits: .init(failAt: 1, uncertainAt: 0.5))],
            reaction: .init(holdOn: [], holdAfter: nil, rejectUncertain: false),
            sha256: ""
        )
    }

    private func finding(_ score: Double, _ defects: [FoundDefect], on picture: Picture) throws -> Finding {
        let features = [
            Feature(name: "width", value: 12.5, unit: "MMT", lowerLimit: 12, conforms: true),
            Feature(name: "serial", value: 0, unit: "C62", text: "4711 ÄÖ", conforms: false),
        ]
        let tool = Fixed(result: ToolResult(score: score, defects: defects, features: features))
        return try Judge(recipe: recipe(), tool: tool, modelSHA256s: []).judge(picture, sourceName: "1.png")
    }

    private func grey(_ width: Int, _ height: Int, _ level: UInt8 = 100) throws -> Picture {
        try Picture(
            width: width,
            height: height,
            channels: 1,
            pixels: [UInt8](repeating: level, count: width * height)
        )
    }

    private func colour(_ picture: Picture, _ x: Int, _ y: Int) -> [UInt8] {
        let place = 3 * (y * picture.width + x)
        return Array(picture.pixels[place..<place + 3])
    }

    @Test func aDefectIsFramedWhereItIs() throws {
        let picture = try grey(200, 160)
        let defect = FoundDefect(category: .spur, x: 60, y: 70, width: 40, height: 30, area: 9, score: 1.5)
        let drawn = Overlay.drawn(try finding(1.5, [defect], on: picture), on: picture)
        #expect([drawn.width, drawn.height, drawn.channels] == [200, 160, 3])
        for place in [(59, 85), (100, 85), (80, 69), (80, 100)] {
            #expect(colour(drawn, place.0, place.1) == [213, 94, 0], "\(place)")
        }
        #expect(colour(drawn, 80, 85) == [100, 100, 100])
        #expect(colour(drawn, 199, 0) == [213, 94, 0])
    }

    @Test func verdictsAreToldByWordsToo() throws {
        let picture = try grey(200, 160)
        let banners = try [0.1, 0.7, 1.5].map { score in
            let drawn = Overlay.drawn(try finding(score, [], on: picture), on: picture)
            // Ink or not, whatever the colours.
            return (0..<9).flatMap { y in (0..<70).map { colour(drawn, $0, y) != colour(drawn, 199, 0) } }
        }
        #expect(Set(banners).count == 3)
    }

    @Test func regionsFollowThePart() throws {
        let picture = try grey(200, 160)
        let regions = recipe(["code": Box(x: 20, y: 40, width: 50, height: 60)])
        let still = Overlay.drawn(try finding(0, [], on: picture), on: picture, recipe: regions)
        #expect(colour(still, 20, 90) == [86, 180, 233])
        let warp = PoseWarp(Pose(dx: 30, dy: 5), centreX: 100, centreY: 80)
        let moved = Overlay.drawn(try finding(0, [], on: picture), on: picture, recipe: regions, warp: warp)
        #expect(colour(moved, 20, 90) == [100, 100, 100])
        #expect(colour(moved, 50, 95) == [86, 180, 233])
    }

    @Test(arguments: 0..<40) func nothingDrawnIsOutside(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        let picture = try randomPicture(&generator, channels: seed % 2 == 0 ? 1 : 3)
        func far() -> Int { Int.random(in: -2_000_000...2_000_000, using: &generator) }
        let defects = (0..<8).map { _ in
            FoundDefect(
                category: "a name much longer than the picture is wide",
                x: far(),
                y: far(),
                width: far(),
                height: far(),
                area: 1,
                score: .random(in: 0...1e12, using: &generator)
            )
        }
        let drawn = Overlay.drawn(
            try finding(.infinity, defects, on: picture),
            on: picture,
            recipe: recipe(["a": Box(x: 1, y: 1, width: 900_000, height: 1)]),
            warp: PoseWarp(Pose(dx: 1e15, dy: -1e300, angle: 77), centreX: 3, centreY: 3),
            longestSide: Int.random(in: 1...60, using: &generator)
        )
        #expect(drawn.channels == 3)
    }

    @Test(arguments: [1, 2, 5, 64, 80]) func aSheetHoldsAllItsPictures(count: Int) throws {
        var sheet = ContactSheet()
        #expect(sheet.picture == nil)
        for index in 0..<count { sheet.add(try grey(300 + index, 40, 200), caption: "anomaly/\(index).png") }
        let picture = try #require(sheet.picture)
        let columns = [1: 1, 2: 2, 5: 3, 64: 8, 80: 8][count, default: 0]
        #expect(picture.width == columns * 264 + 8)
        for index in 0..<min(count, ContactSheet.maxPictures) {
            let (x, y) = (
                8 + index % columns * 264,
                8 + index / columns * (picture.height / ((min(count, 64) + columns - 1) / columns))
            )
            #expect(colour(picture, x + 5, y + 5) == [200, 200, 200], "\(index)")
        }
        #expect(sheet.isFull == (count >= 64))
    }
}
