import CPlantEvents
import SQLite

/// A SHA-256 as 32 bytes instead of 64 characters; anything else is kept as the text it is.
struct HashCell {
    private let bytes: Bytes
    private let isHash: Bool

    /// Takes the text over: where it is a hash, the bytes overwrite it.
    @inline(__always)
    init(_ text: ProtobufCBinaryData) {
        guard text.len == 64, let data = text.data else {
            bytes = text.bytes
            isHash = false
            return
        }
        isHash = Self.decode(UnsafeMutableRawPointer(data))
        bytes = isHash ? Bytes(start: data, count: 32) : text.bytes
    }

    @inline(__always)
    func bind(to statement: Statement, _ index: Int32) {
        if bytes.isEmpty {
            statement.bindNull(index)
        } else if isHash {
            statement.bind(index, lentBlob: bytes)
        } else {
            statement.bind(index, lentText: bytes)
        }
    }

    /// Eight digits at a time, a byte of a word each; false, and nothing changed, when one is not lower-case
    /// hexadecimal.
    private static func decode(_ text: UnsafeMutableRawPointer) -> Bool {
        var words: InlineArray<8, UInt32> = .init(repeating: 0)
        for index in 0..<8 {
            let digits = UInt64(littleEndian: text.loadUnaligned(fromByteOffset: 8 * index, as: UInt64.self))
            guard let word = word(of: digits) else { return false }
            words[index] = word.littleEndian
        }
        for index in 0..<8 { text.storeBytes(of: words[index], toByteOffset: 4 * index, as: UInt32.self) }
        return true
    }

    @inline(__always)
    private static var each: UInt64 { 0x0101_0101_0101_0101 }

    /// Four bytes from eight digits, the first digit in the lowest byte.
    @inline(__always)
    static func word(of digits: UInt64) -> UInt32? {
        let isLetter = (digits >> 6) & each
        let values = (digits & (each &* 0xf)) &+ isLetter &* 9
        // A digit is its value from "0", or from "a" less ten; values from 10 on are letters, and only they.
        guard values &+ each &* 0x30 &+ isLetter &* 0x27 == digits, values & (each &* 0x10) == 0,
            ((values &+ each &* 6) >> 4) & each == isLetter
        else { return nil }
        var bytes = (values << 4 | values >> 8) & 0x00ff_00ff_00ff_00ff
        bytes = (bytes | bytes >> 8) & 0x0000_ffff_0000_ffff
        return UInt32(truncatingIfNeeded: bytes | bytes >> 16)
    }

    /// Binds a hash that SwiftProtobuf read.
    static func bind(_ hash: String, to statement: Statement, _ index: Int32) {
        var digits = Array(hash.utf8)
        digits.withUnsafeMutableBytes { buffer in
            guard let start = buffer.baseAddress, buffer.count == 64, decode(start) else {
                if hash.isEmpty { statement.bindNull(index) } else { statement.bind(index, hash) }
                return
            }
            statement.bind(index, [UInt8](buffer.prefix(32)))
        }
    }

    /// The hash of a column as lower-case hexadecimal; empty for null.
    static func text(_ statement: Statement, _ index: Int32) -> String {
        if statement.isNull(index) { return "" }
        let bytes = statement.blob(index)
        guard bytes.count == 32 else { return statement.text(index) }
        return hex(bytes)
    }

    static func hex(_ bytes: some Sequence<UInt8>) -> String {
        var text: [UInt8] = []
        text.reserveCapacity(64)
        for byte in bytes {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 0xf)])
        }
        return String(decoding: text, as: UTF8.self)
    }

    private static let digits = Array("0123456789abcdef".utf8)
}
