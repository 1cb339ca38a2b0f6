import Glibc

/// An exclusive lock on a file, held as long as this value lives; the kernel frees it with the process, however it ends.
///
/// `flock` belongs to the opened file, so two logs of one process exclude each other too.
final class FileLock {
    private let descriptor: Int32

    /// Takes the lock if it is free, and writes this process's id into it.
    static func take(_ path: String) throws(LogFailure) -> FileLock {
        let lock = try FileLock(path, flags: LOCK_EX | LOCK_NB)
        ftruncate(lock.descriptor, 0)
        let owner = Array("\(getpid())\n".utf8)
        guard pwrite(lock.descriptor, owner, owner.count, 0) == owner.count else {
            throw LogFailure.system(errno, "writing the owner into \(path)")
        }
        return lock
    }

    /// Waits for the lock; for sections that last milliseconds.
    static func wait(_ path: String) throws(LogFailure) -> FileLock {
        try FileLock(path, flags: LOCK_EX)
    }

    private init(_ path: String, flags: Int32) throws(LogFailure) {
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw .system(errno, "opening \(path)") }
        while flock(descriptor, flags) != 0 {
            if errno == EINTR { continue }
            guard errno == EWOULDBLOCK else { throw .system(errno, "locking \(path)") }
            throw .writerExists(
                "process \(Self.owner(descriptor)) holds \(path); stop it, or give this service a log of its own"
            )
        }
    }

    deinit {
        close(descriptor)
    }

    private static func owner(_ descriptor: Int32) -> String {
        var text = [UInt8](repeating: 0, count: 32)
        let count = pread(descriptor, &text, text.count, 0)
        let id = String(decoding: text.prefix(max(0, count)), as: UTF8.self).prefix { $0.isNumber }
        return id.isEmpty ? "(unknown)" : String(id)
    }
}

extension LogFailure {
    /// What the operating system said, and about what.
    static func system(_ code: Int32, _ what: String) -> LogFailure {
        let detail = "\(what): \(String(cString: strerror(code)))"
        switch code {
        case ENOSPC, EDQUOT, EFBIG: return .full("\(detail); free space there, then it goes on by itself")
        case EACCES, EPERM, EROFS, ENOTDIR, ENAMETOOLONG:
            return .badAddress("\(detail); expected a directory that this user may write to")
        default: return .unavailable(detail)
        }
    }
}
