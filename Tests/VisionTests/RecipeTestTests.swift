import Foundation
import Testing
import Vision

/// A folder with a recipe for `board()`, its template, a set of labelled pictures and challenge pieces.
private struct TestFolder: ~Copyable {
    let path = NSTemporaryDirectory() + "recipe-test-\(UInt64.random(in: 0...UInt64.max))"

    /// - Parameter expect: category of the first challenge piece, which has a conductor cut through.
    init(expect: String = "open") throws {
        for folder in ["", "/normal", "/anomaly"] {
            try FileManager.default.createDirectory(atPath: path + folder, withIntermediateDirectories: true)
        }
        try put(board(), "board.png")
        for number in 1...3 { try put(board().moved(number - 2, 0), "normal/\(number).png") }
        try put(cut(), "anomaly/1.png")
        try put(board(), "anomaly/2.png")
        try put(cut(), "cut.png")
        let recipe = """
            recipe: pcb
            revision: "1"
            station: vision-1
            product: PCB
            control_plan: CP-1
            tools:
              - name: board
                golden_template: {template: board.png, copper: bright}
            limits: {fail_at: 1.0}
            reaction: {hold_on: [], reject_uncertain: true}
            challenge_pieces:
              - {piece: CP-1, picture: cut.png, expect: \(expect)}
              - {piece: CP-2, picture: board.png}
            """
        try Data(recipe.utf8).write(to: URL(fileURLWithPath: "\(path)/recipe.yaml"))
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    private func put(_ canvas: Canvas, _ name: String) throws {
        try Files.writeAtomically(try PictureCodec.encodePNG(try canvas.picture), to: "\(path)/\(name)")
    }

    private func cut() -> Canvas {
        var canvas = board()
        canvas.fill(x: 70, y: 55, width: 14, height: 22, 20)
        return canvas
    }

    func run() throws -> RecipeTestReport {
        let recipe = try Recipe.load(path: "\(path)/recipe.yaml")
        var test = RecipeTest(try Judge(recipe: recipe, directory: path), directory: path)
        return try test.run(try LabelledFolder.read(path))
    }
}

@Suite struct RecipeTestTests {
    @Test(
        "CHG-04: a test counts escapes and overkill with exact bounds, names each miss, and fixes recipe and pictures"
    )
    func counts() throws {
        let folder = try TestFolder()
        let report = try folder.run()
        #expect((report.goodPassed, report.goodFailed, report.badPassed, report.badFailed) == (3, 0, 1, 1))
        #expect(report.pictures == 5 && report.unjudged == 0)
        #expect((report.escapes.events, report.escapes.trials) == (1, 2))
        #expect(report.escapes.lower < 0.05 && report.escapes.upper > 0.95, "so few parts say little")
        #expect(report.misses.map(\.picture) == ["anomaly/2.png"])
        #expect(report.recipeSHA256 == hexSHA256(try Files.read("\(folder.path)/recipe.yaml", atMost: 10_000)))
        let again = try JSONDecoder().decode(RecipeTestReport.self, from: try JSONEncoder().encode(report))
        #expect(again == report)
        try Files.writeAtomically(
            try Files.read("\(folder.path)/cut.png", atMost: 1 << 20),
            to: "\(folder.path)/normal/1.png"
        )
        let other = try folder.run()
        #expect(other.setSHA256 != report.setSHA256 && other.goodFailed == 1)
    }

    @Test("CHG-07: a challenge piece is found when its own category is, and a good one when it passes")
    func challenges() throws {
        #expect(try TestFolder().run().challenges.map(\.isFound) == [true, true])
        let wrong = try TestFolder(expect: "short").run().challenges
        #expect(wrong.map(\.isFound) == [false, true])
        #expect(wrong.first?.categories == ["open"])
    }

    @Test("A recipe's mistakes with its files, and what keeps it from being submitted, are named by line and key")
    func files() throws {
        let folder = try TestFolder()
        let recipe = try Recipe.load(path: "\(folder.path)/recipe.yaml")
        #expect(recipe.mistakes(in: folder.path) == [])
        let unfixed = recipe.unfixed(in: folder.path)
        #expect(unfixed.map(\.line) == [8, 12, 13])
        #expect(unfixed.first?.key == "tools[0].golden_template.template")
        #expect(unfixed.first?.expected.hasPrefix("{file: board.png, sha256: ") == true)
        try FileManager.default.removeItem(atPath: "\(folder.path)/cut.png")
        #expect(recipe.mistakes(in: folder.path).map(\.key) == ["challenge_pieces[0]"])
    }
}
