import Evidence
import Foundation
import Testing

private struct Folder: ~Copyable {
    let path = NSTemporaryDirectory() + "content-\(UInt64.random(in: 0...UInt64.max))"

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

@Suite struct ContentStoreTests {
    /// SHA-256 of "abc" (FIPS 180-4, example).
    private static let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

    @Test("Content is kept whole under its hash, comes back as it was, and keeping it again changes nothing")
    func roundTrip() throws {
        let folder = Folder()
        let store = try ContentStore(directory: folder.path, budgetBytes: 1_000)
        #expect(try store.read(Self.abc) == nil)
        for _ in 0..<3 { #expect(try store.store(Array("abc".utf8)) == Self.abc) }
        #expect(try store.read(Self.abc) == Array("abc".utf8))
        #expect(try ContentStore(directory: folder.path, budgetBytes: 1_000).contains(Self.abc))
        #expect(try FileManager.default.contentsOfDirectory(atPath: "\(folder.path)/incoming").isEmpty)
    }

    @Test("I8: content that is not what its name says is neither taken nor given")
    func otherContent() throws {
        let folder = Folder()
        let store = try ContentStore(directory: folder.path, budgetBytes: 1_000)
        #expect(throws: ContentError.self) {
            var draft = try store.begin(Self.abc)
            try draft.append(Array("abd".utf8))
            try draft.finish()
        }
        #expect(try store.contains(Self.abc) == false)
        #expect(try FileManager.default.contentsOfDirectory(atPath: "\(folder.path)/incoming").isEmpty)
        try store.store(Array("abc".utf8))
        let path = try store.path(of: Self.abc)
        try FileManager.default.removeItem(atPath: path)
        try Data("xyz".utf8).write(to: URL(fileURLWithPath: path))
        #expect(throws: ContentError.self) { try store.read(Self.abc) }
        try store.store(Array("abc".utf8))
        #expect(try store.read(Self.abc) == Array("abc".utf8), "submitted again, it is mended")
    }

    @Test("I11: what does not fit the budget is refused and leaves nothing; names that are no hashes are refused")
    func bounds() throws {
        let folder = Folder()
        let store = try ContentStore(directory: folder.path, budgetBytes: 5)
        try store.store([1, 2, 3])
        #expect(throws: ContentError.self) { try store.store([4, 5, 6]) }
        try store.store([4, 5])
        let again = try ContentStore(directory: folder.path, budgetBytes: 5)
        #expect(throws: ContentError.self, "the budget holds after a restart") { try again.store([7]) }
        for name in ["", "../../etc/passwd", String(repeating: "A", count: 64), Self.abc + "0"] {
            #expect(throws: ContentError.notAHash(name)) { try store.path(of: name) }
        }
    }
}
