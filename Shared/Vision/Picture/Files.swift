import Glibc

/// What the operating system said about a file.
package struct FileError: Error, Equatable, CustomStringConvertible {
    package let path: String
    package let reason: String
    /// `errno`, 0 where it was not a system call that failed.
    package let code: Int32

    package init(path: String, reason: String, code: Int32 = 0) {
        self.path = path
        self.reason = reason
        self.code = code
    }

    /// Of the system call that just failed: "cannot open: No such file or directory".
    package static func last(_ path: String, _ action: String) -> FileError {
        let code = errno
        return FileError(path: path, reason: "cannot \(action): \(String(cString: strerror(code)))", code: code)
    }

    package var description: String { "\(path): \(reason)" }
}

/// Whole files, bounded.
package enum Files {
    /// The file's bytes; an error where there are more than `limit`.
    package static func read(_ path: String, atMost limit: Int) throws(FileError) -> [UInt8] {
        // A pipe without a writer would be waited for.
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else { throw .last(path, "open") }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0 else { throw .last(path, "look at") }
        guard status.st_mode & S_IFMT == S_IFREG else { throw FileError(path: path, reason: "not a regular file") }
        guard status.st_size <= limit else {
            throw FileError(path: path, reason: "\(status.st_size) bytes; expected at most \(limit)")
        }
        var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
        var filled = 0
        while filled < bytes.count {
            let got = bytes.withUnsafeMutableBytes {
                Glibc.read(file, $0.baseAddress.map { $0 + filled }, $0.count - filled)
            }
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { throw .last(path, "read") }
            guard got > 0 else { throw FileError(path: path, reason: "became shorter while being read") }
            filled += got
        }
        return bytes
    }

    /// Puts the file in place whole or not at all: written beside it, flushed to the disk, renamed over it, and the
    /// folder flushed. What it replaces stays until the rename.
    package static func writeAtomically(_ bytes: [UInt8], to path: String) throws(FileError) {
        let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        var template = Array("\(path).XXXXXX".utf8CString)
        let file = mkstemp(&template)
        let temporary = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard file >= 0 else { throw .last(path, "create a file beside") }
        do throws(FileError) {
            try write(bytes, to: file, path: path)
            guard rename(temporary, path) == 0 else { throw .last(path, "rename into place") }
        } catch {
            unlink(temporary)
            throw error
        }
        try flush(folder: folder)
    }

    /// Makes the folder and those above it.
    package static func makeFolder(_ path: String) throws(FileError) {
        var prefix = path.hasPrefix("/") ? "/" : ""
        for part in path.split(separator: "/") {
            prefix += (prefix.isEmpty || prefix == "/" ? "" : "/") + part
            guard mkdir(prefix, 0o755) == 0 || errno == EEXIST else { throw .last(prefix, "create the folder") }
        }
    }

    /// Names in the folder, hidden ones left out, in natural order (`a2` before `a10`).
    package static func names(in folder: String, atMost limit: Int) throws(FileError) -> [String] {
        guard let stream = opendir(folder) else { throw .last(folder, "open the folder") }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard !name.hasPrefix(".") else { continue }
            guard names.count < limit else { throw FileError(path: folder, reason: "more than \(limit) entries") }
            names.append(name)
        }
        return names.sorted(by: NaturalOrder.precedes)
    }

    /// The user's home folder as the system knows it, whatever the environment says.
    static var homeFolder: String? {
        var entry = passwd()
        var found: UnsafeMutablePointer<passwd>?
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 16_384) { buffer in
            guard let start = buffer.baseAddress,
                getpwuid_r(getuid(), &entry, start, buffer.count, &found) == 0, found != nil, let home = entry.pw_dir
            else { return nil }
            return String(cString: home)
        }
    }

    package static func isFolder(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    package static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    private static func write(_ bytes: [UInt8], to file: Int32, path: String) throws(FileError) {
        var isOpen = true
        defer { if isOpen { close(file) } }
        var written = 0
        while written < bytes.count {
            let put = bytes.withUnsafeBytes {
                Glibc.write(file, $0.baseAddress.map { $0 + written }, $0.count - written)
            }
            if put < 0, errno == EINTR { continue }
            guard put > 0 else { throw .last(path, "write") }
            written += put
        }
        guard fchmod(file, 0o644) == 0 else { throw .last(path, "set the mode of") }
        guard fsync(file) == 0 else { throw .last(path, "flush") }
        isOpen = false
        guard close(file) == 0 else { throw .last(path, "close") }
    }

    private static func flush(folder: String) throws(FileError) {
        let file = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard file >= 0 else { throw .last(folder, "open the folder") }
        defer { close(file) }
        guard fsync(file) == 0 else { throw .last(folder, "flush the folder") }
    }
}

/// Names as people sort them: runs of digits compare as numbers.
package enum NaturalOrder {
    package static func precedes(_ left: String, _ right: String) -> Bool {
        let (a, b) = (Array(left.utf8), Array(right.utf8))
        var (i, j) = (0, 0)
        while i < a.count, j < b.count {
            let (leftDigits, rightDigits) = (digits(a, i), digits(b, j))
            if leftDigits.isEmpty || rightDigits.isEmpty {
                if a[i] != b[j] { return a[i] < b[j] }
                (i, j) = (i + 1, j + 1)
                continue
            }
            let (x, y) = (leftDigits.drop { $0 == 48 }, rightDigits.drop { $0 == 48 })
            if x.count != y.count { return x.count < y.count }
            if !x.elementsEqual(y) { return x.lexicographicallyPrecedes(y) }
            (i, j) = (i + leftDigits.count, j + rightDigits.count)
        }
        return a.count - i == b.count - j ? left < right : a.count - i < b.count - j
    }

    private static func digits(_ bytes: [UInt8], _ start: Int) -> ArraySlice<UInt8> {
        bytes[start...].prefix { (48...57).contains($0) }
    }
}
