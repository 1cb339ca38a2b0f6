/// Judges differences on a printed circuit board by what they do to the conductors near them.
///
/// Added copper that touches no conductor is `copper`, one is a `spur`; where one piece of it joins two or more it is a
/// `short`. Missing copper that opens to no background is a `pin-hole`; where the conductor falls apart it is an
/// `open`, else a `mousebite`. The sizes below are pixels of a board taken at about 50 pixels a millimetre.
struct BoardJudge: Sendable {
    /// Pixels at most this far apart belong to one defect.
    static let joinReach = 8
    /// Pixels around the difference by which the template is laid on the part once more.
    private static let alignMargin = 18
    /// Farthest that it is moved then.
    private static let alignReach = 3
    /// Larger windows are not aligned once more.
    private static let largestAligned = 250_000
    /// Pixels around the difference in which conductors are told apart.
    private static let margin = 6
    /// Steps by which a difference grows from what is beyond the edge tolerance into what is not.
    private static let growth = 4
    /// Differences of so many pixels are no roughness of the edges around others.
    private static let largeArea = 20
    /// A piece of a difference that stands apart counts from this share of the largest piece.
    private static let pieceShare = 0.25
    /// A bite or spur longer than this counts as if it were so long: an edge that lies a little elsewhere differs in a
    /// long strip, a bite stands out.
    private static let countedEdge = 8.0
    /// One that is more than so many times as long as it is wide counts less.
    private static let mostSlender = 4.0
    /// So much more is the limit of a defect of an edge where the edges around it differ beyond the tolerance too.
    private static let noiseWeight = 3.0
    /// The same for lone copper and holes.
    private static let loneLength = 5.0
    /// Least extent of a bite or spur; of a narrower one so much counts for each pixel.
    private static let edgeExtent = 4.0
    private static let areaPerExtent = 2.5
    /// So far the ends of a drawing may lie apart in part and template.
    private static let endReach = 8
    /// So near the picture's border the template is not known well.
    private static let border = 3
    private static let borderWeight = 1.0 / 3

    let settings: GoldenSettings
    let width: Int
    let height: Int
    /// Template, grey.
    let grey: [UInt8]
    /// Grey level from which a pixel is bright: halfway between copper and ground.
    let level: UInt8
    /// Template, 1 where there is copper.
    let copper: [UInt8]
    let copperPlane: BitPlane
    private let copperBounds: (left: Int, top: Int, right: Int, bottom: Int)?

    private var copperIsBright: Bool { settings.copper == .bright }

    init(template: Picture, settings: GoldenSettings) {
        self.settings = settings
        (width, height, grey) = (template.width, template.height, template.pixels)
        level = OtsuLevel.middle(of: template.pixels)
        copper = Self.copper(template.pixels, level, isBright: settings.copper == .bright)
        copperPlane = BitPlane(copper, width: template.width, height: template.height)
        copperBounds = copperPlane.bounds
    }

    /// 1 for each pixel that is copper.
    func copper(of part: Picture) -> [UInt8] { Self.copper(part.pixels, level, isBright: copperIsBright) }

    private static func copper(_ grey: [UInt8], _ level: UInt8, isBright: Bool) -> [UInt8] {
        let (bright, dark): (UInt8, UInt8) = isBright ? (1, 0) : (0, 1)
        return [UInt8](unsafeUninitializedCapacity: grey.count) { out, initialised in
            grey.withUnsafeBufferPointer { grey in
                for at in 0..<grey.count { out[at] = grey[at] >= level ? bright : dark }
            }
            initialised = grey.count
        }
    }

    /// A part with its copper.
    struct Part {
        let grey: Picture
        let copper: [UInt8]
        /// What of it is compared.
        let frame: PixelWindow
        let etch: EtchField
        /// By the pixels that are added to the edge tolerance.
        let tolerances: [ToleranceBand]

        /// Whether a pixel's level is beyond what the template's pixel `golden` tolerates.
        func isBeyond(_ value: UInt8, _ golden: Int, x: Int, y: Int, brighter: Bool) -> Bool {
            let columns = (grey.width + ShiftField.tile - 1) / ShiftField.tile
            let key = etch.keys[y / ShiftField.tile * columns + x / ShiftField.tile]
            return brighter
                ? value > tolerances[EtchField.higher(key)].highest[golden]
                : value < tolerances[EtchField.lower(key)].lowest[golden]
        }
    }

