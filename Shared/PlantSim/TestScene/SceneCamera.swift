import SeededRandom

/// The way from the board's surface to the grey levels of one picture: shift, blur, light, contrast and sensor noise.
struct SceneCamera: Sendable {
    /// How one picture was taken.
    struct Shot {
        /// Shift of the board in the picture, pixels; x to the right, y down.
        var shift = Point(x: 0, y: 0)
        /// Share of the light that each neighbour gets, 0...0.25.
        var blur: Float = 0.1
        /// Contrast; 1 is as set up.
        var gain: Float = 1
        /// Brightness, grey levels.
        var offset: Float = 0
        /// Standard deviation of the sensor noise, grey levels; 0 for none.
        var noise: Float = 0

        static func random(_ random: inout SplitMix64) -> Self {
            let reach = SceneCamera.maximumShift
            return Self(
                shift: Point(x: random.uniform(-reach...reach), y: random.uniform(-reach...reach)),
                blur: random.uniform(0.05...0.19),
                gain: random.uniform(0.93...1.07),
                offset: random.uniform(-6...6),
                noise: random.uniform(1.4...2.8)
            )
        }
    }

    static let maximumShift: Float = 6
    /// Border of surface around the picture, pixels: shift, blur and one pixel for the sub-pixel part.
    static let border = 8

    let side: Int
    /// Light falling on each pixel: 2^14 is full.
    private let light: [Int32]

    init(side: Int) {
        self.side = side
        // A ring light is brightest a little off the middle.
        light = (0..<side * side).map { index in
            let x = Float(index % side) / Float(side) - 0.46
            let y = Float(index / side) / Float(side) - 0.53
            return Int32((1 - 0.26 * (x * x + y * y)) * 16_384)
        }
    }

    /// Takes the picture. `surface` has `side + 2 * border` pixels a row. Fixed point throughout, so that every machine
    /// takes the same picture: 7 fractional bits in the taps and between the passes.
    func take(_ surface: [UInt8], _ shot: Shot, _ random: inout SplitMix64) -> [UInt8] {
        let wide = side + 2 * Self.border
        precondition(surface.count == wide * wide, "a surface of \(surface.count) pixels; expected \(wide * wide)")
        let (left, across) = Self.taps(shift: shot.shift.x, blur: shot.blur)
        let (top, down) = Self.taps(shift: shot.shift.y, blur: shot.blur)
        let gain = Int32((shot.gain * 256).rounded())
        let offset = Int32((shot.offset * 128).rounded()) + 64
        // The lanes' deviation is 147.8 sums; the noise is wanted in 128ths of a grey level.
        let scale = Int32(shot.noise * 128 / 147.8 * 65_536)
        var lanes = NoiseLanes(from: &random)
        let side = side
        let padded = (side + 7) / 8 * 8
        // Rows after the pass across, as a ring of the four that the pass down needs.
        return withUnsafeTemporaryAllocation(of: Int32.self, capacity: padded * 5) { scratch -> [UInt8] in
            guard let ring = scratch.baseAddress else { return [] }
            let noise = ring + 4 * padded
            noise.initialize(repeating: 0, count: padded)
            return [UInt8](unsafeUninitializedCapacity: side * side) { pixels, count in
                surface.withUnsafeBufferPointer { surface in
                    light.withUnsafeBufferPointer { light in
                        for row in 0..<(side + 3) {
                            let source = surface.baseAddress.map { $0 + (row + top) * wide + left }
                            Self.passAcross(source, ring + (row & 3) * padded, count: side, taps: across)
                            guard row >= 3, let out = pixels.baseAddress, let shine = light.baseAddress else {
                                continue
                            }
                            let y = row - 3
                            if scale > 0 { lanes.fill(noise, count: padded, scale: scale) }
                            let rows = (0..<4).map { UnsafePointer(ring + ((y + $0) & 3) * padded) }
                            for x in 0..<side {
                                let sum =
                                    rows[0][x] &* down[0] &+ rows[1][x] &* down[1]
                                    &+ rows[2][x] &* down[2] &+ rows[3][x] &* down[3]
                                let lit = ((sum &>> 7) &* shine[y * side + x]) &>> 14
                                let value = ((lit &* gain) &>> 8 &+ offset &+ noise[x]) &>> 7
                                out[y * side + x] = UInt8(truncatingIfNeeded: max(0, min(255, value)))
                            }
                        }
                    }
                }
                count = side * side
            }
        }
    }

    private static func passAcross(
        _ source: UnsafePointer<UInt8>?,
        _ row: UnsafeMutablePointer<Int32>,
        count: Int,
        taps: SIMD4<Int32>
    ) {
        guard let source else { return }
        let (a, b, c, d) = (taps[0], taps[1], taps[2], taps[3])
        for x in 0..<count {
            row[x] =
                Int32(source[x]) &* a &+ Int32(source[x + 1]) &* b
                &+ Int32(source[x + 2]) &* c &+ Int32(source[x + 3]) &* d
        }
    }

    /// Shift by a fraction (linear) and blur (three taps) as one filter of four taps that sum to 128, and where on the
    /// surface its first tap lies for pixel 0.
    private static func taps(shift: Float, blur: Float) -> (first: Int, taps: SIMD4<Int32>) {
        let place = Float(border) - shift
        let whole = place.rounded(.down)
        let part = place - whole
        let exact: [Float] = [
            blur * (1 - part),
            (1 - 2 * blur) * (1 - part) + blur * part,
            blur * (1 - part) + (1 - 2 * blur) * part,
            blur * part,
        ]
        var taps = SIMD4<Int32>(exact.map { Int32(($0 * 128).rounded()) })
        taps[part < 0.5 ? 1 : 2] += 128 - taps.wrappedSum()
        return (Int(whole) - 1, taps)
    }
}
