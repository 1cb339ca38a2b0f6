import Foundation
import SeededRandom
import Testing
import Vision

@Suite struct SurfaceModelTests {
    /// A bright part with a mark on it, on a dark ground, a little different each time.
    private func part(_ generator: inout SplitMix64) -> Canvas {
        var canvas = Canvas(150, 120, 30)
        let x = 45 + Int.random(in: -6...6, using: &generator)
        let y = 35 + Int.random(in: -6...6, using: &generator)
        canvas.fill(x: x, y: y, width: 60, height: 40, 200)
        canvas.fill(x: x + 60, y: y + 12, width: 16, height: 14, 200)
        canvas.fill(x: x + 12, y: y + 10, width: 12, height: 12, 150)
        for index in canvas.pixels.indices {
            canvas.pixels[index] = UInt8(
                clamping: Int(canvas.pixels[index]) + Int.random(in: -6...6, using: &generator)
            )
        }
        return canvas
    }

    private func trained(_ generator: inout SplitMix64, count: Int = 8) throws -> SurfaceModel {
        let pictures = try (0..<count).map { ("part-\($0).png", try part(&generator).picture) }
        return try SurfaceModel.train(pictures: pictures)
    }

    private func measure(_ model: SurfaceModel, _ canvas: Canvas) throws -> ToolResult {
        var timer = StepTimer.still
        return try model.measure(canvas.picture, timer: &timer)
    }

    @Test(arguments: 0..<4) func tellsBrokenAndStainedPartsFromGoodOnes(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        let model = try trained(&generator)
        let good = try measure(model, part(&generator))
        var broken = part(&generator)
        broken.fill(x: 96, y: 0, width: 54, height: 120, 30)
        var stained = part(&generator)
        stained.fill(x: 75, y: 50, width: 10, height: 10, 110)
        let (missing, stain) = (try measure(model, broken), try measure(model, stained))
        #expect(missing.score > good.score && missing.score >= 1)
        #expect(missing.defects.first?.category == .shape)
        #expect(stain.score > good.score && stain.score >= 1)
        let place = try #require(stain.defects.first { $0.category == .surface })
        #expect(place.x <= 80 && place.x + place.width >= 80 && place.y <= 55 && place.y + place.height >= 55)
    }

    @Test func trainingAndMeasuringRepeatBitForBit() throws {
        var (first, second) = (SplitMix64(seed: 5), SplitMix64(seed: 5))
        let (model, again) = (try trained(&first), try trained(&second))
        #expect(model == again && model.encoded() == again.encoded())
        let canvas = part(&first)
        #expect(try measure(model, canvas) == measure(again, canvas))
    }

    @Test func savedModelsComeBackAndMeasureTheSame() throws {
        var generator = SplitMix64(seed: 6)
        let folder = try TemporaryFolder()
        let model = try trained(&generator, count: 3)
        try model.save(path: "\(folder.path)/part.model")
        let back = try SurfaceModel.load(path: "\(folder.path)/part.model")
        #expect(back == model)
        let canvas = part(&generator)
        #expect(try measure(back, canvas) == measure(model, canvas))
        #expect(back.sources.map(\.name) == ["part-0.png", "part-1.png", "part-2.png"])
    }

    @Test("ML-04: the model keeps what its good parts scored; a file from before is read and written as it was")
    func goodScoresAreKept() throws {
        var generator = SplitMix64(seed: 9)
        let model = try trained(&generator)
        #expect(model.goodScores.count == 8 && model.goodScores.allSatisfy { (0...1.5).contains($0) })
        let bytes = model.encoded()
        let scores = bytes.count - 64 - 8 * model.goodScores.count
        var before = Array(bytes[..<scores])
        before[8] = 1
        before += Array(hexSHA256(before).utf8)
        let old = try SurfaceModel.decode(before, name: "m")
        #expect(old.goodScores.isEmpty && old.encoded() == before && old != model)
        let canvas = part(&generator)
        #expect(try measure(old, canvas) == measure(model, canvas))
    }

    @Test func everyDamageToAModelFileIsFound() throws {
        var generator = SplitMix64(seed: 7)
        let bytes = try trained(&generator, count: 3).encoded()
        for _ in 0..<25 {
            var damaged = bytes
            damaged[Int.random(in: 0..<bytes.count, using: &generator)] ^=
                1 << UInt8.random(in: 0..<8, using: &generator)
            #expect(throws: SurfaceModelError.self) { try SurfaceModel.decode(damaged, name: "m") }
            let length = Int.random(in: 0..<bytes.count, using: &generator)
            #expect(throws: SurfaceModelError.self) { try SurfaceModel.decode(Array(bytes.prefix(length)), name: "m") }
        }
    }

    @Test func unusableTrainingIsNamed() throws {
        var generator = SplitMix64(seed: 8)
        let pictures = try (0..<3).map { ("part-\($0).png", try part(&generator).picture) }
        #expect(throws: SurfaceModelError.self) { try SurfaceModel.train(pictures: Array(pictures.prefix(2))) }
        #expect {
            try SurfaceModel.train(pictures: pictures + [("other.png", try Canvas(10, 10).picture)])
        } throws: {
            ($0 as? SurfaceModelError)?.name == "other.png"
        }
    }

    @Test func anEmptyPlaceFails() throws {
        var generator = SplitMix64(seed: 9)
        let model = try trained(&generator, count: 4)
        #expect(try measure(model, Canvas(150, 120, 30)).score > 10)
    }

    /// Photographs of real parts, where a checkout has them beside it.
    private static let photographs = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appending(path: "shared/data").path()

    @Test(
        .enabled(if: FileManager.default.fileExists(atPath: photographs), "no photographs in ../shared/data"),
        arguments: ["aws-cookie", "aws-aliens"]
    )
    func tellsRealPhotographsApart(set: String) throws {
        let folder = "\(Self.photographs)/\(set)"
        let labelled = try LabelledFolder.read(folder)
        let loaded = try labelled.items.map { ($0, try PictureCodec.load(path: labelled.path(of: $0))) }
        let good = loaded.filter { !$0.0.isBad }
        let bad = loaded.filter { $0.0.isBad }
        for seed in 0..<2 {
            var generator = SplitMix64(seed: UInt64(seed))
            let order = good.shuffled(using: &generator)
            let model = try SurfaceModel.train(pictures: order.prefix(good.count / 2).map { ($0.0.name, $0.1) })
            func scores(_ parts: some Sequence<(LabelledFolder.Item, Picture)>) throws -> [Double] {
                try parts.map { part in
                    var timer = StepTimer.still
                    return try model.measure(part.1, timer: &timer).score
                }
            }
            let auroc = try #require(
                Evaluation.auroc(good: scores(order.dropFirst(good.count / 2)), bad: scores(bad))
            )
            #expect(auroc >= 0.85, "\(set), seed \(seed): AUROC \(auroc)")
        }
    }
}
