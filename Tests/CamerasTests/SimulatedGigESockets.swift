import Glibc

/// UDP on the loopback interface.
enum UDP {
    struct Refused: Error { let code: Int32 }

    static func address(_ host: UInt32, _ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = host.bigEndian
        return address
    }

    /// A socket bound to 127.0.0.1; nil where the port is taken, any free one for 0.
    static func socket(port: UInt16) throws -> Int32? {
        let file = Glibc.socket(AF_INET, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard file >= 0 else { throw Refused(code: errno) }
        var local = address(0x7F00_0001, port)
        let code = withUnsafePointer(to: &local) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(file, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        if code == 0 { return file }
        let reason = errno
        close(file)
        guard reason == EADDRINUSE else { throw Refused(code: reason) }
        return nil
    }

    /// Whether nobody has that port of 127.0.0.1.
    static func isFree(_ port: UInt16) -> Bool {
        guard let file = try? socket(port: port) else { return false }
        close(file)
        return true
    }

    static func port(of file: Int32) -> UInt16 {
        var local = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        _ = withUnsafeMutablePointer(to: &local) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(file, $0, &size) }
        }
        return UInt16(bigEndian: local.sin_port)
    }

    /// Sends one datagram; one that is refused is lost, as on a network.
    static func send(_ file: Int32, _ bytes: [UInt8], to address: sockaddr_in) {
        var address = address
        _ = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(file, bytes, bytes.count, 0, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    /// The next datagram and who sent it; nil where there is none.
    static func receive(_ file: Int32, _ bytes: inout [UInt8]) -> (count: Int, from: sockaddr_in)? {
        var from = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let count = withUnsafeMutablePointer(to: &from) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { recvfrom(file, &bytes, bytes.count, 0, $0, &size) }
        }
        return count >= 0 ? (count, from) : nil
    }
}
