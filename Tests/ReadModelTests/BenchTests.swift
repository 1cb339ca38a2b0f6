import ReadModel
import Testing

@Suite struct BenchTests {
    @Test("The replay bench measures what it says, by the clocks that it is given; one core and all agree")
    func benchRuns() throws {
        var wallUs: Int64 = 0
        var cpuUs: Int64 = 0
        let clocks = ReplayBench.Clocks(
            wallUs: {
                wallUs += 1_000_000
                return wallUs
            },
            cpuUs: {
                cpuUs += 500_000
                return cpuUs
            }
        )
        let result = try ReplayBench.run(parts: 300, rounds: 1, threads: 2, clocks: clocks)
        #expect(result.parts == 300)
        #expect(result.records >= 1800)
        #expect(result.events >= result.records)
        #expect(result.rows > 1200)
        for path in [result.bareLoop, result.oneCore, result.allCores, result.plainSwiftProtobuf] {
            #expect(path.seconds == 1)
            #expect(path.cpuSeconds == 0.5)
            #expect(path.ratioToBareLoop == 1)
            #expect(path.eventsPerSecond == Double(result.events))
        }
        #expect(result.ratioToBareLoop == 1)
        #expect(result.digest.count == 64)
    }
}
