import Glibc
import Synchronization
package import Vision

/// Why a picture could not be kept or had back.
package enum EvidenceError: Error, Equatable, CustomStringConvertible {
    /// Keeping the picture would go over the store's budget; all in bytes.
    case full(directory: String, used: Int, needed: Int, budget: Int)
    /// A kept file is not what was stored.
    case damaged(path: String, reason: String)
    /// Another picture with the same bytes but another width, height or channel count is kept under the name.
    case otherGeometry(path: String, kept: String, offered: String)
    /// Not 64 lower-case hexadecimal digits.
    case notAHash(String)
    /// The operating system or an encoder refused.
    case failed(path: String, reason: String)

    package var description: String {
        switch self {
        case .full(let directory, let used, let needed, let budget):
            "evidence store \(directory) is full: \(used) of \(budget) bytes used, \(needed) more needed; "
                + "raise the budget or let evidence expire"
        case .damaged(let path, let reason): "evidence \(path) is damaged: \(reason); restore it from a replica"
        case .otherGeometry(let path, let kept, let offered):
            "evidence \(path) is a picture of \(kept) with the same bytes as one of \(offered)"
        case .notAHash(let text): "\"\(text.prefix(80))\" names no evidence; expected 64 lower-case hexadecimal digits"
        case .failed(let path, let reason): "\(path): \(reason)"
        }
    }
}

/// How a picture is kept.
package struct StoredEvidence: Equatable, Sendable {
    /// SHA-256 over the pixels as judged: the evidence's name.
    package let pixelsSHA256: String
    /// SHA-256 over the stored file.
    package let storedSHA256: String
    /// "image/png" or "image/jpeg".
    package let mediaType: String
    /// Whether the judged pixels can be got back bit for bit.
    package let lossless: Bool
    /// Size of the stored file.
    package let bytes: Int
}

/// A kept picture as it lies on disk.
package struct EvidenceFile: Sendable {
    /// "image/png" or "image/jpeg".
    package let mediaType: String
    package let bytes: [UInt8]
}

