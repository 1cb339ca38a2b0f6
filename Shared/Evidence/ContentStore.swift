import Crypto
import Glibc
import Synchronization
import Vision

/// Why content could not be kept or had back.
package enum ContentError: Error, Equatable, CustomStringConvertible {
    /// Keeping it would go over the store's budget; all in bytes.
    case full(directory: String, used: Int, budget: Int)
    case tooLarge(limit: Int)
    /// The bytes are not those of the name.
    case otherContent(name: String, found: String)
    /// Not 64 lower-case hexadecimal digits.
    case notAHash(String)
    case damaged(path: String, found: String)
    case failed(path: String, reason: String)

    package var description: String {
        switch self {
        case .full(let directory, let used, let budget):
            "content store \(directory) is full: \(used) of \(budget) bytes used; make room, or a larger budget"
        case .tooLarge(let limit): "more than \(limit) bytes"
        case .otherContent(let name, let found): "the bytes have the SHA-256 \(found); expected \(name)"
        case .notAHash(let text): "\"\(text.prefix(80))\": expected 64 lower-case hexadecimal digits"
        case .damaged(let path, let found):
            "\(path) is damaged: its SHA-256 is \(found); bring the file back and submit it again"
        case .failed(let path, let reason): "\(path): \(reason)"
        }
    }
}

/// Recipes, models and reports on disk, each named by its SHA-256: `ab/cd/abcd…`. One process stores; any number load.
/// A file is there whole or not at all, and is never changed or deleted.
package final class ContentStore: Sendable {
    /// Largest content, bytes: a neural model fits.
    package static let maxBytes = 512 << 20

    package let directory: String
    private let budgetBytes: Int
    /// nil until first needed: a process that only loads does not look through the folders.
    private let used = Mutex<Int?>(nil)

    package init(directory: String, budgetBytes: Int) throws(ContentError) {
        self.directory = directory
        self.budgetBytes = budgetBytes
        do {
            try Files.makeFolder("\(directory)/incoming")
        } catch {
            throw .failed(path: error.path, reason: error.reason)
        }
    }

    package func contains(_ sha256: String) throws(ContentError) -> Bool { Files.exists(try path(of: sha256)) }

    /// Where the content with this name lies, or would.
    package func path(of sha256: String) throws(ContentError) -> String {
        let digits = Array(sha256.utf8)
        guard digits.count == 64, digits.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) }) else {
            throw .notAHash(sha256)
        }
        return "\(directory)/\(sha256.prefix(2))/\(sha256.dropFirst(2).prefix(2))/\(sha256)"
    }

    /// The content with this name, checked against it; nil where it is not kept.
    package func read(_ sha256: String, atMost limit: Int = maxBytes) throws(ContentError) -> [UInt8]? {
        let path = try path(of: sha256)
        guard Files.exists(path) else { return nil }
        let bytes: [UInt8]
        do {
            bytes = try Files.read(path, atMost: limit)
        } catch {
            throw .failed(path: path, reason: error.reason)
        }
        let found = hexSHA256(bytes)
        guard found == sha256 else { throw .damaged(path: path, found: found) }
        return bytes
    }

    /// Keeps `bytes` under their own hash, which is returned.
    @discardableResult
    package func store(_ bytes: [UInt8]) throws(ContentError) -> String {
        let name = hexSHA256(bytes)
        var draft = try begin(name)
        try draft.append(bytes)
        try draft.finish()
        return name
    }

    /// Begins to take in the content with this name, piece by piece.
    package func begin(_ sha256: String) throws(ContentError) -> Draft {
        try Draft(self, name: sha256, path: try path(of: sha256))
    }

    /// Content on its way in. What is not finished leaves nothing behind.
    package struct Draft: ~Copyable {
        private let store: ContentStore
        private let name: String
        private let path: String
        private let draftPath: String
        private let file: Int32
        private var hasher = SHA256()
        private var size = 0
        private var isInPlace = false

        fileprivate init(_ store: ContentStore, name: String, path: String) throws(ContentError) {
            self.store = store
            self.name = name
            self.path = path
            var template = Array("\(store.directory)/incoming/XXXXXX\0".utf8CString)
            file = template.withUnsafeMutableBufferPointer { $0.baseAddress.map { mkstemp($0) } ?? -1 }
            draftPath = String(decoding: template.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            guard file >= 0 else { throw .failed(path: draftPath, reason: FileError.last(draftPath, "create").reason) }
        }

        deinit {
            close(file)
            if !isInPlace { unlink(draftPath) }
        }

        package mutating func append(_ bytes: some Sequence<UInt8>) throws(ContentError) {
            let bytes = Array(bytes)
            size += bytes.count
            guard size <= ContentStore.maxBytes else { throw .tooLarge(limit: ContentStore.maxBytes) }
            bytes.withUnsafeBytes { hasher.update(bufferPointer: $0) }
            var written = 0
            while written < bytes.count {
                let count = bytes.withUnsafeBytes {
                    write(file, $0.baseAddress.map { $0 + written }, bytes.count - written)
                }
                if count < 0, errno == EINTR { continue }
                guard count > 0 else {
                    throw .failed(path: draftPath, reason: FileError.last(draftPath, "write").reason)
                }
                written += count
            }
        }

        /// Puts the content in place once it is on the disk; keeping it again changes nothing.
        package mutating func finish() throws(ContentError) {
            let found = hasher.finalize().map { String(UInt16($0) + 0x100, radix: 16).dropFirst() }.joined()
            guard found == name else { throw .otherContent(name: name, found: found) }
            try store.put(draftPath, file, size, at: path)
            isInPlace = true
        }
    }

    private func put(_ draft: String, _ file: Int32, _ size: Int, at path: String) throws(ContentError) {
        try used.withLock { used throws(ContentError) in
            let before = used ?? Self.bytes(below: directory)
            // What lies there may be damaged: the new file replaces it.
            let replaced = Self.size(of: path) ?? 0
            guard before - replaced + size <= budgetBytes else {
                throw .full(directory: directory, used: before, budget: budgetBytes)
            }
            do throws(FileError) {
                try Files.makeFolder(String(path.prefix(upTo: path.lastIndex(of: "/") ?? path.endIndex)))
            } catch {
                throw .failed(path: error.path, reason: error.reason)
            }
            guard fchmod(file, 0o444) == 0, fsync(file) == 0, rename(draft, path) == 0 else {
                throw .failed(path: path, reason: FileError.last(path, "put in place").reason)
            }
            used = before - replaced + size
        }
    }

    private static func size(of path: String) -> Int? {
        var status = stat()
        return stat(path, &status) == 0 ? Int(status.st_size) : nil
    }

    /// Bytes of all kept files; a folder that cannot be listed has none.
    private static func bytes(below directory: String) -> Int {
        var total = 0
        for first in (try? Files.names(in: directory, atMost: 1_000)) ?? [] where first.count == 2 {
            for second in (try? Files.names(in: "\(directory)/\(first)", atMost: 1_000)) ?? [] {
                let folder = "\(directory)/\(first)/\(second)"
                for name in (try? Files.names(in: folder, atMost: 1_000_000)) ?? [] {
                    total += size(of: "\(folder)/\(name)") ?? 0
                }
            }
        }
        return total
    }
}
