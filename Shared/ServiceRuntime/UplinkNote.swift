import Foundation

/// What the uplink tells the other programs of its host, in a file of the state folder: which partitions wait for a person.
package struct UplinkNote: Codable, Sendable, Equatable {
    package var atUs: Int64
    /// `up topic/partition` or `down topic/partition`, and why.
    package var stopped: [String: String]

    /// The uplink writes at least this often; older than three of them, it does not run.
    package static let everyUs: Int64 = 10_000_000

    package init(atUs: Int64, stopped: [String: String]) {
        self.atUs = atUs
        self.stopped = stopped
    }

    package static func path(state: String) -> String { "\(state)/run/uplink.json" }

    package func write(state: String) throws {
        let path = Self.path(state: state)
        try FileManager.default.createDirectory(atPath: "\(state)/run", withIntermediateDirectories: true)
        try JSONEncoder().encode(self).write(to: URL(fileURLWithPath: path), options: .atomic)
    }

    /// Nil where there is none, or one that cannot be read: the uplink writes it anew.
    package static func read(state: String) -> UplinkNote? {
        FileManager.default.contents(atPath: path(state: state))
            .flatMap { try? JSONDecoder().decode(UplinkNote.self, from: $0) }
    }

    /// What stands still, for alarms: the partitions named, or all of it where nothing was said for too long.
    /// - Parameter sinceUs: when the caller began to watch; before the note had its time nothing is concluded.
    package static func stopped(_ note: UplinkNote?, nowUs: Int64, sinceUs: Int64) -> [String: String] {
        let heardUs = max(note?.atUs ?? sinceUs, sinceUs)
        if nowUs - heardUs > 3 * everyUs {
            return ["uplink": "the uplink has said nothing for \((nowUs - heardUs) / 1_000_000) s; does it run?"]
        }
        return note?.stopped ?? [:]
    }
}
