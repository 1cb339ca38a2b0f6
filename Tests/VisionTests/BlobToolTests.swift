import SeededRandom
import Testing
import Vision

@Suite struct BlobToolTests {
    private func settings(_ change: (inout BlobSettings) -> Void = { _ in }) -> BlobSettings {
        var settings = BlobSettings()
        change(&settings)
        return settings
    }

    /// Rectangles far enough apart that they never touch.
    private func plates(_ generator: inout SplitMix64) -> (Canvas, areas: [Int]) {
        var canvas = Canvas(200, 160, 60)
        var areas: [Int] = []
        for row in 0..<4 {
            for column in 0..<5 where Bool.random(using: &generator) {
                let (width, height) = (
                    Int.random(in: 4...30, using: &generator), Int.random(in: 4...30, using: &generator)
                )
                canvas.fill(x: column * 40 + 4, y: row * 40 + 4, width: width, height: height, 190)
                areas.append(width * height)
            }
        }
        return (canvas, areas)
    }

    @Test("RES-12 count: every plate is counted and its pixels too", arguments: 0..<20)
    func countsAndAreas(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        let (canvas, areas) = plates(&generator)
        for kind in BlobSettings.Threshold.allCases {
            let tool = BlobTool(
                settings {
                    $0.threshold = kind
                    $0.reach = 40
                    $0.minCount = 0
                }
            )
            let result = try tool.inspect(canvas.picture)
            #expect(result.value("count") == Double(areas.count), "\(kind)")
            #expect(result.score == 0)
            guard kind != .adaptive, let largest = areas.max() else { continue }
            #expect(result.value("total area") == Double(areas.reduce(0, +)))
            #expect(result.value("largest area") == Double(largest))
        }
    }

    @Test(arguments: 0..<20) func darkBlobsAreBrightBlobsOfTheNegative(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        let (canvas, _) = plates(&generator)
        var negative = canvas
        negative.pixels = canvas.pixels.map { 255 - $0 }
        let bright = try BlobTool(settings()).inspect(canvas.picture)
        let dark = try BlobTool(settings { $0.polarity = .dark }).inspect(negative.picture)
        #expect(bright == dark)
    }

    @Test func missingSurplusAndSize() throws {
        var canvas = Canvas(100, 60, 30)
        canvas.fill(x: 10, y: 10, width: 12, height: 12, 200)
        canvas.fill(x: 50, y: 10, width: 20, height: 20, 200)
        let missing = try BlobTool(settings { $0.minCount = 3 }).inspect(canvas.picture)
        #expect(missing.score == 1)
        #expect(missing.defects.map(\.category) == [.missing])
        let surplus = try BlobTool(settings { $0.maxCount = 1 }).inspect(canvas.picture)
        #expect(surplus.score == 1)
        #expect(surplus.defects.map(\.category) == [.surplus])
        #expect(surplus.defects.map { [$0.x, $0.y, $0.width, $0.height, $0.area] } == [[10, 10, 12, 12, 144]])
        let size = try BlobTool(settings { $0.maxArea = 200 }).inspect(canvas.picture)
        #expect(size.score >= 1)
        #expect(size.defects.first?.category == .dimension)
        #expect(size.defects.first.map { [$0.x, $0.y] } == [50, 10])
        #expect(try BlobTool(settings { $0.maxArea = 400 }).inspect(canvas.picture).score < 1)
        let centre = try BlobTool(settings()).inspect(canvas.picture, millimetresPerPixel: 0.5)
        #expect(centre.value("x") == 29.75)
        #expect(centre.value("y") == 9.75)
        #expect(centre.value("largest area") == 100)
    }

    @Test(arguments: [1, 2, 3, 5]) func elongationIsLengthOverWidth(times: Int) throws {
        var canvas = Canvas(100, 40, 30)
        canvas.fill(x: 10, y: 10, width: 12 * times, height: 12, 200)
        let good = try BlobTool(settings { $0.maxElongation = Double(times) + 0.01 }).inspect(canvas.picture)
        #expect(good.score < 1)
        guard times > 1 else { return }
        let long = try BlobTool(settings { $0.maxElongation = Double(times) - 0.01 }).inspect(canvas.picture)
        #expect(long.defects.first?.category == .shape)
    }

    /// A ring and what touches only by a corner are one blob each, however rows meet.
    @Test func blobsThatMeetLaterAreOne() throws {
        var canvas = Canvas(60, 60, 20)
        canvas.fill(x: 10, y: 10, width: 5, height: 30, 220)
        canvas.fill(x: 30, y: 5, width: 5, height: 35, 220)
        canvas.fill(x: 10, y: 40, width: 25, height: 4, 220)
        canvas.fill(x: 35, y: 44, width: 4, height: 4, 220)
        let result = try BlobTool(settings()).inspect(canvas.picture)
        #expect(result.value("count") == 1)
        #expect(result.value("largest area") == Double(5 * 30 + 5 * 35 + 25 * 4 + 16))
    }

    @Test func anEvenSurfaceHasNoBlobs() throws {
        var generator = SplitMix64(seed: 5)
        let pixels = (0..<10_000).map { _ in UInt8.random(in: 100...110, using: &generator) }
        let picture = try Picture(width: 100, height: 100, channels: 1, pixels: pixels)
        #expect(try BlobTool(settings { $0.minCount = 0 }).inspect(picture).value("count") == 0)
    }

    @Test func cleaningTakesSpecksAway() throws {
        var canvas = Canvas(60, 60, 20)
        canvas.fill(x: 20, y: 20, width: 20, height: 20, 220)
        for place in [(3, 3), (50, 8), (9, 51)] { canvas.fill(x: place.0, y: place.1, width: 2, height: 2, 220) }
        let raw = try BlobTool(settings { $0.minArea = 1 }).inspect(canvas.picture)
        #expect(raw.value("count") == 4)
        let cleaned = try BlobTool(settings { ($0.minArea, $0.clean) = (1, 1) }).inspect(canvas.picture)
        #expect(cleaned.value("count") == 1)
        #expect(cleaned.value("largest area") == 400)
    }

    @Test(arguments: 0..<30) func picturesOfAnySizeAreNoCrash(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        let picture = try randomPicture(&generator, channels: 1)
        for kind in BlobSettings.Threshold.allCases {
            let tool = BlobTool(
                settings {
                    $0.threshold = kind
                    $0.clean = Int(seed % 3)
                }
            )
            let result = try tool.inspect(picture)
            #expect(result == (try tool.inspect(picture)))
        }
    }
}
