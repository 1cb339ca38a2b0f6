import Testing
import Vision

@Suite struct GoldenTemplateTests {
    private let settings = GoldenSettings(maxShift: 16, threshold: 60, minArea: 10, edgeTolerance: 1, copper: .bright)

    private func measure(_ part: Canvas, _ golden: Canvas = board()) throws -> PartMeasurement {
        var timer = StepTimer.still
        return try GoldenTemplate(golden.picture, settings: settings).compare(part.picture, timer: &timer)
    }

    @Test func aPartIsNoDifferentFromItself() throws {
        #expect(try measure(board()) == PartMeasurement(score: 0, defects: []))
    }

    @Test(arguments: 0..<30) func shiftsUpToTheLimitChangeNothing(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let dx = Int.random(in: -16...16, using: &generator)
        let dy = Int.random(in: -16...16, using: &generator)
        #expect(try measure(board().moved(dx, dy)).score == 0, "shift (\(dx), \(dy))")
    }

    @Test(arguments: 0..<20) func noiseAndJitterBelowTheLimitsAreNoDefect(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var part = board().moved(Int.random(in: -8...8, using: &generator), Int.random(in: -8...8, using: &generator))
        for index in part.pixels.indices {
            let noise = Int.random(in: -20...20, using: &generator)
            part.pixels[index] = UInt8(clamping: Int(part.pixels[index]) + noise)
        }
        #expect(try measure(part).score < 1)
    }

    @Test(arguments: 0..<20) func aLargerDefectNeverScoresLess(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let x = Int.random(in: 20..<120, using: &generator)
        let y = Int.random(in: 20..<120, using: &generator)
        var last = 0.0
        for size in 1...12 {
            var part = board()
            part.fill(x: x, y: y, width: size, height: size, 128)
            let score = try measure(part).score
            #expect(score >= last, "size \(size) at (\(x), \(y))")
            last = score
        }
        #expect(last >= 1)
    }

    struct Flaw: Sendable {
        let category: DefectCategory
        let x: Int
        let y: Int
        let width: Int
        let height: Int
        let level: UInt8
    }

    @Test(
        arguments: [
            Flaw(category: .open, x: 80, y: 28, width: 10, height: 16, level: 20),
            Flaw(category: .mousebite, x: 80, y: 60, width: 12, height: 6, level: 20),
            Flaw(category: .pinHole, x: 108, y: 120, width: 8, height: 8, level: 20),
            Flaw(category: .short, x: 80, y: 42, width: 8, height: 18, level: 230),
            Flaw(category: .spur, x: 80, y: 72, width: 8, height: 9, level: 230),
            Flaw(category: .copper, x: 140, y: 60, width: 8, height: 8, level: 230),
        ],
        [(0, 0), (7, -5), (-11, 9)]
    )
    func boardDefectsAreNamedAndPlaced(flaw: Flaw, shift: (Int, Int)) throws {
        var part = board()
        part.fill(x: flaw.x, y: flaw.y, width: flaw.width, height: flaw.height, flaw.level)
        let found = try measure(part.moved(shift.0, shift.1)).defects
        #expect(found.map(\.category) == [flaw.category])
        let defect = try #require(found.first)
        let (centreX, centreY) = (defect.x + defect.width / 2, defect.y + defect.height / 2)
        #expect(abs(centreX - flaw.x - flaw.width / 2 - shift.0) <= 4)
        #expect(abs(centreY - flaw.y - flaw.height / 2 - shift.1) <= 4)
    }

    @Test func withoutCopperEveryDefectIsADifference() throws {
        var part = board()
        part.fill(x: 80, y: 42, width: 8, height: 18, 230)
        var timer = StepTimer.still
        let golden = GoldenTemplate(try board().picture, settings: GoldenSettings())
        #expect(try golden.compare(part.picture, timer: &timer).defects.map(\.category) == [.difference])
    }

    @Test func aPictureOfAnotherSizeIsRefused() {
        #expect(throws: ToolError("picture of 40x160 pixels; the template has 160x160")) {
            try measure(Canvas(40, 160))
        }
    }

    @Test(arguments: [1, 5, 31, 33, 64]) func smallPicturesAreComparedToo(size: Int) throws {
        var part = Canvas(size, size)
        #expect(try measure(part, part).score == 0)
        part.fill(x: 0, y: 0, width: size, height: size, 255)
        #expect(try measure(part, Canvas(size, size)).score == Double(size * size) / 10)
    }

    @Test func judgingDoesNotDependOnOrder() throws {
        let recipe = Recipe(
            id: "r",
            revision: "1",
            station: "s",
            product: "p",
            controlPlan: "c",
            tool: .goldenTemplate(file: "t.png", settings),
            limits: .init(failAt: 1, uncertainAt: 0.8),
            reaction: .init(holdOn: [], holdAfter: nil, rejectUncertain: true),
            sha256: ""
        )
        let tool = GoldenTemplateTool(GoldenTemplate(try board().picture, settings: settings), sha256: "")
        let judge = Judge(recipe: recipe, tool: tool, modelSHA256s: [], nowUs: { 0 })
        let parts = try (0..<12).map { index in
            var part = board().moved(index - 6, 6 - index)
            part.fill(x: 10 * index, y: 80, width: index, height: index, 230)
            return try part.picture
        }
        let inOrder = try parts.map { try judge.judge($0, sourceName: "") }
        var generator = SeededGenerator(seed: 1)
        for index in parts.indices.shuffled(using: &generator) {
            #expect(try judge.judge(parts[index], sourceName: "") == inOrder[index])
        }
        #expect(Set(inOrder.map(\.verdict)).isSuperset(of: [.pass, .fail]))
    }
}
