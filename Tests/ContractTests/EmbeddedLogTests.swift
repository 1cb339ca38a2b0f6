import EventLog
import Foundation
import Glibc
import Testing

/// What only the log on disk promises.
@Suite(.timeLimit(.minutes(2)))
struct EmbeddedLogTests {
    @Test("A second writer is refused with the owner's process id, until the first is gone")
    func secondWriter() async throws {
        try await LogUnderTest.with(.embedded) { test in
            let place = TopicPartition(try await test.topic())
            try await test.log.append(records(0..<1), to: place)
            try await test.withOpened { other in
                await #expect {
                    try await other.append(records(1..<2), to: place)
                } throws: { error in
                    guard case LogFailure.writerExists(let detail) = error else { return false }
                    return detail.contains("process \(ProcessInfo.processInfo.processIdentifier) ")
                }
                await test.log.close()
                let offset = try await other.append(records(1..<2), to: place)
                #expect(offset == 1)
            }
        }
    }

    @Test("Every acknowledged record survives kill -9, and the next writer goes on after it", arguments: 0..<3)
    func killed(_ round: Int) async throws {
        try await LogUnderTest.with(.embedded) { test in
            let place = TopicPartition("lineledger.test.killed")
            let probe = try WriterProbe(directory: test.directory, topic: place.topic)
            let before = try probe.waitForAcknowledged(50 + 37 * Int64(round))
            let acknowledged = max(before, probe.killAndReadRest())
            let reader = try await test.log.reader(from: [place: 0])
            let end = try await test.log.endOffset(of: place)
            #expect(end >= acknowledged)
            let found = try await take(Int(end), from: reader)
            #expect(found.map(\.text) == (0..<end).map { "\($0)" })
            #expect(found.allSatisfy { $0.damage == nil })
            #expect(try await test.log.append([record("\(end)")], to: place) == end)
        }
    }

    @Test("A file size limit says full and what to do; without it the log goes on where it was")
    func fullByLimit() async throws {
        try await LogUnderTest.with(.embedded) { test in
            let place = TopicPartition("lineledger.test.full")
            let limited = try WriterProbe(directory: test.directory, topic: place.topic, fileLimitKiB: 1_024)
            let (acknowledged, complaint) = limited.readToEnd()
            #expect(acknowledged > 0)
            #expect(complaint.contains("log full"))
            #expect(complaint.contains(test.directory))
            #expect(complaint.contains("free space"))
            let end = try await test.log.endOffset(of: place)
            #expect(end >= acknowledged)
            #expect(try await test.log.append([record("\(end)")], to: place) == end)
            let found = try await take(Int(end) + 1, from: try await test.log.reader(from: [place: 0]))
            #expect(found.map(\.text) == (0...end).map { "\($0)" })
        }
    }

    @Test("A full disk fails appends and loses nothing; the same log goes on once there is space")
    func fullDisk() async throws {
        let mount = NSTemporaryDirectory() + "lineledger-full-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: mount, withIntermediateDirectories: true)
        guard Glibc.mount("tmpfs", mount, "tmpfs", 0, "size=3m") == 0 else {
            try FileManager.default.removeItem(atPath: mount)
            try Test.cancel("needs the right to mount a small file system; fullByLimit covers the rest")
        }
        let log = try EmbeddedLog(directory: mount + "/log")
        let place = TopicPartition("lineledger.test.full")
        try await log.create(topic: place.topic, partitions: 1)
        let ballast = mount + "/ballast"
        try Data(count: 1 << 20).write(to: URL(fileURLWithPath: ballast))
        var appended: Int64 = 0
        let value = [UInt8](repeating: 9, count: 4_000)
        let failure = await #expect(throws: LogFailure.self) {
            while appended < 10_000 {
                try await log.append([LogRecord(key: [], value: value)], to: place)
                appended += 1
            }
        }
        if case .full? = failure {} else { Issue.record("expected .full, found \(String(describing: failure))") }
        let reader = try await log.reader(from: [place: 0])
        let before = try await take(Int(appended), from: reader)
        #expect(before.allSatisfy { $0.record.value == value && $0.damage == nil })
        try FileManager.default.removeItem(atPath: ballast)
        #expect(try await log.append([record("after")], to: place) == appended)
        let after = try await take(1, from: reader)
        #expect(after.map(\.text) == ["after"])
        await log.close()
        #expect(umount(mount) == 0)
        try FileManager.default.removeItem(atPath: mount)
    }

    @Test("A changed byte is told with its offset, and reading goes on")
    func changedByte() async throws {
        try await LogUnderTest.with(.embedded) { test in
            let place = TopicPartition(try await test.topic())
            try await test.log.append(records(0..<3) + [record("needle")] + records(4..<6), to: place)
            await test.log.close()
            try test.damage(place.topic) { bytes in
                let at = try #require(bytes.range(of: Data("needle".utf8)))
                bytes[at.lowerBound] ^= 1
            }
            try await test.withOpened { log in
                let found = try await take(6, from: try await log.reader(from: [place: 0]))
                #expect(found.map { $0.damage == nil } == [true, true, true, false, true, true])
                #expect(found[3].offset == 3)
                #expect(found[3].damage?.contains("offset 3") == true)
            }
        }
    }

    @Test("I8: a topic whose file is gone is told, one that never had a record is not")
    func lostTopic() async throws {
        try await LogUnderTest.with(.embedded) { test in
            let (lost, unused, kept) = (try await test.topic(), try await test.topic(), try await test.topic())
            for topic in [lost, kept] { try await test.log.append(records(0..<3), to: TopicPartition(topic)) }
            await test.log.close()
            for topic in [lost, unused] {
                try FileManager.default.removeItem(atPath: "\(test.directory)/\(topic).log.db")
            }
            let log = try EmbeddedLog(directory: test.directory)
            #expect(try await log.lostTopics() == [lost])
            await log.close()
        }
    }

    @Test("A lost page is told as a range of offsets, and everything else is read", arguments: [20, 77, 150])
    func lostPage(_ page: Int) async throws {
        try await LogUnderTest.with(.embedded) { test in
            let place = TopicPartition(try await test.topic())
            let count = 2_000
            let padding = String(repeating: "x", count: 400)
            let all = (0..<count).map { record("\($0) \(padding)") }
            for start in stride(from: 0, to: count, by: 100) {
                try await test.log.append(Array(all[start..<start + 100]), to: place)
            }
            await test.log.close()
            try test.damage(place.topic) { bytes in
                bytes.replaceSubrange(page * 4_096..<(page + 1) * 4_096, with: Data(count: 4_096))
            }
            try await test.withOpened { log in
                let reader = try await log.reader(from: [place: 0])
                var next: Int64 = 0
                var lost = 0
                while next < count {
                    for stored in try await reader.next(max: 100, wait: .zero) {
                        if let damage = stored.damage {
                            #expect(stored.offset == next)
                            let range = try #require(damage.firstMatch(of: /offsets (\d+) to (\d+)/))
                            #expect(Int64(range.1) == next)
                            next = try #require(Int64(range.2)) + 1
                            lost += Int(next - stored.offset)
                        } else {
                            #expect(stored.offset == next)
                            #expect(stored.record == all[Int(next)])
                            next = stored.offset + 1
                        }
                    }
                }
                #expect((1...20).contains(lost), "one page holds 8 records of this size")
            }
        }
    }

    @Test("I7 acknowledged records that the write-ahead log lost are told, and their offsets are not given again")
    func lostTail() async throws {
        try await LogUnderTest.with(.embedded) { test in
            let place = TopicPartition("lineledger.test.killed")
            let probe = try WriterProbe(directory: test.directory, topic: place.topic)
            let acknowledged = max(try probe.waitForAcknowledged(40), probe.killAndReadRest())
            let path = "\(test.directory)/\(place.topic).log.db-wal"
            var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
            bytes[bytes.count / 2] ^= 0x10
            try bytes.write(to: URL(fileURLWithPath: path))
            let end = try await test.log.endOffset(of: place)
            #expect(end >= acknowledged)
            #expect(try await test.log.append([record("next")], to: place) == end)
            let reader = try await test.log.reader(from: [place: 0])
            var found: [StoredRecord] = []
            while found.last?.text != "next" { found += try await take(1, from: reader) }
            let lost = found.filter { $0.damage != nil }
            try #require(lost.count == 1)
            #expect(lost[0].offset > 0)
            #expect(lost[0].damage?.contains("offsets \(lost[0].offset) to \(end - 1)") == true)
            #expect(found.last?.offset == end)
        }
    }

    @Test("I7 a reader at the end of a file that lost its tail is told without a new record")
    func lostTailBeforeTheNextWriter() async throws {
        try await LogUnderTest.with(.embedded) { test in
            let place = TopicPartition(try await test.topic())
            try await test.log.append(records(0..<5), to: place)
            let url = URL(fileURLWithPath: "\(test.directory)/\(place.topic).log.db")
            await test.log.close()
            let before = try Data(contentsOf: url)
            try await test.withOpened { log in
                try await log.append(records(5..<9), to: place)
                await log.close()
            }
            try before.write(to: url)
            try await test.withOpened { log in
                #expect(try await log.endOffset(of: place) == 9)
                let reader = try await log.reader(from: [place: 5])
                let found = try await take(1, from: reader)
                #expect(found[0].damage?.contains("offsets 5 to 8") == true)
                #expect(try await reader.next(max: 10, wait: .zero).isEmpty)
            }
        }
    }

    @Test("A file that is no topic is refused by name")
    func foreignFile() async throws {
        try await LogUnderTest.with(.embedded) { test in
            let path = test.directory + "/alien.log.db"
            try Data(repeating: 7, count: 8_192).write(to: URL(fileURLWithPath: path))
            await #expect {
                _ = try await test.log.endOffset(of: TopicPartition("alien"))
            } throws: { error in
                guard case LogFailure.corrupt(let detail) = error else { return false }
                return detail.contains(path)
            }
        }
    }

    @Test("A directory that cannot be one is refused by name")
    func badDirectory() throws {
        #expect(throws: LogFailure.self) { try EmbeddedLog(directory: "/dev/null/log") }
        #expect(throws: LogFailure.self) { try EmbeddedLog(directory: "") }
    }

    @Test("An idle open reader does not let the write-ahead log grow")
    func boundedWriteAheadLog() async throws {
        try await LogUnderTest.with(.embedded) { test in
            let place = TopicPartition(try await test.topic())
            try await test.log.append(records(0..<2), to: place)
            let reader = try await test.log.reader(from: [place: 0])
            _ = try await reader.next(max: 1, wait: .zero)
            let block = [LogRecord](
                repeating: LogRecord(key: [], value: [UInt8](repeating: 1, count: 100_000)),
                count: 10
            )
            for _ in 0..<30 { try await test.log.append(block, to: place) }
            let path = "\(test.directory)/\(place.topic).log.db-wal"
            let size = try #require(try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int)
            #expect(size < 12 << 20, "30 MB were appended")
            #expect(try await reader.next(max: 1, wait: .zero).first?.text == "1")
        }
    }

    @Test("Several processes may create and list the same topics at once")
    func creatingAtOnce() async throws {
        try await LogUnderTest.with(.embedded) { test in
            let logs = try (0..<6).map { _ in try test.opened() }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for log in logs {
                    group.addTask {
                        for number in 0..<5 {
                            try await log.create(topic: "t\(number)", partitions: 2)
                            #expect(try await log.partitionCount(of: "t\(number)") == 2)
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await test.log.topics() == (0..<5).map { "t\($0)" })
            for log in logs { await log.close() }
        }
    }

    @Test("Without inotify a reader still wakes")
    func polling() async throws {
        try await LogUnderTest.with(.embedded) { test in
            let place = TopicPartition(try await test.topic())
            let other = try EmbeddedLog(directory: test.directory, wakeUp: .polling)
            let reader = try await other.reader(from: [place: 0])
            async let waiting = take(1, from: reader)
            try await test.log.append(records(0..<1), to: place)
            let found = try await waiting
            #expect(found.map(\.text) == ["0"])
            await other.close()
        }
    }

    @Test("CRC-32C of the check string of the Rocksoft catalogue")
    func checksum() {
        var crc = Crc32c()
        crc.add(Array("123456789".utf8))
        #expect(crc.value == 0xe306_9283)
        var parts = Crc32c()
        parts.add(Array("12345".utf8))
        parts.add(Array("6789".utf8))
        #expect(parts.value == crc.value)
    }
}

extension LogUnderTest {
    /// Changes a closed topic's file.
    func damage(_ topic: String, _ change: (inout Data) throws -> Void) throws {
        let url = URL(fileURLWithPath: "\(directory)/\(topic).log.db")
        var bytes = try Data(contentsOf: url)
        try change(&bytes)
        try bytes.write(to: url)
    }
}
