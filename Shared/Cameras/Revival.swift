/// When a lost camera is tried again. One that is lost soon after each return is tried less and less often, so that its
/// losses do not flood the log.
struct Revival {
    /// A camera that went on for this long was well, microseconds.
    private static let wellUs: Int64 = 10_000_000
    /// Longest wait before an attempt, microseconds.
    private static let longestUs: Int64 = 5_000_000

    /// Time between two attempts at a camera that is not there, microseconds.
    let retryUs: Int64
    private var soonLost = 0
    private var openedUs: Int64 = 0

    init(retryUs: Int64) {
        self.retryUs = retryUs
    }

    mutating func opened(nowUs: Int64) { openedUs = nowUs }

    /// Time of the first attempt after a loss: at once, and later where the camera was hardly back.
    mutating func afterLoss(nowUs: Int64) -> Int64 {
        soonLost = nowUs - openedUs < Self.wellUs ? soonLost + 1 : 0
        guard soonLost > 1 else { return nowUs }
        return nowUs + min(Self.longestUs, retryUs << min(soonLost - 2, 10))
    }
}
