/// A place on a picture, pixels from its upper left corner; the first pixel's centre is (0.5, 0.5).
package struct OutlinePoint: Equatable, Sendable {
    package let x: Double
    package let y: Double

    package init(x: Double, y: Double) { (self.x, self.y) = (x, y) }
}

/// A defect as a person marked it.
package struct MarkedDefect: Equatable, Sendable {
    package let box: LabelledBox
    /// Its corners in order, at least 3; nil where only the box was drawn.
    package let outline: [OutlinePoint]?

    package var category: DefectCategory { box.category }

    package init(box: LabelledBox, outline: [OutlinePoint]? = nil) { (self.box, self.outline) = (box, outline) }
}

extension DefectMask {
    /// The marked defects drawn on a picture of this size: pixels whose centres lie within their outlines (by the
    /// even-odd rule), or within their boxes; where two overlap, the later one's. `categories` gives the numbers.
    package init(_ marks: [MarkedDefect], width: Int, height: Int, categories: [DefectCategory]) {
        var values = [UInt8](repeating: 0, count: width * height)
        for mark in marks {
            guard let index = categories.firstIndex(of: mark.category) else { continue }
            let box = mark.box
            let corners =
                mark.outline
                ?? [(box.left, box.top), (box.right, box.top), (box.right, box.bottom), (box.left, box.bottom)]
                .map { OutlinePoint(x: $0.0, y: $0.1) }
            let ys = corners.map(\.y)
            let first = max(0, Int(max(0, ys.min() ?? 0).rounded(.down)))
            let end = min(height, Int(min(Double(height), ys.max() ?? 0).rounded(.up)))
            for y in first..<max(first, end) {
                let crossings = Self.crossings(of: corners, at: Double(y) + 0.5)
                for pair in stride(from: 0, to: crossings.count - 1, by: 2) {
                    let start = max(0, (crossings[pair] - 0.5).rounded(.up))
                    let stop = min(Double(width), (crossings[pair + 1] - 0.5).rounded(.up))
                    guard start < stop else { continue }
                    for x in Int(start)..<Int(stop) { values[y * width + x] = UInt8(index + 1) }
                }
            }
        }
        self.init(width: width, height: height, values: values)
    }

    /// Where the outline crosses the line at height `y`, from left to right; an even number.
    private static func crossings(of corners: [OutlinePoint], at y: Double) -> [Double] {
        var crossings: [Double] = []
        for (index, from) in corners.enumerated() {
            let to = corners[(index + 1) % corners.count]
            guard (from.y <= y) != (to.y <= y) else { continue }
            crossings.append(from.x + (y - from.y) / (to.y - from.y) * (to.x - from.x))
        }
        return crossings.sorted()
    }

    /// A mask file's picture: pixels of at least half the highest level belong to a defect of the one category.
    package init(_ picture: Picture) {
        let grey = picture.grey()
        self.init(width: grey.width, height: grey.height, values: grey.pixels.map { $0 >= 128 ? 1 : 0 })
    }

    /// A box around each connected region of a category.
    package func boxes(categories: [DefectCategory]) -> [LabelledBox] {
        var runs: [Run] = []
        values.withUnsafeBufferPointer { values in
            for y in 0..<height {
                let row = UnsafeBufferPointer(rebasing: values[y * width..<(y + 1) * width])
                Blobs.appendRuns(of: row, y: y, to: &runs)
            }
        }
        return Blobs.joined(runs).filter { Int($0.kind) <= categories.count }.map { blob in
            LabelledBox(
                category: categories[Int(blob.kind) - 1],
                left: Double(blob.left),
                top: Double(blob.top),
                right: Double(blob.right),
                bottom: Double(blob.bottom)
            )
        }
    }
}
