import Dispatch
import Glibc
import Synchronization

/// Rings readers' bells when a writer, in this process or another, has touched its topic's bell file.
///
/// One inotify instance a log; where the kernel gives none, the bells ring every 50 ms instead.
final class CommitWatch: Sendable {
    private struct State {
        var topics: [Int32: String] = [:]
        var bells: [String: [ObjectIdentifier: Bell]] = [:]
        var events: (any DispatchSourceRead)?
        var polls: (any DispatchSourceTimer)?
    }

    /// The inotify instance; -1 without one.
    private let descriptor: Int32
    private let queue = DispatchQueue(label: "log bells")
    private let state = Mutex(State())

    init(_ wakeUp: EmbeddedLog.WakeUp) {
        descriptor = wakeUp == .inotify ? inotify_init1(Int32(IN_CLOEXEC) | Int32(IN_NONBLOCK)) : -1
        if descriptor >= 0 { listen() } else { poll() }
    }

    deinit {
        state.withLock { state in
            state.events?.cancel()
            state.polls?.cancel()
        }
    }

    /// Rings `bell` after each commit to the topic, until `forget`.
    func ring(_ bell: Bell, after file: TopicFile) {
        let isWatched = state.withLock { state in
            state.bells[file.topic, default: [:]][ObjectIdentifier(bell)] = bell
            if descriptor < 0 || state.topics.values.contains(file.topic) { return true }
            let watch = inotify_add_watch(descriptor, file.bellPath, UInt32(IN_MODIFY) | UInt32(IN_ATTRIB))
            if watch >= 0 { state.topics[watch] = file.topic }
            return watch >= 0
        }
        if !isWatched { poll() }
    }

    func forget(_ bell: Bell, of topic: String) {
        state.withLock { state in state.bells[topic]?[ObjectIdentifier(bell)] = nil }
    }

    private func listen() {
        let descriptor = descriptor
        state.withLock { state in
            let source = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: queue)
            source.setEventHandler { [weak self] in self?.drain() }
            source.setCancelHandler { close(descriptor) }
            source.activate()
            state.events = source
        }
    }

    private func poll() {
        state.withLock { state in
            guard state.polls == nil else { return }
            let timer = DispatchSource.makeTimerSource(queue: queue)
            timer.schedule(deadline: .now(), repeating: .milliseconds(50))
            timer.setEventHandler { [weak self] in self?.ringAll() }
            timer.activate()
            state.polls = timer
        }
    }

    private func ringAll() {
        let due = state.withLock { $0.bells.values.flatMap(\.values) }
        for bell in due { bell.ring() }
    }

    private func drain() {
        var touched: Set<Int32> = []
        var isOverrun = false
        withUnsafeTemporaryAllocation(byteCount: 16_384, alignment: MemoryLayout<inotify_event>.alignment) { buffer in
            while case let count = read(descriptor, buffer.baseAddress, buffer.count), count > 0 {
                var start = 0
                while start < count {
                    let event = buffer.load(fromByteOffset: start, as: inotify_event.self)
                    touched.insert(event.wd)
                    isOverrun = isOverrun || event.mask & UInt32(IN_Q_OVERFLOW) != 0
                    start += MemoryLayout<inotify_event>.size + Int(event.len)
                }
            }
        }
        if isOverrun { return ringAll() }
        let due = state.withLock { state in
            touched.flatMap { watch in
                state.topics[watch].flatMap { state.bells[$0]?.values.map { $0 } } ?? []
            }
        }
        for bell in due { bell.ring() }
    }
}
