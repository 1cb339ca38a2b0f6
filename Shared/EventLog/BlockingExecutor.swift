package import Dispatch

/// Runs an actor on a dispatch queue of its own, so that blocking calls into C never hold a thread of Swift's pool.
///
/// Jobs run one at a time in the order they were enqueued; the group commit of the embedded log relies on that order.
package final class BlockingExecutor: SerialExecutor {
    package let queue: DispatchQueue

    package init(_ label: String) {
        queue = DispatchQueue(label: label)
    }

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }

    package func checkIsolated() {
        dispatchPrecondition(condition: .onQueue(queue))
    }
}
