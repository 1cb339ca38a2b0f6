import EventLog
import SeededRandom
import Testing

/// Random appends, reads and reopenings against lists in memory.
@Suite(.timeLimit(.minutes(3)))
struct LogModelTests {
    @Test("Any interleaving behaves like lists", arguments: LogKind.present, [1, 2, 3, 5, 8, 13] as [UInt64])
    func interleavings(_ kind: LogKind, _ seed: UInt64) async throws {
        try await LogUnderTest.with(kind) { test in
            var random = SplitMix64(seed: seed)
            let topic = try await test.topic(partitions: 3)
            let places = (0..<3).map { TopicPartition(topic, $0) }
            var model: [TopicPartition: [LogRecord]] = [:]
            var log = test.log
            var reader: (any LogReader)?
            var positions = Dictionary(uniqueKeysWithValues: places.map { ($0, 0 as Int64) })
            for _ in 0..<120 {
                let place = places[Int.random(in: 0..<3, using: &random)]
                switch Int.random(in: 0..<10, using: &random) {
                case 0..<5:
                    let batch = (0..<Int.random(in: 1...9, using: &random)).map { _ in Self.record(&random) }
                    #expect(try await log.append(batch, to: place) == Int64(model[place, default: []].count))
                    model[place, default: []] += batch
                case 5..<8:
                    let current: any LogReader
                    if let reader { current = reader } else { current = try await log.reader(from: positions) }
                    reader = current
                    let max = Int.random(in: 1...20, using: &random)
                    for stored in try await current.next(max: max, wait: .zero) {
                        #expect(stored.offset == positions[stored.place])
                        #expect(stored.record == model[stored.place]?[Int(stored.offset)])
                        positions[stored.place] = stored.offset + 1
                    }
                case 8:
                    #expect(try await log.endOffset(of: place) == Int64(model[place, default: []].count))
                default:
                    await reader?.close()
                    reader = nil
                    guard kind != .memory, Bool.random(using: &random) else { continue }
                    await log.close()
                    log = try test.opened()
                }
            }
            await reader?.close()
            let rest = try await log.reader(from: positions)
            let unread = places.reduce(0) { $0 + (model[$1]?.count ?? 0) - Int(positions[$1] ?? 0) }
            for stored in try await take(unread, from: rest) {
                #expect(stored.record == model[stored.place]?[Int(stored.offset)])
            }
            await log.close()
        }
    }

    private static func record(_ random: inout SplitMix64) -> LogRecord {
        let size = Int.random(in: 0..<4, using: &random) == 0 ? 5_000 : 60
        func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) } }
        let headers = (0..<Int.random(in: 0..<3, using: &random)).map { LogHeader("h\($0)", "v\(random.next())") }
        return LogRecord(key: bytes(8), value: bytes(Int.random(in: 1...size, using: &random)), headers: headers)
    }
}
