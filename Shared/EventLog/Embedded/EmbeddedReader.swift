/// Reads topics of an embedded log; between two reads it holds nothing that a writer or a checkpoint could wait for.
actor EmbeddedReader: LogReader {
    private nonisolated let executor = BlockingExecutor("log reader")
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private let watch: CommitWatch
    private let bell = Bell()
    private let onClose: @Sendable (EmbeddedReader) -> Void
    private var cursor: ReadCursor
    private var sources: [String: TopicSource] = [:]
    private var isClosed = false

    init(
        from positions: [TopicPartition: Int64],
        watch: CommitWatch,
        onClose: @escaping @Sendable (EmbeddedReader) -> Void
    ) {
        cursor = ReadCursor(positions)
        self.watch = watch
        self.onClose = onClose
    }

    /// Opens the files and checks that the positions are of this log.
    func open(in directory: String, _ positions: [TopicPartition: Int64]) throws(LogFailure) {
        for (place, offset) in positions.sorted(by: { $0.key < $1.key }) {
            let file = TopicFile(directory: directory, topic: place.topic)
            let source = try source(of: file)
            guard (0..<(try source.partitionCount())).contains(place.partition) else { throw .unknown(place) }
            try LogLimits.check(offset, of: place, end: try source.endOffset(place.partition))
        }
    }

    private func source(of file: TopicFile) throws(LogFailure) -> TopicSource {
        if let source = sources[file.topic] { return source }
        let source = try TopicSource(file)
        sources[file.topic] = source
        watch.ring(bell, after: file)
        return source
    }

    func next(max: Int, wait: Duration) async throws(LogFailure) -> [StoredRecord] {
        let deadline = ContinuousClock.now + wait
        while true {
            guard !isClosed else { throw .closed }
            let seen = bell.rings
            let found = try read(max)
            let left = ContinuousClock.now.duration(to: deadline)
            if !found.isEmpty || left <= .zero || Task.isCancelled { return found }
            // Rings can be lost (a bell file removed by hand, a file system without inotify); a second is the limit.
            await bell.wait(since: seen, atMost: min(left, .seconds(1)))
        }
    }

    private func read(_ max: Int) throws(LogFailure) -> [StoredRecord] {
        var found: [StoredRecord] = []
        var bytes = LogLimits.readBytes
        for place in cursor.turn() where found.count < max && bytes > 0 {
            guard let source = sources[place.topic] else { continue }
            found += try source.read(place, from: &cursor[place], max: max - found.count, bytes: &bytes)
        }
        return found
    }

    func close() {
        guard !isClosed else { return }
        isClosed = true
        for topic in sources.keys { watch.forget(bell, of: topic) }
        sources = [:]
        bell.ring()
        onClose(self)
    }
}
