/// A grey picture made ready for reading, and how its pixels lie in the picture it was made from.
struct CodeView {
    let width: Int
    let height: Int
    let pixels: [UInt8]
    /// Pixels of this view for one of the picture: numerator and denominator.
    private let up: Int
    private let down: Int
    /// Where the view's first pixel lies in the picture.
    private var left = 0
    private var top = 0

    init(_ picture: Picture) {
        let grey = picture.grey()
        self.init(width: grey.width, height: grey.height, pixels: grey.pixels, up: 1, down: 1)
    }

    private init(width: Int, height: Int, pixels: [UInt8], up: Int, down: Int) {
        self.width = width
        self.height = height
        self.pixels = pixels
        self.up = up
        self.down = down
    }

    /// Where a pixel of the view lies in the picture.
    func place(_ point: PicturePoint) -> PicturePoint {
        PicturePoint(x: left + (point.x * down + down / 2) / up, y: top + (point.y * down + down / 2) / up)
    }

    private func with(_ pixels: [UInt8]) -> CodeView {
        CodeView(width: width, height: height, pixels: pixels, up: up, down: down)
    }

    /// The pixels of the box of the picture and as many around it as `margin` says and there are; of a view that is
    /// neither enlarged nor reduced. nil where the box lies outside.
    func cropped(to box: Box, margin: Int) -> CodeView? {
        let (x0, y0) = (max(0, box.x - margin), max(0, box.y - margin))
        let (x1, y1) = (min(width, box.x + box.width + margin), min(height, box.y + box.height + margin))
        guard up == down, x0 < x1, y0 < y1 else { return nil }
        var part: [UInt8] = []
        part.reserveCapacity((x1 - x0) * (y1 - y0))
        for y in y0..<y1 { part += pixels[y * width + x0..<y * width + x1] }
        var view = CodeView(width: x1 - x0, height: y1 - y0, pixels: part, up: up, down: down)
        (view.left, view.top) = (x0, y0)
        return view
    }

    /// Light and dark exchanged.
    func inverted() -> CodeView { with(pixels.map { 255 - $0 }) }

    /// The darkest and the brightest hundredth become black and white.
    func stretched() -> CodeView {
        var histogram = [Int](repeating: 0, count: 256)
        for pixel in pixels { histogram[Int(pixel)] += 1 }
        let cut = pixels.count / 100
        var (low, high) = (0, 255)
        var below = histogram[0]
        while low < 255, below <= cut {
            low += 1
            below += histogram[low]
        }
        var above = histogram[255]
        while high > low, above <= cut {
            high -= 1
            above += histogram[high]
        }
        guard high > low else { return self }
        let table = (0..<256).map { UInt8(min(255, max(0, (($0 - low) * 255 + (high - low) / 2) / (high - low)))) }
        return with(pixels.map { table[Int($0)] })
    }

    /// Means of `factor` times `factor` pixels; nil where nothing would be left.
    func reduced(_ factor: Int) -> CodeView? {
        let (w, h) = (width / factor, height / factor)
        guard w > 0, h > 0 else { return nil }
        let out = [UInt8](unsafeUninitializedCapacity: w * h) { out, initialised in
            pixels.withUnsafeBufferPointer { source in
                for y in 0..<h {
                    for x in 0..<w {
                        var sum = 0
                        for dy in 0..<factor {
                            let start = (y * factor + dy) * width + x * factor
                            for dx in 0..<factor { sum += Int(source[start + dx]) }
                        }
                        out[y * w + x] = UInt8(truncatingIfNeeded: (sum + factor * factor / 2) / (factor * factor))
                    }
                }
            }
            initialised = w * h
        }
        return CodeView(width: w, height: h, pixels: out, up: up, down: down * factor)
    }

    /// `factor` times as wide and high, by cubic convolution (Keys 1981, a = -1/2).
    func enlarged(_ factor: Int) -> CodeView {
        let phases = CubicPhase.all(factor)
        let wide = Self.widened(pixels, rows: height, columns: width, phases)
        return CodeView(
            width: width * factor,
            height: height * factor,
            pixels: Self.heightened(wide, rows: height, columns: width * factor, phases),
            up: up * factor,
            down: down
        )
    }

    /// Each pixel's difference to the mean of its surroundings of `2 * radius + 1` pixels squared, half as strong
    /// again as `strength` tenths.
    func sharpened(radius: Int, strength: Int) -> CodeView {
        let mean = blurred(radius: radius).pixels
        var out = pixels
        for index in out.indices {
            let value = Int(pixels[index])
            out[index] = UInt8(min(255, max(0, value + (value - Int(mean[index])) * strength / 10)))
        }
        return with(out)
    }

    /// Mean of two passes over `2 * radius + 1` pixels in each direction.
    func blurred(radius: Int) -> CodeView {
        var plane = pixels
        for _ in 0..<2 {
            plane = Self.meanOfRows(plane, rows: height, columns: width, radius: radius)
        }
        plane = Self.transposed(plane, rows: height, columns: width)
        for _ in 0..<2 {
            plane = Self.meanOfRows(plane, rows: width, columns: height, radius: radius)
        }
        return with(Self.transposed(plane, rows: width, columns: height))
    }

