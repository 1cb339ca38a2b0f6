import ReadModel
import Testing

@Suite struct BenchTests {
    @Test("The replay bench measures what it says, by the clock that it is given")
    func benchRuns() throws {
        var nowUs: Int64 = 0
        let result = try ReplayBench.run(
            parts: 300,
            clockUs: {
                nowUs += 1_000_000
                return nowUs
            }
        )
        #expect(result.parts == 300)
        #expect(result.records >= 1800)
        #expect(result.events >= result.records)
        #expect(result.rows > 1200)
        #expect(result.bareLoopSeconds == 1)
        #expect(result.ratioToBareLoop == result.bareLoopSeconds / result.replaySeconds)
        #expect(result.text.contains("of the bare loop"))
    }
}
