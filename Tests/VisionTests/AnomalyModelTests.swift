import Foundation
import SeededRandom
import Testing
import Vision

/// Features that need no network: the mean level of each cell and how far the levels go apart in it.
private struct DrawnFeatures: FeatureSource {
    let sha256: String
    let cellSize = 16

    func features(of picture: Picture, width: Int, height: Int) throws(NeuralError) -> FeatureMap {
        let (columns, rows) = (width / cellSize, height / cellSize)
        var values: [Float] = []
        for cell in 0..<columns * rows {
            let (column, row) = (cell % columns, cell / columns)
            let lines = row * picture.height / rows..<(row + 1) * picture.height / rows
            let places = column * picture.width / columns..<(column + 1) * picture.width / columns
            let levels = lines.flatMap { line in places.map { Float(picture.pixels[line * picture.width + $0]) } }
            values.append(levels.reduce(0, +) / Float(levels.count))
            values.append((levels.max() ?? 0) - (levels.min() ?? 0))
        }
        return FeatureMap(columns: columns, rows: rows, depth: 2, values: values)
    }
}

@Suite struct AnomalyModelTests {
    private let features = DrawnFeatures(sha256: "drawn")

    /// A striped part, a little different each time.
    private func part(_ generator: inout SplitMix64) -> Canvas {
        var canvas = Canvas(256, 192, 30)
        let x = 48 + Int.random(in: -2...2, using: &generator)
        for stripe in 0..<5 { canvas.fill(x: x + 32 * stripe, y: 40, width: 16, height: 110, 190) }
        for index in canvas.pixels.indices {
            canvas.pixels[index] = UInt8(
                clamping: Int(canvas.pixels[index]) + Int.random(in: -5...5, using: &generator)
            )
        }
        return canvas
    }

    private func pictures(_ generator: inout SplitMix64, _ count: Int) throws -> [TrainingPicture] {
        try (0..<count).map { TrainingPicture(name: "part-\($0).png", picture: try part(&generator).picture) }
    }

    private func measure(_ model: AnomalyModel, _ canvas: Canvas) throws -> ToolResult {
        var timer = StepTimer.still
        return try model.measure(canvas.picture, features: features, timer: &timer)
    }

    @Test("RES-12: what good parts never showed is found, and where", arguments: 0..<4)
    func findsWhatGoodPartsNeverShowed(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        let model = try AnomalyModel.train(pictures: pictures(&generator, 10), features: features)
        let good = try measure(model, part(&generator))
        var stained = part(&generator)
        stained.fill(x: 112, y: 80, width: 24, height: 24, 110)
        let found = try measure(model, stained)
        #expect(good.score < 1.2 && found.score > 1.5 && found.score > good.score)
        let defect = try #require(found.defects.first)
        #expect(defect.category == .anomaly && defect.score >= 1)
        #expect(defect.x <= 112 && defect.x + defect.width >= 136 && defect.y <= 80 && defect.y + defect.height >= 104)
        #expect(defect.width <= 64 && defect.height <= 64)
    }

    @Test("M20: the same pictures give the same model and results, bit for bit")
    func learningAndMeasuringRepeatBitForBit() throws {
        var (first, second) = (SplitMix64(seed: 5), SplitMix64(seed: 5))
        let model = try AnomalyModel.train(pictures: pictures(&first, 6), features: features)
        let again = try AnomalyModel.train(pictures: pictures(&second, 6), features: features)
        #expect(model.encoded() == again.encoded())
        let back = try AnomalyModel.decode(model.encoded(), name: "m")
        #expect(back == model)
        let canvas = part(&first)
        _ = try measure(back, part(&first))
        #expect(try measure(back, canvas) == measure(model, canvas))
    }

    @Test("ML-02: the limit is the furthest left out part's distance and five per cent")
    func limitComesFromLeftOutParts() throws {
        var generator = SplitMix64(seed: 6)
        var odd = part(&generator)
        odd.fill(x: 112, y: 80, width: 40, height: 40, 110)
        let pictures = try pictures(&generator, 6) + [TrainingPicture(name: "part-6.png", picture: odd.picture)]
        let model = try AnomalyModel.train(pictures: pictures, features: features)
        let furthest = try #require(model.leftOut.max())
        #expect(model.leftOut.count == 7 && furthest > Double(model.reach) && model.limit == furthest * 1.05)
        #expect(model.goodScores.allSatisfy { $0 < 1 })
        #expect(model.sources.map(\.name) == (0..<7).map { "part-\($0).png" })
    }

    @Test func everyDamageToAModelFileIsFound() throws {
        var generator = SplitMix64(seed: 7)
        let bytes = try AnomalyModel.train(pictures: pictures(&generator, 3), features: features).encoded()
        for _ in 0..<40 {
            var damaged = bytes
            damaged[Int.random(in: 0..<bytes.count, using: &generator)] ^=
                1 << UInt8.random(in: 0..<8, using: &generator)
            #expect(throws: AnomalyModelError.self) { try AnomalyModel.decode(damaged, name: "m") }
            let length = Int.random(in: 0..<bytes.count, using: &generator)
            #expect(throws: AnomalyModelError.self) { try AnomalyModel.decode(Array(bytes.prefix(length)), name: "m") }
        }
    }