    /// What of a part is compared: all, but where a drawing with many conductors is cut off straight before the picture
    /// ends, and a few pixels elsewhere in the template, as pictures are that were cut out of larger ones. There both
    /// end at the earlier place.
    func frame(of part: BitPlane, _ copper: [UInt8], _ shift: Shift) -> PixelWindow {
        let all = PixelWindow(width: width, height: height)
        guard let judged = part.bounds, let golden = copperBounds else { return all }
        func row(_ copper: [UInt8], _ y: Int) -> [UInt8] { Array(copper[y * width..<(y + 1) * width]) }
        func column(_ copper: [UInt8], _ x: Int) -> [UInt8] { (0..<height).map { copper[$0 * width + x] } }
        func rows(_ y: Int, _ goldenY: Int) -> Bool {
            Self.isCut(y, goldenY + shift.dy) && Self.isSame(row(copper, y), row(self.copper, goldenY), shift.dx)
        }
        func columns(_ x: Int, _ goldenX: Int) -> Bool {
            Self.isCut(x, goldenX + shift.dx) && Self.isSame(column(copper, x), column(self.copper, goldenX), shift.dy)
        }
        return PixelWindow(
            left: columns(judged.left, golden.left) ? max(judged.left, golden.left + shift.dx) + 1 : 0,
            top: rows(judged.top, golden.top) ? max(judged.top, golden.top + shift.dy) + 1 : 0,
            right: columns(judged.right - 1, golden.right - 1) ? min(judged.right, golden.right + shift.dx) - 1 : width,
            bottom: rows(judged.bottom - 1, golden.bottom - 1)
                ? min(judged.bottom, golden.bottom + shift.dy) - 1 : height
        )
    }

    private static func isCut(_ found: Int, _ expected: Int) -> Bool {
        found != expected && abs(found - expected) <= endReach
    }

    /// Whether two ends of drawings show the same conductors, and many of them.
    private static func isSame(_ found: [UInt8], _ expected: [UInt8], _ shift: Int) -> Bool {
        func count(_ line: [UInt8]) -> Int { line.reduce(0) { $0 + Int($1) } }
        let both = known(0, found.count, shift, found.count).reduce(0) { $0 + Int(found[$1] & expected[$1 - shift]) }
        let (most, least) = (max(count(found), count(expected)), min(count(found), count(expected)))
        return least * 8 >= found.count && both * 10 >= 7 * most
    }

    /// What one difference is, after the template was laid on its surroundings once more; nil where nothing is left of
    /// it then. `blob` is in the part's pixels and one of `all`, the largest first; `shift` is the one there.
    func defect(
        _ blob: Blob,
        among all: ArraySlice<Blob>,
        brighter: Bool,
        part: Part,
        shift: Shift
    ) -> FoundDefect? {
        let window = PixelWindow(
            left: blob.left,
            top: blob.top,
            right: blob.right,
            bottom: blob.bottom,
            margin: Self.alignMargin,
            within: part.frame
        )
        var own = window.plane()
        window.set(blob.runs, in: &own)
        let near = window.dilated(own, steps: Self.growth + 2)
        let others = all.prefix { $0.area >= Self.largeArea }.filter { window.touches($0) && !blob.isSame(as: $0) }
        var large = near
        if !others.isEmpty {
            for other in others { window.set(other.runs, in: &own) }
            large = window.dilated(own, steps: Self.growth + 2)
        }
        let best = window.count > Self.largestAligned ? shift : aligned(window, without: large, part, shift)
        let found = differences(window, near: near, large: large, brighter: brighter, part, best)
        guard found.seedCount > 0 else { return nil }
        var changed = found.seeds
        for _ in 0..<Self.growth {
            let wider = window.dilated(changed, steps: 1)
            for at in changed.indices { changed[at] |= wider[at] & found.differs[at] }
        }
        let seedCount = keepPieces(of: &changed, seeds: found.seeds, window)
        guard let box = window.bounds(changed) else { return nil }
        let category = category(changed, window, box, added: brighter == copperIsBright, part, best)
        return FoundDefect(
            category: category,
            x: box.left,
            y: box.top,
            width: box.right - box.left,
            height: box.bottom - box.top,
            area: seedCount,
            score: score(category, seedCount, box, noise: found.noise)
        )
    }

