import SeededRandom
import Testing
import Vision

@Suite struct ReviewReportTests {
    private static let tools = ["copper", "print", "glue", "holes"]

    private func scores(_ random: inout SplitMix64, _ count: Int, mean: Double) -> [Double] {
        (0..<count).map { _ in
            mean + (0..<12).reduce(-6.0) { sum, _ in sum + Double.random(in: 0...1, using: &random) } / 20
        }
    }

    private func report(_ series: [ReviewReport.Series]) -> ReviewReport {
        ReviewReport(subject: "s", subjectSHA256: "s", basis: "b", period: 1..<2, series: series)
    }

    /// A review of all tools and the part as a whole, whose score is its worst tool's; `moved` scores higher by half a limit.
    private func review(_ random: inout SplitMix64, moved: String?) -> ReviewReport {
        let known = Self.tools.map { _ in scores(&random, 200, mean: 0.4) }
        let recent = Self.tools.map { scores(&random, 300, mean: $0 == moved ? 0.6 : 0.4) }
        let all = [known, recent].map { tools in
            tools[0].indices.map { part in tools.map { $0[part] }.max() ?? 0 }
        }
        let names = Self.tools + [ReviewReport.Series.wholePart]
        return report(
            zip(names, zip(known + [all[0]], recent + [all[1]])).map { name, scores in
                .init(
                    name: name,
                    station: "vision-1",
                    known: scores.0,
                    recent: scores.1.enumerated().map { ("p\($0.offset)", $0.element) },
                    of: names.count
                )
            }
        )
    }

    @Test("ML-04: the tool whose scores moved is named as the worst, and the steady ones are found steady")
    func worstIsNamed() {
        for seed in 0..<20 as Range<UInt64> {
            var random = SplitMix64(seed: seed)
            let moved = random.pick(Self.tools)
            let found = review(&random, moved: moved)
            #expect(found.conclusion == "shifted" && found.worst == "\(moved) at vision-1", "seed \(seed)")
        }
    }

    @Test("ML-04: many tools raise no more false alarms than one: the chance is that of the whole review")
    func falseAlarms() {
        var alarms = 0
        for seed in 0..<100 as Range<UInt64> {
            var random = SplitMix64(seed: 1_000 + seed)
            let found = review(&random, moved: nil)
            alarms += found.isMoved ? 1 : 0
            #expect(found.isMoved == (found.worst != nil))
        }
        // Two questions of 1 % each: more than 7 in 100 have a chance of less than 0.1 %.
        #expect(alarms <= 7, "\(alarms) of 100")
    }

    @Test("ML-04: of equals the tool is named, not the part that it decides on; nothing is named where all are steady")
    func toolBeforePart() {
        var random = SplitMix64(seed: 3)
        let (known, moved) = (scores(&random, 100, mean: 0.4), scores(&random, 100, mean: 0.6))
        func series(_ name: String, _ recent: [Double]) -> ReviewReport.Series {
            .init(name: name, known: known, recent: recent.enumerated().map { ("p\($0.offset)", $0.element) })
        }
        #expect(report([series("copper", moved), series("part", moved)]).worst == "copper")
        #expect(report([series("copper", known), series("part", moved)]).worst == "part", "parts that are not found")
        #expect(report([series("copper", known), series("part", known)]).worst == nil)
        let few = report([series("copper", known), series("print", [])])
        #expect(few.isTooFew && few.worst == "print")
    }
}
