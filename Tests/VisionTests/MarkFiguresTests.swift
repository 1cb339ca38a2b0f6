import Foundation
import SeededRandom
import Testing
import Vision

@Suite struct PixelScoreTests {
    private func map(_ strength: [Float], from limit: Float = 0.5) -> DefectMap {
        DefectMap(
            width: strength.count,
            height: 1,
            strength: strength,
            found: strength.map { $0 >= limit },
            candidates: []
        )
    }

    private func mask(_ values: [UInt8]) -> DefectMask { DefectMask(width: values.count, height: 1, values: values) }

    /// Counted by hand: 2 right, 1 wrong, 1 missed.
    @Test func figuresOfAHandMadePicture() throws {
        var score = PixelScore()
        #expect(score.intersectionOverUnion == nil && score.averagePrecision == nil && score.auroc == nil)
        score.add(map([0.9, 0.8, 0.7, 0.2, 0.1]), truth: mask([1, 0, 2, 1, 0]))
        #expect(score.intersectionOverUnion == 0.5)
        #expect(score.precision == 2.0 / 3 && score.recall == 2.0 / 3 && score.f == 2.0 / 3)
        // Precision at the three marked pixels: 1, 2/3, 3/4.
        let average = try #require(score.averagePrecision)
        #expect(abs(average - (1 + 2.0 / 3 + 0.75) / 3) < 1e-12)
        // Of the 6 pairs of a marked and an unmarked pixel, 4 are in order.
        #expect(score.auroc == 4.0 / 6)
    }

    @Test(arguments: 0..<30) func aurocAgreesWithThatOfScores(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        var score = PixelScore()
        var (good, bad): ([Double], [Double]) = ([], [])
        for _ in 0..<3 {
            let strength = (0..<50).map { _ in Float(Int.random(in: 0...20, using: &generator)) / 8 }
            let values = (0..<50).map { _ in UInt8.random(in: 0...2, using: &generator) }
            score.add(map(strength), truth: mask(values))
            for (value, strength) in zip(values, strength) {
                if value > 0 { bad.append(Double(strength)) } else { good.append(Double(strength)) }
            }
        }
        let expected = try #require(Evaluation.auroc(good: good, bad: bad))
        let found = try #require(score.auroc)
        #expect(abs(found - expected) < 1e-12)
        #expect(score.pictures == 3)
    }
}

@Suite struct MarkScoreTests {
    private func found(_ x: Int, _ score: Double, _ category: DefectCategory = "pit") -> FoundDefect {
        FoundDefect(category: category, x: x, y: 0, width: 10, height: 10, area: 100, score: score)
    }

    private func marked(_ x: Double) -> LabelledBox {
        LabelledBox(category: "pit", left: x, top: 0, right: x + 10, bottom: 10)
    }

    /// Two marked boxes; one is hit (overlap 8/12), one half hit (5/15), and one box found is wrong.
    @Test func boxesOfAHandMadePicture() throws {
        var score = MarkScore(marked: ["pit"], found: ["pit"])
        score.add(
            found: [found(2, 3), found(105, 2), found(300, 1), found(400, 0.5)],
            map: nil,
            marked: [marked(0), marked(100)],
            mask: nil
        )
        #expect(score.half.all.right == 1 && score.half.all.found == 3 && score.half.all.marked == 2)
        #expect(score.third.all.right == 2 && score.third.all.f == 0.8)
        // Recall 0.5 with precision 1 up to it: the 51 recalls from 0 to 0.5.
        let precision = try #require(score.half.interpolatedPrecision("pit"))
        #expect(abs(precision - 51.0 / 101) < 1e-12)
        #expect(score.third.interpolatedPrecision("pit") == 1)
        #expect(score.half.interpolatedPrecision("dent") == nil)
    }

    /// Right, wrong, right, of 3 marked: precision 1 up to a recall of 1/3, 2/3 up to 2/3, 0 beyond.
    @Test func averagePrecisionIsThatOf101Recalls() throws {
        var score = BoxScore(overlap: 0.5)
        let boxes = [found(0, 3), found(200, 2), found(100, 1)].map {
            BoxScore.Found(box: marked(Double($0.x)), score: $0.score)
        }
        score.add(found: boxes, marked: [marked(0), marked(100), marked(500)])
        let precision = try #require(score.interpolatedPrecision("pit"))
        #expect(abs(precision - (34 + 33 * 2.0 / 3) / 101) < 1e-12)
    }