    /// Takes the small pieces away from a difference: an edge close to a defect is rough too, and must not pass for its
    /// root. Returns how many of the pixels beyond the tolerance are left.
    private func keepPieces(of changed: inout [UInt8], seeds: [UInt8], _ window: PixelWindow) -> Int {
        let pieces = Regions(
            window.dilated(changed, steps: 1),
            width: window.width,
            height: window.height,
            corners: true
        )
        var areas = [Int](repeating: 0, count: pieces.areas.count)
        for at in seeds.indices where seeds[at] != 0 { areas[Int(pieces.labels[at])] += 1 }
        let least = Double(areas.max() ?? 0) * Self.pieceShare
        for at in changed.indices where Double(areas[Int(pieces.labels[at])]) < least { changed[at] = 0 }
        return areas.reduce(0) { $0 + (Double($1) < least ? 0 : $1) }
    }

    /// How a window of a part differs from the template.
    private struct Differences {
        /// 1 for each pixel of the difference that is beyond the tolerance.
        var seeds: [UInt8]
        var seedCount = 0
        /// 1 for each pixel that differs, tolerated or not.
        var differs: [UInt8]
        /// Pixels beyond the tolerance in the surroundings, for each pixel of an edge there.
        var noise = 0.0
    }

    /// `near` is 1 where the difference is, with what is close to it; `large` where that or another large one is.
    private func differences(
        _ window: PixelWindow,
        near: [UInt8],
        large: [UInt8],
        brighter: Bool,
        _ part: Part,
        _ shift: Shift
    ) -> Differences {
        var found = Differences(seeds: window.plane(), differs: window.plane())
        var (elsewhere, edges) = (0, 0)
        part.grey.pixels.withUnsafeBufferPointer { pixels in
            for y in Self.known(window.top, window.bottom, shift.dy, height) {
                for x in Self.known(window.left, window.right, shift.dx, width) {
                    let value = pixels[y * width + x]
                    let golden = (y - shift.dy) * width + x - shift.dx
                    let at = window.index(x, y)
                    let isNear = near[at] != 0
                    if !isNear, isEdge(golden) { edges += 1 }
                    let difference = Int(value) - Int(grey[golden])
                    guard (brighter ? difference : -difference) > settings.threshold else { continue }
                    found.differs[at] = 1
                    guard part.isBeyond(value, golden, x: x, y: y, brighter: brighter) else { continue }
                    found.seeds[at] = isNear ? 1 : 0
                    if isNear { found.seedCount += 1 } else if large[at] == 0 { elsewhere += 1 }
                }
            }
        }
        found.noise = Double(elsewhere) / Double(max(1, edges))
        return found
    }

    /// Whether copper begins or ends at the template's pixel, seen from the one to the left or above.
    private func isEdge(_ at: Int) -> Bool {
        (at % width > 0 && copper[at] != copper[at - 1]) || (at >= width && copper[at] != copper[at - width])
    }

    /// Strength of a defect of so many pixels beyond the edge tolerance; 1 is the limit.
    private func score(
        _ category: DefectCategory,
        _ area: Int,
        _ box: (left: Int, top: Int, right: Int, bottom: Int),
        noise: Double
    ) -> Double {
        let sides = (Double(box.right - box.left), Double(box.bottom - box.top))
        let area = Double(area)
        let meanHeight = area / max(sides.0, sides.1)
        let limit = Double(settings.minArea)
        let edgeLimit = limit * (1 + Self.noiseWeight * noise)
        let extent = min(sides.0, sides.1)
        let narrow = extent < Self.edgeExtent ? extent * Self.areaPerExtent : area
        let slender = min(1, extent * Self.mostSlender / max(sides.0, sides.1))
        let edge = min(area, meanHeight * Self.countedEdge) * slender
        switch category {
        // What joins or parts conductors counts however thin it is.
        case .open, .short: return max(min(area, limit), edge) / edgeLimit
        case .mousebite, .spur: return min(edge, narrow) * weight(box) / edgeLimit
        default: return min(area, meanHeight * Self.loneLength) * weight(box) / limit
        }
    }

    private func weight(_ box: (left: Int, top: Int, right: Int, bottom: Int)) -> Double {
        let inside = min(box.left, box.top, width - box.right, height - box.bottom)
        return inside <= Self.border ? Self.borderWeight : 1
    }

