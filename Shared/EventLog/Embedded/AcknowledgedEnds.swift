import Glibc

/// How far each partition of a topic was acknowledged, kept apart from the topic's database, in its bell file: little-endian
/// offsets and their CRC-32C.
///
/// SQLite ends a damaged write-ahead log at its first bad frame, without a word, and what was acknowledged after it would
/// be as if it had never been; the next records would even get its offsets. With this, readers are told of the loss
/// and the writer goes on behind it. Writing it rings the readers' bells.
final class AcknowledgedEnds {
    private let descriptor: Int32

    /// Opens the bell file of a topic; without one nothing is known.
    init(_ file: TopicFile, toWrite: Bool) throws(LogFailure) {
        descriptor = open(file.bellPath, (toWrite ? O_RDWR | O_CREAT : O_RDONLY) | O_CLOEXEC, 0o644)
        guard descriptor >= 0 || !toWrite else { throw .system(errno, "opening \(file.bellPath)") }
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// The offset after the last acknowledged record of each partition; empty when it is not known.
    func read(partitions: Int) -> [Int64] {
        let size = 8 * partitions + 4
        return withUnsafeTemporaryAllocation(byteCount: size, alignment: 8) { buffer in
            guard descriptor >= 0, pread(descriptor, buffer.baseAddress, size, 0) == size else { return [] }
            let ends = (0..<partitions).map {
                Int64(littleEndian: buffer.loadUnaligned(fromByteOffset: 8 * $0, as: Int64.self))
            }
            let stored = UInt32(littleEndian: buffer.loadUnaligned(fromByteOffset: 8 * partitions, as: UInt32.self))
            return stored == Self.checksum(ends) ? ends : []
        }
    }

    /// Rings, and keeps the ends. It need not be on disk at once: an end that is too low only says less.
    func write(_ ends: [Int64]) {
        let size = 8 * ends.count + 4
        let written = withUnsafeTemporaryAllocation(byteCount: size, alignment: 8) { buffer in
            for (index, end) in ends.enumerated() {
                buffer.storeBytes(of: end.littleEndian, toByteOffset: 8 * index, as: Int64.self)
            }
            buffer.storeBytes(of: Self.checksum(ends).littleEndian, toByteOffset: 8 * ends.count, as: UInt32.self)
            return pwrite(descriptor, buffer.baseAddress, size, 0)
        }
        // On a full disk it rings all the same. Should a ring be lost, readers look again by themselves within a second.
        if written != size { futimens(descriptor, nil) }
    }

    private static func checksum(_ ends: [Int64]) -> UInt32 {
        var crc = Crc32c()
        for end in ends { crc.add(end) }
        return crc.value
    }
}
