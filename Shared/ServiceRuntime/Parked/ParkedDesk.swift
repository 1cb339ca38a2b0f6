package import EventLog
import Logging
package import PlantCore
import PlantEvents
import Synchronization

/// Where people's requests about set-aside work reach the service that owns it. Parkers, intakes and delivery cores put
/// their names down when they are made.
package final class ParkedDesk: Sendable {
    private struct Weak<Value: AnyObject & Sendable>: Sendable {
        weak let value: Value?
    }

    /// Held weakly: a partition that moves away takes its parts along.
    private struct Owners {
        var parkers: [Weak<Parker>] = []
        var intakes: [Weak<Intake>] = []
        var deliveries: [Weak<DeciderHost<DeliveryCore>>] = []

        mutating func forgetTheGone() {
            parkers.removeAll { $0.value == nil }
            intakes.removeAll { $0.value == nil }
            deliveries.removeAll { $0.value == nil }
        }
    }

    private let owners = Mutex(Owners())

    package init() {}

    package func register(_ parker: Parker) { put { $0.parkers.append(Weak(value: parker)) } }
    package func register(_ intake: Intake) { put { $0.intakes.append(Weak(value: intake)) } }
    package func register(_ host: DeciderHost<DeliveryCore>) { put { $0.deliveries.append(Weak(value: host)) } }

    private func put(_ change: (inout Owners) -> Void) {
        owners.withLock { owners in
            owners.forgetTheGone()
            change(&owners)
        }
    }

    private var parkers: [Parker] { owners.withLock { $0.parkers.compactMap(\.value) } }

    /// Forgets everybody.
    package func clear() { owners.withLock { $0 = Owners() } }

    /// Whether anything can be asked here.
    package var isEmpty: Bool { owners.withLock { $0.parkers.isEmpty && $0.deliveries.isEmpty } }

    /// Records of this service that wait for somebody.
    package func openCount() async -> Int64 {
        var count: Int64 = 0
        for parker in parkers { count += await parker.openCount }
        return count
    }

    /// A parked record as the command names it.
    package struct Item: Codable, Sendable, Hashable {
        /// Full name of the topic it came from.
        package var topic: String
        package var partition: Int32
        package var offset: Int64
        /// Offset, in the parked topic, of the record that says so.
        package var parkedAt: Int64

        package init(topic: String, partition: Int32, offset: Int64, parkedAt: Int64) {
            self.topic = topic
            self.partition = partition
            self.offset = offset
            self.parkedAt = parkedAt
        }

        var place: TopicPartition { TopicPartition(topic, partition) }
    }

    /// What became of one item or intent.
    package struct Answer: Codable, Sendable, Equatable {
        package enum State: String, Codable, Sendable { case parked, redriven, discarded, closed }

        package var state: State
        package var reason: String

        package init(_ state: State, _ reason: String) {
            self.state = state
            self.reason = reason
        }
    }

    /// How long a request waits for the service to get to it.
    private static let patience = Duration.seconds(20)

    // MARK: Records

    /// Tries parked records again with this build, in this order. What is understood is handled as if it had just been
    /// read, and noted; the rest stays parked with the reason as of now.
    package func redrive(_ items: [Item], by actor: String, _ context: ServiceContext) async throws -> [Answer] {
        guard let parker = parkers.first else {
            return items.map { _ in Answer(.parked, "this service parks nothing") }
        }
        try await parker.load()
        let shelf = ParkedShelf(log: context.log, place: parker.place)
        var answers: [Item: Answer] = [:]
        var still: [(place: TopicPartition, offset: Int64, reason: String)] = []
        var closings: [Parker.Closing] = []
        var ready: [Intake.Understood] = []
        var asked: [Item] = []
        for item in items {
            guard await parker.isOpen(item.place, item.offset) else {
                answers[item] = Answer(.closed, "not parked here, or handled or given up before")
                continue
            }
            let content = try await shelf.content(of: item)
            switch content.understanding {
            case .not(_, let reason):
                answers[item] = Answer(.parked, reason)
                if reason != content.event.reason { still.append((item.place, item.offset, reason)) }
            case .understood(let record):
                if let outcome = content.voidness(of: record.meta) {
                    closings.append(.init(place: item.place, offset: item.offset, end: outcome))
                    answers[item] = Answer(.redriven, "void: a writer that had lost the partition wrote it")
                } else {
                    ready.append(.init(place: item.place, offset: item.offset, record: record))
                    asked.append(item)
                }
            }
        }
        try await parker.stillParked(still, by: actor)
        closings += try await handOn(ready, asked, by: actor, &answers)
        try await parker.close(closings, by: actor)
        return items.map { answers[$0] ?? Answer(.parked, "not reached") }
    }

    /// Has every intake that reads their partitions hand the records on: a service may have a core for each partition.
    /// Returns the records that all of them handled, durably.
    private func handOn(
        _ ready: [Intake.Understood],
        _ items: [Item],
        by actor: String,
        _ answers: inout [Item: Answer]
    ) async throws -> [Parker.Closing] {
        var reached: Set<Item> = []
        for intake in owners.withLock({ $0.intakes.compactMap(\.value) }) {
            var own: [(understood: Intake.Understood, item: Item)] = []
            for pair in zip(ready, items) where await intake.reads(pair.0.place) { own.append(pair) }
            guard !own.isEmpty else { continue }
            reached.formUnion(own.map(\.item))
            for (item, bell) in zip(own.map(\.item), await intake.redrive(own.map(\.understood), askedBy: actor)) {
                switch bell {
                case .failure(let refusal): answers[item] = Answer(.parked, refusal.description)
                case .success(let bell):
                    if await bell.rings(within: Self.patience) { continue }
                    answers[item] = Answer(.parked, "handed on, but not handled yet; ask again in a moment")
                }
            }
            if case .decider(let durable) = intake.owner { try await durable() }
        }
        var closings: [Parker.Closing] = []
        for (understood, item) in zip(ready, items) where answers[item] == nil {
            guard reached.contains(item) else {
                answers[item] = Answer(
                    .parked,
                    "understood by this build; the read model takes it in where it stands: run lineledger rebuild"
                )
                continue
            }
            let end = Parker.Closing.End.redriven(understood.record.meta.origin, outcome: "handled")
            closings.append(.init(place: understood.place, offset: understood.offset, end: end))
            answers[item] = Answer(.redriven, "handled")
        }
        return closings
    }

    /// Notes, after a model was rebuilt by this build from the beginning and up to `positions`, that the parked records
    /// before them that this build understands were read at their places.
    package func rebuilt(upTo positions: [TopicPartition: Int64], _ context: ServiceContext) async throws {
        for parker in parkers {
            try await parker.load()
            guard await parker.openCount > 0 else { continue }
            let shelf = ParkedShelf(log: context.log, place: parker.place)
            for entry in try await shelf.entries().entries {
                let item = entry.item
                guard item.offset < positions[item.place] ?? 0,
                    case .understood(let record) = try await shelf.content(of: item).understanding
                else { continue }
                let end = Parker.Closing.End.redriven(record.meta.origin, outcome: "read at its place by a rebuild")
                try await parker.close([.init(place: item.place, offset: item.offset, end: end)], by: context.service)
            }
        }
    }

    /// Gives parked records up.
    package func discard(_ items: [Item], reason: String, by actor: String) async throws -> [Answer] {
        guard let parker = parkers.first else {
            return items.map { _ in Answer(.parked, "this service parks nothing") }
        }
        try await parker.load()
        var closings: [Parker.Closing] = []
        var answers: [Answer] = []
        for item in items {
            let isOpen = await parker.isOpen(item.place, item.offset)
            if isOpen {
                closings.append(.init(place: item.place, offset: item.offset, end: .discarded(reason: reason)))
            }
            answers.append(
                isOpen
                    ? Answer(.discarded, reason) : Answer(.closed, "not parked here, or handled or given up before")
            )
        }
        try await parker.close(closings, by: actor)
        return answers
    }

    // MARK: Deliveries

    /// Tries refused deliveries again.
    package func redriveDeliveries(_ intentIDs: [String], by actor: String) async throws -> [Answer] {
        try await decide(intentIDs, .redriven, "goes to the peer again") { .redriven(intentID: $0, by: actor) }
    }

    /// Gives refused deliveries up; what waits behind them goes on.
    package func skipDeliveries(_ intentIDs: [String], reason: String, by actor: String) async throws -> [Answer] {
        try await decide(intentIDs, .discarded, reason) { .skipped(intentID: $0, reason: reason, by: actor) }
    }

    private func decide(
        _ intentIDs: [String],
        _ state: Answer.State,
        _ reason: String,
        _ input: (String) -> DeliveryCore.Input
    ) async throws -> [Answer] {
        var answers = intentIDs.map { _ in Answer(.parked, "no refused delivery has this id here") }
        for host in owners.withLock({ $0.deliveries.compactMap(\.value) }) {
            for (index, id) in intentIDs.enumerated() where try await host.submit(input(id)) != nil {
                answers[index] = Answer(state, reason)
            }
            try await host.durable()
        }
        return answers
    }
}

extension Doorbell {
    /// Whether it rings before `limit` is over.
    fileprivate func rings(within limit: Duration) async -> Bool {
        let began = ContinuousClock.now
        await wait(atMost: limit)
        return began.duration(to: .now) < limit && !Task.isCancelled
    }
}