    /// The shift near `shift` that leaves the fewest differing pixels in the window but not among those left out.
    private func aligned(_ window: PixelWindow, without near: [UInt8], _ part: Part, _ shift: Shift) -> Shift {
        var best = (cost: Int.max, shift: shift)
        for dy in -Self.alignReach...Self.alignReach {
            for dx in -Self.alignReach...Self.alignReach {
                let tried = Shift(dx: shift.dx + dx, dy: shift.dy + dy)
                let cost = differing(window, without: near, part, tried) + abs(dx) + abs(dy)
                if cost < best.cost { best = (cost, tried) }
            }
        }
        return best.shift
    }

    /// What a template of `size`, moved by `shift`, covers of a stretch.
    private static func known(_ from: Int, _ to: Int, _ shift: Int, _ size: Int) -> Range<Int> {
        let first = max(from, shift)
        return first..<max(first, min(to, size + shift))
    }

    private func differing(_ window: PixelWindow, without near: [UInt8], _ part: Part, _ shift: Shift) -> Int {
        let columns = Self.known(window.left, window.right, shift.dx, width)
        let left = columns.lowerBound
        var total = 0
        part.copper.withUnsafeBufferPointer { part in
            copper.withUnsafeBufferPointer { golden in
                near.withUnsafeBufferPointer { near in
                    for y in Self.known(window.top, window.bottom, shift.dy, height) {
                        let judged = y * width + left
                        let template = (y - shift.dy) * width + left - shift.dx
                        let leftOut = window.index(left, y)
                        var row: UInt32 = 0
                        for x in 0..<columns.count {
                            row &+= UInt32((part[judged &+ x] ^ golden[template &+ x]) & ~near[leftOut &+ x])
                        }
                        total += Int(row)
                    }
                }
            }
        }
        return total
    }

    private func category(
        _ changed: [UInt8],
        _ window: PixelWindow,
        _ box: (left: Int, top: Int, right: Int, bottom: Int),
        added: Bool,
        _ part: Part,
        _ shift: Shift
    ) -> DefectCategory {
        let close = PixelWindow(
            left: box.left,
            top: box.top,
            right: box.right,
            bottom: box.bottom,
            margin: Self.margin,
            within: window
        )
        var conductors = close.plane()
        var difference = close.plane()
        var golden = close.plane()
        for y in close.top..<close.bottom {
            for x in close.left..<close.right {
                let at = close.index(x, y)
                difference[at] = changed[window.index(x, y)]
                conductors[at] = part.copper[y * width + x] & ~difference[at] & 1
            }
        }
        for y in Self.known(close.top, close.bottom, shift.dy, height) {
            for x in Self.known(close.left, close.right, shift.dx, width) {
                golden[close.index(x, y)] = copper[(y - shift.dy) * width + x - shift.dx]
            }
        }
        let scene = BoardScene(
            window: close,
            difference: difference,
            conductors: conductors,
            golden: golden,
            box: box
        )
        return added ? scene.categoryOfAdded() : scene.categoryOfMissing()
    }
}

/// The surroundings of one difference: the conductors of the part without it.
private struct BoardScene {
    /// Smaller pieces of conductor outside the difference's box are noise.
    private static let speck = 8
    /// Cut-off copper from this area is a piece of the conductor, not an island in a hole.
    private static let island = 50
    /// A cut from this length on may leave a pixel of conductor on each side of it.
    private static let longCut = 24
    /// Background that a hole may share pixels with and still be closed.
    private static let leak = 4

    let window: PixelWindow
    let difference: [UInt8]
    let conductors: [UInt8]
    /// 1 where the template has copper.
    let golden: [UInt8]
    let box: (left: Int, top: Int, right: Int, bottom: Int)

    func categoryOfAdded() -> DefectCategory {
        let pieces = Regions(difference, width: window.width, height: window.height, corners: true)
        let regions = Regions(conductors, width: window.width, height: window.height, corners: true)
        let kept = conductorsOutside(regions)
        var touched = [Set<Int32>](repeating: [], count: pieces.areas.count)
        forEachNear(1) { at, near in
            let label = regions.labels[near]
            if label != 0, kept[Int(label)] { touched[Int(pieces.labels[at])].insert(label) }
        }
        switch touched.map(\.count).max() ?? 0 {
        case 0: return .copper
        case 1: return .spur
        default: return .short
        }
    }

