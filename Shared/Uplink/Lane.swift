import EventLog
import PlantEvents
import SwiftProtobuf

/// What went wrong, and at which log.
struct Trouble: Error {
    let side: Side
    let failure: LogFailure
    var records = 0
}

/// Mirrors one partition: reads at the source, appends at the target, in order, one batch at a time.
///
/// It trusts no stored offset. Where to go on is read from the target's tail when it starts and after every doubt, and
/// before each append the target's end must be where the last one left it.
actor Lane {
    let place: TopicPartition
    private let id: Int
    private let source: any EventLog
    private let target: any EventLog
    private let settings: Mirror.Settings
    private let turns: TurnKeeper
    private let nowUs: @Sendable () -> Int64

    /// Where the target ended when it was last in order.
    private var targetEnd: Int64 = 0
    /// False when the target's tail must be looked at before anything is sent.
    private var isLocated = false
    private var wasLocated = false
    /// The source offset behind what the target has.
    private var next: Int64 = 0
    private var batch = Batch(from: 0)
    private var reader: (any LogReader)?
    private var setbacks: Setbacks
    private var doubt = Doubt()
    /// Records of one append at most: halved where the target finds a batch too large, then growing slowly.
    private var limit: Int
    private var status: PartitionStatus
    private var bytesRead: Int64 = 0
    private var recordsRead: Int64 = 0
    private static let gapsKept = 16

    init(
        _ place: TopicPartition,
        id: Int,
        from source: any EventLog,
        to target: any EventLog,
        _ settings: Mirror.Settings,
        _ turns: TurnKeeper,
        nowUs: @escaping @Sendable () -> Int64
    ) {
        self.place = place
        self.id = id
        self.source = source
        self.target = target
        self.settings = settings
        self.turns = turns
        self.nowUs = nowUs
        limit = settings.batchRecords
        setbacks = Setbacks(first: settings.firstWait, longest: settings.longestWait, stopped: settings.stoppedWait)
        status = PartitionStatus(topic: place.topic, partition: place.partition)
    }

    /// Mirrors until the task is cancelled or a log is closed.
    func run() async {
        while !Task.isCancelled {
            do throws(Trouble) {
                try await step()
            } catch {
                guard await mend(error) else { break }
            }
        }
        await closeReader()
    }

    /// How it stands now; asks the source for its end, which costs a query.
    func currentStatus() async -> PartitionStatus {
        // A source that does not answer leaves the end that is known.
        if let end = try? await source.endOffset(of: place) { status.sourceEnd = end }
        status.sourceNext = next
        status.unsentRecords = max(0, status.sourceEnd - next)
        let mean = recordsRead > 0 ? Double(bytesRead) / Double(recordsRead) : 0
        status.unsentBytesEstimated = Int64(mean * Double(status.unsentRecords))
        if status.unsentRecords > 0, status.state == .level { status.state = .draining }
        return status
    }

    private func step() async throws(Trouble) {
        if !isLocated {
            guard try await locate() else { return }
        }
        if batch.isEmpty {
            try await read(atMost: settings.liveRecords, wait: settings.idleWait)
            if batch.isEmpty { return try await rest() }
        }
        let isLive = batch.records.count < settings.liveRecords && setbacks.count == 0
        if isLive { return try await send() }
        let end = try await at(.source) { log async throws(LogFailure) in try await log.endOffset(of: place) }
        status.sourceEnd = end
        status.state = setbacks.count == 0 ? .draining : status.state
        await turns.take(id, setbacks.count == 0 ? .draining : .doubtful, backlog: end - next)
        let result: Result<Void, Trouble>
        do throws(Trouble) {
            try await fill()
            try await send()
            result = .success(())
        } catch {
            result = .failure(error)
        }
        await turns.end(id)
        try result.get()
    }

    /// Reads on until the batch is as large as an append may be, or the source has no more just now.
    private func fill() async throws(Trouble) {
        while setbacks.count == 0, batch.records.count < limit, batch.bytes < settings.batchBytes {
            let known = batch.after
            try await read(atMost: limit - batch.records.count, wait: .zero)
            if batch.after == known { return }
        }
    }

    private func read(atMost max: Int, wait: Duration) async throws(Trouble) {
        let reader = try await openReader()
        let found: [StoredRecord]
        do {
            found = try await reader.next(max: max, wait: wait)
        } catch {
            throw Trouble(side: .source, failure: error)
        }
        for stored in found {
            batch.add(stored)
            if let damage = stored.damage { note(MirrorGap(offset: stored.offset, reason: damage)) }
            bytesRead += Int64(stored.record.byteCount)
        }
        recordsRead += Int64(found.count)
        status.sourceEnd = Swift.max(status.sourceEnd, batch.after)
    }

    private func openReader() async throws(Trouble) -> any LogReader {
        if let reader { return reader }
        batch = Batch(from: next)
        let from = next
        let opened = try await at(.source) { log async throws(LogFailure) in try await log.reader(from: [place: from]) }
        reader = opened
        return opened
    }

    private func closeReader() async {
        await reader?.close()
        reader = nil
    }

    private func note(_ gap: MirrorGap) {
        status.gapCount += 1
        status.gaps.append(gap)
        if status.gaps.count > Self.gapsKept { status.gaps.removeFirst() }
    }

    /// Nothing to send: whether both logs are still what they were.
    private func rest() async throws(Trouble) {
        next = batch.after
        let sourceEnd = try await at(.source) { log async throws(LogFailure) in try await log.endOffset(of: place) }
        let end = try await at(.target) { log async throws(LogFailure) in try await log.endOffset(of: place) }
        status.sourceEnd = sourceEnd
        if end != targetEnd || sourceEnd < next { return startOver() }
        works(next < sourceEnd ? .draining : .level)
    }

    private func send() async throws(Trouble) {
        guard !Task.isCancelled else { return }
        let count = min(limit, batch.records.count)
        let records = count == batch.records.count ? batch.records : Array(batch.records.prefix(count))
        let end = try await at(.target) { log async throws(LogFailure) in try await log.endOffset(of: place) }
        guard end == targetEnd else { return startOver() }
        let first: Int64
        do {
            first = try await target.append(records, to: place)
        } catch {
            throw Trouble(side: .target, failure: error, records: count)
        }
        // Something came between: the tail tells what.
        guard first == end else { return startOver() }
        targetEnd = end + Int64(count)
        acknowledge(count)
        works(next < status.sourceEnd ? .draining : .level)
    }

    private func acknowledge(_ count: Int) {
        guard count > 0 else { return }
        if let origin = Origin.of(batch.records[count - 1]) { status.lastOrigin = origin.text }
        status.sentRecords += Int64(count)
        let before = batch.bytes
        next = batch.offset(after: count)
        batch.drop(count)
        status.sentBytes += Int64(before - batch.bytes)
    }

    private func works(_ state: PartitionStatus.State) {
        setbacks.succeeded()
        doubt = Doubt()
        limit = min(limit + max(1, limit / 16), settings.batchRecords)
        status.state = state
        status.reason = ""
        status.targetAwaySinceUs = nil
    }

    /// The target's tail is to be looked at before anything else is sent. What was read stays: should it have to go again,
    /// it goes as the same batch, which a Kafka client recognises while it is still under way.
    private func startOver() {
        isLocated = false
        status.state = .locating
    }

    /// Handles a failure; false when the lane ends.
    private func mend(_ trouble: Trouble) async -> Bool {
        let reaction = setbacks.failed(trouble.failure, trouble.side, records: trouble.records)
        if trouble.side == .source { await closeReader() }
        isLocated = false
        if trouble.side == .target, trouble.failure.isRetriable {
            status.targetAwaySinceUs = status.targetAwaySinceUs ?? nowUs()
        }
        switch reaction {
        case .end: return false
        case .halve:
            limit = max(1, trouble.records / 2)
        case .create:
            await create()
        case .lookAgain(let wait):
            status.state = .waiting
            status.reason = "\(trouble.side.rawValue): \(trouble.failure)"
            await pause(wait)
        case .stop(let reason, let wait):
            await stop(reason)
            await pause(wait)
        }
        return true
    }

    private func stop(_ reason: String) async {
        status.state = .stopped
        status.reason = reason
        await settings.report(place, reason)
    }

    private func pause(_ wait: Duration) async {
        // A cancelled wait ends with its task.
        try? await Task.sleep(for: wait)
    }

    private func create() async {
        do {
            try await target.create(topic: place.topic, partitions: try await source.partitionCount(of: place.topic))
        } catch {
            status.state = .waiting
            status.reason = "creating \(place.topic) at the target: \(error)"
            await pause(setbacks.wait())
        }
    }

    private func at<Value: Sendable>(
        _ side: Side,
        _ body: (any EventLog) async throws(LogFailure) -> Value
    ) async throws(Trouble) -> Value {
        do {
            return try await body(side == .source ? source : target)
        } catch {
            throw Trouble(side: side, failure: error)
        }
    }
}

