/// CRC-32C (Castagnoli; RFC 3720 appendix B.4), eight bytes at a step.
package struct Crc32c {
    /// `tables[256 * k + b]`: what byte `b` contributes when `k` more bytes of its step follow it.
    private static let tables: [UInt32] = {
        let reversedPolynomial: UInt32 = 0x82f6_3b78
        var tables = [UInt32](repeating: 0, count: 8 * 256)
        for byte in 0..<256 {
            var remainder = UInt32(byte)
            for _ in 0..<8 { remainder = remainder >> 1 ^ (remainder & 1 == 1 ? reversedPolynomial : 0) }
            tables[byte] = remainder
        }
        for index in 256..<(8 * 256) {
            let shorter = tables[index - 256]
            tables[index] = shorter >> 8 ^ tables[Int(shorter & 0xff)]
        }
        return tables
    }()

    private var remainder: UInt32 = ~0

    package init() {}

    package var value: UInt32 { ~remainder }

    package mutating func add(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { add($0) }
    }

    package mutating func add(_ number: Int64) {
        withUnsafeBytes(of: number.littleEndian) { add($0) }
    }

    private mutating func add(_ bytes: UnsafeRawBufferPointer) {
        var crc = remainder
        Self.tables.withUnsafeBufferPointer { tables in
            var index = 0
            while index + 8 <= bytes.count {
                let step = bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self).littleEndian ^ UInt64(crc)
                crc = 0
                for byte in 0..<8 {
                    crc ^= tables[256 * (7 - byte) + Int(truncatingIfNeeded: step >> (8 * UInt64(byte)) & 0xff)]
                }
                index += 8
            }
            while index < bytes.count {
                crc = crc >> 8 ^ tables[Int((crc ^ UInt32(bytes[index])) & 0xff)]
                index += 1
            }
        }
        remainder = crc
    }
}
