/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014): one seed, one course.
struct SimRandom: RandomNumberGenerator {
    private(set) var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        return Self.mixed(state)
    }

    /// A number from 0 to `bound` - 1.
    mutating func below(_ bound: Int) -> Int {
        precondition(bound > 0, "nothing is below \(bound)")
        return Int(next().multipliedFullWidth(by: UInt64(bound)).high)
    }

    mutating func below(us bound: Int64) -> Int64 { Int64(below(Int(bound))) }

    mutating func once(in count: Int) -> Bool { below(count) == 0 }

    mutating func pick<Element>(_ elements: [Element]) -> Element { elements[below(elements.count)] }

    static func mixed(_ value: UInt64) -> UInt64 {
        var z = value
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

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
