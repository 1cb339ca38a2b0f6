import SeededRandom

extension SplitMix64 {
    mutating func below(us bound: Int64) -> Int64 { Int64(below(Int(bound))) }

    /// A number that depends on `text` and `salt` alone.
    static func hash(_ text: String, _ salt: UInt64) -> UInt64 {
        // FNV-1a, 64 bits.
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325 ^ salt
        for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return mixed(hash)
    }

    /// 64 hexadecimal digits that depend on `text` and `salt` alone: they stand where a SHA-256 stands in a plant.
    static func digest(_ text: String, _ salt: UInt64) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var hash = hash(text, salt)
        return String(
            unsafeUninitializedCapacity: 64
        ) { bytes in
            for index in 0..<64 {
                if index.isMultiple(of: 16) { hash = mixed(hash &+ UInt64(index) + 1) }
                bytes[index] = digits[Int(truncatingIfNeeded: hash >> UInt64(index % 16 * 4)) & 15]
            }
            return 64
        }
    }
}
