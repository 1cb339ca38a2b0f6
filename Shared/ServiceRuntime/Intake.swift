package import EventLog
import Logging
import Metrics
package import PlantEvents

/// Reads a service's input topics forward and hands on what counts: decoded, understood, from the writer in force. What is
/// not goes to the parker and the stream goes on (design 4, rule 5); a re-drive brings it back here (decision 0016).
package actor Intake {
    /// One admitted input record.
    package struct Incoming: Sendable {
        package let place: TopicPartition
        package let offset: Int64
        package let record: AnyRecord
        /// Who asked for a record that was parked before: it comes late, and the marks of what was handled say nothing
        /// about it. Nil for a record in its turn.
        package let askedBy: String?
    }

    /// Some admitted records, and the positions once they are handled.
    package struct Batch: Sendable {
        package let records: [Incoming]
        package let positions: IntakePositions
    }

    /// Whose intake it is. It decides what a record means that is read again after it was parked.
    package enum Owner: Sendable {
        /// Own history keeps what was re-driven, so reading passes it over. `durable` returns once all that was handled
        /// is in the log.
        case decider(durable: @Sendable () async throws -> Void)
        /// Its state is what it has read: a record that is understood now counts at its place. Asking for the next batch
        /// says that the one before is committed.
        case watcher
    }

    /// A parked record on its way back.
    private struct Redrive {
        let incoming: Incoming
        let bell: Doorbell
    }

    private let context: ServiceContext
    package nonisolated let parker: Parker
    package nonisolated let owner: Owner
    private let topics: [String: Topic]
    /// The partitions of a topic that are read; all where it is not in here.
    private let only: [String: Set<Int32>]
    /// When the log took the newest record read of each partition, microseconds since 1970.
    private var newestUs: [TopicPartition: Int64] = [:]
    /// Full names of the `<service>-parked` topics that are read too.
    private let parkedTopics: Set<String>
    private var positions: IntakePositions
    private var reader: (any LogReader)?
    private var backoff = Backoff()
    private let metrics: Metrics
    private var isLoaded = false
    private var book = ParkedBook()
    private var held = HeldSubjects()
    /// What could not be parked yet, and where each of their partitions stood before the first of them.
    private var unparked: [Parker.Finding] = []
    private var positionsBefore: [TopicPartition: IntakePositions.Partition] = [:]
    private var redrives: [Redrive] = []
    private var handedOn: [Redrive] = []
    /// Parked records that a watcher read again at their places in the batch before.
    private var readAgain: [Incoming] = []

    /// What may wait for a parked topic that takes nothing, before reading waits too.
    private static let unparkedLimit = 1_000
    private static let unparkedBytesLimit = 8 << 20
    /// Re-drives under way.
    private static let redriveLimit = 512

    private struct Metrics {
        let read: Counter
        let void: Counter
        let parked: Counter
        let gaps: Counter
        let unknown: Counter

        init() {
            read = Counter(label: "lineledger_input_records_total")
            void = Counter(label: "lineledger_input_void_total")
            parked = Counter(label: "lineledger_input_parked_total")
            gaps = Counter(label: "lineledger_input_gaps_total")
            unknown = Counter(label: "lineledger_input_unknown_kinds_total")
        }
    }

    /// - Parameters:
    ///   - only: the partitions to read of a topic; all where it is not in here.
    ///   - parkedBy: services whose parked topics are read as well.
    package init(
        _ context: ServiceContext,
        topics: [Topic],
        only: [Topic: Set<Int32>] = [:],
        parkedBy services: [String] = [],
        from positions: IntakePositions,
        parker: Parker,
        owner: Owner
    ) {
        self.context = context
        self.positions = positions
        self.parker = parker
        self.owner = owner
        self.topics = Dictionary(uniqueKeysWithValues: topics.map { (context.topic($0).description, $0) })
        self.only = Dictionary(uniqueKeysWithValues: only.map { (context.topic($0).description, $1) })
        parkedTopics = Set(services.map { TopicName(site: context.plant.site, parkedBy: $0).description })
        metrics = Metrics()
        context.desk.register(self)
    }

    /// Up to `max` records; empty when none came within `wait`. A log that is away is waited for; only failures that
    /// waiting does not mend are thrown. Asking for the next batch says that the one before is handled.
    package func next(max: Int, wait: Duration) async throws -> Batch {
        for redrive in handedOn { redrive.bell.ring() }
        handedOn = []
        var incoming: [Incoming] = []
        do {
            try await settle()
            if !redrives.isEmpty {
                (handedOn, redrives) = (redrives, [])
                return Batch(records: handedOn.map(\.incoming), positions: durablePositions)
            }
            let reader = try await openedReader()
            let stored = try await reader.next(max: max, wait: wait)
            backoff.reset()
            // A re-drive may have let a subject go while this waited.
            if !stored.isEmpty { await refresh() }
            for record in stored {
                newestUs[record.place] = record.appendedAtUs
                if let admitted = admit(record) { incoming.append(admitted) }
            }
            if !unparked.isEmpty { try await parkWaiting() }
            return Batch(records: incoming, positions: durablePositions)
        } catch let failure as LogFailure where failure.isRetriable {
            context.logger.warning("log not readable; waiting", metadata: ["reason": "\(failure)"])
            await reader?.close()
            reader = nil
            // What was admitted before the failure lies behind the positions: it must be handed on.
            if !incoming.isEmpty { return Batch(records: incoming, positions: durablePositions) }
            try await Task.sleep(for: backoff.next())
            return Batch(records: [], positions: durablePositions)
        }
    }

    /// A parked record that is understood now.
    package struct Understood: Sendable {
        package let place: TopicPartition
        package let offset: Int64
        package let record: AnyRecord
    }

    /// Hands parked records on again, in this order, each in its turn; its bell rings once it is handled.
    package func redrive(_ records: [Understood], askedBy: String) async -> [Result<Doorbell, Refusal>] {
        var held = await parker.book.held
        return records.map { understood in
            let (place, offset, record) = (understood.place, understood.offset, understood.record)
            guard let position = positions.partitions[place], position.nextOffset > offset else {
                return .failure(Refusal("the service has not read up to it again; ask again in a moment"))
            }
            if let first = held.before(record.meta.subject, place, offset) {
                return .failure(Refusal("offset \(first), of the same subject \(record.meta.subject), goes first"))
            }
            guard redrives.count + handedOn.count < Self.redriveLimit else {
                return .failure(Refusal("\(Self.redriveLimit) re-drives are under way; ask again in a moment"))
            }
            let isUnderWay = (redrives + handedOn).contains {
                $0.incoming.place == place && $0.incoming.offset == offset
            }
            guard !isUnderWay else { return .failure(Refusal("its re-drive is under way")) }
            held.release(place, offset)
            let incoming = Incoming(place: place, offset: offset, record: record, askedBy: askedBy)
            let redrive = Redrive(incoming: incoming, bell: Doorbell())
            redrives.append(redrive)
            return .success(redrive.bell)
        }
    }

    /// Why something was not done, for the person who asked.
    package struct Refusal: Error, CustomStringConvertible {
        package let description: String
        init(_ description: String) { self.description = description }
    }

    /// Whether records of this partition come through this intake.
    package func reads(_ place: TopicPartition) -> Bool { positions.partitions[place] != nil }

    /// Where the partitions that are read end now; empty before the first read.
    package func ends() async throws -> [TopicPartition: Int64] {
        var ends: [TopicPartition: Int64] = [:]
        for place in positions.partitions.keys { ends[place] = try await context.log.endOffset(of: place) }
        return ends
    }

    /// Whether everything before these ends was handed on or set aside.
    package func hasRead(to ends: [TopicPartition: Int64]) -> Bool {
        !ends.isEmpty && ends.allSatisfy { (positions.partitions[$0.key]?.nextOffset ?? 0) >= $0.value }
    }

    /// How far reading is behind the end of one partition.
    package struct Lag: Equatable, Sendable {
        package let place: TopicPartition
        /// Records that stand in the log after the last one handed on.
        package let records: Int64
        /// Age of the newest record handed on; 0 where none waits after it.
        package let seconds: Double
    }

    /// In the order of the partitions; none before the first read.
    package func lags() async throws -> [Lag] {
        var lags: [Lag] = []
        for place in positions.partitions.keys.sorted() {
            let end = try await context.log.endOffset(of: place)
            let records = max(0, end - (positions.partitions[place]?.nextOffset ?? end))
            let ageUs = newestUs[place].map { max(0, context.nowUs() - $0) } ?? 0
            lags.append(Lag(place: place, records: records, seconds: records == 0 ? 0 : Double(ageUs) / 1_000_000))
        }
        return lags
    }

    package func close() async {
        await reader?.close()
        reader = nil
    }

    private func openedReader() async throws -> any LogReader {
        if let reader { return reader }
        var offsets: [TopicPartition: Int64] = [:]
        for name in topics.keys.sorted() + parkedTopics.sorted() {
            let count = parkedTopics.contains(name) ? 1 : Int32(context.plant.partitions)
            try await context.log.create(topic: name, partitions: count)
            for number in 0..<(try await context.log.partitionCount(of: name))
            where only[name]?.contains(number) != false {
                let place = TopicPartition(name, number)
                offsets[place] = positions.partitions[place, default: .init()].nextOffset
                positions.partitions[place, default: .init()].nextOffset = offsets[place] ?? 0
            }
        }
        let opened = try await context.log.reader(from: offsets)
        reader = opened
        return opened
    }

    /// How far everything is handled or durably parked.
    private var durablePositions: IntakePositions {
        var durable = positions
        for (place, before) in positionsBefore { durable.partitions[place] = before }
        return durable
    }

    /// Brings what is known of parked records up to date before the next records are read.
    private func settle() async throws {
        if !isLoaded {
            try await parker.load()
            isLoaded = true
        }
        if !readAgain.isEmpty {
            let closings = readAgain.map { incoming in
                Parker.Closing(
                    place: incoming.place,
                    offset: incoming.offset,
                    end: .redriven(incoming.record.meta.origin, outcome: "read again at its place")
                )
            }
            try await parker.close(closings, by: context.service)
            readAgain = []
        }
        if !unparked.isEmpty { try await parkWaiting() }
    }

    private func refresh() async {
        book = await parker.book
        held = book.held
        for finding in unparked where finding.cause.holdsSubject {
            held.add(finding.subject, finding.stored.place, finding.stored.offset)
        }
    }

    /// Parks what waits. A parked topic that takes nothing does not keep the stream up until too much waits for it.
    private func parkWaiting() async throws {
        do {
            try await parker.park(unparked)
            unparked = []
            positionsBefore = [:]
        } catch let failure as LogFailure where failure.isRetriable {
            let bytes = unparked.reduce(0) { $0 + $1.stored.record.value.count }
            guard unparked.count < Self.unparkedLimit, bytes < Self.unparkedBytesLimit else { throw failure }
            context.logger.error(
                "records to park wait for the log",
                metadata: ["count": "\(unparked.count)", "reason": "\(failure)"]
            )
        }
    }

    private func admit(_ stored: StoredRecord) -> Incoming? {
        metrics.read.increment()
        let before = positions.partitions[stored.place] ?? .init()
        var position = before
        let reading: IntakePositions.Reading
        if let topic = topics[stored.place.topic] {
            reading = position.read(stored, as: topic)
        } else if parkedTopics.contains(stored.place.topic) {
            reading = position.readParked(stored)
        } else {
            return nil
        }
        positions.partitions[stored.place] = position
        switch reading {
        case .unreadable(let reason):
            let cause: ParkingCause = stored.damage == nil ? .unreadable : .damaged
            setAside(Parker.Finding(stored, cause: cause, reason: reason, fence: before.fence), before)
            return nil
        case .void(let reason):
            metrics.void.increment()
            context.logger.info(
                "record void",
                metadata: ["place": "\(stored.place)", "offset": "\(stored.offset)", "reason": "\(reason)"]
            )
            return nil
        case .accepted(let record):
            return inItsTurn(record, stored, before)
        case .acceptedAfterGap(let record, let missing):
            metrics.gaps.increment()
            context.logger.error(
                "records missing",
                metadata: [
                    "place": "\(stored.place)", "expected": "\(missing.lowerBound)",
                    "found": "\(missing.upperBound)",
                ]
            )
            return inItsTurn(record, stored, before)
        }
    }

    /// The record, unless it has to wait for a re-drive: its own, or that of one before it of the same subject.
    private func inItsTurn(
        _ record: AnyRecord,
        _ stored: StoredRecord,
        _ before: IntakePositions.Partition
    ) -> Incoming? {
        let incoming = Incoming(place: stored.place, offset: stored.offset, record: record, askedBy: nil)
        let subject = record.meta.subject
        let notUnderstood = record.notUnderstood
        if book.wasParked(stored.place, stored.offset) {
            guard case .watcher = owner, notUnderstood == nil, !held.holds(subject, stored.place, stored.offset) else {
                return nil
            }
            if book.isOpen(stored.place, stored.offset) { readAgain.append(incoming) }
            return incoming
        }
        if held.holds(subject, stored.place, stored.offset) {
            let reason = "subject \(subject) is held: an earlier record of it is not understood yet"
            setAside(Parker.Finding(stored, cause: .behind, reason: reason, subject: subject), before)
            return nil
        }
        if let notUnderstood {
            held.add(subject, stored.place, stored.offset)
            setAside(Parker.Finding(stored, cause: .notUnderstood, reason: notUnderstood, subject: subject), before)
            return nil
        }
        metrics.unknown.increment(by: Int64(record.unknownKinds.count))
        return incoming
    }

    private func setAside(_ finding: Parker.Finding, _ before: IntakePositions.Partition) {
        let place = finding.stored.place
        if positionsBefore[place] == nil { positionsBefore[place] = before }
        unparked.append(finding)
        guard !book.wasParked(place, finding.stored.offset) else { return }
        metrics.parked.increment()
        context.logger.error(
            "record parked",
            metadata: ["place": "\(place)", "offset": "\(finding.stored.offset)", "reason": "\(finding.reason)"]
        )
    }
}