    func categoryOfMissing() -> DefectCategory {
        let background = Regions(
            conductors.map { 1 - $0 },
            width: window.width,
            height: window.height,
            corners: true
        )
        var opened: Set<Int32> = []
        var area = 0
        for at in difference.indices where difference[at] != 0 {
            opened.insert(background.labels[at])
            area += 1
        }
        let outside = opened.reduce(0) { $0 + background.areas[Int($1)] } - area
        if outside <= Self.leak { return .pinHole }
        // A long cut that leaves a hair of the conductor is an open all the same.
        let isLong = max(box.right - box.left, box.bottom - box.top) >= Self.longCut
        let wider = window.dilated(difference, steps: isLong ? 1 : 0)
        let thick = conductors.indices.map { conductors[$0] & ~wider[$0] & 1 }
        let regions = Regions(thick, width: window.width, height: window.height)
        let kept = conductorsOutside(regions)
        var pieces: Set<Int32> = []
        forEachNear(isLong ? 3 : 2) { _, near in
            let label = regions.labels[near]
            if label != 0, kept[Int(label)] { pieces.insert(label) }
        }
        return pieces.count >= 2 ? .open : .mousebite
    }

    /// Which regions are conductors: large ones, and those that reach out of the difference's box, where the template
    /// has copper in them too. Other copper belongs to a rough edge.
    private func conductorsOutside(_ regions: Regions) -> [Bool] {
        var outside = [Int](repeating: 0, count: regions.areas.count)
        var isKnown = [Bool](repeating: false, count: regions.areas.count)
        for y in window.top..<window.bottom {
            for x in window.left..<window.right {
                let at = window.index(x, y)
                let region = Int(regions.labels[at])
                let isInside = x >= box.left - 1 && x <= box.right && y >= box.top - 1 && y <= box.bottom
                if !isInside { outside[region] += 1 }
                if golden[at] != 0 { isKnown[region] = true }
            }
        }
        return outside.indices.map {
            isKnown[$0] && (outside[$0] >= Self.speck || regions.areas[$0] >= Self.island)
        }
    }

    /// Calls for each pixel of the difference with every pixel up to `reach` away each way.
    private func forEachNear(_ reach: Int, _ body: (_ at: Int, _ near: Int) -> Void) {
        for y in 0..<window.height {
            for x in 0..<window.width where difference[y * window.width + x] != 0 {
                for nearY in max(0, y - reach)...min(window.height - 1, y + reach) {
                    for nearX in max(0, x - reach)...min(window.width - 1, x + reach) {
                        body(y * window.width + x, nearY * window.width + nearX)
                    }
                }
            }
        }
    }
}

/// The level that splits a picture into the two classes furthest apart (Otsu 1979).
enum OtsuLevel {
    /// Lowest grey level of the brighter class.
    static func of(_ pixels: [UInt8]) -> UInt8 { withCounts(of: pixels) { PixelLoops.otsuLevel($0) } }

    /// The level halfway between the means of the two classes: far from both where the picture has hardly any grey
    /// between them.
    static func middle(of pixels: [UInt8]) -> UInt8 {
        withCounts(of: pixels) { counts in
            func mean(_ levels: Range<Int>) -> Double? {
                let count = levels.reduce(0) { $0 + Int(counts[$1]) }
                return count > 0 ? Double(levels.reduce(0) { $0 + $1 * Int(counts[$1]) }) / Double(count) : nil
            }
            let level = PixelLoops.otsuLevel(counts)
            guard let dark = mean(0..<Int(level)), let bright = mean(Int(level)..<256) else { return level }
            return UInt8(((dark + bright) / 2).rounded(.up))
        }
    }

    private static func withCounts(of pixels: [UInt8], _ body: (UnsafeMutablePointer<UInt32>) -> UInt8) -> UInt8 {
        var pixels = pixels
        let count = pixels.count
        return withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 256) { counts in
            counts.initialize(repeating: 0)
            return pixels.withUnsafeMutableBufferPointer { pixels in
                guard let base = pixels.baseAddress, let counts = counts.baseAddress else { return 128 }
                PixelLoops.histogram(Plane(base: base, width: count, height: 1, stride: count), into: counts)
                return body(counts)
            }
        }
    }
}
