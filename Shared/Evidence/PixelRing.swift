import Glibc
import Synchronization
package import Vision

/// The hand-over of pixels from camera-ingest to inspector on one host: a file in memory (best under `/dev/shm`) with a
/// fixed number of slots. Frame `sequence` lies in slot `sequence % slots` from `put` to `release`.
///
/// Either process may open first, and either may be killed at any moment and open again. One process puts, one takes
/// and releases; a second one that puts is refused while the first lives.
package final class PixelRing: Sendable {
    package let path: String
    package let geometry: RingGeometry
    private let held: Mutex<Held>

    /// What this process has open.
    private struct Held: ~Copyable {
        var mapping: RingMapping
        var writerLock = FileLock()
    }

    /// Opens the ring, with what it holds, or makes it where it is absent, damaged or of another geometry.
    package init(path: String, geometry: RingGeometry = .standard) throws(FileError) {
        self.path = path
        self.geometry = geometry
        held = Mutex(Held(mapping: try Self.open(path, geometry)))
    }

    /// Puts a frame's pixels into its slot; false where the ring is full, that is the slot's earlier frame is not
    /// released. Putting a frame again that is still there changes nothing. A picture larger than a slot, no memory for
    /// it, or a second process that puts are errors.
    package func put(session: UInt64, sequence: UInt64, _ picture: Picture) throws(FileError) -> Bool {
        guard picture.pixels.count <= geometry.slotBytes else {
            throw FileError(
                path: path,
                reason: "picture of \(picture.pixels.count) bytes; the ring's slots hold \(geometry.slotBytes)"
            )
        }
        let label = RingMapping.Label(
            session: session,
            sequence: sequence,
            width: UInt32(picture.width),
            height: UInt32(picture.height),
            channels: UInt32(picture.channels)
        )
        return try held.withLock { held throws(FileError) -> Bool in
            try held.writerLock.take("\(path).writer", "put pictures (another camera process does)")
            try follow(&held)
            return try held.mapping.put(label, picture.pixels, path: path)
        }
    }

    /// Pictures put and not released yet.
    package func waiting() throws(FileError) -> Int {
        try held.withLock { held throws(FileError) in
            try follow(&held)
            return held.mapping.waiting
        }
    }

    /// A copy of the frame's picture; nil where it is not in the ring (any more). Whoever takes it compares its
    /// `sha256` with the frame's.
    package func take(session: UInt64, sequence: UInt64) throws(FileError) -> Picture? {
        try held.withLock { held throws(FileError) -> Picture? in
            try follow(&held)
            return held.mapping.take(session, sequence)
        }
    }

    /// Gives the frame's slot back; nothing where it is not in the ring.
    package func release(session: UInt64, sequence: UInt64) throws(FileError) {
        try held.withLock { held throws(FileError) in
            try follow(&held)
            held.mapping.release { $0.session == session && $0.sequence == sequence }
        }
    }

    /// Gives back the slots of this frame and all before it, earlier sessions included. Frames are judged in the order
    /// of the log, so what is left of them in the ring has no record: its camera process died between picture and
    /// record.
    package func releaseThrough(session: UInt64, sequence: UInt64) throws(FileError) {
        try held.withLock { held throws(FileError) in
            try follow(&held)
            held.mapping.release { ($0.session, $0.sequence) <= (session, sequence) }
        }
    }

    /// Gives back the slots of this frame and all after it: pictures put by a process that died before it recorded
    /// them, which no inspector will ever ask for. For the camera side, before its first `put`.
    package func releaseFrom(session: UInt64, sequence: UInt64) throws(FileError) {
        try held.withLock { held throws(FileError) in
            try follow(&held)
            held.mapping.release { ($0.session, $0.sequence) >= (session, sequence) }
        }
    }

    /// Opens anew where another ring has taken the path, or none is there any more.
    private func follow(_ held: inout Held) throws(FileError) {
        var status = stat()
        guard stat(path, &status) != 0 || UInt(status.st_ino) != held.mapping.inode else { return }
        held.mapping = try Self.open(path, geometry)
    }

    private static func open(_ path: String, _ geometry: RingGeometry) throws(FileError) -> RingMapping {
        var lock = FileLock()
        try lock.take("\(path).lock", "open the ring", waits: true)
        if let ring = try RingMapping(path: path), ring.geometry == geometry { return ring }
        try RingMapping.create(path: path, geometry)
        guard let ring = try RingMapping(path: path) else {
            throw FileError(path: path, reason: "the ring just made cannot be read back")
        }
        return ring
    }
}

/// An exclusive lock that ends with its owner, however that ends (flock(2)).
private struct FileLock: ~Copyable {
    private var file: Int32 = -1

    mutating func take(_ path: String, _ action: String, waits: Bool = false) throws(FileError) {
        guard file < 0 else { return }
        let opened = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard opened >= 0 else { throw .last(path, "open") }
        while flock(opened, waits ? LOCK_EX : LOCK_EX | LOCK_NB) != 0 {
            if errno == EINTR { continue }
            let error = FileError.last(path, action)
            close(opened)
            throw error
        }
        file = opened
    }

    deinit { if file >= 0 { close(file) } }
}