    @Test func classesCountOnlyWhereTheJudgeKnowsThem() {
        var strict = MarkScore(marked: ["pit"], found: ["pit", "dent"])
        strict.add(found: [found(0, 2, "dent")], map: nil, marked: [marked(0)], mask: nil)
        #expect(strict.matchesCategory && strict.half.all.right == 0)
        var loose = MarkScore(marked: ["pit"], found: [.anomaly])
        loose.add(found: [found(0, 2, .anomaly)], map: nil, marked: [marked(0)], mask: nil)
        #expect(!loose.matchesCategory && loose.half.all.right == 1)
    }
}

@Suite struct FoldsTests {
    @Test(arguments: 0..<60) func noGroupIsOnBothSides(seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        let groups = (0..<Int.random(in: 1...60, using: &generator)).map { _ -> String? in
            let number = Int.random(in: 0...14, using: &generator)
            return number == 0 ? nil : "g\(number)"
        }
        let folds = Folds(groups, atMost: 5)
        #expect(folds.fold.count == groups.count && folds.count <= 5)
        #expect(Set(folds.fold) == Set(0..<folds.count))
        for (fold, group) in zip(folds.fold, groups) where group != nil {
            #expect(zip(folds.fold, groups).allSatisfy { $1 != group || $0 == fold })
        }
        #expect(Folds(groups, atMost: 5) == folds)
    }

    @Test func fewGroupsAreLeftOutOneByOne() {
        #expect(Folds(["b", "a", "b", "c", "b"]).fold == [0, 1, 0, 2, 0])
    }
}

@Suite struct DefectMaskTests {
    private func outline(_ corners: [(Double, Double)]) -> MarkedDefect {
        let (xs, ys) = (corners.map(\.0), corners.map(\.1))
        let box = LabelledBox(
            category: "pit",
            left: xs.min() ?? 0,
            top: ys.min() ?? 0,
            right: xs.max() ?? 0,
            bottom: ys.max() ?? 0
        )
        return MarkedDefect(box: box, outline: corners.map { OutlinePoint(x: $0.0, y: $0.1) })
    }

    /// A pixel belongs to what its centre lies in.
    @Test(arguments: 0..<40) func rectanglesCoverTheirPixels(seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        func quarters(_ range: ClosedRange<Int>) -> Double { Double(Int.random(in: range, using: &generator)) / 4 }
        let (x, y) = (quarters(-20...60), quarters(-20...60))
        let (right, bottom) = (x + quarters(4...48), y + quarters(4...48))
        let mark = outline([(x, y), (right, y), (right, bottom), (x, bottom)])
        let drawn = DefectMask([mark], width: 20, height: 14, categories: ["dent", "pit"])
        let boxed = DefectMask([MarkedDefect(box: mark.box)], width: 20, height: 14, categories: ["dent", "pit"])
        #expect(drawn == boxed)
        let columns = (0..<20).filter { (x..<right).contains(Double($0) + 0.5) }
        let rows = (0..<14).filter { (y..<bottom).contains(Double($0) + 0.5) }
        for pixel in drawn.values.indices {
            let isIn = columns.contains(pixel % 20) && rows.contains(pixel / 20)
            #expect(drawn.values[pixel] == (isIn ? 2 : 0))
        }
        let seen = drawn.boxes(categories: ["dent", "pit"])
        #expect(seen.count == (columns.isEmpty || rows.isEmpty ? 0 : 1))
        #expect(seen.allSatisfy { $0.left == columns.first.map(Double.init) && $0.category == "pit" })
        #expect(seen.allSatisfy { $0.bottom == rows.last.map { Double($0 + 1) } })
    }

    @Test(arguments: 0..<20) func anOutlineCoversAboutItsArea(seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        let count = Int.random(in: 5...30, using: &generator)
        let corners = (0..<count).map { index in
            let turn = (Double(index) + Double.random(in: 0...0.5, using: &generator)) / Double(count)
            let reach = Double.random(in: 30...90, using: &generator)
            return (100 + reach * cos(2 * .pi * turn), 100 + reach * sin(2 * .pi * turn))
        }
        let area = zip(corners, corners.dropFirst() + corners.prefix(1)).reduce(0.0) {
            $0 + ($1.0.0 * $1.1.1 - $1.1.0 * $1.0.1) / 2
        }
        let mask = DefectMask([outline(corners)], width: 200, height: 200, categories: ["pit"])
        let covered = Double(mask.values.count { $0 > 0 })
        #expect(abs(covered - abs(area)) <= 0.05 * abs(area) + 40)
    }
}
