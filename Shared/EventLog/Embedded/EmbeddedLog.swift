import Glibc
import Synchronization

/// The default log: one SQLite file a topic in a directory, shared by any number of processes on this machine, of which
/// one writes each topic.
package final class EmbeddedLog: EventLog {
    /// How readers learn of other processes' commits.
    package enum WakeUp: Sendable {
        /// At once; where the kernel has no more watches to give, by polling.
        case inotify
        /// Every 50 ms.
        case polling
    }

    private struct State {
        var writers: [String: TopicWriter] = [:]
        var readers: [ObjectIdentifier: EmbeddedReader] = [:]
        var isClosed = false
    }

    package let maximumRecordBytes = LogLimits.recordBytes

    private let directory: String
    private let nowUs: @Sendable () -> Int64
    private let watch: CommitWatch
    private let catalogue: TopicCatalogue
    private let state = Mutex(State())

    /// Makes the directory where it is missing.
    package init(
        directory: String,
        wakeUp: WakeUp = .inotify,
        nowUs: @escaping @Sendable () -> Int64 = { WallClock.nowUs() }
    ) throws(LogFailure) {
        self.directory = directory
        self.nowUs = nowUs
        watch = CommitWatch(wakeUp)
        catalogue = TopicCatalogue(directory: directory)
        try Self.makeDirectories(directory)
    }

    package func create(topic: String, partitions: Int32) async throws(LogFailure) {
        try checkOpen()
        try LogLimits.check(topic: topic, partitions: partitions)
        try await catalogue.create(topic, partitions)
    }

    package func topics() async throws(LogFailure) -> [String] {
        try checkOpen()
        return try await catalogue.topics()
    }

    /// Topics whose records were acknowledged and whose file is gone.
    package func lostTopics() async throws(LogFailure) -> [String] {
        try checkOpen()
        return try await catalogue.lostTopics()
    }

    package func partitionCount(of topic: String) async throws(LogFailure) -> Int32 {
        try checkOpen()
        return try await catalogue.partitionCount(of: topic)
    }

    package func endOffset(of place: TopicPartition) async throws(LogFailure) -> Int64 {
        try checkOpen()
        return try await catalogue.endOffset(of: place)
    }

    @discardableResult
    package func append(_ records: [LogRecord], to place: TopicPartition) async throws(LogFailure) -> Int64 {
        let bytes = try LogLimits.check(records)
        let writer: TopicWriter? = state.withLock { state in
            guard !state.isClosed else { return nil }
            if let writer = state.writers[place.topic] { return writer }
            let writer = TopicWriter(TopicFile(directory: directory, topic: place.topic), nowUs: nowUs)
            state.writers[place.topic] = writer
            return writer
        }
        guard let writer else { throw .closed }
        return try await writer.append(records, bytes: bytes, to: place.partition)
    }

    package func reader(from positions: [TopicPartition: Int64]) async throws(LogFailure) -> any LogReader {
        let reader = EmbeddedReader(from: positions, watch: watch) { [weak self] reader in
            self?.state.withLock { $0.readers[ObjectIdentifier(reader)] = nil }
        }
        let isOpen = state.withLock { state in
            if !state.isClosed { state.readers[ObjectIdentifier(reader)] = reader }
            return !state.isClosed
        }
        guard isOpen else { throw .closed }
        do {
            try await reader.open(in: directory, positions)
        } catch {
            await reader.close()
            throw error
        }
        return reader
    }

    package func close() async {
        let (writers, readers) = state.withLock { state in
            state.isClosed = true
            return (state.writers.values, state.readers.values)
        }
        for reader in readers { await reader.close() }
        for writer in writers { await writer.close() }
        await catalogue.close()
    }

    private func checkOpen() throws(LogFailure) {
        guard !state.withLock({ $0.isClosed }) else { throw .closed }
    }

    private static func makeDirectories(_ path: String) throws(LogFailure) {
        guard !path.isEmpty else { throw .badAddress("embedded: without a directory") }
        var made = path.hasPrefix("/") ? "/" : ""
        for part in path.split(separator: "/") {
            made += made.isEmpty || made == "/" ? String(part) : "/\(part)"
            guard mkdir(made, 0o755) == 0 || errno == EEXIST else { throw .system(errno, "creating \(made)") }
        }
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
            throw .badAddress("\(path) is not a directory; expected one that holds, or will hold, the log's files")
        }
    }
}

/// Answers questions about topics off Swift's thread pool, with one reading connection a topic.
private actor TopicCatalogue {
    private nonisolated let executor = BlockingExecutor("log topics")
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private let directory: String
    private var sources: [String: TopicSource] = [:]

    init(directory: String) {
        self.directory = directory
    }

    func create(_ topic: String, _ partitions: Int32) throws(LogFailure) {
        try TopicFile(directory: directory, topic: topic).create(partitions: partitions)
    }

    func topics() throws(LogFailure) -> [String] { try names(ending: TopicFile.suffix) }

    func lostTopics() throws(LogFailure) -> [String] {
        try names(ending: TopicFile.bellSuffix).filter { topic in
            let file = TopicFile(directory: directory, topic: topic)
            var bell = stat()
            return !file.exists && stat(file.bellPath, &bell) == 0 && bell.st_size > 0
        }
    }

    private func names(ending suffix: String) throws(LogFailure) -> [String] {
        guard let stream = opendir(directory) else { throw .system(errno, "listing \(directory)") }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name.hasSuffix(suffix) { names.append(String(name.dropLast(suffix.count))) }
        }
        return names.sorted()
    }

    func partitionCount(of topic: String) throws(LogFailure) -> Int32 {
        try source(topic).partitionCount()
    }

    func endOffset(of place: TopicPartition) throws(LogFailure) -> Int64 {
        let source = try source(place.topic)
        guard (0..<(try source.partitionCount())).contains(place.partition) else { throw .unknown(place) }
        return try source.endOffset(place.partition)
    }

    func close() {
        sources = [:]
    }

    private func source(_ topic: String) throws(LogFailure) -> TopicSource {
        if let source = sources[topic] { return source }
        let source = try TopicSource(TopicFile(directory: directory, topic: topic))
        sources[topic] = source
        return source
    }
}
