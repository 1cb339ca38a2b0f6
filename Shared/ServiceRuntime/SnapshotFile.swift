import Crypto
import EventLog
import Foundation
import PlantCore

/// One snapshot on disk: a line with the SHA-256 of the rest, then JSON. A missing, damaged or older one is simply not
/// used; the log has everything.
struct SnapshotFile<C: Core>: Sendable {
    typealias Snapshot = Decider<C>.Snapshot<IntakePositions>

    let path: String

    enum Reading {
        case found(Snapshot)
        case absent
        /// Not usable; the text says why.
        case unusable(String)
    }

    func read(coreVersion: Int) -> Reading {
        guard let data = FileManager.default.contents(atPath: path) else { return .absent }
        guard let lineEnd = data.firstIndex(of: UInt8(ascii: "\n")) else { return .unusable("no checksum line") }
        let body = data[data.index(after: lineEnd)...]
        guard String(decoding: data[..<lineEnd], as: UTF8.self) == Self.checksum(body) else {
            return .unusable("checksum does not match")
        }
        do {
            let snapshot = try JSONDecoder().decode(Snapshot.self, from: body)
            guard snapshot.coreVersion == coreVersion else {
                return .unusable("core version \(snapshot.coreVersion); this build has \(coreVersion)")
            }
            return .found(snapshot)
        } catch {
            return .unusable("\(error)")
        }
    }

    /// Replaces the snapshot atomically.
    func write(_ snapshot: Snapshot) throws {
        let body = try JSONEncoder().encode(snapshot)
        let folder = (path as NSString).deletingLastPathComponent
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try (Data((Self.checksum(body) + "\n").utf8) + body).write(to: URL(fileURLWithPath: path), options: .atomic)
    }

    private static func checksum(_ body: Data) -> String {
        SHA256.hash(data: body).map { String(format: "%02x", $0) }.joined()
    }
}