extension Lane {
    /// Finds from the target's tail where to go on; false when there is nothing to do at this moment.
    private func locate() async throws(Trouble) -> Bool {
        let sourceEnd = try await at(.source) { log async throws(LogFailure) in try await log.endOffset(of: place) }
        status.sourceEnd = sourceEnd
        guard sourceEnd > 0 else {
            // Others may write this partition at the target; while the source has nothing there is nothing to compare.
            try await waitForFirst()
            return false
        }
        let end = try await at(.target) { log async throws(LogFailure) in try await log.endOffset(of: place) }
        status.relocations += 1
        guard end > 0, let tail = try await soundTail(end) else { return await goOn(at: 0, end) }
        if let origin = tail.reversed().lazy.compactMap({ Origin.of($0.record) }).first {
            status.lastOrigin = origin.text
        }
        // A landed part of a batch, or a tail that moved back, moved both logs' places by the same.
        let guess = wasLocated ? next + end - targetEnd : end
        var resume = Resume(tail: tail, targetEnd: end, sourceEnd: sourceEnd, guess: guess)
        var step = resume.next()
        while true {
            switch step {
            case .look(let range):
                guard !Task.isCancelled else { return false }
                step = resume.next(try await records(.source, range))
            case .goOn(let offset):
                return await goOn(at: offset, end)
            case .stop(let reason):
                await stop(reason)
                await pause(settings.divergedWait)
                return false
            }
        }
    }

