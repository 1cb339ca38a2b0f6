import EventLog
import Foundation
import Testing

@Suite(.timeLimit(.minutes(2)))
struct LogContractTests {
    @Test("Records come back whole, in order, at ascending offsets from 0", arguments: LogKind.present)
    func order(_ kind: LogKind) async throws {
        try await LogUnderTest.with(kind) { test in
            let place = TopicPartition(try await test.topic())
            let headers = [LogHeader("ce_id", "part:1"), LogHeader("events", "a,b"), LogHeader("ä", "")]
            #expect(try await test.log.append([record("0", headers: headers)], to: place) == 0)
            #expect(try await test.log.append(records(1..<50), to: place) == 1)
            #expect(try await test.log.append(records(50..<51), to: place) == 50)
            #expect(try await test.log.endOffset(of: place) == 51)
            let reader = try await test.log.reader(from: [place: 0])
            let found = try await take(51, from: reader, max: 7)
            #expect(found.map(\.text) == (0..<51).map(String.init))
            #expect(found.map(\.offset) == (0..<51).map(Int64.init))
            #expect(found.allSatisfy { $0.damage == nil && $0.place == place && $0.appendedAtUs > 0 })
            #expect(found.first?.record == record("0", headers: headers))
            #expect(try await reader.next(max: 10, wait: .zero).isEmpty)
        }
    }

    @Test("Bytes of every value and size survive", arguments: LogKind.present)
    func bytes(_ kind: LogKind) async throws {
        try await LogUnderTest.with(kind) { test in
            let place = TopicPartition(try await test.topic())
            let all = [
                LogRecord(key: [], value: [0]),
                LogRecord(key: [0, 255], value: (0...255).map { UInt8($0) }),
                LogRecord(key: [1], value: [UInt8](repeating: 7, count: 900_000)),
            ]
            try await test.log.append(all, to: place)
            let found = try await take(3, from: try await test.log.reader(from: [place: 0]))
            #expect(found.map(\.record) == all)
        }
    }

    @Test("A reader begins where it is told and reads on while others append", arguments: LogKind.present)
    func following(_ kind: LogKind) async throws {
        try await LogUnderTest.with(kind) { test in
            let place = TopicPartition(try await test.topic())
            try await test.log.append(records(0..<10), to: place)
            let reader = try await test.log.reader(from: [place: 8])
            let first = try await take(2, from: reader)
            #expect(first.map(\.text) == ["8", "9"])
            async let later = take(200, from: reader)
            for number in 10..<210 { try await test.log.append([record("\(number)")], to: place) }
            let rest = try await later
            #expect(rest.map(\.text) == (10..<210).map(String.init))
        }
    }

    @Test("Partitions keep their own order and offsets", arguments: LogKind.present)
    func partitions(_ kind: LogKind) async throws {
        try await LogUnderTest.with(kind) { test in
            let topics = [try await test.topic(partitions: 3), try await test.topic()]
            #expect(try await test.log.partitionCount(of: topics[0]) == 3)
            let places = (0..<3).map { TopicPartition(topics[0], $0) } + [TopicPartition(topics[1])]
            try await withThrowingTaskGroup(of: Void.self) { group in
                for place in places {
                    group.addTask {
                        for number in 0..<30 { try await test.log.append([record("\(number)")], to: place) }
                    }
                }
                try await group.waitForAll()
            }
            let positions = Dictionary(uniqueKeysWithValues: places.map { ($0, 0 as Int64) })
            let found = try await take(120, from: try await test.log.reader(from: positions))
            for place in places {
                #expect(found.filter { $0.place == place }.map(\.offset) == (0..<30).map(Int64.init))
                #expect(found.filter { $0.place == place }.map(\.text) == (0..<30).map(String.init))
            }
        }
    }

    @Test("Many appending at once lose nothing, and each is told its own offset", arguments: LogKind.present)
    func manyAppending(_ kind: LogKind) async throws {
        try await LogUnderTest.with(kind) { test in
            let place = TopicPartition(try await test.topic())
            let told = try await withThrowingTaskGroup(of: [String: Int64].self) { group in
                for task in 0..<32 {
                    group.addTask {
                        var told: [String: Int64] = [:]
                        for number in 0..<8 {
                            let texts = ["\(task).\(number)a", "\(task).\(number)b"]
                            told[texts[0]] = try await test.log.append(texts.map { record($0) }, to: place)
                        }
                        return told
                    }
                }
                return try await group.reduce(into: [:]) { $0.merge($1) { first, _ in first } }
            }
            let found = try await take(512, from: try await test.log.reader(from: [place: 0]))
            #expect(Set(found.map(\.text)).count == 512)
            for (index, record) in found.enumerated() where record.text.hasSuffix("a") {
                #expect(told[record.text] == record.offset)
                #expect(found[index + 1].text == record.text.dropLast() + "b", "records of a call stay together")
            }
        }
    }

    @Test("Topics are created once, listed and counted", arguments: LogKind.present)
    func topics(_ kind: LogKind) async throws {
        try await LogUnderTest.with(kind) { test in
            let topic = try await test.topic(partitions: 2)
            try await test.log.create(topic: topic, partitions: 5)
            #expect(try await test.log.partitionCount(of: topic) == 2)
            let topics = try await test.log.topics()
            #expect(topics.contains(topic))
            await #expect(throws: LogFailure.self) { try await test.log.create(topic: "../x", partitions: 1) }
            await #expect(throws: LogFailure.self) { try await test.log.create(topic: "x", partitions: 0) }
        }
    }

