/// Fields in little-endian order; texts with their length before them.
struct FieldWriter {
    var bytes: [UInt8] = []

    mutating func put(_ value: UInt32) { put(UInt64(value), count: 4) }

    mutating func put(_ text: String) {
        let utf8 = Array(text.utf8.prefix(4_096))
        put(UInt32(utf8.count))
        bytes += utf8
    }

    mutating func put(doubles: [Double]) { for value in doubles { put(value.bitPattern, count: 8) } }

    mutating func put(floats: [Float]) { for value in floats { put(UInt64(value.bitPattern), count: 4) } }

    private mutating func put(_ value: UInt64, count: Int) {
        for index in 0..<count { bytes.append(UInt8(truncatingIfNeeded: value >> (8 * UInt64(index)))) }
    }
}

/// Reads what `FieldWriter` wrote; reading past the end gives zeros and sets `isShort`.
struct FieldReader {
    let bytes: [UInt8]
    var position: Int
    private(set) var isShort = false

    init(bytes: [UInt8], position: Int) {
        self.bytes = bytes
        self.position = position
    }

    mutating func take(_ count: Int) -> [UInt8] {
        guard count <= bytes.count - position else {
            isShort = true
            return []
        }
        defer { position += count }
        return Array(bytes[position..<position + count])
    }

    mutating func word() -> UInt32 { UInt32(truncatingIfNeeded: number(4)) }

    mutating func text() -> String { String(decoding: take(Int(word())), as: UTF8.self) }

    mutating func doubles(_ count: Int) -> [Double] { (0..<count).map { _ in Double(bitPattern: number(8)) } }

    mutating func floats(_ count: Int) -> [Float] {
        (0..<count).map { _ in Float(bitPattern: UInt32(truncatingIfNeeded: number(4))) }
    }

    private mutating func number(_ count: Int) -> UInt64 {
        guard count <= bytes.count - position else {
            isShort = true
            return 0
        }
        var value: UInt64 = 0
        for index in 0..<count { value |= UInt64(bytes[position + index]) << (8 * UInt64(index)) }
        position += count
        return value
    }
}
