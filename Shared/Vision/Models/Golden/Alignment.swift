/// A grey picture at full size and at halves of it, coarse to fine search by translation.
struct Pyramid: Sendable {
    /// Full size first, each next half as wide and high.
    let levels: [Picture]

    /// `deepest` is the number of halvings wanted; fewer are made where the picture would become smaller than 32
    /// pixels.
    init(_ grey: Picture, deepest: Int) {
        precondition(grey.channels == 1)
        var levels = [grey]
        while levels.count <= deepest, let last = levels.last, min(last.width, last.height) >= 64 {
            levels.append(Self.halved(last))
        }
        self.levels = levels
    }

    /// Halvings after which a shift of `maxShift` pixels is at most 3.
    static func depth(maxShift: Int) -> Int {
        var depth = 0
        while maxShift >> depth > 3 { depth += 1 }
        return depth
    }

    /// Mean of each 2x2 block.
    private static func halved(_ picture: Picture) -> Picture {
        let (width, height) = (picture.width / 2, picture.height / 2)
        let half = [UInt8](unsafeUninitializedCapacity: width * height) { out, initialised in
            picture.pixels.withUnsafeBufferPointer { source in
                for y in 0..<height {
                    let upper = 2 &* y &* picture.width
                    let lower = upper &+ picture.width
                    for x in 0..<width {
                        let sum =
                            UInt16(source[upper &+ 2 &* x]) &+ UInt16(source[upper &+ 2 &* x &+ 1])
                            &+ UInt16(source[lower &+ 2 &* x]) &+ UInt16(source[lower &+ 2 &* x &+ 1])
                        out[y &* width &+ x] = UInt8(truncatingIfNeeded: (sum &+ 2) >> 2)
                    }
                }
            }
            initialised = width * height
        }
        return Picture(unchecked: half, width: width, height: height, channels: 1)
    }
}

/// Where the template's pixel (x, y) is found in the part's picture: (x + dx, y + dy).
struct Shift: Equatable, Sendable {
    var dx: Int
    var dy: Int
}

enum Alignment {
    /// Places of the coarsest level that are followed to full size: repeated patterns look alike when small.
    private static let followed = 4

    /// Translation, in whole pixels, with the smallest sum of absolute differences; of equals the smallest shift.
    static func shift(of part: Pyramid, to template: Pyramid, maxShift: Int) -> Shift {
        precondition(part.levels.count == template.levels.count)
        let coarsest = part.levels.count - 1
        let reach = (maxShift + (1 << coarsest) - 1) >> coarsest
        var candidates = around(Shift(dx: 0, dy: 0), reach)
        for level in stride(from: coarsest, through: 0, by: -1) {
            let limit = min((maxShift + (1 << level) - 1) >> level, largestShift(at: template.levels[level]))
            let ranked = candidates.filter { abs($0.dx) <= limit && abs($0.dy) <= limit }
                .map { shift in
                    (shift, cost(part.levels[level], template.levels[level], shift, inset: limit))
                }
                .sorted { ($0.1, distance($0.0), $0.0.dy, $0.0.dx) < ($1.1, distance($1.0), $1.0.dy, $1.0.dx) }
            let best = ranked.prefix(level > 1 ? followed : 1).map(\.0)
            guard level > 0 else { return best.first ?? Shift(dx: 0, dy: 0) }
            candidates = []
            for shift in best {
                for near in around(Shift(dx: 2 * shift.dx, dy: 2 * shift.dy), 1) where !candidates.contains(near) {
                    candidates.append(near)
                }
            }
        }
        return Shift(dx: 0, dy: 0)
    }

    private static func distance(_ shift: Shift) -> Int { abs(shift.dx) + abs(shift.dy) }

    /// A quarter of the picture at most, so that half of it is compared.
    private static func largestShift(at picture: Picture) -> Int { min(picture.width, picture.height) / 4 }

    private static func around(_ centre: Shift, _ reach: Int) -> [Shift] {
        (-reach...reach).flatMap { dy in (-reach...reach).map { Shift(dx: centre.dx + $0, dy: centre.dy + dy) } }
    }

    /// Sum of absolute differences over the template without a border of `inset` pixels; every second row of large
    /// ones.
    private static func cost(_ part: Picture, _ template: Picture, _ shift: Shift, inset: Int) -> UInt64 {
        let count = template.width - 2 * inset
        let step = template.height > 256 ? 2 : 1
        return part.pixels.withUnsafeBufferPointer { partPixels in
            template.pixels.withUnsafeBufferPointer { templatePixels in
                guard let part = partPixels.baseAddress, let golden = templatePixels.baseAddress else { return 0 }
                var total: UInt64 = 0
                for y in stride(from: inset, to: template.height - inset, by: step) {
                    let left = golden + y * template.width + inset
                    let right = part + (y + shift.dy) * template.width + inset + shift.dx
                    total &+= UInt64(rowDifference(left, right, count))
                }
                return total
            }
        }
    }

    private static func rowDifference(_ left: UnsafePointer<UInt8>, _ right: UnsafePointer<UInt8>, _ count: Int)
        -> UInt32
    {
        var sum: UInt32 = 0
        for index in 0..<count {
            let difference = Int32(left[index]) &- Int32(right[index])
            sum &+= UInt32(truncatingIfNeeded: difference < 0 ? 0 &- difference : difference)
        }
        return sum
    }
}
