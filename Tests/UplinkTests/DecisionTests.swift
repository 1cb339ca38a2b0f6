import EventLog
import SeededRandom
import Testing
import Uplink

@Suite struct DecisionTests {
    @Test("Turns: never more than allowed, everyone gets one, nobody is passed over for ever", arguments: 0..<50)
    func turns(seed: Int) {
        var random = SplitMix64(seed: UInt64(seed))
        let limit = Int.random(in: 1...3, using: &random)
        var turns = Turns(limit: limit, patience: 4)
        var kinds: [Int: Turns.Kind] = [:]
        var asked: [Int] = []
        var granted: [Int: Int] = [:]
        var waitedFor: [Int: Int] = [:]
        for _ in 0..<400 {
            for id in 0..<8 where !asked.contains(id) && !turns.active.contains(id) && random.once(in: 2) {
                kinds[id] = id < 6 ? .draining : .doubtful
                // Partition 5 always has the largest backlog: smaller ones pass it, but not for ever.
                turns.ask(id, id < 6 ? .draining : .doubtful, backlog: id == 5 ? 1_000_000 : Int64(id))
                asked.append(id)
                waitedFor[id] = 0
            }
            while let id = turns.granted() {
                #expect(asked.contains(id))
                asked.removeAll { $0 == id }
                granted[id, default: 0] += 1
                for other in asked where kinds[other] == kinds[id] { waitedFor[other, default: 0] += 1 }
                #expect(waitedFor[id, default: 0] <= 4 + 6, "passed over \(waitedFor[id, default: 0]) times")
            }
            for kind in Turns.Kind.allCases {
                #expect(turns.active.count { kinds[$0] == kind } <= limit)
            }
            for id in turns.active where random.once(in: 2) { turns.end(id) }
        }
        #expect(Set(granted.keys) == Set(0..<8))
    }

    @Test("The smallest backlog goes first, and a doubtful partition takes no draining one's turn")
    func smallestFirst() {
        var turns = Turns(limit: 1)
        turns.ask(1, .draining, backlog: 500)
        turns.ask(2, .draining, backlog: 20)
        turns.ask(3, .doubtful, backlog: 1)
        var order = [turns.granted(), turns.granted(), turns.granted()]
        #expect(order == [2, 3, nil])
        turns.end(3)
        order = [turns.granted()]
        #expect(order == [nil])
        turns.end(2)
        order = [turns.granted()]
        #expect(order == [1])
    }

    @Test("REL-03: waits double up to the limit and begin small after a success")
    func waits() {
        var setbacks = Setbacks(first: .milliseconds(50), longest: .seconds(5), stopped: .seconds(60))
        let waits = (0..<9).map { _ in setbacks.failed(.unavailable("gone"), .target, records: 3) }
        #expect(waits.first == .lookAgain(after: .milliseconds(50)))
        #expect(waits[3] == .lookAgain(after: .milliseconds(400)))
        #expect(waits.last == .lookAgain(after: .seconds(5)))
        setbacks.succeeded()
        let full = setbacks.failed(.full("full"), .target)
        #expect(full == .lookAgain(after: .milliseconds(50)))
    }

    @Test("What failures mean")
    func meanings() {
        let place = TopicPartition("t", 3)
        var setbacks = Setbacks(first: .zero, longest: .zero, stopped: .seconds(9))
        let closed = setbacks.failed(.closed, .source)
        #expect(closed == .end)
        let tooLarge = setbacks.failed(.recordTooLarge(bytes: 9, limit: 5), .target, records: 2)
        #expect(tooLarge == .halve)
        let unknown = setbacks.failed(.unknown(place), .target)
        #expect(unknown == .create)
        guard case .stop(let again, .seconds(9)) = setbacks.failed(.unknown(place), .target) else {
            Issue.record("a topic that is there without the partition needs a person")
            return
        }
        #expect(again.contains("at least 4 partitions"))
        setbacks.succeeded()
        let later = setbacks.failed(.unknown(place), .target)
        #expect(later == .create)
        for failure in [LogFailure.recordTooLarge(bytes: 9, limit: 5), .writerExists("w"), .corrupt("c")] {
            guard case .stop = setbacks.failed(failure, .target, records: 1) else {
                Issue.record("\(failure) needs a person")
                continue
            }
        }
    }

    @Test("A part that landed is given two more looks each time it grows")
    func doubts() {
        var doubt = Doubt()
        let clear = [0, 5].map { doubt.shouldLookAgain(landed: $0, of: 5) }
        #expect(clear == [false, false], "nothing landed, or all of it")
        let at2 = [2, 2, 2].map { doubt.shouldLookAgain(landed: $0, of: 5) }
        #expect(at2 == [true, true, false])
        let at3 = [3, 3, 3].map { doubt.shouldLookAgain(landed: $0, of: 5) }
        #expect(at3 == [true, true, false])
    }

    @Test("Throughput is the mean of the window, whatever the clock does", arguments: 1..<20)
    func throughput(seed: Int) {
        var throughput = Throughput(windowUs: 10_000_000)
        let rate = Int64(seed * 100)
        for second in 0..<60 {
            let second = Int64(second)
            throughput.note(records: rate * second, bytes: 10 * rate * second, atUs: second * 1_000_000)
        }
        #expect(abs(throughput.perSecond.records - Double(rate)) < 1e-6)
        #expect(abs(throughput.perSecond.bytes - Double(10 * rate)) < 1e-6)
        throughput.note(records: 60 * rate, bytes: 0, atUs: 1)
        #expect(throughput.perSecond == (0, 0))
    }
}
