import EventLog
import Foundation
import PlantEvents

/// Consecutive records of one partition, within a batch.
struct RecordRun {
    let records: UnsafeBufferPointer<StoredRecord>
    /// Nil when they are of none of the site's topics.
    let topic: Topic?
}

/// Threads that read records while the caller folds those before: at most `chunks` runs are read ahead.
final class DecodePool {
    private let shared: Shared

    init(threads: Int) {
        precondition(threads > 0, "a pool of no threads reads nothing")
        let shared = Shared(chunks: 2 * threads + 1)
        self.shared = shared
        for number in 0..<threads {
            let thread = Thread { shared.work() }
            thread.name = "decode-\(number)"
            thread.start()
        }
    }

    deinit {
        shared.stop()
    }

    /// Reads the runs and hands over each with its records, in their order. The records must stay until it returns.
    func read(_ runs: [RecordRun], _ body: (Int, RecordChunk) throws -> Void) throws {
        shared.begin(runs)
        defer { shared.end() }
        for index in runs.indices {
            let chunk = shared.take(index)
            defer { shared.giveBack(chunk) }
            try body(index, chunk)
        }
    }
}

/// Sendable because everything in it is used under `condition` only; a chunk or a run that was taken out of it belongs
/// to the thread that took it.
private final class Shared: @unchecked Sendable {
    private let condition = NSCondition()
    private var runs: [RecordRun] = []
    private var nextRun = 0
    private var idle: [RecordChunk]
    private var ready: [Int: RecordChunk] = [:]
    private var busy = 0
    private var isStopped = false

    init(chunks: Int) {
        idle = (0..<chunks).map { _ in RecordChunk() }
    }

    func begin(_ runs: [RecordRun]) {
        condition.withLock {
            self.runs = runs
            nextRun = 0
            condition.broadcast()
        }
    }

    /// Waits until no thread reads the caller's records any more.
    func end() {
        condition.withLock {
            nextRun = runs.count
            while busy > 0 { condition.wait() }
            idle.append(contentsOf: ready.values)
            ready.removeAll(keepingCapacity: true)
            runs = []
            nextRun = 0
        }
    }

    func take(_ index: Int) -> RecordChunk {
        condition.withLock {
            while true {
                if let chunk = ready.removeValue(forKey: index) { return chunk }
                condition.wait()
            }
        }
    }

    func giveBack(_ chunk: RecordChunk) {
        condition.withLock {
            idle.append(chunk)
            condition.broadcast()
        }
    }

    func stop() {
        condition.withLock {
            isStopped = true
            condition.broadcast()
        }
    }

    /// A thread's life: runs are taken in their order, so that the one that is waited for always has a chunk.
    func work() {
        while let (index, run, chunk) = next() {
            chunk.read(run.records, of: run.topic)
            condition.withLock {
                ready[index] = chunk
                busy -= 1
                condition.broadcast()
            }
        }
    }

    private func next() -> (Int, RecordRun, RecordChunk)? {
        condition.withLock {
            while !isStopped {
                if nextRun < runs.count, let chunk = idle.popLast() {
                    defer { nextRun += 1 }
                    busy += 1
                    return (nextRun, runs[nextRun], chunk)
                }
                condition.wait()
            }
            return nil
        }
    }
}
