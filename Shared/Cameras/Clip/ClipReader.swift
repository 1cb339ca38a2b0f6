import Glibc
import Vision

/// A video file whose frames can be had one by one.
protocol ClipReader: AnyObject {
    /// Frames in the file; nil while not known.
    var count: Int? { get }
    /// The frame `index`, from 0; nil after the last one. Reading on is fast, going back may not be.
    func picture(at index: Int) throws(NoPicture) -> Picture?
    func close()
}

/// An open file that is read at any place.
final class ClipFile {
    let path: String
    let size: Int
    private let file: Int32

    init(_ path: String) throws(NoPicture) {
        self.path = path
        file = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            throw NoPicture(reason: "\(path): cannot be opened: \(String(cString: strerror(errno)))")
        }
        var status = stat()
        guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            Glibc.close(file)
            throw NoPicture(reason: "\(path): no regular file; expected a video file")
        }
        size = Int(status.st_size)
    }

    deinit { Glibc.close(file) }

    /// Up to `count` bytes from `offset`; fewer at the file's end.
    func bytes(at offset: Int, count: Int) throws(NoPicture) -> [UInt8] {
        var code: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            while filled < count {
                let got = pread(file, buffer.baseAddress.map { $0 + filled }, count - filled, off_t(offset + filled))
                if got < 0, errno == EINTR { continue }
                if got < 0 { code = errno }
                guard got > 0 else { return }
                filled += got
            }
        }
        guard code == 0 else { throw NoPicture(reason: "\(path): cannot be read: \(String(cString: strerror(code)))") }
        return bytes
    }
}
