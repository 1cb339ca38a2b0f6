/// A range of a record's bytes, lent for as long as the record is being folded.
typealias Bytes = UnsafeRawBufferPointer

/// The bytes are not the plain encoding that the hot path reads; `Codec` then says what they are.
struct UnusualEncoding: Error {}

/// Reads protobuf fields where they lie, without copying (protobuf.dev, "Encoding").
///
/// It understands what every usual encoder writes and refuses the rest, so that what it accepts means exactly what
/// `Codec` would have decoded.
struct Wire {
    private let start: UnsafeRawPointer
    private var cursor: UnsafeRawPointer
    private let end: UnsafeRawPointer
    /// Number of the field that `next` found.
    private(set) var field = 0
    private var type: UInt64 = 0

    init(_ bytes: Bytes) throws(UnusualEncoding) {
        guard let start = bytes.baseAddress else { throw UnusualEncoding() }
        self.start = start
        cursor = start
        end = start + bytes.count
    }

    /// How many bytes have been read.
    var position: Int { cursor - start }

    /// Moves to the next field; false at the end.
    @inline(__always)
    mutating func next() throws(UnusualEncoding) -> Bool {
        guard cursor < end else { return false }
        let tag = try varint()
        field = Int(truncatingIfNeeded: tag >> 3)
        type = tag & 7
        guard tag >= 8, tag <= 0xffff else { throw UnusualEncoding() }
        return true
    }

    @inline(__always)
    private mutating func byte() throws(UnusualEncoding) -> UInt8 {
        guard cursor < end else { throw UnusualEncoding() }
        defer { cursor += 1 }
        return cursor.load(as: UInt8.self)
    }

    @inline(__always)
    private mutating func varint() throws(UnusualEncoding) -> UInt64 {
        let first = try byte()
        return first < 0x80 ? UInt64(first) : try longVarint(UInt64(first & 0x7f))
    }

    private mutating func longVarint(_ first: UInt64) throws(UnusualEncoding) -> UInt64 {
        var value = first
        var shift: UInt64 = 7
        while shift < 63 {
            let next = try byte()
            value |= UInt64(next & 0x7f) << shift
            if next < 0x80 { return value }
            shift += 7
        }
        let last = try byte()
        guard last <= 1 else { throw UnusualEncoding() }
        return value | UInt64(last) << 63
    }

    @inline(__always)
    mutating func uint64() throws(UnusualEncoding) -> UInt64 {
        guard type == 0 else { throw UnusualEncoding() }
        return try varint()
    }

    @inline(__always)
    mutating func int64() throws(UnusualEncoding) -> Int64 {
        Int64(bitPattern: try uint64())
    }

    /// A `uint32`, `bool` or enumeration.
    @inline(__always)
    mutating func int32() throws(UnusualEncoding) -> Int64 {
        Int64(UInt32(truncatingIfNeeded: try uint64()))
    }

    @inline(__always)
    mutating func double() throws(UnusualEncoding) -> Double {
        guard type == 1, end - cursor >= 8 else { throw UnusualEncoding() }
        defer { cursor += 8 }
        return Double(bitPattern: UInt64(littleEndian: cursor.loadUnaligned(as: UInt64.self)))
    }

    @inline(__always)
    mutating func float() throws(UnusualEncoding) -> Double {
        guard type == 5, end - cursor >= 4 else { throw UnusualEncoding() }
        defer { cursor += 4 }
        return Double(Float(bitPattern: UInt32(littleEndian: cursor.loadUnaligned(as: UInt32.self))))
    }

    /// Passes over the field.
    mutating func skip() throws(UnusualEncoding) {
        switch type {
        case 0: _ = try varint()
        case 1: _ = try double()
        case 2: _ = try message()
        case 5: _ = try float()
        default: throw UnusualEncoding()
        }
    }

    /// A nested message or bytes.
    @inline(__always)
    mutating func message() throws(UnusualEncoding) -> Bytes {
        guard type == 2 else { throw UnusualEncoding() }
        let count = try varint()
        guard count <= UInt64(end - cursor) else { throw UnusualEncoding() }
        defer { cursor += Int(count) }
        return Bytes(start: cursor, count: Int(count))
    }

    /// A string: bytes that are UTF-8.
    @inline(__always)
    mutating func string() throws(UnusualEncoding) -> Bytes {
        let text = try message()
        guard text.isASCII || String(validating: text, as: UTF8.self) != nil else { throw UnusualEncoding() }
        return text
    }
}

extension Bytes {
    static var none: Bytes { Bytes(start: nil, count: 0) }

    var isASCII: Bool {
        guard count >= 8 else {
            var bits: UInt8 = 0
            for index in 0..<count { bits |= self[index] }
            return bits < 0x80
        }
        var bits: UInt64 = 0
        var at = 0
        while count - at > 8 {
            bits |= loadUnaligned(fromByteOffset: at, as: UInt64.self)
            at += 8
        }
        bits |= loadUnaligned(fromByteOffset: count - 8, as: UInt64.self)
        return bits & 0x8080_8080_8080_8080 == 0
    }

    var text: String { String(decoding: self, as: UTF8.self) }

    func equals(_ other: [UInt8]) -> Bool {
        guard count == other.count else { return false }
        return other.withUnsafeBytes { equals($0) }
    }

    func equals(_ other: Bytes) -> Bool {
        guard count == other.count else { return false }
        guard count >= 8 else { return elementsEqual(other) }
        var at = 0
        while count - at > 8 {
            let mine = loadUnaligned(fromByteOffset: at, as: UInt64.self)
            if mine != other.loadUnaligned(fromByteOffset: at, as: UInt64.self) { return false }
            at += 8
        }
        return loadUnaligned(fromByteOffset: count - 8, as: UInt64.self)
            == other.loadUnaligned(fromByteOffset: count - 8, as: UInt64.self)
    }
}
