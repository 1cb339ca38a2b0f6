import Foundation
import SeededRandom
import Testing
import Vision

/// Features that need no network: mean level of cells of 4 and of 8 pixels.
private struct DrawnPyramid: PixelFeatureSource {
    let sha256: String
    let step = 8

    func pyramid(of picture: Picture, width: Int, height: Int) throws(NeuralError) -> FeaturePyramid {
        FeaturePyramid(layers: [layer(picture, width / 4, height / 4), layer(picture, width / 8, height / 8)])
    }

    private func layer(_ picture: Picture, _ columns: Int, _ rows: Int) -> FeaturePyramid.Layer {
        var values: [Float] = []
        for cell in 0..<columns * rows {
            let (x, y) = (cell % columns * picture.width / columns, cell / columns * picture.height / rows)
            let (right, bottom) = (
                max(x + 1, (cell % columns + 1) * picture.width / columns),
                max(y + 1, (cell / columns + 1) * picture.height / rows)
            )
            let levels = (y..<bottom).flatMap { line in
                (x..<right).map { Float(picture.pixels[line * picture.width + $0]) }
            }
            values.append(levels.reduce(0, +) / Float(levels.count))
        }
        return .init(columns: columns, rows: rows, depth: 1, values: values)
    }
}

@Suite struct SegmentationModelTests {
    private let features = DrawnPyramid(sha256: "drawn")
    private let categories: [DefectCategory] = ["pit", "spot"]

    /// A grey surface with noise, a dark pit and a bright spot.
    private func part(_ generator: inout SplitMix64, isMarked: Bool = true) -> (Canvas, [MarkedDefect]) {
        var canvas = Canvas(256, 128, 110)
        for index in canvas.pixels.indices { canvas.pixels[index] = UInt8.random(in: 95...125, using: &generator) }
        guard isMarked else { return (canvas, []) }
        let marks = [("pit", 30 as UInt8, 10...80), ("spot", 220, 130...210)].map { name, level, columns in
            let (x, y) = (Int.random(in: columns, using: &generator), Int.random(in: 8...80, using: &generator))
            let size = Int.random(in: 16...32, using: &generator)
            canvas.fill(x: x, y: y, width: size, height: size, level)
            let box = LabelledBox(
                category: DefectCategory(rawValue: name),
                left: Double(x),
                top: Double(y),
                right: Double(x + size),
                bottom: Double(y + size)
            )
            return MarkedDefect(box: box)
        }
        return (canvas, marks)
    }

    private func pictures(_ count: Int, seed: UInt64) throws -> [MarkedPicture] {
        var generator = SplitMix64(seed: seed)
        return try (0..<count).map { index in
            let (canvas, marks) = part(&generator)
            let mask = DefectMask(marks, width: canvas.width, height: canvas.height, categories: categories)
            let picture = try canvas.picture
            return MarkedPicture(name: "p\(index)") { (picture, mask) }
        }
    }

    private func model(_ pictures: [MarkedPicture]) throws -> SegmentationModel {
        try SegmentationLearning(pictures, categories: categories, features: features).model()
    }

    @Test("RES-12: marked defects are found, with their category and place, on other parts")
    func findsWhatWasMarked() throws {
        let model = try model(pictures(6, seed: 1))
        #expect((0.3..<1).contains(model.limit))
        let judge = try LearnedTool(model, features: features).judge(nowUs: { 0 })
        var generator = SplitMix64(seed: 2)
        var score = MarkScore(marked: categories, found: judge.recipe.categories)
        for _ in 0..<4 {
            let (canvas, marks) = part(&generator)
            let picture = try canvas.picture
            let finding = try judge.judge(picture, sourceName: "part")
            #expect(finding.verdict == .fail && Set(finding.defects.map(\.found.category)) == Set(categories))
            let map = try #require(try judge.map(picture, sourceName: "part"))
            let mask = DefectMask(marks, width: 256, height: 128, categories: categories)
            score.add(found: finding.defects.map(\.found), map: map, marked: marks.map(\.box), mask: mask)
            #expect(map.candidates.filter { $0.score >= 1 }.count == finding.defects.count)
            #expect(finding.score == finding.defects.map(\.found.score).max())
        }
        #expect(score.half.all.f == 1)
        let overlap = try #require(score.pixels.intersectionOverUnion)
        #expect(overlap > 0.85, "\(overlap)")
        let good = try judge.judge(part(&generator, isMarked: false).0.picture, sourceName: "good")
        #expect(good.verdict == .pass && good.defects.isEmpty)
    }

