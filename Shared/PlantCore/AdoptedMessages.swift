import PlantEvents

/// Which messages of which peer were taken on: where to go on reading, and the newest ids, since a peer may send again
/// what it sent before.
struct AdoptedMessages: Codable, Sendable {
    /// Ids remembered for each peer: more than one read of the peer brings.
    static let idsKept = 128

    private var cursors: [String: String] = [:]
    private var newest: [String: [String]] = [:]

    /// Where to go on reading at the peer; empty before the first message.
    func cursor(of peer: String) -> String { cursors[peer] ?? "" }

    func contains(_ message: PeerMessageAdopted) -> Bool {
        newest[message.peer]?.contains(message.messageID) ?? false
    }

    mutating func note(_ message: PeerMessageAdopted) {
        cursors[message.peer] = message.cursor
        newest[message.peer, default: []].append(message.messageID)
        if newest[message.peer, default: []].count > Self.idsKept { newest[message.peer]?.removeFirst() }
    }
}
