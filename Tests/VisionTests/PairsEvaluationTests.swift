import SeededRandom
import Testing
import Vision

@Suite struct PairsEvaluationTests {
    private func box(_ category: DefectCategory, _ left: Double, _ top: Double, _ size: Double = 10) -> LabelledBox {
        LabelledBox(category: category, left: left, top: top, right: left + size, bottom: top + size)
    }

    private func found(_ category: DefectCategory, _ left: Double, _ top: Double, _ score: Double) -> BoxScore.Found {
        BoxScore.Found(box: box(category, left, top), score: score)
    }

    @Test func overlapIsSharedOverCovered() {
        #expect(box(.open, 0, 0).intersectionOverUnion(box(.open, 0, 0)) == 1)
        #expect(box(.open, 0, 0).intersectionOverUnion(box(.open, 10, 0)) == 0)
        #expect(box(.open, 0, 0).intersectionOverUnion(box(.open, 5, 0)) == 1.0 / 3)
        #expect(box(.open, 0, 0).intersectionOverUnion(box(.open, 20, 20)) == 0)
    }

    @Test func aBoxIsRightOnceWithItsCategoryAndEnoughOverlap() {
        var score = BoxScore()
        let wrong = score.add(
            found: [
                found(.open, 1, 0, 5), found(.open, 0, 0, 2), found(.spur, 50, 50, 3), found(.copper, 80, 86, 3),
                found(.short, 80, 0, 0.9),
            ],
            marked: [box(.open, 0, 0), box(.short, 50, 50), box(.copper, 80, 80), box(.short, 80, 0)]
        )
        #expect(score.all.marked == 4 && score.all.found == 4 && score.all.right == 1)
        #expect(score[.open].precision == 0.5 && score[.open].recall == 1)
        #expect(score[.short].recall == 0 && score[.short].precision == nil)
        #expect(score.all.f == 2.0 / 8)
        #expect(wrong.wrong == [box(.spur, 50, 50), box(.copper, 80, 86), box(.open, 0, 0)])
        #expect(wrong.missed == [box(.short, 50, 50), box(.copper, 80, 80), box(.short, 80, 0)])
    }

    @Test func averagePrecisionFollowsTheRanking() {
        var score = BoxScore()
        // Right, wrong, right by score; one never found: (1/1 + 2/3) / 3.
        score.add(found: [found(.open, 0, 0, 9), found(.open, 50, 0, 8)], marked: [box(.open, 0, 0)])
        score.add(found: [found(.open, 0, 0, 0.6)], marked: [box(.open, 0, 0), box(.open, 90, 90)])
        #expect(abs((score.averagePrecision(.open) ?? 0) - (1 + 2.0 / 3) / 3) < 1e-12)
        #expect(score.averagePrecision(.short) == nil)
        #expect(score.meanAveragePrecision == score.averagePrecision(.open))
        #expect(BoxScore().meanAveragePrecision == nil && BoxScore().all.f == nil)
    }

    /// The order of found boxes with different scores does not matter, and no figure leaves 0...1.
    @Test(arguments: 0..<20) func scoringDoesNotDependOnOrder(seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        let boxes = (0..<12).map { index in
            found(
                LabelledBox.categories[Int.random(in: 0..<2, using: &generator)],
                Double(Int.random(in: 0..<30, using: &generator)),
                0,
                Double(index) / 5
            )
        }
        let marked = boxes.prefix(6).map(\.box)
        var (first, second) = (BoxScore(), BoxScore())
        first.add(found: boxes, marked: marked)
        second.add(found: boxes.shuffled(using: &generator), marked: marked)
        #expect(first.all == second.all && first.meanAveragePrecision == second.meanAveragePrecision)
        #expect((0...1).contains(first.meanAveragePrecision ?? 0) && first.all.right <= first.all.marked)
    }

    private func put(_ canvas: Canvas, _ path: String) throws {
        let folder = path.split(separator: "/").dropLast().joined(separator: "/")
        try Files.makeFolder("/\(folder)")
        try Files.writeAtomically(PictureCodec.encodePNG(canvas.picture), to: path)
    }

    private func write(_ text: String, _ path: String) throws {
        let folder = path.split(separator: "/").dropLast().joined(separator: "/")
        try Files.makeFolder("/\(folder)")
        try Files.writeAtomically(Array(text.utf8), to: path)
    }

    private func shorted() -> Canvas {
        var part = board()
        part.fill(x: 80, y: 42, width: 8, height: 18, 230)
        return part
    }