    @Test func unusableLearningAndUseAreNamed() throws {
        var generator = SplitMix64(seed: 8)
        let good = try pictures(&generator, 3)
        #expect(throws: AnomalyModelError.self) {
            try AnomalyModel.train(pictures: Array(good.prefix(2)), features: features)
        }
        #expect {
            let tall = TrainingPicture(name: "tall.png", picture: try Canvas(100, 300).picture)
            return try AnomalyModel.train(pictures: good + [tall], features: features)
        } throws: {
            ($0 as? AnomalyModelError)?.name == "tall.png"
        }
        let model = try AnomalyModel.train(pictures: good, features: features)
        #expect(throws: ToolError.self) { try measure(model, Canvas(100, 300)) }
        #expect(throws: AnomalyModelError.self) { try AnomalyTool(model, features: DrawnFeatures(sha256: "other")) }
    }

    /// Photographs of real parts, where a checkout has them beside it.
    private static let photographs = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appending(path: "shared/data").path()

    @Test(
        "RES-12: photographs, AUROC at least 0.98 learning from half of the good ones",
        .enabled(if: FileManager.default.fileExists(atPath: photographs), "no photographs in ../shared/data"),
        .enabled(if: (try? FeatureBackbone.installed()) != nil, "no backbone: run deploy/setup --neural"),
        arguments: ["aws-cookie", "aws-aliens"]
    )
    func tellsRealPhotographsApart(set: String) throws {
        let labelled = try LabelledFolder.read("\(Self.photographs)/\(set)")
        let loaded = try labelled.items.map { ($0, try PictureCodec.load(path: labelled.path(of: $0))) }
        let (good, bad) = (loaded.filter { !$0.0.isBad }, loaded.filter { $0.0.isBad })
        for learnsLater in [false, true] {
            let half = learnsLater ? good.count - good.count / 2 : good.count / 2
            let learned = learnsLater ? good.suffix(half) : good.prefix(half)
            let rest = learnsLater ? good.prefix(good.count - half) : good.suffix(good.count - half)
            let pictures = learned.map { TrainingPicture(name: $0.0.name, picture: $0.1) }
            let judge = try LearnedTool.learn(from: pictures, kind: .anomaly).judge(nowUs: { 0 })
            func scores(_ parts: some Sequence<(LabelledFolder.Item, Picture)>) throws -> [Double] {
                try parts.map { try judge.judge($0.1, sourceName: $0.0.name).score }
            }
            let auroc = try #require(Evaluation.auroc(good: scores(rest), bad: scores(bad)))
            #expect(auroc >= 0.98, "\(set), later half \(learnsLater): AUROC \(auroc)")
        }
    }
}

@Suite struct PatchMemoryTests {
    private func map(_ generator: inout SplitMix64, cells: Int, depth: Int) -> FeatureMap {
        let values = (0..<cells * depth).map { _ in Float.random(in: -1...1, using: &generator) }
        return FeatureMap(columns: cells, rows: 1, depth: depth, values: values)
    }

    /// Distance to the nearest entry, looked for one by one.
    private func nearest(_ patch: ArraySlice<Float>, _ known: FeatureMap, _ count: Int) -> Float {
        (0..<count).map { entry in
            let values = known.values[entry * known.depth..<(entry + 1) * known.depth]
            return zip(patch, values).reduce(Float(0)) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }.squareRoot()
        }.min() ?? .infinity
    }

    @Test(arguments: 0..<20) func distancesAreThoseOfTheNearestEntry(seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        let depth = Int.random(in: 1...20, using: &generator)
        let known = map(&generator, cells: Int.random(in: 1...600, using: &generator), depth: depth)
        let asked = map(&generator, cells: Int.random(in: 1...30, using: &generator), depth: depth)
        var memory = PatchMemory(depth: depth)
        #expect(memory.distances(asked).allSatisfy { $0 == .infinity })
        let isWhole = memory.cover(known, reach: 0, atMost: known.cells)
        #expect(isWhole)
        for (cell, distance) in memory.distances(asked).enumerated() {
            let expected = nearest(asked.values[cell * depth..<(cell + 1) * depth], known, known.cells)
            #expect(abs(distance - expected) < 2e-3)
        }
    }

    @Test(arguments: 0..<10) func everyPatchLiesWithinReachOfTheMemory(seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        let maps = (0..<4).map { _ in map(&generator, cells: 60, depth: 3) }
        var memory = PatchMemory(depth: 3)
        let isWhole = maps.allSatisfy { memory.cover($0, reach: 0.4, atMost: 1_000) }
        #expect(isWhole)
        #expect(memory.count < 240)
        for map in maps { #expect(memory.distances(map).allSatisfy { $0 < 0.401 }) }
        var small = PatchMemory(depth: 3)
        let fits = maps.allSatisfy { small.cover($0, reach: 0.4, atMost: memory.count - 1) }
        #expect(!fits)
    }
}
