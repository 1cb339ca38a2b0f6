/// Names differences on a printed circuit board by what they do to the conductors near them.
///
/// Added copper that touches no conductor is `copper`, one is a `spur`, two or more a `short`. Missing copper with no
/// background beside it is a `pin-hole`; where the conductor falls apart it is an `open`, else a `mousebite`.
struct BoardClassifier: Sendable {
    /// Pixels around the difference in which conductors are looked at.
    private static let margin = 8
    /// Copper of fewer pixels is noise.
    private static let speck = 5

    /// Template, 1 where there is copper.
    let copper: [UInt8]
    let width: Int
    let height: Int
    /// Grey level from which a pixel is bright.
    let level: UInt8
    let copperIsBright: Bool

    init(template: Picture, copperIsBright: Bool) {
        let level = Self.otsuLevel(template.pixels)
        self.level = level
        self.copperIsBright = copperIsBright
        width = template.width
        height = template.height
        copper = template.pixels.map { ($0 >= level) == copperIsBright ? 1 : 0 }
    }

    /// Names one difference. `blob` is in the template's frame, `added` when the part has copper there and the template
    /// not.
    func category(
        of blob: Blob,
        added: Bool,
        part: Picture,
        shift: Shift,
        edgeTolerance: Int
    ) -> DefectCategory {
        let reach = edgeTolerance + 1
        let window = Window(
            left: max(0, blob.left - Self.margin - reach),
            top: max(0, blob.top - Self.margin - reach),
            right: min(width, blob.right + Self.margin + reach),
            bottom: min(height, blob.bottom + Self.margin + reach)
        )
        var golden = window.plane()
        var judged = window.plane()
        for y in window.top..<window.bottom {
            for x in window.left..<window.right {
                let index = window.index(x, y)
                golden[index] = copper[y * width + x]
                judged[index] = partHasCopper(part, x + shift.dx, y + shift.dy) ?? golden[index]
            }
        }
        var changed = window.plane()
        for run in blob.runs {
            for y in max(window.top, run.y - reach)...min(window.bottom - 1, run.y + reach) {
                for x in max(window.left, run.start - reach)..<min(window.right, run.end + reach) {
                    let index = window.index(x, y)
                    if judged[index] != golden[index], (judged[index] == 1) == added { changed[index] = 1 }
                }
            }
        }
        return added
            ? ofAdded(changed, golden, window)
            : ofMissing(changed, golden, judged, window)
    }

    private func ofAdded(_ changed: [UInt8], _ golden: [UInt8], _ window: Window) -> DefectCategory {
        let conductors = Regions(golden, width: window.width, height: window.height)
        switch touched(by: changed, conductors, window).count {
        case 0: return .copper
        case 1: return .spur
        default: return .short
        }
    }

    private func ofMissing(
        _ changed: [UInt8],
        _ golden: [UInt8],
        _ judged: [UInt8],
        _ window: Window
    ) -> DefectCategory {
        let background = Regions(golden.map { 1 - $0 }, width: window.width, height: window.height)
        if touched(by: changed, background, window).isEmpty { return .pinHole }
        let pieces = Regions(judged, width: window.width, height: window.height)
        return touched(by: changed, pieces, window).count >= 2 ? .open : .mousebite
    }

    /// Regions, specks left out, that touch a changed pixel, corners included.
    private func touched(by changed: [UInt8], _ regions: Regions, _ window: Window) -> Set<Int32> {
        var found: Set<Int32> = []
        for y in 0..<window.height {
            for x in 0..<window.width where changed[y * window.width + x] != 0 {
                for nearY in max(0, y - 1)...min(window.height - 1, y + 1) {
                    for nearX in max(0, x - 1)...min(window.width - 1, x + 1) {
                        let label = regions.labels[nearY * window.width + nearX]
                        if label != 0, regions.areas[Int(label)] >= Self.speck { found.insert(label) }
                    }
                }
            }
        }
        return found
    }

    private func partHasCopper(_ part: Picture, _ x: Int, _ y: Int) -> UInt8? {
        guard x >= 0, y >= 0, x < part.width, y < part.height else { return nil }
        return (part.pixels[y * part.width + x] >= level) == copperIsBright ? 1 : 0
    }

    /// The level that splits the histogram into the two classes furthest apart (Otsu 1979).
    static func otsuLevel(_ pixels: [UInt8]) -> UInt8 {
        var histogram = [Int](repeating: 0, count: 256)
        pixels.withUnsafeBufferPointer { for pixel in $0 { histogram[Int(pixel)] += 1 } }
        let total = Double(pixels.count)
        let sum = histogram.enumerated().reduce(0.0) { $0 + Double($1.offset * $1.element) }
        var (below, sumBelow, best, level) = (0.0, 0.0, -1.0, UInt8(128))
        for candidate in 0..<255 {
            below += Double(histogram[candidate])
            sumBelow += Double(candidate * histogram[candidate])
            guard below > 0, below < total else { continue }
            let apart = sumBelow / below - (sum - sumBelow) / (total - below)
            let between = below * (total - below) * apart * apart
            if between > best { (best, level) = (between, UInt8(candidate + 1)) }
        }
        return level
    }

    private struct Window {
        let left: Int
        let top: Int
        let right: Int
        let bottom: Int

        var width: Int { right - left }
        var height: Int { bottom - top }

        func plane() -> [UInt8] { [UInt8](repeating: 0, count: width * height) }
        func index(_ x: Int, _ y: Int) -> Int { (y - top) * width + x - left }
    }
}
