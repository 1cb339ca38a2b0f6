import Glibc

/// A range of a record's bytes, lent for as long as the record is being folded.
typealias Bytes = UnsafeRawBufferPointer

extension Bytes {
    static var none: Bytes { Bytes(start: nil, count: 0) }

    var text: String { String(decoding: self, as: UTF8.self) }

    @inline(__always)
    func equals(_ other: [UInt8]) -> Bool {
        other.withUnsafeBytes { equals($0) }
    }

    @inline(__always)
    func equals(_ other: Bytes) -> Bool {
        guard count == other.count, let mine = baseAddress, let others = other.baseAddress else {
            return count == other.count
        }
        return memcmp(mine, others, count) == 0
    }

    /// Eight bytes at a time; for tables that live shorter than a batch, not for anything kept.
    @inline(__always)
    var hash: UInt64 {
        var hash = UInt64(truncatingIfNeeded: count)
        func mix(_ word: UInt64) {
            hash = (hash ^ word) &* 0x9e37_79b9_7f4a_7c15
            hash ^= hash >> 32
        }
        var at = 0
        while count - at >= 8 {
            mix(loadUnaligned(fromByteOffset: at, as: UInt64.self))
            at += 8
        }
        var rest: UInt64 = 0
        while at < count {
            rest = rest << 8 | UInt64(self[at])
            at += 1
        }
        mix(rest)
        return hash
    }

    /// Where `part` stands for the first time.
    func range(of part: Bytes) -> Range<Int>? {
        guard !part.isEmpty, part.count <= count else { return nil }
        for at in 0...count - part.count where Bytes(rebasing: self[at..<at + part.count]).equals(part) {
            return at..<at + part.count
        }
        return nil
    }
}

extension String {
    func withBytes<Result>(_ body: (Bytes) throws -> Result) rethrows -> Result {
        var text = self
        return try text.withUTF8 { try body(Bytes($0)) }
    }
}
