import Synchronization

/// Wakes waiting readers. Whoever waits says which ring it has seen, so a ring between looking and waiting is not missed.
package final class Bell: Sendable {
    private struct Waiter {
        let continuation: CheckedContinuation<Void, Never>
        let timer: Task<Void, Never>

        func resume() {
            timer.cancel()
            continuation.resume()
        }
    }

    private struct State {
        var rings: UInt64 = 0
        var nextWaiter: UInt64 = 0
        var waiters: [UInt64: Waiter] = [:]
    }

    private let state = Mutex(State())

    package init() {}

    /// How often it rang: read before looking for news, passed to `wait` when there was none.
    package var rings: UInt64 { state.withLock { $0.rings } }

    package func ring() {
        let due = state.withLock { state in
            state.rings += 1
            defer { state.waiters.removeAll() }
            return Array(state.waiters.values)
        }
        for waiter in due { waiter.resume() }
    }

    /// Returns when the bell has rung since it was `seen`, after `limit`, or when the task is cancelled.
    package func wait(since seen: UInt64, atMost limit: Duration) async {
        let number = state.withLock { state in
            defer { state.nextWaiter += 1 }
            return state.nextWaiter
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isDue = state.withLock { state in
                    if state.rings != seen || limit <= .zero || Task.isCancelled { return true }
                    let timer = Task {
                        // A cancelled sleep means that the waiter is gone already.
                        guard (try? await Task.sleep(for: limit)) != nil else { return }
                        self.end(number)
                    }
                    state.waiters[number] = Waiter(continuation: continuation, timer: timer)
                    return false
                }
                if isDue { continuation.resume() }
            }
        } onCancel: {
            end(number)
        }
    }

    private func end(_ number: UInt64) {
        state.withLock { $0.waiters.removeValue(forKey: number) }?.resume()
    }
}