    @Test("What does not exist is named, not invented", arguments: LogKind.present)
    func unknown(_ kind: LogKind) async throws {
        try await LogUnderTest.with(kind) { test in
            let topic = try await test.topic()
            for place in [TopicPartition("lineledger.test.none"), TopicPartition(topic, 1), TopicPartition(topic, -1)] {
                await #expect(throws: LogFailure.unknown(place)) {
                    try await test.log.append(records(0..<1), to: place)
                }
                await #expect(throws: LogFailure.unknown(place)) { try await test.log.endOffset(of: place) }
                await #expect(throws: LogFailure.unknown(place)) { try await test.log.reader(from: [place: 0]) }
            }
            #expect(try await test.log.endOffset(of: TopicPartition(topic)) == 0)
            let topics = try await test.log.topics()
            #expect(!topics.contains("lineledger.test.none"))
        }
    }

    @Test("A position beyond the end is refused", arguments: LogKind.present)
    func beyondTheEnd(_ kind: LogKind) async throws {
        try await LogUnderTest.with(kind) { test in
            let place = TopicPartition(try await test.topic())
            try await test.log.append(records(0..<3), to: place)
            await #expect {
                _ = try await test.log.reader(from: [place: 4])
            } throws: { error in
                if case LogFailure.corrupt = error { true } else { false }
            }
            let reader = try await test.log.reader(from: [place: 3])
            #expect(try await reader.next(max: 1, wait: .zero).isEmpty)
        }
    }

    @Test("A record or batch that never fits is refused and leaves nothing", arguments: LogKind.present)
    func tooLarge(_ kind: LogKind) async throws {
        try await LogUnderTest.with(kind) { test in
            let place = TopicPartition(try await test.topic())
            let limit = test.log.maximumRecordBytes
            let big = LogRecord(key: [1], value: [UInt8](repeating: 0, count: limit))
            await #expect(throws: LogFailure.recordTooLarge(bytes: limit + 1, limit: limit)) {
                try await test.log.append([record("0"), big], to: place)
            }
            let many = [LogRecord](repeating: record("0"), count: LogLimits.batchRecords + 1)
            await #expect(throws: LogFailure.self) { try await test.log.append(many, to: place) }
            #expect(try await test.log.endOffset(of: place) == 0)
            let fits = LogRecord(key: [], value: [UInt8](repeating: 0, count: limit))
            #expect(try await test.log.append([fits], to: place) == 0)
        }
    }

    @Test("One read returns bounded bytes", arguments: LogKind.present)
    func boundedReads(_ kind: LogKind) async throws {
        try await LogUnderTest.with(kind) { test in
            let place = TopicPartition(try await test.topic())
            let part = LogRecord(key: [], value: [UInt8](repeating: 0, count: 900_000))
            for _ in 0..<4 { try await test.log.append([part, part, part], to: place) }
            let reader = try await test.log.reader(from: [place: 9])
            var count = 0
            while count < 3 {
                let found = try await reader.next(max: 100, wait: .seconds(10))
                #expect(found.reduce(0) { $0 + $1.record.byteCount } <= LogLimits.readBytes + 1_000_000)
                count += found.count
            }
            #expect(count == 3)
        }
    }

    @Test("Closing ends a waiting reader, and nothing works after it", arguments: LogKind.present)
    func closing(_ kind: LogKind) async throws {
        try await LogUnderTest.with(kind) { test in
            let place = TopicPartition(try await test.topic())
            let reader = try await test.log.reader(from: [place: 0])
            async let waiting = reader.next(max: 1, wait: .seconds(60))
            await test.log.close()
            do {
                #expect(try await waiting.isEmpty)
            } catch {
                #expect(error as? LogFailure == .closed)
            }
            await #expect(throws: LogFailure.closed) { try await reader.next(max: 1, wait: .zero) }
            await #expect(throws: LogFailure.closed) { try await test.log.append(records(0..<1), to: place) }
            await #expect(throws: LogFailure.closed) { try await test.log.endOffset(of: place) }
            await #expect(throws: LogFailure.closed) { try await test.log.reader(from: [place: 0]) }
        }
    }

    @Test("A cancelled reader returns at once", arguments: LogKind.present)
    func cancelling(_ kind: LogKind) async throws {
        try await LogUnderTest.with(kind) { test in
            let place = TopicPartition(try await test.topic())
            let reader = try await test.log.reader(from: [place: 0])
            let waiting = Task { try await reader.next(max: 1, wait: .seconds(600)) }
            waiting.cancel()
            #expect(try await waiting.value.isEmpty)
        }
    }

    @Test("Another opening sees what was acknowledged", arguments: LogKind.shared)
    func reopening(_ kind: LogKind) async throws {
        try await LogUnderTest.with(kind) { test in
            let place = TopicPartition(try await test.topic())
            try await test.withOpened { other in
                let reader = try await other.reader(from: [place: 0])
                try await test.log.append(records(0..<20), to: place)
                #expect(try await other.endOffset(of: place) == 20)
                let found = try await take(20, from: reader)
                #expect(found.map(\.text) == (0..<20).map(String.init))
            }
            await test.log.close()
            try await test.withOpened { other in
                #expect(try await other.append([record("20")], to: place) == 20)
                let found = try await take(21, from: try await other.reader(from: [place: 0]))
                #expect(found.last?.text == "20")
            }
        }
    }
}
