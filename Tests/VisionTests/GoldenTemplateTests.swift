import SeededRandom
import Testing
import Vision

@Suite struct GoldenTemplateTests {
    private let settings = GoldenSettings(maxShift: 16, threshold: 60, minArea: 10, edgeTolerance: 1, copper: .bright)

    private func measure(_ part: Canvas, _ golden: Canvas = board()) throws -> ToolResult {
        var timer = StepTimer.still
        return try GoldenTemplate(golden.picture, settings: settings).compare(part.picture, timer: &timer)
    }

    @Test func aPartIsNoDifferentFromItself() throws {
        #expect(try measure(board()) == ToolResult(score: 0, defects: []))
    }

    @Test(arguments: 0..<30) func shiftsUpToTheLimitChangeNothing(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        let dx = Int.random(in: -16...16, using: &generator)
        let dy = Int.random(in: -16...16, using: &generator)
        #expect(try measure(board().moved(dx, dy)).score == 0, "shift (\(dx), \(dy))")
    }

    @Test(arguments: 0..<20) func noiseAndJitterBelowTheLimitsAreNoDefect(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        var part = board().moved(Int.random(in: -8...8, using: &generator), Int.random(in: -8...8, using: &generator))
        for index in part.pixels.indices {
            let noise = Int.random(in: -20...20, using: &generator)
            part.pixels[index] = UInt8(clamping: Int(part.pixels[index]) + noise)
        }
        #expect(try measure(part).score < 1)
    }

    @Test(arguments: 0..<20) func aLargerDefectNeverScoresLess(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
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
        #expect(try measure(part, Canvas(size, size)).score > 0)
        var timer = StepTimer.still
        let plain = GoldenTemplate(try Canvas(size, size).picture, settings: GoldenSettings(minArea: 10))
        #expect(try plain.compare(part.picture, timer: &timer).score == Double(size * size) / 10)
    }

    /// The lower half one pixel down, the right half one pixel to the right: a board that has stretched.
    @Test func aStretchedBoardIsNoDifferent() throws {
        let golden = board()
        var part = golden
        for y in 0..<160 {
            for x in 0..<160 {
                part.pixels[y * 160 + x] = golden.pixels[max(0, y - y / 80 * 2) * 160 + max(0, x - x / 80 * 2)]
            }
        }
        #expect(try measure(part).score < 1)
    }

    @Test(arguments: [1, 2]) func aConductorALittleWiderIsNoDefect(by pixels: Int) throws {
        var part = board()
        part.fill(x: 30, y: 60 - pixels, width: 100, height: pixels, 230)
        #expect(try measure(part).score < 1)
    }

    /// All edges a few pixels farther out or in, as boards are etched, are no defects; a defect on such a board is.
    @Test(arguments: [-2, -1, 1, 2]) func aBoardEtchedElsewhereIsNoDifferent(by pixels: Int) throws {
        var part = Canvas(160, 160)
        for (x, y, width, height) in [
            (20, 30, 100, 12), (30, 60, 100, 12), (24, 90, 100, 12), (40, 120, 100, 12), (60, 20, 8, 20),
            (100, 110, 28, 32),
        ] {
            let (far, wider) = (pixels, 2 * pixels)
            part.fill(x: x - far, y: y - far, width: width + wider, height: height + wider, 230)
        }
        #expect(try measure(part).score < 1)
        part.fill(x: 80, y: 95, width: 6, height: 14, 230)
        #expect(try measure(part).defects.filter { $0.score >= 1 }.map(\.category) == [.spur])
    }

