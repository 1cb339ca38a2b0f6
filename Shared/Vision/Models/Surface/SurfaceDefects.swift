/// Turns what a surface model found into places in the judged picture.
struct SurfaceDefects {
    let width: Int
    let height: Int
    /// Pixels of the judged picture a pixel of the reduced one.
    let factor: Int
    let frame: PartFrame
    let pose: PartPose

    /// The outline as a whole: the part's bounding box.
    func outline(_ view: SurfaceView, score: Double) -> [FoundDefect] {
        guard score >= 0.5 else { return [] }
        var box = Box()
        for (index, value) in view.mask.covered.enumerated() where value == 1 {
            box.add(Double(index % view.mask.width), Double(index / view.mask.width), reach: 0.5)
        }
        let area = view.mask.pieces.reduce(0, +) * factor * factor
        return [defect(.shape, box, area: area, score: score)]
    }

    /// Connected cells beyond the limit, or the worst ones where none is while the whole is close to it.
    func cells(
        _ cells: [Float],
        limit: Double,
        score: Double,
        _ category: DefectCategory
    ) -> [FoundDefect] {
        guard score >= 0.5 else { return [] }
        let level = Float(min(limit, Double(cells.max() ?? 0)))
        let regions = Regions(cells.map { $0 >= level ? 1 : 0 }, width: PartFrame.side, height: PartFrame.side)
        var boxes = [Box](repeating: Box(), count: regions.areas.count)
        var strongest = [Float](repeating: 0, count: regions.areas.count)
        frame.forEachCell(pose) { cell, x, y in
            let label = Int(regions.labels[cell])
            guard label > 0 else { return }
            boxes[label].add(x, y, reach: frame.cellSize / 2)
            strongest[label] = max(strongest[label], cells[cell])
        }
        let most = strongest.max() ?? 1
        let cellArea = frame.cellSize * frame.cellSize * Double(factor * factor)
        return regions.areas.indices.dropFirst().map { label in
            defect(
                category,
                boxes[label],
                area: Int((Double(regions.areas[label]) * cellArea).rounded()),
                score: score * Double(strongest[label] / most)
            )
        }
    }

    private func defect(_ category: DefectCategory, _ box: Box, area: Int, score: Double) -> FoundDefect {
        let left = clipped(box.left, width), right = clipped(box.right, width)
        let top = clipped(box.top, height), bottom = clipped(box.bottom, height)
        return FoundDefect(
            category: category,
            x: left,
            y: top,
            width: max(1, right - left),
            height: max(1, bottom - top),
            area: area,
            score: score
        )
    }

    private func clipped(_ position: Double, _ size: Int) -> Int {
        Int(min(Double(size), max(0, ((position + 0.5) * Double(factor)).rounded())))
    }

    /// A bounding box in the reduced picture.
    private struct Box {
        var left = Double.infinity
        var top = Double.infinity
        var right = -Double.infinity
        var bottom = -Double.infinity

        mutating func add(_ x: Double, _ y: Double, reach: Double) {
            left = min(left, x - reach)
            right = max(right, x + reach)
            top = min(top, y - reach)
            bottom = max(bottom, y + reach)
        }
    }
}
