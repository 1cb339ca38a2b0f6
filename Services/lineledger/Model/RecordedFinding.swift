import Evidence
import Foundation
import PlantCore
import ReadModel
import ServiceRuntime
import Vision

/// A part's verdict as the log has it, drawn onto its kept picture.
enum RecordedFinding {
    struct NotDrawn: Error, CustomStringConvertible {
        let description: String
    }

    /// Writes the part's picture with its defects and verdict to the PNG file at `path`.
    static func draw(_ part: PartInfo, of plant: PlantFile, to path: String) throws {
        let store = try EvidenceStore(directory: plant.evidencePath, budgetBytes: Int(plant.evidence.budgetBytes))
        let stored = part.evidence.map(\.storedSha256)
        guard let verdict = Outcome(rawValue: part.verdict) else {
            throw NotDrawn(description: "part \(part.partID) has no verdict: \(part.reason)")
        }
        guard let picture = try store.load(pixelsSHA256: part.pixelsSha256, storedSHA256: stored) else {
            throw NotDrawn(
                description: "the picture of part \(part.partID) is not kept: "
                    + (part.evidence?.reason ?? "no record of it has been read")
            )
        }
        let finding = Finding(
            verdict: verdict,
            score: part.score,
            confidence: part.confidence,
            defects: part.defects.map(\.found),
            rejectionReason: part.reason
        )
        try Files.writeAtomically(try PictureCodec.encodePNG(Overlay.drawn(finding, on: picture)), to: path)
    }
}

extension DefectInfo {
    fileprivate var found: FoundDefect {
        FoundDefect(
            category: DefectCategory(rawValue: category),
            x: Int(x),
            y: Int(y),
            width: Int(width),
            height: Int(height),
            area: Int(area),
            score: score
        )
    }
}
