import EventLog
import Foundation
import ServiceRuntime
import Testing

/// A watcher's own file: what was committed is there again, or the file is set aside as damaged; never something else.
@Suite struct OutboxStoreTests {
    private typealias Store = OutboxStore<[String: String], String>

    private func inFolder(_ body: (_ path: String) throws -> Void) throws {
        let folder = NSTemporaryDirectory() + "lineledger-outbox-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try body("\(folder)/alerting.sqlite")
    }

    @Test func whatWasCommittedIsThereAgain() throws {
        try inFolder { path in
            let store = try Store(path: path, version: 1)
            #expect(try store.load() == nil)
            try store.commit(["a": "b"], IntakePositions(), drafts: ["one", "two"])
            try store.sent(upTo: try #require(try store.outbox(limit: 1).first?.number))
            let again = try Store(path: path, version: 1)
            #expect(again.setAside == nil)
            #expect(try again.load()?.state == ["a": "b"])
            #expect(try again.outbox(limit: 9).map(\.draft) == ["two"])
            let newer = try Store(path: path, version: 2)
            #expect(newer.setAside == nil)
            #expect(try newer.load() == nil)
        }
    }

    @Test("I7 a byte flipped anywhere in the file: the same content, or set aside and empty")
    func flippedByte() throws {
        try inFolder { path in
            var setAside = 0
            do {
                let store = try Store(path: path, version: 1)
                let state = Dictionary(uniqueKeysWithValues: (0..<200).map { ("key \($0)", "value \($0)") })
                try store.commit(state, IntakePositions(), drafts: (0..<50).map { "draft \($0)" })
            }
            let sound = try Data(contentsOf: URL(fileURLWithPath: path))
            let expected = try Store(path: path, version: 1).load()?.state
            for round in 0..<100 {
                for name in try FileManager.default.contentsOfDirectory(
                    atPath: (path as NSString).deletingLastPathComponent
                ) {
                    try FileManager.default.removeItem(
                        atPath: (path as NSString).deletingLastPathComponent + "/\(name)"
                    )
                }
                var damaged = sound
                // Behind the header's fields that SQLite itself may change, such as the change counter.
                let at = 100 + (round &* 7_919) % (damaged.count - 100)
                damaged[at] ^= UInt8(1 << (round % 8))
                try damaged.write(to: URL(fileURLWithPath: path))
                let store = try Store(path: path, version: 1)
                if let note = store.setAside {
                    setAside += 1
                    #expect(note.contains(path))
                    #expect(FileManager.default.fileExists(atPath: "\(path).damaged-1"))
                    #expect(try store.load() == nil)
                } else {
                    #expect(try store.load()?.state == expected, "byte \(at)")
                    #expect(try store.outbox(limit: 99).map(\.draft) == (0..<50).map { "draft \($0)" }, "byte \(at)")
                }
            }
            #expect(setAside > 25)
        }
    }
}