    /// Columns become rows.
    func transposed() -> CodeView {
        CodeView(
            width: height,
            height: width,
            pixels: Self.transposed(pixels, rows: height, columns: width),
            up: up,
            down: down
        )
    }

    private static func transposed(_ plane: [UInt8], rows: Int, columns: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: plane.count) { out, initialised in
            plane.withUnsafeBufferPointer { source in
                let tile = 32
                for top in stride(from: 0, to: rows, by: tile) {
                    for left in stride(from: 0, to: columns, by: tile) {
                        for y in top..<min(rows, top + tile) {
                            for x in left..<min(columns, left + tile) { out[x * rows + y] = source[y * columns + x] }
                        }
                    }
                }
            }
            initialised = plane.count
        }
    }

    private static func meanOfRows(_ plane: [UInt8], rows: Int, columns: Int, radius: Int) -> [UInt8] {
        let span = 2 * radius + 1
        return [UInt8](unsafeUninitializedCapacity: plane.count) { out, initialised in
            plane.withUnsafeBufferPointer { source in
                for y in 0..<rows {
                    let row = y * columns
                    var sum = 0
                    for x in -radius...radius { sum += Int(source[row + min(max(x, 0), columns - 1)]) }
                    for x in 0..<columns {
                        out[row + x] = UInt8(truncatingIfNeeded: (sum + radius) / span)
                        sum += Int(source[row + min(x + radius + 1, columns - 1)])
                        sum -= Int(source[row + max(x - radius, 0)])
                    }
                }
            }
            initialised = plane.count
        }
    }

    private static func widened(_ plane: [UInt8], rows: Int, columns: Int, _ phases: [CubicPhase]) -> [UInt8] {
        let factor = phases.count
        return [UInt8](unsafeUninitializedCapacity: plane.count * factor) { out, initialised in
            plane.withUnsafeBufferPointer { source in
                for (index, phase) in phases.enumerated() {
                    for y in 0..<rows {
                        let row = y * columns
                        let target = row * factor + index
                        func sample(_ x: Int) -> UInt8 {
                            func tap(_ at: Int) -> Int32 { Int32(source[row + min(max(x + at, 0), columns - 1)]) }
                            let first = phase.first
                            return phase.value(tap(first), tap(first + 1), tap(first + 2), tap(first + 3))
                        }
                        let inner = min(2, columns)..<max(min(2, columns), columns - 2)
                        for x in 0..<inner.lowerBound { out[target + x * factor] = sample(x) }
                        for x in inner {
                            let at = row &+ x &+ phase.first
                            out[target &+ x &* factor] = phase.value(
                                Int32(source[at]),
                                Int32(source[at &+ 1]),
                                Int32(source[at &+ 2]),
                                Int32(source[at &+ 3])
                            )
                        }
                        for x in inner.upperBound..<columns { out[target + x * factor] = sample(x) }
                    }
                }
            }
            initialised = plane.count * factor
        }
    }

    private static func heightened(_ plane: [UInt8], rows: Int, columns: Int, _ phases: [CubicPhase]) -> [UInt8] {
        let factor = phases.count
        return [UInt8](unsafeUninitializedCapacity: plane.count * factor) { out, initialised in
            plane.withUnsafeBufferPointer { source in
                for y in 0..<rows {
                    for (index, phase) in phases.enumerated() {
                        func row(_ tap: Int) -> Int { min(max(y + phase.first + tap, 0), rows - 1) * columns }
                        let (first, second, third, fourth) = (row(0), row(1), row(2), row(3))
                        let target = (y * factor + index) * columns
                        for x in 0..<columns {
                            out[target &+ x] = phase.value(
                                Int32(source[first &+ x]),
                                Int32(source[second &+ x]),
                                Int32(source[third &+ x]),
                                Int32(source[fourth &+ x])
                            )
                        }
                    }
                }
            }
            initialised = plane.count * factor
        }
    }
}

/// One of the places between two pixels at which an enlarged picture has its own: four weights of 11 bits.
private struct CubicPhase {
    /// The first of the four pixels, seen from the one that is enlarged.
    let first: Int
    private let weights: (Int32, Int32, Int32, Int32)

    static func all(_ factor: Int) -> [CubicPhase] {
        (0..<factor).map { phase in
            // Centre of the new pixel, in old pixels to the right of the centre of the one at its left.
            let offset = (Double(phase) + 0.5) / Double(factor) - 0.5
            let (shift, t) = offset < 0 ? (-1, offset + 1) : (0, offset)
            let (t2, t3) = (t * t, t * t * t)
            let cubic = [-t3 + 2 * t2 - t, 3 * t3 - 5 * t2 + 2, -3 * t3 + 4 * t2 + t, t3 - t2]
            let weights = cubic.map { Int32(($0 * 2048).rounded()) }
            return CubicPhase(first: shift - 1, weights: (weights[0], weights[1], weights[2], weights[3]))
        }
    }

    @inline(__always)
    func value(_ first: Int32, _ second: Int32, _ third: Int32, _ fourth: Int32) -> UInt8 {
        let sum =
            2048 &+ weights.0 &* first &+ weights.1 &* second &+ weights.2 &* third &+ weights.3 &* fourth
        return UInt8(truncatingIfNeeded: min(255, max(0, sum >> 12)))
    }
}
