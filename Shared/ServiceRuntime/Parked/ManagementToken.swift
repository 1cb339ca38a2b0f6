import Crypto
import Foundation
package import HTTPTypes

/// The secret of one run of a service, by which its management routes know requests: it lies with mode 0600 in the plant's
/// state folder. Who may read that folder may act.
package struct ManagementToken: Sendable {
    private let text: String

    /// Makes a new token and leaves it where the command line looks for it.
    package init(_ context: ServiceContext) throws {
        text = SymmetricKey(size: .bits256).withUnsafeBytes { $0.map { String(format: "%02x", $0) }.joined() }
        let path = Self.path(state: context.plant.state, service: context.service)
        let folder = (path as NSString).deletingLastPathComponent
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        // Never readable by others, not even while it is being written.
        let draft = "\(path).\(context.instance)"
        let isMade = FileManager.default.createFile(
            atPath: draft,
            contents: Data((text + "\n").utf8),
            attributes: [.posixPermissions: 0o600]
        )
        guard isMade, rename(draft, path) == 0 else {
            throw ServiceProgram.Stop.unreachable("\(path): cannot be written; the state folder must be writable")
        }
    }

    package static func path(state: String, service: String) -> String { "\(state)/run/\(service).token" }

    /// Whether the request shows this token; compared in constant time.
    package func isShown(in headers: HTTPFields) -> Bool {
        let given = Array((headers[.authorization] ?? "").utf8)
        let expected = Array("Bearer \(text)".utf8)
        guard given.count == expected.count else { return false }
        return zip(given, expected).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }
}
