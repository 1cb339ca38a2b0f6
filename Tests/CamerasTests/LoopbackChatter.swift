import Foundation
import Glibc
import Synchronization

/// Another program that talks on the loopback interface: datagrams that nobody reads, laid out like payload packets of
/// GigE Vision's streaming protocol.
final class LoopbackChatter: Sendable {
    struct Refused: Error { let code: Int32 }

    private static let blockID: UInt8 = 9
    private static let payload: UInt8 = 3

    private let socket: Int32
    private let isOver = Atomic(false)
    private let count = Atomic(0)
    private let ended = DispatchSemaphore(value: 0)

    /// Datagrams sent so far.
    var sent: Int { count.load(ordering: .relaxed) }

    init() throws {
        socket = Glibc.socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        guard socket >= 0 else { throw Refused(code: errno) }
        // Port 9 is "discard".
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(9).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let code = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard code == 0 else {
            let code = errno
            Glibc.close(socket)
            throw Refused(code: code)
        }
        Thread.detachNewThread { [self] in talk() }
    }

    /// Returns when the last datagram is sent.
    func stop() {
        isOver.store(true, ordering: .relaxed)
        ended.wait()
        Glibc.close(socket)
    }

    private func talk() {
        var datagram = [UInt8](repeating: 0, count: 200)
        datagram[3] = Self.blockID
        datagram[4] = Self.payload
        datagram[7] = 1
        while !isOver.load(ordering: .relaxed) {
            // Refused where nobody listens; it was on its way all the same.
            _ = send(socket, datagram, datagram.count, 0)
            count.wrappingAdd(1, ordering: .relaxed)
            sched_yield()
        }
        ended.signal()
    }
}
