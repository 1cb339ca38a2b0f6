/// Reads EAN-13 and UPC-A codes line by line from grey values, and confirms what others read of EAN and UPC codes.
enum EanReader {
    /// Lines looked at across a picture.
    private static let lines = 24
    /// Lines whose correlations are added.
    private static let mergedLines = 8
    /// Codes of one picture that are looked into.
    private static let places = 4
    /// How far a digit of a code that is confirmed may lie beside its place, modules.
    private static let slack: Float = 0.3
    /// What a reading must reach: true ones of blurred codes have a mean correlation of 0.85 to 0.97 and a margin of
    /// 0.25 to 0.6, chance readings in pictures without a code hardly ever 0.8 and never a margin of 0.15.
    private static let minCorrelation: Float = 0.8
    private static let minMargin: Float = 0.22

    /// One line on which a code was placed.
    private struct Placed {
        let table: EanTable
        let row: Int
        let isReversed: Bool
    }

    /// The EAN-13 or UPC-A code that lies along or across the picture's rows; nil where none is sure.
    static func read(_ view: CodeView) -> ReadCode? {
        for isTurned in [false, true] {
            let plane = isTurned ? view.transposed() : view
            guard plane.width >= 60 else { continue }
            let thickness = max(1, min(5, plane.height / 40))
            let count = min(lines, plane.height)
            let rows = (0..<count).map { min(plane.height - thickness, plane.height * (2 * $0 + 1) / (2 * count)) }
            var placed = place(plane, .ean13, rows: rows, thickness: thickness, directions: [false, true], near: nil)
            var best: (match: EanTable.Match, rows: [Int], isReversed: Bool)?
            for _ in 0..<places {
                guard let (match, same) = takeBest(&placed) else { break }
                guard same.count >= 2, match.margin > best?.match.margin ?? 0 else { continue }
                best = (match, same.map(\.row), same[0].isReversed)
            }
            guard let (match, found, isReversed) = best, match.correlation > minCorrelation, match.margin > minMargin
            else { continue }
            let width = Float(plane.width)
            guard hasQuietZones(match, rows: found, isReversed: isReversed, plane) else { continue }
            let ends = isReversed ? (width - match.from, width - match.to) : (match.from, match.to)
            let (top, bottom) = (found.min() ?? 0, (found.max() ?? 0) + thickness - 1)
            return code(match, ends: ends, rows: top...bottom, isTurned: isTurned, view: view)
        }
        return nil
    }

    /// Whether it is light on both sides, where the bars of a code of another kind would go on: three modules of the
    /// eleven and seven that ISO/IEC 15420 asks for.
    private static func hasQuietZones(
        _ match: EanTable.Match,
        rows: [Int],
        isReversed: Bool,
        _ plane: CodeView
    ) -> Bool {
        let module = (match.to - match.from) / Float(EanLayout.ean13.modules)
        let lines = rows.map { row in
            let line = GreyLine(plane, rows: row..<row + 1)
            return isReversed ? line.reversed() : line
        }
        func level(_ modules: Float, from end: Float) -> Float {
            lines.reduce(0) { $0 + $1.value(at: end + modules * module) } / Float(lines.count)
        }
        let inside = stride(from: Float(0.5), to: Float(EanLayout.ean13.modules), by: 0.5).map {
            level($0, from: match.from)
        }
        guard let darkest = inside.min(), let lightest = inside.max() else { return false }
        let outside = stride(from: Float(1), through: 3, by: 0.5).flatMap {
            [level(-$0, from: match.from), level($0, from: match.to)]
        }
        return outside.allSatisfy { $0 > (darkest + lightest) / 2 }
    }

    /// Whether the grey values around an EAN or UPC code say what was read, more than anything else that is valid.
    static func confirms(_ code: ReadCode, _ view: CodeView) -> Bool {
        guard let layout = layout(of: code.symbology), let first = code.corners.first, code.corners.count == 4 else {
            return false
        }
        let end = code.corners[1]
        let isTurned = abs(end.y - first.y) > abs(end.x - first.x)
        let plane = isTurned ? view.transposed() : view
        let (from, to) = isTurned ? (first.y, end.y) : (first.x, end.x)
        let across = code.corners.map { isTurned ? $0.x : $0.y }
        let (top, bottom) = (across.min() ?? 0, across.max() ?? 0)
        let reach = max(2, abs(to - from) / 16)
        let rows = Set(
            (0..<lines).map { line in
                max(0, min(plane.height - 1, top - reach + (bottom - top + 2 * reach) * line / (lines - 1)))
            }
        )
        let isReversed = from > to
        let near = isReversed ? (plane.width - from, plane.width - to) : (from, to)
        guard near.0 < near.1 else { return false }
        var placed = place(
            plane,
            layout,
            rows: rows.sorted(),
            thickness: 1,
            directions: [isReversed],
            near: Float(near.0)...Float(near.1)
        )
        for _ in 0..<places {
            guard let (match, _) = takeBest(&placed) else { return false }
            let text = match.digits.map(String.init).joined()
            if [text, String(text.dropFirst())].contains(code.text), match.correlation > 0.75 { return true }
        }
        return false
    }

    private static func layout(of symbology: Symbology) -> EanLayout? {
        switch symbology {
        case .ean13, .upcA: .ean13
        case .ean8: .ean8
        default: nil
        }
    }

    private static func place(
        _ view: CodeView,
        _ layout: EanLayout,
        rows: [Int],
        thickness: Int,
        directions: [Bool],
        near: ClosedRange<Float>?
    ) -> [Placed] {
        let matcher = EanMatcher(layout: layout)
        var placed: [Placed] = []
        for row in rows {
            let line = GreyLine(view, rows: max(0, row)..<min(view.height, max(0, row) + thickness))
            for isReversed in directions {
                let line = isReversed ? line.reversed() : line
                if let table = matcher.place(line, near: near, slack: near == nil ? 0 : slack) {
                    placed.append(Placed(table: table, row: row, isReversed: isReversed))
                }
            }
        }
        return placed.sorted { ($1.table.quality, $0.row) < ($0.table.quality, $1.row) }
    }

    /// Takes out the best line and those that show the same code, and adds up what they say.
    private static func takeBest(_ placed: inout [Placed]) -> (match: EanTable.Match, lines: [Placed])? {
        guard let first = placed.first else { return nil }
        func isSame(_ other: Placed) -> Bool {
            other.isReversed == first.isReversed && other.table.isSamePlace(as: first.table)
        }
        let same = Array(placed.filter(isSame).prefix(mergedLines))
        placed.removeAll(where: isSame)
        var merged = first.table
        for other in same.dropFirst() { merged.merge(other.table) }
        return merged.match(lines: same.count).map { ($0, same) }
    }

    private static func code(
        _ match: EanTable.Match,
        ends: (from: Float, to: Float),
        rows: ClosedRange<Int>,
        isTurned: Bool,
        view: CodeView
    ) -> ReadCode {
        let text = match.digits.map(String.init).joined()
        let (from, to) = (Int(ends.from), Int(ends.to))
        let places = [(from, rows.lowerBound), (to, rows.lowerBound), (to, rows.upperBound), (from, rows.upperBound)]
        return ReadCode(
            symbology: .ean13,
            text: text,
            bytes: Array(text.utf8),
            corners: places.map { along, across in
                view.place(isTurned ? PicturePoint(x: across, y: along) : PicturePoint(x: along, y: across))
            },
            identifier: "]E0",
            reader: "grey values"
        )
    }
}
