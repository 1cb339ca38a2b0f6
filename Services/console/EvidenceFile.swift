import Evidence
import Vision

extension EvidenceStore {
    /// A kept picture as it lies on disk.
    struct File: Sendable {
        /// "image/png" or "image/jpeg".
        let mediaType: String
        let bytes: [UInt8]
    }

    /// The kept file of the picture with this name, nil where there is none.
    func file(pixelsSHA256 name: String) throws(EvidenceError) -> File? {
        let digits = Array(name.utf8)
        guard digits.count == 64, digits.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) }) else {
            throw .notAHash(name)
        }
        let stem = "\(directory)/\(name.prefix(2))/\(name.dropFirst(2).prefix(2))/\(name)"
        for (ending, mediaType) in [("png", "image/png"), ("jpg", "image/jpeg")] {
            let path = "\(stem).\(ending)"
            guard Files.exists(path) else { continue }
            do {
                return File(mediaType: mediaType, bytes: try Files.read(path, atMost: PictureCodec.maxFileBytes))
            } catch {
                throw .failed(path: error.path, reason: error.reason)
            }
        }
        return nil
    }
}
