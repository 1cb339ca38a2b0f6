import Foundation
import Synchronization

/// Set by the signal handler, which may do nothing else.
private let isStopRequested = Atomic(false)

/// Whether the person wants the command to end: Ctrl-C or SIGTERM, noted instead of dying at once.
struct StopSignal: Sendable {
    init() {
        // The first use makes the flag; the handler must not.
        isStopRequested.store(false, ordering: .relaxed)
        for number in [SIGINT, SIGTERM] { signal(number) { _ in isStopRequested.store(true, ordering: .relaxed) } }
    }

    var isRequested: Bool { isStopRequested.load(ordering: .relaxed) }
}