    /// Pads two pixels larger in one corner of a board are no defects; defects on it are, there and elsewhere.
    @Test func aBoardEtchedUnevenlyIsNoDifferent() throws {
        var golden = Canvas(320, 320)
        for y in stride(from: 20, to: 300, by: 24) { golden.fill(x: 20, y: y, width: 212, height: 12, 230) }
        golden.fill(x: 300, y: 20, width: 12, height: 40, 230)
        var part = golden
        for (x, y) in [(250, 200), (274, 200), (250, 224), (274, 224), (250, 248), (274, 248), (250, 272), (274, 272)] {
            golden.fill(x: x, y: y, width: 14, height: 14, 230)
            part.fill(x: x - 2, y: y - 2, width: 18, height: 18, 230)
        }
        let pads = try measure(part, golden).defects
        #expect(pads.allSatisfy { $0.score < 1 }, "\(pads)")
        part.fill(x: 290, y: 227, width: 12, height: 9, 230)
        part.fill(x: 60, y: 68, width: 9, height: 7, 20)
        let found = try measure(part, golden).defects.filter { $0.score >= 1 }
        #expect(Set(found.map(\.category)) == [.spur, .mousebite] && found.count == 2, "\(found)")
    }

    /// Teeth along an edge are its noise, one such tooth on a smooth edge is a spur.
    @Test func aRoughEdgeIsNoDefect() throws {
        var (rough, single) = (board(), board())
        for x in stride(from: 26, to: 120, by: 16) {
            rough.fill(x: x, y: 86, width: 5, height: 4, 230)
            rough.fill(x: x, y: 102, width: 5, height: 4, 230)
        }
        single.fill(x: 80, y: 86, width: 5, height: 4, 230)
        #expect(try measure(rough).score < 1)
        #expect(try measure(single).defects.filter { $0.score >= 1 }.map(\.category) == [.spur])
    }

    /// Copper left standing inside a hole or a bite is no conductor that falls apart; a corner cut off is one.
    @Test func copperLeftOverDoesNotMakeAnOpen() throws {
        var hole = board()
        hole.fill(x: 106, y: 118, width: 13, height: 13, 20)
        hole.fill(x: 110, y: 122, width: 5, height: 5, 230)
        #expect(try measure(hole).defects.map(\.category) == [.pinHole])
        var bite = board()
        bite.fill(x: 108, y: 132, width: 13, height: 10, 20)
        bite.fill(x: 112, y: 138, width: 5, height: 4, 230)
        #expect(try measure(bite).defects.map(\.category) == [.mousebite])
        var corner = board()
        corner.fill(x: 114, y: 133, width: 14, height: 3, 20)
        corner.fill(x: 114, y: 133, width: 3, height: 9, 20)
        let found = try measure(corner).defects
        #expect(found.map(\.category) == [.open], "\(found)")
    }

    /// A spur with two roots, and one that comes near another conductor, join nothing.
    @Test func onlyWhatJoinsConductorsIsAShort() throws {
        var rooted = board()
        rooted.fill(x: 80, y: 72, width: 3, height: 8, 230)
        rooted.fill(x: 88, y: 72, width: 3, height: 8, 230)
        rooted.fill(x: 80, y: 78, width: 11, height: 3, 230)
        #expect(try measure(rooted).defects.map(\.category) == [.spur])
        var near = board()
        near.fill(x: 80, y: 72, width: 6, height: 15, 230)
        #expect(try measure(near).defects.map(\.category) == [.spur])
        near.fill(x: 80, y: 72, width: 6, height: 18, 230)
        #expect(try measure(near).defects.map(\.category) == [.short])
    }

    @Test func judgingDoesNotDependOnOrder_M20() throws {
        let tool = GoldenTemplateTool(GoldenTemplate(try board().picture, settings: settings))
        let parts = try (0..<12).map { index in
            var part = board().moved(index - 6, 6 - index)
            part.fill(x: 10 * index, y: 80, width: index, height: index, 230)
            return try part.picture
        }
        func inspect(_ part: Picture) throws -> ToolResult {
            var timer = StepTimer.still
            return try tool.inspect(PartView(picture: part, sourceName: ""), timer: &timer)
        }
        let inOrder = try parts.map(inspect)
        var generator = SplitMix64(seed: 1)
        for index in parts.indices.shuffled(using: &generator) {
            #expect(try inspect(parts[index]) == inOrder[index])
        }
        #expect(inOrder.contains { $0.score >= 1 } && inOrder.contains { $0.score == 0 })
    }
}
