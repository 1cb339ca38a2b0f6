import EventLog
import Foundation

/// What an embedded log takes on this machine, and what its disk has left.
package struct LogDisk: Sendable, Equatable {
    package let logBytes: Int64
    /// For this user: blocks kept back for root do not count.
    package let freeBytes: Int64

    /// Looks now; nil where the log is not on this machine.
    /// - Throws: what the operating system says of the folder.
    package init?(log address: String) throws {
        guard case .embedded(let folder) = try LogAddress(address) else { return nil }
        var space = statvfs()
        guard statvfs(folder, &space) == 0 else {
            throw CocoaError(.fileReadUnknown, userInfo: [NSFilePathErrorKey: folder])
        }
        freeBytes = Int64(space.f_bavail) * Int64(space.f_frsize)
        var used: Int64 = 0
        for name in try FileManager.default.contentsOfDirectory(atPath: folder) {
            do {
                let attributes = try FileManager.default.attributesOfItem(atPath: "\(folder)/\(name)")
                used += (attributes[.size] as? NSNumber)?.int64Value ?? 0
            } catch let error as CocoaError where error.code == .fileReadNoSuchFile || error.code == .fileNoSuchFile {
                // A file that went away meanwhile takes nothing.
                continue
            }
        }
        logBytes = used
    }
}