/// Pictures on disk, each named by the hash of its pixels: `ab/cd/abcd….png` (lossless) or `.jpg`. One process stores;
/// any number load. A file is there whole or not at all.
package final class EvidenceStore: Sendable {
    /// Usual quality of what is not kept lossless.
    package static let jpegQuality = 90

    package let directory: String
    /// Bytes that all files together may take.
    package let budgetBytes: Int
    /// nil until first needed: a process that only loads does not look through the folders.
    private let used = Mutex<Int?>(nil)

    /// Opens the store, making its folder.
    package init(directory: String, budgetBytes: Int) throws(EvidenceError) {
        self.directory = directory
        self.budgetBytes = budgetBytes
        do {
            try Files.makeFolder(directory)
        } catch {
            throw .failed(path: error.path, reason: error.reason)
        }
    }

    /// Bytes of all kept files. The first call adds them up.
    package func usedBytes() throws(EvidenceError) -> Int { try reserve(0) }

    /// Keeps the picture; keeping it again changes nothing. A kept file that turns out damaged is replaced.
    ///
    /// - Parameters:
    ///   - sha256: the picture's, where it is known.
    ///   - quality: of a JPEG, 1 to 100.
    package func store(
        _ picture: Picture,
        sha256: String? = nil,
        lossless: Bool,
        quality: Int = EvidenceStore.jpegQuality
    ) throws(EvidenceError) -> StoredEvidence {
        let name = sha256 ?? picture.sha256
        let pngPath = try path(name, "png")
        let path = lossless ? pngPath : try path(name, "jpg")
        for candidate in [pngPath, path] where Files.exists(candidate) {
            if let kept = try keptIntact(candidate, name, picture) { return kept }
        }
        let file: [UInt8]
        do {
            file =
                lossless
                ? try PictureCodec.encodePNG(picture)
                : try PictureCodec.encodeJPEG(picture, quality: quality)
        } catch {
            throw .failed(path: path, reason: error.reason)
        }
        try put(file, at: path)
        return evidence(name, file, isPNG: lossless)
    }

    /// The picture with this name, nil where it is not kept. A lossless one is checked against its name; one that is
    /// not can only be checked against `storedSHA256`, the hash over its file.
    package func load(pixelsSHA256: String, storedSHA256: String? = nil) throws(EvidenceError) -> Picture? {
        for ending in ["png", "jpg"] {
            let path = try path(pixelsSHA256, ending)
            guard Files.exists(path) else { continue }
            let file = try read(path)
            if let storedSHA256, hexSHA256(file) != storedSHA256 {
                throw .damaged(path: path, reason: "its content does not match the recorded hash of the file")
            }
            return try decode(file, path, pixelsSHA256)
        }
        return nil
    }

    package func contains(pixelsSHA256: String) throws(EvidenceError) -> Bool {
        let (png, jpg) = (try path(pixelsSHA256, "png"), try path(pixelsSHA256, "jpg"))
        return Files.exists(png) || Files.exists(jpg)
    }

    /// The kept file of the picture with this name, nil where there is none.
    package func file(pixelsSHA256: String) throws(EvidenceError) -> EvidenceFile? {
        for ending in ["png", "jpg"] {
            let path = try path(pixelsSHA256, ending)
            guard Files.exists(path) else { continue }
            return EvidenceFile(mediaType: Self.mediaType(isPNG: ending == "png"), bytes: try read(path))
        }
        return nil
    }

    /// Deletes the picture and gives its bytes back to the budget; 0 where it is not kept.
    package func remove(pixelsSHA256: String) throws(EvidenceError) -> Int {
        var freed = 0
        for ending in ["png", "jpg"] {
            let path = try path(pixelsSHA256, ending)
            let size = Self.size(of: path) ?? 0
            guard unlink(path) == 0 else {
                guard errno == ENOENT else { throw .failed(path: path, reason: FileError.last(path, "delete").reason) }
                continue
            }
            freed += size
        }
        release(freed)
        return freed
    }

    private func put(_ file: [UInt8], at path: String) throws(EvidenceError) {
        let replaced = Self.size(of: path) ?? 0
        let needed = file.count - replaced
        _ = try reserve(needed)
        do {
            try Files.makeFolder(String(path.prefix(upTo: path.lastIndex(of: "/") ?? path.endIndex)))
            try Files.writeAtomically(file, to: path)
        } catch {
            release(needed)
            throw .failed(path: error.path, reason: error.reason)
        }
    }

    /// Takes bytes from the budget; returns what was used before.
    private func reserve(_ needed: Int) throws(EvidenceError) -> Int {
        try used.withLock { used throws(EvidenceError) -> Int in
            let before: Int
            do throws(FileError) {
                if let used { before = used } else { before = try Self.sizeOfFiles(in: directory) }
            } catch {
                throw .failed(path: error.path, reason: error.reason)
            }
            used = before
            guard needed <= 0 || before + needed <= budgetBytes else {
                throw .full(directory: directory, used: before, needed: needed, budget: budgetBytes)
            }
            used = before + needed
            return before
        }
    }

    private func release(_ bytes: Int) { used.withLock { $0 = $0.map { $0 - bytes } } }

    /// What is kept at `path`, nil where it is damaged.
    private func keptIntact(_ path: String, _ name: String, _ picture: Picture) throws(EvidenceError) -> StoredEvidence?
    {
        let file = try read(path)
        let kept: Picture
        do {
            kept = try decode(file, path, name)
        } catch {
            return nil
        }
        guard (kept.width, kept.height, kept.channels) == (picture.width, picture.height, picture.channels) else {
            throw .otherGeometry(path: path, kept: Self.geometry(kept), offered: Self.geometry(picture))
        }
        return evidence(name, file, isPNG: path.hasSuffix("png"))
    }

    private func evidence(_ name: String, _ file: [UInt8], isPNG: Bool) -> StoredEvidence {
        StoredEvidence(
            pixelsSHA256: name,
            storedSHA256: hexSHA256(file),
            mediaType: Self.mediaType(isPNG: isPNG),
            lossless: isPNG,
            bytes: file.count
        )
    }

    private func decode(_ file: [UInt8], _ path: String, _ name: String) throws(EvidenceError) -> Picture {
        let picture: Picture
        do {
            picture = try PictureCodec.decode(file, name: path)
        } catch {
            throw .damaged(path: path, reason: error.reason)
        }
        if path.hasSuffix("png"), picture.sha256 != name {
            throw .damaged(path: path, reason: "its pixels have the hash \(picture.sha256)")
        }
        return picture
    }

    private func read(_ path: String) throws(EvidenceError) -> [UInt8] {
        do {
            return try Files.read(path, atMost: PictureCodec.maxFileBytes)
        } catch {
            throw .failed(path: path, reason: error.reason)
        }
    }

    private func path(_ name: String, _ ending: String) throws(EvidenceError) -> String {
        let digits = Array(name.utf8)
        guard digits.count == 64, digits.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) }) else {
            throw .notAHash(name)
        }
        return "\(directory)/\(name.prefix(2))/\(name.dropFirst(2).prefix(2))/\(name).\(ending)"
    }

    private static func mediaType(isPNG: Bool) -> String { isPNG ? "image/png" : "image/jpeg" }

    private static func geometry(_ picture: Picture) -> String {
        "\(picture.width)x\(picture.height)x\(picture.channels)"
    }

    private static func size(of path: String) -> Int? {
        var status = stat()
        return stat(path, &status) == 0 ? Int(status.st_size) : nil
    }

    private static func sizeOfFiles(in directory: String) throws(FileError) -> Int {
        var total = 0
        for first in try Files.names(in: directory, atMost: 1_000) where first.count == 2 {
            for second in try Files.names(in: "\(directory)/\(first)", atMost: 1_000) where second.count == 2 {
                let folder = "\(directory)/\(first)/\(second)"
                for name in try Files.names(in: folder, atMost: 10_000_000) {
                    total += size(of: "\(folder)/\(name)") ?? 0
                }
            }
        }
        return total
    }
}
