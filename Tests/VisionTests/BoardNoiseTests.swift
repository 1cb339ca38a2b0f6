import SeededRandom
import Testing
import Vision

/// Boards whose edges are rough, whose gaps and conductors are narrow, or whose defects lie side by side.
@Suite struct BoardNoiseTests {
    private let settings = GoldenSettings(maxShift: 16, threshold: 60, minArea: 10, edgeTolerance: 1, copper: .bright)

    private func measure(_ part: Canvas, _ golden: Canvas) throws -> [FoundDefect] {
        var timer = StepTimer.still
        return try GoldenTemplate(golden.picture, settings: settings).compare(part.picture, timer: &timer).defects
    }

    private func found(_ part: Canvas, _ golden: Canvas) throws -> [DefectCategory] {
        try measure(part, golden).filter { $0.score >= 1 }.map(\.category)
    }

    /// Conductors 12 pixels wide that are `gap` pixels apart.
    private func comb(gap: Int) -> Canvas {
        var canvas = Canvas(320, 320)
        for y in stride(from: 20, to: 300 - 12, by: 12 + gap) { canvas.fill(x: 20, y: y, width: 280, height: 12, 230) }
        return canvas
    }

    /// A gap closed from edge to edge has no pixel farther from the copper than a tolerance reaches that was widened
    /// because all edges lie farther out.
    @Test(arguments: [(3, 1), (4, 1), (5, 1), (7, 2), (8, 2)])
    func aClosedNarrowGapIsAShort(gap: Int, etched: Int) throws {
        let golden = comb(gap: gap)
        var part = golden
        for y in stride(from: 20, to: 300 - 12, by: 12 + gap) {
            part.fill(x: 20, y: y - etched, width: 280, height: 12 + 2 * etched, 230)
        }
        let top = 20 + 12 + gap + 12
        part.fill(x: 150, y: top, width: 20, height: gap, 230)
        #expect(try found(part, golden) == [.short])
    }

    /// The same of a conductor that is cut where all edges lie farther in.
    @Test(arguments: [(4, 1), (5, 1), (6, 2), (7, 2), (8, 2)])
    func aCutNarrowConductorIsAnOpen(width: Int, etched: Int) throws {
        func lines(_ narrower: Int) -> Canvas {
            var canvas = Canvas(320, 320)
            for y in stride(from: 20, to: 300, by: 24) {
                canvas.fill(x: 20, y: y + narrower, width: 280, height: width - 2 * narrower, 230)
            }
            return canvas
        }
        var part = lines(etched)
        part.fill(x: 150, y: 160, width: 16, height: 12 + width, 20)
        #expect(try found(part, lines(0)) == [.open])
    }

    /// Narrow gaps and conductors that lie a little elsewhere are no defects.
    @Test(arguments: [3, 4, 5, 6], [-2, -1, 1, 2]) func aNarrowGapLittleElsewhereIsNoDefect(gap: Int, by: Int) throws {
        let golden = comb(gap: gap)
        var part = golden
        for y in 0..<320 {
            for x in 0..<320 {
                let from = min(319, max(0, y - (x > 160 ? by : 0)))
                part.pixels[y * 320 + x] = golden.pixels[from * 320 + x]
            }
        }
        #expect(try found(part, golden) == [])
    }

    /// A board all of whose edges are rough: teeth of up to three pixels, as often as not. They are no defects; a real
    /// spur and a real bite among them are.
    @Test(arguments: 0..<12) func roughEdgesOfAWholeBoardAreNoDefects(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        let golden = comb(gap: 16)
        var part = golden
        for top in stride(from: 20, to: 300 - 12, by: 28) {
            var x = 22
            while x < 290 {
                let width = Int.random(in: 2...6, using: &generator)
                let height = Int.random(in: 1...3, using: &generator)
                if Bool.random(using: &generator) {
                    part.fill(x: x, y: top - height, width: width, height: height, 230)
                } else {
                    part.fill(x: x, y: top, width: width, height: height, 20)
                }
                x += width + Int.random(in: 3...12, using: &generator)
            }
        }
        #expect(try found(part, golden) == [])
        part.fill(x: 100, y: 116, width: 9, height: 9, 230)
        part.fill(x: 200, y: 160, width: 12, height: 6, 20)
        let categories = try Set(found(part, golden))
        #expect(categories == [.spur, .mousebite])
    }

    /// However many real bites there are, none passes for roughness.
    @Test func manyRealDefectsAreAllFound() throws {
        let golden = comb(gap: 16)
        var part = golden
        for top in stride(from: 20, to: 300 - 12, by: 28) {
            for x in [70, 220] { part.fill(x: x, y: top, width: 12, height: 6, 20) }
        }
        let categories = try found(part, golden)
        #expect(categories.count == 20 && categories.allSatisfy { $0 == .mousebite || $0 == .open }, "\(categories)")
    }

    /// Copper that stands alone beside a rough edge stays copper, a hole beside one a hole.
    @Test func roughnessBesideADefectIsNotItsRoot() throws {
        let golden = comb(gap: 16)
        var lone = golden
        lone.fill(x: 100, y: 37, width: 9, height: 7, 230)
        lone.fill(x: 112, y: 45, width: 2, height: 3, 230)
        #expect(try found(lone, golden) == [.copper])
    }

    /// Two defects side by side do not count as the roughness of each other's edges.
    @Test func defectsSideBySideAreFound() throws {
        let golden = comb(gap: 16)
        var part = golden
        for x in [100, 118, 136] { part.fill(x: x, y: 42, width: 7, height: 6, 230) }
        #expect(try found(part, golden) == [.spur, .spur, .spur])
    }

    /// A frayed spur on both sides of a narrow conductor is one.
    @Test func piecesOfOneSpurAreOne() throws {
        var golden = Canvas(160, 160)
        golden.fill(x: 20, y: 76, width: 120, height: 6, 230)
        golden.fill(x: 20, y: 20, width: 120, height: 12, 230)
        var part = golden
        part.fill(x: 70, y: 66, width: 14, height: 10, 230)
        part.fill(x: 72, y: 82, width: 12, height: 9, 230)
        let defects = try measure(part, golden).filter { $0.score >= 1 }
        #expect(defects.map(\.category) == [.spur])
        #expect(defects.first.map { $0.y <= 68 && $0.y + $0.height >= 89 } == true, "\(defects)")
    }
}
