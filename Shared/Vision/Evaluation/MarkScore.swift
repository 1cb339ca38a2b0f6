/// What an inspection found on pictures of which is known where their defects are: pixels and boxes against the marked
/// ones.
package struct MarkScore: Sendable {
    /// Pixels of pictures whose defects are known by outline or mask.
    package private(set) var pixels = PixelScore()
    /// Boxes at an intersection over union of more than 0.5 (COCO) and more than 0.33 (DeepPCB).
    package private(set) var half = BoxScore(overlap: 0.5)
    package private(set) var third = BoxScore()
    /// Whether a found box must have the marked one's category: not where the inspection knows none of the marked
    /// categories.
    package let matchesCategory: Bool
    /// Pictures of which the inspection gave no map of its pixels.
    package private(set) var unmapped = 0

    /// - Parameters:
    ///   - marked: Categories of the marked defects.
    ///   - found: Categories that the inspection can find.
    package init(marked: [DefectCategory], found: [DefectCategory]) {
        matchesCategory = !Set(marked).isDisjoint(with: found)
    }

    /// Adds one picture.
    /// - Parameters:
    ///   - found: Places with their score; those below 1 count for average precision only.
    ///   - map: What the inspection said of the pixels; nil where it says nothing of them.
    ///   - mask: Which pixels are defective; nil where only boxes are known.
    package mutating func add(found: [FoundDefect], map: DefectMap?, marked: [LabelledBox], mask: DefectMask?) {
        let candidates = found.map { defect in
            let box = LabelledBox(
                category: defect.category,
                left: Double(defect.x),
                top: Double(defect.y),
                right: Double(defect.x + defect.width),
                bottom: Double(defect.y + defect.height)
            )
            return BoxScore.Found(box: comparable(box), score: defect.score)
        }
        let marked = marked.map(comparable)
        half.add(found: candidates, marked: marked)
        third.add(found: candidates, marked: marked)
        guard let mask else { return }
        if let map { pixels.add(map, truth: mask) } else { unmapped += 1 }
    }

    private func comparable(_ box: LabelledBox) -> LabelledBox {
        guard !matchesCategory else { return box }
        return LabelledBox(
            category: LabelledFolder.unnamed,
            left: box.left,
            top: box.top,
            right: box.right,
            bottom: box.bottom
        )
    }
}

extension LabelledFolder {
    /// Boxes of the picture's defects as they are marked, or around the regions of its mask.
    package func boxes(of item: Item, mask: DefectMask, categories: [DefectCategory]) -> [LabelledBox] {
        item.marks?.map(\.box) ?? mask.boxes(categories: categories)
    }
}
