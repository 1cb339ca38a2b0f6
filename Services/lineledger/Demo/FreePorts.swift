import Foundation
import ServiceRuntime

/// Finds ports that nobody uses.
enum FreePorts {
    private static let blockSize = 13

    /// The first of enough free ports in a row, from 8080 on. The block stays reserved against other demos for as long as
    /// this process lives: a lock beside the system's temporary files.
    static func block() throws -> Int {
        for base in stride(from: 8_080, to: 30_000, by: 20) where reserve(base) {
            if (base..<base + blockSize).allSatisfy(isFree) { return base }
        }
        throw ServiceProgram.Stop.unreachable("no \(blockSize) free ports in a row on 127.0.0.1 from 8080 on")
    }

    /// The lock is never given back: it ends with the process.
    private static func reserve(_ base: Int) -> Bool {
        let lock = open("\(NSTemporaryDirectory())/lineledger-ports-\(base).lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
        guard lock >= 0 else { return true }
        if flock(lock, LOCK_EX | LOCK_NB) == 0 { return true }
        close(lock)
        return false
    }

    private static func isFree(_ port: Int) -> Bool {
        let probe = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard probe >= 0 else { return false }
        defer { close(probe) }
        var reuse: Int32 = 1
        setsockopt(probe, SOL_SOCKET, SO_REUSEADDR, &reuse, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(INADDR_LOOPBACK).bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(probe, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}
