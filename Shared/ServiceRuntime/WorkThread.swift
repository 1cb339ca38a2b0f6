import Dispatch

/// A thread for work that blocks or computes long, so that Swift's own few threads stay free for everything else.
package final class WorkThread: Sendable {
    private let queue: DispatchQueue

    package init(_ label: String) {
        queue = DispatchQueue(label: "lineledger-\(label)")
    }

    /// Runs `body` on the thread, after what was given before it.
    package func run<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            queue.async { continuation.resume(with: Swift.Result(catching: body)) }
        }
    }
}
