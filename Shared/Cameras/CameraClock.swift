import Glibc

/// The clocks that an adapter reads and waits by.
package struct CameraClock: Sendable {
    /// Microseconds since 1970.
    package let nowUs: @Sendable () -> Int64
    /// Microseconds of the clock that is never set (CLOCK_MONOTONIC), by which V4L2 stamps its frames.
    package let monotonicUs: @Sendable () -> Int64
    /// Waits for so many microseconds.
    package let pause: @Sendable (Int64) -> Void

    package init(
        nowUs: @escaping @Sendable () -> Int64,
        monotonicUs: @escaping @Sendable () -> Int64,
        pause: @escaping @Sendable (Int64) -> Void
    ) {
        self.nowUs = nowUs
        self.monotonicUs = monotonicUs
        self.pause = pause
    }

    /// The host's.
    package static let system = CameraClock(
        nowUs: { read(CLOCK_REALTIME) },
        monotonicUs: { read(CLOCK_MONOTONIC) },
        pause: { us in
            guard us > 0 else { return }
            var rest = timespec(tv_sec: Int(us / 1_000_000), tv_nsec: Int(us % 1_000_000) * 1_000)
            var left = timespec()
            while nanosleep(&rest, &left) != 0, errno == EINTR { rest = left }
        }
    )

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000
    }
}
