import Glibc

/// Asks a GigE Vision camera whether it is there, by the DISCOVERY command sent to its own address (GigE Vision 1.2,
/// 14.1; GVCP, UDP port 3956), which every camera answers to anyone, whoever controls it.
///
/// Aravis' own heartbeat needs 5 seconds to tell that a camera is gone; this needs less than half a second.
package struct GigEProbe {
    /// What a camera says of itself (DISCOVERY_ACK).
    package struct Answer: Equatable {
        package let maker: String
        package let model: String
        package let version: String
        package let serial: String
    }

    package static let port: UInt16 = 3956
    /// Attempts, and the wait for the answer to each, milliseconds.
    static let attempts = 3
    static let waitMs: Int32 = 140

    private let address: sockaddr_in

    /// Nil where `name` is no address and no name of a host: an id that only Aravis' search can find.
    package init?(_ name: String) {
        var hints = addrinfo()
        hints.ai_family = AF_INET
        hints.ai_socktype = Int32(SOCK_DGRAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(name, nil, &hints, &found) == 0, let found else { return nil }
        defer { freeaddrinfo(found) }
        guard let place = found.pointee.ai_addr else { return nil }
        var address = UnsafeRawPointer(place).loadUnaligned(as: sockaddr_in.self)
        address.sin_port = Self.port.bigEndian
        self.address = address
    }

    /// The camera's answer; nil where it gives none, at once where its host says that nobody listens.
    package func ask() -> Answer? {
        let socket = Glibc.socket(AF_INET, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard socket >= 0 else { return nil }
        defer { close(socket) }
        var address = address
        let isConnected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        guard isConnected else { return nil }
        var answer = [UInt8](repeating: 0, count: 576)
        for attempt in 1...Self.attempts {
            // Key 0x42, answer wanted, DISCOVERY_CMD, no payload, request id.
            let command: [UInt8] = [0x42, 0x01, 0x00, 0x02, 0x00, 0x00, 0x00, UInt8(attempt)]
            guard send(socket, command, command.count, 0) == command.count else { return nil }
            var entry = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
            guard poll(&entry, 1, Self.waitMs) > 0 else { continue }
            let count = recv(socket, &answer, answer.count, 0)
            guard count >= 0 else { return nil }
            if let read = Self.read(answer[..<count]) { return read }
        }
        return nil
    }

    /// Reads a DISCOVERY_ACK: status 0, command 0x0003, 248 bytes of bootstrap registers.
    package static func read(_ bytes: ArraySlice<UInt8>) -> Answer? {
        let bytes = Array(bytes)
        guard bytes.count >= 8 + 248, bytes[0] == 0, bytes[1] == 0, bytes[2] == 0, bytes[3] == 3 else { return nil }
        func text(_ register: Int, _ length: Int) -> String {
            String(decoding: bytes[(8 + register)..<(8 + register + length)].prefix { $0 != 0 }, as: UTF8.self)
        }
        return Answer(
            maker: text(0x48, 32),
            model: text(0x68, 32),
            version: text(0x88, 32),
            serial: text(0xD8, 16)
        )
    }
}