    @Test("ML-02, M20: the same pictures give the same model and findings, bit for bit") func learnsTheSameTwice()
        throws
    {
        let pictures = try pictures(4, seed: 3)
        let (first, second) = (try model(pictures), try model(pictures))
        #expect(first.encoded() == second.encoded())
        #expect(try model(pictures.reversed()).encoded() != first.encoded())
        let read = try SegmentationModel.decode(first.encoded(), name: "m")
        #expect(read == first)
        var generator = SplitMix64(seed: 4)
        let picture = try part(&generator).0.picture
        var timer = StepTimer.still
        let result = try read.measure(picture, features: features, timer: &timer)
        #expect(try first.measure(picture, features: features, timer: &timer) == result)
        #expect(timer.timings.map(\.tool).prefix(3) == ["features", "classify", "regions"])
    }

    @Test func tooLittleToLearnFromIsNamed() throws {
        #expect { try model(pictures(2, seed: 5)) } throws: { "\($0)".contains("at least 3 with marked defects") }
        let odd = MarkedPicture(name: "odd") {
            (try Canvas(64, 64).picture, DefectMask(width: 1, height: 1, values: [0]))
        }
        #expect { try model([odd]) } throws: { "\($0)".hasPrefix("odd: mask of 1x1") }
        #expect(throws: LearnError.self) { try LearnedTool.learn(from: [], kind: .segmentation) }
    }

    @Test func damagedModelFilesAreRefused() throws {
        let bytes = try model(pictures(3, seed: 6)).encoded()
        var generator = SplitMix64(seed: 7)
        for _ in 0..<60 {
            var damaged = bytes
            if Bool.random(using: &generator) {
                damaged.removeLast(Int.random(in: 1...bytes.count, using: &generator))
            } else {
                damaged[Int.random(in: 0..<bytes.count, using: &generator)] ^= UInt8.random(
                    in: 1...255,
                    using: &generator
                )
            }
            #expect(throws: LearnError.self) { try SegmentationModel.decode(damaged, name: "m") }
        }
        let other = DrawnPyramid(sha256: "other")
        let model = try SegmentationModel.decode(bytes, name: "m")
        #expect { try SegmentationTool(model, features: other) } throws: { "\($0)".contains("learn it again") }
    }

    @Test("CHG-04: a draft recipe names the model by hash, and its classes") func draftsARecipe() throws {
        let learned = try LearnedTool(model(pictures(3, seed: 8)), features: features)
        let text = learned.draftRecipe(id: "r", station: "s", product: "p", modelFile: "m.model")
        let recipe = try Recipe.parse(text: text, file: "r.yaml")
        #expect(recipe.categories == categories)
        #expect(text.contains(hexSHA256(learned.encoded())))
        let folder = try TemporaryFolder()
        try Data(learned.encoded()).write(to: URL(filePath: "\(folder.path)/m.model"))
        #expect(learned.kind == .segmentation && learned.sources.count == 3 && learned.model.backboneSHA256 == "drawn")
        // The model's backbone is not the installed one.
        #expect { try Judge(recipe: recipe, directory: folder.path) } throws: { "\($0)".contains("tool learned: ") }
    }
}

