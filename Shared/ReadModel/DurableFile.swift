import Foundation
import Glibc

/// The operating system refused something on a file of ours.
package struct FileFailure: Error, Equatable, CustomStringConvertible {
    package let path: String
    package let doing: String
    /// What it said (errno).
    package let code: Int32

    package var description: String { "\(path): \(doing) failed: \(String(cString: strerror(code)))" }
}

/// Changes of files and names that are on disk when the call returns.
enum DurableFile {
    /// Replaces the file as a whole: a reader, and a start after a power cut, finds all of the old or all of the new.
    static func replace(_ path: String, with bytes: [UInt8]) throws(FileFailure) {
        let draft = path + ".new"
        let file = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard file >= 0 else { throw failure(draft, "creating") }
        defer { close(file) }
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { write(file, $0.baseAddress?.advanced(by: written), $0.count - written) }
            guard count > 0 else { throw failure(draft, "writing") }
            written += count
        }
        guard fsync(file) == 0 else { throw failure(draft, "syncing") }
        try rename(draft, to: path)
    }

    static func rename(_ path: String, to new: String) throws(FileFailure) {
        guard Glibc.rename(path, new) == 0 else { throw failure(path, "renaming to \(new)") }
        try syncFolder(of: new)
    }

    /// Removes the file; one that is not there is well.
    static func remove(_ path: String) throws(FileFailure) {
        guard unlink(path) == 0 || errno == ENOENT else { throw failure(path, "removing") }
    }

    static func syncFolder(of path: String) throws(FileFailure) {
        let folder = (path as NSString).deletingLastPathComponent
        try sync(folder.isEmpty ? "." : folder)
    }

    /// Puts the content of a file, or the names in a folder, on disk.
    static func sync(_ path: String) throws(FileFailure) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure(path, "opening") }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw failure(path, "syncing") }
    }

    static func failure(_ path: String, _ doing: String) -> FileFailure {
        FileFailure(path: path, doing: doing, code: errno)
    }
}

/// One process at a time holds the lock of a file; the kernel gives it back when the holder ends, however it ends.
package final class FileLock {
    private let descriptor: Int32

    private init(_ descriptor: Int32) {
        self.descriptor = descriptor
    }

    deinit {
        close(descriptor)
    }

    /// Nil while someone else holds it; with `isNew`, also where the file exists.
    package static func take(_ path: String, isNew: Bool = false) throws(FileFailure) -> FileLock? {
        let flags = O_RDWR | O_CREAT | O_CLOEXEC | (isNew ? O_EXCL : 0)
        let descriptor = open(path, flags, 0o644)
        guard descriptor >= 0 else {
            if isNew, errno == EEXIST { return nil }
            throw DurableFile.failure(path, "opening")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let failure = DurableFile.failure(path, "locking")
            close(descriptor)
            if failure.code == EWOULDBLOCK { return nil }
            throw failure
        }
        return FileLock(descriptor)
    }
}