    @Test(
        arguments: [
            ["g/1/7_temp.png", "g/1/7_test.png", "g/1_not/7.txt"], ["7_temp.png", "7_test.png", "7.txt"],
            ["a/b/7_template.png", "a/b/7_test.png", "a/b/7_test.txt"],
            ["template/7.png", "test/7.png", "test/7.txt"],
            ["x/template/7_temp.png", "x/test/7_test.png", "x/test/7.txt"],
        ]
    )
    func pairsAreFoundInEveryLayout(files: [String]) throws {
        let folder = try TemporaryFolder()
        try put(board(), "\(folder.path)/\(files[0])")
        try put(shorted(), "\(folder.path)/\(files[1])")
        try write("\u{FEFF}70,32,98,70,2\r\n\n", "\(folder.path)/\(files[2])")
        try write("not boxes", "\(folder.path)/README.txt")
        let pairs = try PairsFolder.read(folder.path)
        #expect(pairs.pairs.map { [$0.template, $0.test, $0.boxes] } == [files])
        var done = 0
        let settings = GoldenSettings(minArea: 10, copper: .bright)
        let result = try PairsEvaluation.run(pairs, settings: settings, nowUs: { 0 }, progress: { done = $0 })
        #expect(result.score.all.f == 1 && result.score[.short].right == 1 && result.mistakes.isEmpty)
        #expect(result.score.meanAveragePrecision == 1 && done == 1 && result.pairs == 1)
        #expect(result.steps.map(\.tool) == ["decode", "prepare template", "align", "compare", "classify"])
    }

    @Test func wrongAndMissedBoxesAreNamed() throws {
        let folder = try TemporaryFolder()
        try put(board(), "\(folder.path)/7_temp.png")
        try put(shorted(), "\(folder.path)/7_test.png")
        try write("70 32 98 70 spur\n", "\(folder.path)/7.txt")
        let settings = GoldenSettings(minArea: 10, copper: .bright)
        let result = try PairsEvaluation.run(try PairsFolder.read(folder.path), settings: settings, nowUs: { 0 })
        #expect(result.score.all.f == 0)
        #expect(result.mistakes.map { [$0.pair, $0.box.category.rawValue] } == [["7", "short"], ["7", "spur"]])
        #expect(result.mistakes.map(\.isMissed) == [false, true])
    }

    @Test func aListChoosesPairs() throws {
        let folder = try TemporaryFolder()
        for name in ["1", "2", "10"] {
            try put(board(), "\(folder.path)/\(name)_temp.png")
            try put(board(), "\(folder.path)/\(name)_test.png")
            try write("", "\(folder.path)/\(name).txt")
        }
        #expect(try PairsFolder.read(folder.path).pairs.map(\.name) == ["1", "2", "10"])
        try write("10.png 10.txt\n2.png 2.txt\n", "\(folder.path)/list.txt")
        let chosen = try PairsFolder.read(folder.path, list: "\(folder.path)/list.txt")
        #expect(chosen.pairs.map(\.name) == ["2", "10"])
        #expect(try PairsEvaluation.run(chosen, nowUs: { 0 }).score.all.f == nil)
        try write("3.png\n", "\(folder.path)/list.txt")
        #expect(throws: FileError.self) { try PairsFolder.read(folder.path, list: "\(folder.path)/list.txt") }
    }

    @Test(arguments: [
        ("1 2 3 4", "line 1"), ("1 2 3 4 7", "line 1"), ("1 2 3 4 1\n5 2 3 4 1", "line 2"), ("a b c d 1", "line 1"),
        ("1 2 3 4 hole", "line 1"), ("1 2 3 nan 1", "line 1"),
    ])
    func wrongBoxesAreNamedByLine(text: String, place: String) throws {
        let folder = try TemporaryFolder()
        try put(board(), "\(folder.path)/7_temp.png")
        try put(board(), "\(folder.path)/7_test.png")
        try write(text, "\(folder.path)/7.txt")
        let pairs = try PairsFolder.read(folder.path)
        let error = #expect(throws: PairsEvaluation.Failure.self) { try PairsEvaluation.run(pairs, nowUs: { 0 }) }
        #expect(error?.description.contains("7.txt: \(place)") == true, "\(error?.description ?? "no error")")
    }

    @Test func whatIsMissingIsNamed() throws {
        let folder = try TemporaryFolder()
        func reason() -> String? { #expect(throws: FileError.self) { try PairsFolder.read(folder.path) }?.reason }
        #expect(reason()?.contains("no pairs") == true)
        try put(board(), "\(folder.path)/7_temp.png")
        #expect(reason()?.contains("7_temp.png has no tested picture") == true)
        try put(Canvas(20, 160), "\(folder.path)/7_test.png")
        #expect(reason()?.contains("7_test.png has no boxes; expected 7.txt or 7_test.txt") == true)
        try write("", "\(folder.path)/7.txt")
        let pairs = try PairsFolder.read(folder.path)
        let error = #expect(throws: PairsEvaluation.Failure.self) { try PairsEvaluation.run(pairs, nowUs: { 0 }) }
        #expect(error?.description.hasSuffix("picture of 20x160 pixels; the template has 160x160") == true)
        // What is no whole pair beside one that is, is left out and told.
        try put(board(), "\(folder.path)/8_test.png")
        let both = try PairsFolder.read(folder.path)
        #expect(both.pairs == pairs.pairs && both.incomplete == ["8_test.png has no template; expected 8_temp.*"])
        try write("8.png\n", "\(folder.path)/list.txt")
        let listed = #expect(throws: FileError.self) {
            try PairsFolder.read(folder.path, list: "\(folder.path)/list.txt")
        }
        #expect(listed?.reason == both.incomplete.first)
        #expect(throws: FileError.self) { try PairsFolder.read("\(folder.path)/nothing") }
    }
}
