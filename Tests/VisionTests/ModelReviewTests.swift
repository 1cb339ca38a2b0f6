import Glibc
import SeededRandom
import Testing
import Vision

@Suite struct ModelReviewTests {
    /// Scores around `mean`, as twelve dice give them.
    private func scores(_ generator: inout SplitMix64, _ count: Int, mean: Double) -> [Double] {
        (0..<count).map { _ in
            mean + (0..<12).reduce(-6.0) { sum, _ in sum + Double.random(in: 0...1, using: &generator) } / 20
        }
    }

    @Test("ML-04: moved scores are seen, others raise few false alarms")
    func reviewSeesMovedScores() {
        var (falseAlarms, seen) = (0, 0)
        for seed in 0..<60 as Range<UInt64> {
            var generator = SplitMix64(seed: seed)
            let learned = scores(&generator, 40, mean: 0.8)
            let same = ScoreReview(known: learned, recent: scores(&generator, 100, mean: 0.8))
            let moved = ScoreReview(known: learned, recent: scores(&generator, 100, mean: 0.86))
            falseAlarms += same.conclusion == .shifted ? 1 : 0
            seen += moved.conclusion == .shifted ? 1 : 0
            #expect(moved.shift > 0)
        }
        #expect(falseAlarms <= 2 && seen >= 55, "\(falseAlarms) false alarms, \(seen) of 60 seen")
    }

    @Test("ML-04: the figures of a small review") func reviewFigures() {
        let review = ScoreReview(known: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8], recent: [0.5, 0.6, 0.7, 1, 1.1])
        #expect(review.conclusion == .tooFew && review.overLimit.events == 2 && review.overLimit.trials == 5)
        #expect(abs(review.difference - 0.5) < 1e-12 && abs(review.shift - 0.25) < 1e-12)
    }

    @Test("ML-04: a slow drift is found with where it began; steady scores raise few false alarms, however they spread")
    func driftIsFound() {
        let spreads: [(Double) -> Double] = [{ $0 }, { exp($0 * 20 - 16) }, { max(0, $0 - 0.82) }]
        for spread in spreads {
            var (falseAlarms, seen) = (0, 0)
            for seed in 0..<60 as Range<UInt64> {
                var generator = SplitMix64(seed: seed)
                let known = scores(&generator, 200, mean: 0.8).map(spread)
                let steady = scores(&generator, 400, mean: 0.8).map(spread)
                // Steady at first, then up by two standard deviations over 300 parts.
                let ramp = (0..<300).flatMap { scores(&generator, 1, mean: 0.8 + Double($0) / 300 * 0.1) }.map(spread)
                let moved = ScoreDrift(known: known, recent: steady.prefix(100) + ramp, significance: 0.01)
                falseAlarms += ScoreDrift(known: known, recent: steady, significance: 0.01).foundAt == nil ? 0 : 1
                guard let found = moved.foundAt, let since = moved.since, moved.isUpward else { continue }
                #expect(since <= found && moved.largest > moved.limit)
                seen += found >= 100 && since >= 60 ? 1 : 0
            }
            #expect(falseAlarms <= 4 && seen >= 55, "\(falseAlarms) false alarms, \(seen) of 60 seen")
        }
    }

    @Test("ML-04: scores turned upside down drift the other way, as far")
    func driftIsSymmetric() {
        for seed in 0..<40 as Range<UInt64> {
            var generator = SplitMix64(seed: seed)
            let known = scores(&generator, 50, mean: 0)
            let recent = scores(&generator, 100, mean: Double.random(in: -0.2...0.2, using: &generator))
            let up = ScoreDrift(known: known, recent: recent, significance: 0.01)
            let down = ScoreDrift(known: known.map { -$0 }, recent: recent.map { -$0 }, significance: 0.01)
            #expect(up.foundAt == down.foundAt && up.since == down.since && abs(up.largest - down.largest) < 1e-9)
            #expect(up.foundAt == nil || up.isUpward != down.isUpward)
            #expect((up.largest > up.limit) == (up.foundAt != nil))
        }
    }

    @Test("ML-04: one part far off is no drift; the conclusion of a review is its worst series'")
    func oneOddPartIsNoDrift() {
        var generator = SplitMix64(seed: 1)
        let known = scores(&generator, 100, mean: 0.8)
        var recent = scores(&generator, 100, mean: 0.8)
        recent[50] = 1_000
        #expect(ScoreDrift(known: known, recent: recent, significance: 0.01).foundAt == nil)
        let moved = scores(&generator, 100, mean: 0.9)
        func series(_ name: String, _ recent: [Double]) -> ReviewReport.Series {
            .init(name: name, known: known, recent: recent.enumerated().map { ("p\($0.offset)", $0.element) })
        }
        func report(_ series: ReviewReport.Series...) -> ReviewReport {
            ReviewReport(subject: "s", subjectSHA256: "s", basis: "b", period: 1..<2, series: series)
        }
        #expect(!report(series("a", recent)).isMoved && report(series("a", recent)).conclusion == "steady")
        let worst = report(series("a", recent), series("b", moved), series("c", []))
        #expect(worst.isMoved && worst.conclusion == "shifted" && worst.series[1].drift == "up")
        #expect(report(series("a", recent), series("c", [])).conclusion == "too few")
    }

    private func judged(_ score: Double) throws -> ModelComparison.Judgement {
        struct Fixed: Tool {
            let score: Double
            func inspect(_ part: PartView, timer: inout StepTimer) throws(ToolError) -> ToolResult {
                ToolResult(score: score, defects: [])
            }
        }
        let use = Recipe.ToolUse(
            name: "fixed",
            settings: AnomalySettings(model: "m"),
            limits: .init(failAt: 1, uncertainAt: 1)
        )
        let recipe = Recipe(
            id: "r",
            revision: "1",
            station: "s",
            product: "p",
            controlPlan: "c",
            tools: [use],
            reaction: .init(holdOn: [], holdAfter: nil, rejectUncertain: false),
            sha256: ""
        )
        let judge = Judge(recipe: recipe, tool: Fixed(score: score), modelSHA256s: [], nowUs: { 0 })
        return .init(try judge.judge(Canvas(4, 4).picture, sourceName: "x"))
    }

    @Test("ML-02: the new model beside the active one, on the same pictures")
    func comparisonNamesChangedVerdicts() throws {
        let comparison = ModelComparison([
            .init(name: "a", isBad: false, active: try judged(0.5), candidate: try judged(0.4)),
            .init(name: "b", isBad: false, active: try judged(1.2), candidate: try judged(0.9)),
            .init(name: "c", isBad: true, active: try judged(0.8), candidate: try judged(1.4)),
        ])
        let active = try #require(comparison.active)
        #expect(comparison.changed.map(\.name) == ["b", "c"])
        #expect((active.auroc, comparison.candidate.auroc) == (0.5, 1))
        #expect((active.confusion.escapes.events, comparison.candidate.confusion.escapes.events) == (1, 0))
        #expect((active.confusion.overkill.events, comparison.candidate.confusion.overkill.events) == (1, 0))
        let first = ModelComparison([.init(name: "a", isBad: true, active: nil, candidate: try judged(0.4))])
        #expect(first.active == nil && first.changed.isEmpty && first.candidate.confusion.escapes.events == 1)
    }
}
