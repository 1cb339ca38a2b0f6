import SeededRandom

extension SplitMix64 {
    /// Each (seed, stream) pair is a sequence of its own.
    init(seed: UInt64, stream: UInt64) {
        self.init(seed: Self.mixed(seed &+ 0x9E37_79B9_7F4A_7C15) ^ Self.mixed(stream &* 0xD1B5_4A32_D192_ED03 &+ 1))
    }

    /// Uniform in `range`, in steps of 2^-24 of its length.
    mutating func uniform(_ range: ClosedRange<Float>) -> Float {
        range.lowerBound + Float(next() >> 40) * 0x1p-24 * (range.upperBound - range.lowerBound)
    }
}

/// Eight xorshift32 generators side by side (Marsaglia, "Xorshift RNGs", 2003), for sensor noise.
struct NoiseLanes {
    private var lanes: SIMD8<UInt32>

    init(from random: inout SplitMix64) {
        lanes = SIMD8(repeating: 1)
        for lane in 0..<8 { lanes[lane] = UInt32(truncatingIfNeeded: random.next()) | 1 }
    }

    /// Fills `row`, a multiple of 8 long, with noise of mean 0. The sum of four uniform bytes is close to normal, with
    /// a standard deviation of sqrt(4 * (256^2 - 1) / 12) = 147.8; `scale` is in units of 2^-16 of that sum.
    mutating func fill(_ row: UnsafeMutablePointer<Int32>, count: Int, scale: Int32) {
        let low = SIMD8<UInt32>(repeating: 0x00FF_00FF)
        let factor = SIMD8<Int32>(repeating: scale)
        let mean = SIMD8<Int32>(repeating: 510)
        var state = lanes
        for start in stride(from: 0, to: count, by: 8) {
            state ^= state &<< 13
            state ^= state &>> 17
            state ^= state &<< 5
            let pairs = (state & low) &+ ((state &>> 8) & low)
            let sums = (pairs & 0xFFFF) &+ (pairs &>> 16)
            let noise = ((SIMD8<Int32>(truncatingIfNeeded: sums) &- mean) &* factor) &>> 16
            UnsafeMutableRawPointer(row + start).storeBytes(of: noise, as: SIMD8<Int32>.self)
        }
        lanes = state
    }
}

/// Smooth noise in -1...1 over the plane: random values at lattice points `cellX` by `cellY` pixels apart, blended
/// between.
struct ValueNoise {
    let seed: UInt64
    let cellX: Float
    let cellY: Float

    func callAsFunction(_ x: Float, _ y: Float) -> Float {
        let u = x / cellX
        let v = y / cellY
        let column = u.rounded(.down)
        let row = v.rounded(.down)
        let fx = Self.smooth(u - column)
        let fy = Self.smooth(v - row)
        let i = Int(column)
        let j = Int(row)
        let top = lattice(i, j) * (1 - fx) + lattice(i + 1, j) * fx
        let bottom = lattice(i, j + 1) * (1 - fx) + lattice(i + 1, j + 1) * fx
        return top * (1 - fy) + bottom * fy
    }

    private static func smooth(_ t: Float) -> Float { t * t * (3 - 2 * t) }

    private func lattice(_ i: Int, _ j: Int) -> Float {
        let column = UInt64(truncatingIfNeeded: i) &* 0x9E37_79B9_7F4A_7C15
        let row = UInt64(truncatingIfNeeded: j) &* 0xC2B2_AE3D_27D4_EB4F
        return Float(SplitMix64.mixed(column ^ row ^ seed) >> 40) * 0x1p-23 - 1
    }
}
