import SeededRandom
import Testing
import Vision

@Suite struct EvaluationTests {
    /// Values of R 4.2, `binom.test(x, n)$conf.int`.
    @Test(arguments: [
        (0, 10, 0.0, 0.3084971), (10, 10, 0.6915029, 1.0), (1, 10, 0.002528579, 0.4450161),
        (5, 10, 0.1870860, 0.8129140), (0, 100, 0.0, 0.03621669), (3, 300, 0.002067014, 0.02894538),
    ])
    func clopperPearsonMatchesR(events: Int, trials: Int, lower: Double, upper: Double) {
        let bounds = Evaluation.clopperPearson(events: events, trials: trials, confidence: 0.95)
        #expect(abs(bounds.lower - lower) < 1e-6)
        #expect(abs(bounds.upper - upper) < 1e-6)
    }

    @Test(arguments: 0..<40) func boundsHoldTheRateAndItsTail(seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        let trials = Int.random(in: 1...60, using: &generator)
        let events = Int.random(in: 0...trials, using: &generator)
        let rate = Rate(events: events, trials: trials)
        #expect(rate.lower <= Double(events) / Double(trials) && rate.upper >= Double(events) / Double(trials))
        // By definition: at the upper bound, as few events or fewer have a chance of 2.5 %.
        if events < trials {
            var tail = 0.0
            for count in 0...events { tail += binomial(trials, count, rate.upper) }
            #expect(abs(tail - 0.025) < 1e-9)
        }
    }

    private func binomial(_ trials: Int, _ events: Int, _ chance: Double) -> Double {
        var product = 1.0
        for index in 0..<events { product *= Double(trials - index) / Double(index + 1) * chance }
        for _ in 0..<trials - events { product *= 1 - chance }
        return product
    }

    @Test(arguments: 0..<30) func aurocIsTheChanceThatBadScoresAboveGood(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        let good = (0..<Int.random(in: 1...20, using: &generator)).map { _ in
            Double(Int.random(in: 0...9, using: &generator))
        }
        let bad = (0..<Int.random(in: 1...20, using: &generator)).map { _ in
            Double(Int.random(in: 2...11, using: &generator))
        }
        var wins = 0.0
        for b in bad { for g in good { wins += b > g ? 1 : b == g ? 0.5 : 0 } }
        let auroc = try #require(Evaluation.auroc(good: good, bad: bad))
        #expect(abs(auroc - wins / Double(good.count * bad.count)) < 1e-12)
    }

    @Test func nothingHasNoFigures() {
        #expect(Evaluation.auroc(good: [], bad: [1]) == nil)
        #expect(Evaluation.median([]) == nil)
        #expect(Rate(events: 0, trials: 0).value == nil)
    }

    @Test func confusionCountsEscapesAndOverkill() {
        var confusion = Confusion()
        for verdict in [Outcome.pass, .pass, .fail, .uncertain] { confusion.add(isBad: false, verdict: verdict) }
        for verdict in [Outcome.fail, .pass, .fail] { confusion.add(isBad: true, verdict: verdict) }
        #expect(confusion.overkill == Rate(events: 1, trials: 4))
        #expect(confusion.escapes == Rate(events: 1, trials: 3))
    }

    @Test func namesSortNaturally() {
        let names = ["b", "a10.png", "a2.png", "a02.png", "a", "a1.png"].sorted(by: NaturalOrder.precedes)
        #expect(names == ["a", "a1.png", "a02.png", "a2.png", "a10.png", "b"])
    }
}
