import Foundation
import PlantEvents
import ReadModel
import SQLite
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

    @Test("The Python paths read every topic there is, and what they write fits the model's tables")
    func pythonStatementsFit() throws {
        let script = try String(
            contentsOf: URL(filePath: #filePath).appending(path: "../../../deploy/bench/replay.py").standardizedFileURL,
            encoding: .utf8
        )
        let database = try Database(path: ":memory:")
        try database.execute(ReplayBench.tables)
        let inserts = script.matches(of: /INTO (\w+ VALUES \([^)]*\))/).map { "INSERT INTO \($0.1)" }
        #expect(inserts.count >= 5)
        for insert in inserts { _ = try database.prepare(insert) }
        for topic in Topic.written { #expect(script.contains("\"\(topic.rawValue)\": "), "\(topic.rawValue)") }
    }
}
