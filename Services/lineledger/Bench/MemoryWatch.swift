import Foundation
import Synchronization

/// Set once, by whoever ends something.
final class StopFlag: Sendable {
    private let flag = Atomic(false)

    var isSet: Bool { flag.load(ordering: .relaxed) }
    func set() { flag.store(true, ordering: .relaxed) }
}

/// The largest resident memory of this process while it is watched.
final class MemoryWatch: Sendable {
    private let peak: Mutex<Int>
    private let watching: Mutex<Task<Void, Never>?>

    init() {
        peak = Mutex(Self.resident())
        watching = Mutex(nil)
        let task = Task { [weak self] in
            while !Task.isCancelled, let self {
                let now = Self.resident()
                self.peak.withLock { $0 = max($0, now) }
                // Cancelled, it ends with the loop.
                try? await Task.sleep(for: .milliseconds(100))
            }
        }
        watching.withLock { $0 = task }
    }

    /// Ends the watch; bytes.
    func stop() -> Int {
        watching.withLock { $0?.cancel() }
        return peak.withLock { $0 }
    }

    /// The second number of `/proc/self/statm`, in pages (proc_pid_statm(5)).
    private static func resident() -> Int {
        let text = FileManager.default.contents(atPath: "/proc/self/statm") ?? Data()
        let pages = String(decoding: text, as: UTF8.self).split(separator: " ").dropFirst().first.flatMap { Int($0) }
        return (pages ?? 0) * sysconf(Int32(_SC_PAGESIZE))
    }
}
