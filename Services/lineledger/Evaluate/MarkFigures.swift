import Foundation
import Vision

/// A number that is written as null where there is none, so that its key is always there.
@propertyWrapper
struct Nullable: Encodable {
    var wrappedValue: Double?

    init(wrappedValue: Double?) { self.wrappedValue = wrappedValue }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        if let wrappedValue { try container.encode(wrappedValue) } else { try container.encodeNil() }
    }
}

/// Found pixels against marked ones, over all images together.
struct PixelFigures: Encodable {
    let images: Int
    @Nullable var iou: Double?
    @Nullable var precision: Double?
    @Nullable var recall: Double?
    @Nullable var f: Double?
    @Nullable var average_precision: Double?
    @Nullable var auroc: Double?
    /// Images whose pixels are marked, but not told of by the judge.
    let unmapped: Int

    /// nil where no image has marked pixels.
    init?(_ score: MarkScore) {
        let pixels = score.pixels
        guard pixels.pictures + score.unmapped > 0 else { return nil }
        images = pixels.pictures
        (iou, precision, recall, f) = (pixels.intersectionOverUnion, pixels.precision, pixels.recall, pixels.f)
        (average_precision, auroc) = (pixels.averagePrecision, pixels.auroc)
        unmapped = score.unmapped
    }
}

/// Found boxes against marked ones.
struct BoxFigures: Encodable {
    struct Figures: Encodable {
        let marked, found, right: Int
        @Nullable var precision: Double?
        @Nullable var recall: Double?
        @Nullable var f: Double?
        /// COCO's average precision (101 recalls); of all classes its mean.
        @Nullable var ap: Double?
    }

    struct Overlap: Encodable {
        let all: Figures
        let classes: [String: Figures]

        init(_ score: BoxScore) {
            let names = score.categories
            let precisions = names.compactMap { score.interpolatedPrecision($0) }
            let mean = precisions.isEmpty ? nil : precisions.reduce(0, +) / Double(precisions.count)
            all = Self.figures(score.all, mean)
            classes = Dictionary(
                uniqueKeysWithValues: names.map {
                    ($0.rawValue, Self.figures(score[$0], score.interpolatedPrecision($0)))
                }
            )
        }

        private static func figures(_ figures: BoxScore.Figures, _ ap: Double?) -> Figures {
            Figures(
                marked: figures.marked,
                found: figures.found,
                right: figures.right,
                precision: figures.precision,
                recall: figures.recall,
                f: figures.f,
                ap: ap
            )
        }
    }

    /// Whether a box must have the marked one's class: not where the judge knows none of the marked classes.
    let class_match: Bool
    let iou_50: Overlap
    let iou_33: Overlap

    init(_ score: MarkScore) {
        class_match = score.matchesCategory
        iou_50 = Overlap(score.half)
        iou_33 = Overlap(score.third)
    }
}

/// The figures as text.
enum MarkText {
    static func lines(_ score: MarkScore) -> [String] {
        var lines: [String] = []
        if let pixels = PixelFigures(score) {
            lines.append(
                pixels.images == 0
                    ? "pixels     none: the judge says nothing of single pixels"
                    : "pixels     IoU \(shown(pixels.iou)), precision \(shown(pixels.precision)), recall "
                        + "\(shown(pixels.recall)), F \(shown(pixels.f)), average precision "
                        + "\(shown(pixels.average_precision)), AUROC \(shown(pixels.auroc)), \(pixels.images) images"
            )
        }
        let boxes = BoxFigures(score)
        var rows = [["boxes", "IoU over", "marked", "found", "right", "precision", "recall", "F", "AP"]]
        for (overlap, figures) in [("0.50", boxes.iou_50), ("0.33", boxes.iou_33)] {
            for (name, one) in figures.classes.sorted(by: { NaturalOrder.precedes($0.key, $1.key) }) {
                rows.append(row(name, overlap, one))
            }
            if figures.classes.count > 1 { rows.append(row("all", overlap, figures.all)) }
        }
        lines.append(Terminal.table(rows))
        if !boxes.class_match {
            lines.append("boxes are right whatever their class: the judge knows none of the marked ones")
        }
        return lines
    }

    private static func row(_ name: String, _ overlap: String, _ figures: BoxFigures.Figures) -> [String] {
        [
            name, overlap, "\(figures.marked)", "\(figures.found)", "\(figures.right)", shown(figures.precision),
            shown(figures.recall), shown(figures.f), shown(figures.ap),
        ]
    }

    private static func shown(_ value: Double?) -> String { value.map { String(format: "%.3f", $0) } ?? "-" }
}