@Suite struct PixelClassifierTests {
    /// The chances of one cell, computed unit by unit from the features as they are read one cell at a time.
    private func chances(_ pyramid: FeaturePyramid, x: Int, y: Int, _ weights: [[Float]]) -> [Float] {
        let hidden = PixelClassifier.hidden
        let features = [Float](unsafeUninitializedCapacity: pyramid.depth) { out, count in
            pyramid.write(x: x, y: y, to: UnsafeMutableBufferPointer(rebasing: out[..<pyramid.depth]))
            count = pyramid.depth
        }
        let units = (0..<hidden).map { unit in
            max(0, features.indices.reduce(weights[1][unit]) { $0 + features[$1] * weights[0][$1 * hidden + unit] })
        }
        let outputs = weights[3].count
        let logits = (0..<outputs).map { output in
            units.indices.reduce(weights[3][output]) { $0 + units[$1] * weights[2][$1 * outputs + output] }
        }
        let powers = logits.map { exp($0) }
        return powers.map { $0 / powers.reduce(0, +) }
    }

    @Test(arguments: 0..<20) func layersAtTheirOwnResolutionGiveTheSameChances(seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        func numbers(_ count: Int) -> [Float] { (0..<count).map { _ in Float.random(in: -1...1, using: &generator) } }
        let (columns, rows) = (Int.random(in: 1...4, using: &generator), Int.random(in: 1...4, using: &generator))
        let layers = [4, 4, 2, 1].map { factor in
            let depth = Int.random(in: 1...3, using: &generator)
            let (wide, high) = (columns * factor, rows * factor)
            return FeaturePyramid.Layer(columns: wide, rows: high, depth: depth, values: numbers(wide * high * depth))
        }
        let pyramid = FeaturePyramid(layers: layers)
        let (hidden, outputs) = (PixelClassifier.hidden, Int.random(in: 2...4, using: &generator))
        let weights = [numbers(pyramid.depth * hidden), numbers(hidden), numbers(hidden * outputs), numbers(outputs)]
        let classifier = PixelClassifier(
            depth: pyramid.depth,
            outputs: outputs,
            first: weights[0],
            firstBias: weights[1],
            second: weights[2],
            secondBias: weights[3]
        )
        let found = classifier.apply(to: pyramid)
        let cells = pyramid.columns * pyramid.rows
        for cell in 0..<cells {
            let expected = chances(pyramid, x: cell % pyramid.columns, y: cell / pyramid.columns, weights)
            for output in 1..<outputs { #expect(abs(found[(output - 1) * cells + cell] - expected[output]) < 1e-4) }
        }
    }
}

@Suite struct MarkedPhotographTests {
    /// Photographs of real parts, where a checkout has them beside it.
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appending(path: "shared/data/bsdata").path()

    @Test(
        "RES-12: photographs, pittings of a spindle position are found by what two others teach",
        .enabled(if: FileManager.default.fileExists(atPath: folder), "no photographs in ../shared/data"),
        .enabled(if: (try? PixelBackbone.installed()) != nil, "no backbone: run deploy/setup --neural")
    )
    func findsPittings() throws {
        let labelled = try LabelledFolder.read(Self.folder)
        let categories = labelled.categories
        let groups = Set(labelled.items.compactMap(\.group)).sorted()
        #expect(labelled.groupColumn == "spindle_position" && groups.count > 4 && categories == ["pitting"])
        let features = try PixelBackbone.installed()
        let learned = labelled.items.filter { groups.dropFirst().prefix(2).contains($0.group ?? "") }
        let learning = try SegmentationLearning(
            learned.compactMap { labelled.marked($0, categories: categories) },
            categories: categories,
            features: features
        )
        let model = try learning.model()
        var score = MarkScore(marked: categories, found: model.categories)
        for item in labelled.items where item.group == groups[0] {
            let picture = try PictureCodec.load(path: labelled.path(of: item))
            let map = try model.map(picture, features: features)
            let mask = try labelled.mask(
                of: item,
                width: picture.width,
                height: picture.height,
                categories: categories
            )
            let boxes = item.marks?.map(\.box) ?? []
            score.add(found: map.candidates, map: map, marked: boxes, mask: mask)
        }
        let (boxes, pixels) = (try #require(score.half.all.f), try #require(score.pixels.f))
        #expect(boxes >= 0.8 && pixels >= 0.7, "box F \(boxes), pixel F \(pixels)")
    }
}
