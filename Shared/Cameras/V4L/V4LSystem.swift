import CV4L
import Foundation
import Glibc

/// What the V4L2 adapter needs of the operating system. Errors are `errno` values.
package protocol V4LSystem: Sendable {
    /// Opens without blocking.
    func open(_ path: String) throws(SystemError) -> Int32
    func close(_ file: Int32)
    func request(_ file: Int32, _ request: UInt, _ argument: UnsafeMutableRawPointer) throws(SystemError)
    func map(_ file: Int32, length: Int, offset: UInt32) throws(SystemError) -> UnsafeMutableRawBufferPointer
    func unmap(_ memory: UnsafeMutableRawBufferPointer)
    /// What poll(2) says is there, 0 when `waitUs` passed.
    func poll(_ file: Int32, waitUs: Int64) throws(SystemError) -> Int16
    /// Programs that have the device open, in words; empty where nobody can be seen.
    func users(of path: String) -> [String]
    /// Serial number of the USB device behind it; empty where unknown.
    func serial(of path: String) -> String
}

/// A system call's `errno`.
package struct SystemError: Error, Equatable {
    package let code: Int32

    package init(_ code: Int32) {
        self.code = code
    }

    var text: String { String(cString: strerror(code)) }
}

/// The Linux kernel through libv4l2, without its conversions; its plug-ins make multi-planar devices plain ones.
struct KernelV4L: V4LSystem {
    func open(_ path: String) throws(SystemError) -> Int32 {
        let file = Glibc.open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC)
        guard file >= 0 else { throw SystemError(errno) }
        guard v4l2_fd_open(file, V4L2_DISABLE_CONVERSION) >= 0 else {
            let code = errno
            Glibc.close(file)
            throw SystemError(code == 0 ? ENOTTY : code)
        }
        return file
    }

    func close(_ file: Int32) { v4l2_close(file) }

    func request(_ file: Int32, _ request: UInt, _ argument: UnsafeMutableRawPointer) throws(SystemError) {
        while cv4l_ioctl(file, request, argument) != 0 {
            guard errno == EINTR else { throw SystemError(errno) }
        }
    }

    func map(_ file: Int32, length: Int, offset: UInt32) throws(SystemError) -> UnsafeMutableRawBufferPointer {
        guard let start = v4l2_mmap(nil, length, PROT_READ | PROT_WRITE, MAP_SHARED, file, Int64(offset)),
            start != MAP_FAILED
        else { throw SystemError(errno) }
        return UnsafeMutableRawBufferPointer(start: start, count: length)
    }

    func unmap(_ memory: UnsafeMutableRawBufferPointer) { v4l2_munmap(memory.baseAddress, memory.count) }

    func poll(_ file: Int32, waitUs: Int64) throws(SystemError) -> Int16 {
        var entry = pollfd(fd: file, events: Int16(POLLIN | POLLPRI), revents: 0)
        guard Glibc.poll(&entry, 1, Int32(clamping: (waitUs + 999) / 1_000)) >= 0 else {
            if errno == EINTR { return 0 }
            throw SystemError(errno)
        }
        return entry.revents
    }

    /// Looks through the open files of every process that may be looked at.
    func users(of path: String) -> [String] {
        let files = FileManager.default
        let real = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
        let processes = (try? files.contentsOfDirectory(atPath: "/proc")) ?? []
        return processes.filter { Int($0) != nil && Int32($0) != getpid() }.compactMap { process in
            let open = (try? files.contentsOfDirectory(atPath: "/proc/\(process)/fd")) ?? []
            let uses = open.contains {
                (try? files.destinationOfSymbolicLink(atPath: "/proc/\(process)/fd/\($0)")) == real
            }
            guard uses else { return nil }
            let name = (try? String(contentsOfFile: "/proc/\(process)/comm", encoding: .utf8)) ?? "unknown"
            return "\(name.trimmingCharacters(in: .whitespacesAndNewlines)) (process \(process))"
        }
    }

    func serial(of path: String) -> String {
        let name = URL(fileURLWithPath: path).resolvingSymlinksInPath().lastPathComponent
        let file = "/sys/class/video4linux/\(name)/device/../serial"
        let text = (try? String(contentsOfFile: file, encoding: .utf8)) ?? ""
        return text.trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
