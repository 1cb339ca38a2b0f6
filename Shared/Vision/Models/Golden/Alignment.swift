import CPixels

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

    private static func halved(_ picture: Picture) -> Picture {
        let (width, height) = (picture.width / 2, picture.height / 2)
        return Picture(width: width, height: height) { out in
            picture.withPlane {
                PixelLoops.halve($0, into: Plane(base: out, width: width, height: height, stride: width))
            }
        }
    }

    /// The levels of another picture of the size, each in scratch memory but the first.
    fileprivate func levels(of grey: Plane<UInt8>, _ scratch: Scratch) -> [Plane<UInt8>] {
        var planes = [grey]
        for level in levels.dropFirst() {
            let half = scratch.plane(UInt8.self, level.width, level.height)
            PixelLoops.halve(planes[planes.count - 1], into: half)
            planes.append(half)
        }
        return planes
    }
}

/// Where the template's pixel (x, y) is found in the part's picture: (x + dx, y + dy).
package struct Shift: Equatable, Sendable {
    package var dx: Int
    package var dy: Int

    package init(dx: Int, dy: Int) { (self.dx, self.dy) = (dx, dy) }
}

enum Alignment {
    /// Places of the coarsest level that are followed to full size: repeated patterns look alike when small.
    private static let followed = 4

    /// Translation, in whole pixels, with the smallest sum of absolute differences; of equals the smallest shift.
    static func shift(of part: Picture, to template: Pyramid, maxShift: Int, _ scratch: Scratch) -> Shift {
        part.withPlane { shift(of: template.levels(of: $0, scratch), to: template, maxShift) }
    }

    private static func shift(of part: [Plane<UInt8>], to template: Pyramid, _ maxShift: Int) -> Shift {
        let coarsest = part.count - 1
        let reach = (maxShift + (1 << coarsest) - 1) >> coarsest
        var candidates = around(Shift(dx: 0, dy: 0), reach)
        for level in stride(from: coarsest, through: 0, by: -1) {
            let limit = min((maxShift + (1 << level) - 1) >> level, largestShift(at: template.levels[level]))
            let tried = candidates.filter { abs($0.dx) <= limit && abs($0.dy) <= limit }
            let ranked = zip(tried, costs(part[level], template.levels[level], tried, inset: limit))
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

    /// For each shift the sum of absolute differences over the template without a border of `inset` pixels; every second
    /// row of large ones. Row by row, while the rows are near at hand.
    private static func costs(_ part: Plane<UInt8>, _ template: Picture, _ shifts: [Shift], inset: Int) -> [UInt64] {
        let count = template.width - 2 * inset
        let step = template.height > 256 ? 2 : 1
        let loops = pixels_best().pointee
        var costs = [UInt64](repeating: 0, count: shifts.count)
        template.withPlane { golden in
            for y in stride(from: inset, to: template.height - inset, by: step) {
                let left = golden.row(y) + inset
                for (index, shift) in shifts.enumerated() {
                    let right = part.row(y + shift.dy) + inset + shift.dx
                    costs[index] &+= UInt64(loops.difference(left, right, count))
                }
            }
        }
        return costs
    }
}
