import SQLite

/// The one writer of a topic: appends that arrive while a commit runs share the next one.
///
/// The executor runs jobs in the order they came, so the job that commits runs after every append that was waiting.
actor TopicWriter {
    private struct Waiting {
        let records: [LogRecord]
        let bytes: Int
        let partition: Int32
        let continuation: CheckedContinuation<Result<Int64, LogFailure>, Never>
    }

    private final class Opened {
        let database: Database
        let insert: Statement
        let acknowledged: AcknowledgedEnds

        init(database: Database, insert: Statement, acknowledged: AcknowledgedEnds) {
            self.database = database
            self.insert = insert
            self.acknowledged = acknowledged
        }
    }

    /// Appends waiting for a commit together, bytes; beyond it they are told to come again.
    private static let waitingLimit = 2 * LogLimits.batchBytes
    /// What may go into the write-ahead log between checkpoints, bytes: about the 1,000 pages that SQLite itself would
    /// choose. A log that stays small is overwritten in place, which the disk does faster than growing a file.
    private static let checkpointBytes = 4 << 20
    /// A commit writes whole pages: at least the last one of the table.
    private static let commitBytes = 8_192
    /// Pages after which a checkpoint waits for readers to get out of the way: 64 MiB.
    private static let logPageLimit = 16_384

    private nonisolated let executor: BlockingExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private let file: TopicFile
    private let nowUs: @Sendable () -> Int64
    private var lock: FileLock?
    private var opened: Opened?
    /// The next offset of each partition; nil when it must be read.
    private var ends: [Int64]?
    private var waiting: [Waiting] = []
    private var waitingBytes = 0
    private var isCommitScheduled = false
    private var bytesSinceCheckpoint = 0
    private var checkpointFailure: LogFailure?
    private var isClosed = false

    init(_ file: TopicFile, nowUs: @escaping @Sendable () -> Int64) {
        self.file = file
        self.nowUs = nowUs
        executor = BlockingExecutor("writer of \(file.topic)")
    }

    func append(_ records: [LogRecord], bytes: Int, to partition: Int32) async throws(LogFailure) -> Int64 {
        guard !isClosed else { throw .closed }
        guard waitingBytes + bytes <= Self.waitingLimit else {
            throw .unavailable("\(file.path): \(waitingBytes) bytes wait for the disk already; append again later")
        }
        waitingBytes += bytes
        let result = await withCheckedContinuation { continuation in
            waiting.append(
                Waiting(records: records, bytes: bytes, partition: partition, continuation: continuation)
            )
            scheduleCommit()
        }
        return try result.get()
    }

    func close() {
        isClosed = true
        while !waiting.isEmpty { commitWaiting() }
        // What stays in the write-ahead log is durable there; the next opening moves it.
        _ = try? opened?.database.checkpoint(.truncating)
        opened = nil
        lock = nil
    }

    private func scheduleCommit() {
        guard !isCommitScheduled else { return }
        isCommitScheduled = true
        Task { self.commitWaiting() }
    }

    private func commitWaiting() {
        isCommitScheduled = false
        var bytes = 0
        let batch = waiting.prefix { waiting in
            defer { bytes += waiting.bytes }
            return bytes == 0 || bytes + waiting.bytes <= LogLimits.batchBytes
        }
        waiting.removeFirst(batch.count)
        if !waiting.isEmpty { scheduleCommit() }
        let taken = batch.reduce(0) { $0 + $1.bytes }
        waitingBytes -= taken
        do throws(LogFailure) {
            let firsts = try commit(batch)
            for (waiting, first) in zip(batch, firsts) { waiting.continuation.resume(returning: first) }
            bytesSinceCheckpoint += taken + Self.commitBytes
            if bytesSinceCheckpoint >= Self.checkpointBytes { checkpoint() }
        } catch {
            for waiting in batch { waiting.continuation.resume(returning: .failure(error)) }
        }
    }

    /// Writes all in one transaction, waits for the disk, rings; returns the first offset of each, or that there is no
    /// such partition.
    private func commit(_ batch: ArraySlice<Waiting>) throws(LogFailure) -> [Result<Int64, LogFailure>] {
        if let failure = checkpointFailure {
            checkpointFailure = nil
            throw failure
        }
        let opened = try open()
        var after = try readEnds(opened)
        // A failed commit may have landed, so the ends are read again after it.
        ends = nil
        var firsts: [Result<Int64, LogFailure>] = []
        let atUs = nowUs()
        do {
            try opened.database.transaction { () throws(SQLiteError) in
                for waiting in batch {
                    let partition = Int(waiting.partition)
                    guard after.indices.contains(partition) else {
                        firsts.append(.failure(.unknown(TopicPartition(file.topic, waiting.partition))))
                        continue
                    }
                    firsts.append(.success(after[partition]))
                    for record in waiting.records {
                        let id = TopicFile.id(waiting.partition, after[partition])
                        try Self.write(record, id: id, atUs: atUs, with: opened.insert)
                        after[partition] += 1
                    }
                }
            }
        } catch let error as SQLiteError {
            throw file.failure(error)
        } catch {
            throw .unavailable("\(file.path): \(error)")
        }
        ends = after
        opened.acknowledged.write(after)
        return firsts
    }

    private static func write(
        _ record: LogRecord,
        id: Int64,
        atUs: Int64,
        with insert: Statement
    ) throws(SQLiteError) {
        let headers = RecordForm.encode(record.headers)
        insert.bind(1, id)
        insert.bind(2, atUs)
        insert.bind(
            3,
            RecordForm.checksum(id: id, atUs: atUs, key: record.key, value: record.value, headers: headers)
        )
        insert.bind(4, record.key)
        insert.bind(5, record.value)
        insert.bind(6, headers)
        try insert.run()
    }

    private func open() throws(LogFailure) -> Opened {
        if let opened { return opened }
        if lock == nil { lock = try FileLock.take(file.lockPath) }
        let database = try file.openToWrite()
        let insert = try file.reading { () throws(SQLiteError) in
            try database.prepare("INSERT INTO record VALUES (?, ?, ?, ?, ?, ?)")
        }
        let acknowledged = try AcknowledgedEnds(file, toWrite: true)
        let opened = Opened(database: database, insert: insert, acknowledged: acknowledged)
        self.opened = opened
        return opened
    }

    /// Offsets that were acknowledged are never given again, whether their records are still there or not.
    private func readEnds(_ opened: Opened) throws(LogFailure) -> [Int64] {
        if let ends { return ends }
        return try file.reading { () throws(SQLiteError) in
            let count = Int(try opened.database.integer("SELECT partitions FROM topic"))
            var ends: [Int64] = []
            for partition in 0..<Int32(count) { ends.append(try opened.database.endOffset(partition)) }
            let acknowledged = opened.acknowledged.read(partitions: count)
            return acknowledged.isEmpty ? ends : zip(ends, acknowledged).map(max)
        }
    }

    private func checkpoint() {
        guard let database = opened?.database else { return }
        bytesSinceCheckpoint = 0
        do throws(SQLiteError) {
            if try database.checkpoint(.passive) > Self.logPageLimit { try database.checkpoint(.truncating) }
        } catch {
            // A full disk shows at the next append; a reader in the way is gone at the next checkpoint.
            if !error.isBusy, !error.isFull { checkpointFailure = file.failure(error) }
        }
    }
}