    private func waitForFirst() async throws(Trouble) {
        status.state = .empty
        next = 0
        let reader = try await openReader()
        do {
            // What it finds is read again once the place is known.
            _ = try await reader.next(max: 1, wait: settings.idleWait)
        } catch {
            throw Trouble(side: .source, failure: error)
        }
        await closeReader()
    }

    /// Takes the place found; returns whether sending may go on at once.
    private func goOn(at offset: Int64, _ end: Int64) async -> Bool {
        let landed = offset >= next && offset <= batch.after ? batch.count(before: offset) : nil
        if let landed, reader != nil {
            if setbacks.count > 0, doubt.shouldLookAgain(landed: landed, of: batch.records.count) {
                await pause(setbacks.wait())
                return false
            }
            if landed > 0, end - targetEnd < Int64(landed) {
                note(
                    MirrorGap(
                        offset: next,
                        reason: "\(place): the target took \(end - targetEnd) of \(landed) records from source offset "
                            + "\(next) on, and later ones with them; it broke the order of an append"
                    )
                )
            }
            if landed > 0 { acknowledge(landed) }
            if batch.isEmpty { next = batch.after }
        } else {
            await closeReader()
            next = offset
            batch = Batch(from: offset)
        }
        targetEnd = end
        (isLocated, wasLocated) = (true, true)
        if setbacks.count == 0 { status.state = next < status.sourceEnd ? .draining : .level }
        return true
    }

    /// The sound ones of the target's last records; looks further back while there are none. Nil where all are damaged.
    private func soundTail(_ end: Int64) async throws(Trouble) -> [StoredRecord]? {
        var count = Resume.tailRecords
        while true {
            let first = max(0, end - count)
            let tail = try await records(.target, first..<end).filter { $0.damage == nil }
            if !tail.isEmpty { return tail.suffix(Int(Resume.tailRecords)) }
            if first == 0 { return nil }
            count *= 4
        }
    }

    /// The records of a range of offsets, damaged ones too.
    private func records(_ side: Side, _ range: Range<Int64>) async throws(Trouble) -> [StoredRecord] {
        guard !range.isEmpty else { return [] }
        let reader = try await at(side) { log async throws(LogFailure) in
            try await log.reader(from: [place: range.lowerBound])
        }
        let result: Result<[StoredRecord], LogFailure>
        do throws(LogFailure) {
            result = .success(try await take(range, from: reader))
        } catch {
            result = .failure(error)
        }
        await reader.close()
        do {
            return try result.get()
        } catch {
            throw Trouble(side: side, failure: error)
        }
    }

    private func take(_ range: Range<Int64>, from reader: any LogReader) async throws(LogFailure) -> [StoredRecord] {
        var found: [StoredRecord] = []
        var reached = range.lowerBound
        while reached < range.upperBound {
            let more = try await reader.next(max: Int(range.upperBound - reached), wait: settings.readWait)
            guard let last = more.last else {
                throw .unavailable("\(place): nothing from offset \(reached) on within \(settings.readWait)")
            }
            found += more.filter { $0.offset < range.upperBound }
            reached = last.offset + 1
        }
        return found
    }
}
