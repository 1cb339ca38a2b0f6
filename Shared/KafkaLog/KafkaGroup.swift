import CRdKafka
import EventLog

/// Partitions by membership in a consumer group. Only membership and assignment are used: nothing is fetched, and no offset
/// is ever committed, since a core's own history says how far it is.
///
/// Assignment is cooperative: when a member comes or goes, only the partitions that move are taken away, and each passes on
/// only after its owner has said that it stopped working for it. A member that says nothing for `sessionTimeout` loses them;
/// what it still writes is void by its epoch.
actor KafkaGroup: PartitionOwnership {
    private nonisolated let executor = BlockingExecutor("kafka group")
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private struct Running {
        let client: ClientHandle
        let queue: QueueHandle
    }

    nonisolated let isShared = true
    private let group: String
    private let bell = Bell()
    private var running: Running?
    private var pump: Task<Void, Never>?
    private var owned: Set<Int32> = []
    /// Changes that nobody has asked for yet, oldest first.
    private var waiting: [OwnershipChange] = []
    /// Partitions that the group takes away, to be let go when the owner has stopped.
    private var leaving: [TopicPartition] = []
    private var isCarryingOut = false
    private var failure: LogFailure?
    private var isClosed = false

    init(
        _ properties: KafkaProperties,
        topic: String,
        group: String,
        sessionTimeout: Duration
    ) throws(LogFailure) {
        self.group = group
        let timeoutMs = sessionTimeout.components.seconds * 1_000
        let client = try properties.makeConsumer([
            "group.id": group, "partition.assignment.strategy": "cooperative-sticky",
            "session.timeout.ms": "\(timeoutMs)", "heartbeat.interval.ms": "\(max(300, timeoutMs / 5))",
            // Restoring a long history must not cost the membership: the pump polls meanwhile.
            "max.poll.interval.ms": "\(max(300_000, timeoutMs))", "statistics.interval.ms": "0",
        ])
        let code = rd_kafka_poll_set_consumer(client.pointer)
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
            throw KafkaFailure.failure(code, TopicPartition(topic), "joining \(group)")
        }
        running = Running(client: client, queue: .consumer(of: client, bell: bell))
        let topics = rd_kafka_topic_partition_list_new(1)
        defer { rd_kafka_topic_partition_list_destroy(topics) }
        rd_kafka_topic_partition_list_add(topics, topic, -1)
        let subscribed = rd_kafka_subscribe(client.pointer, topics)
        guard subscribed == RD_KAFKA_RESP_ERR_NO_ERROR else {
            throw KafkaFailure.failure(subscribed, TopicPartition(topic), "joining \(group)")
        }
    }

    func next() async throws -> OwnershipChange? {
        if pump == nil, !isClosed { pump = Task { await self.pumpForever() } }
        letGo()
        while true {
            if isClosed { return nil }
            if let failure { throw failure }
            let seen = bell.rings
            if !waiting.isEmpty {
                let change = waiting.removeFirst()
                isCarryingOut = !change.lost.isEmpty
                owned = owned.union(change.gained).subtracting(change.lost)
                return change
            }
            if Task.isCancelled { return nil }
            await bell.wait(since: seen, atMost: .seconds(1))
        }
    }

    /// Leaves the group, so that others get the partitions at once.
    func close() async {
        guard !isClosed else { return }
        isClosed = true
        pump?.cancel()
        leaving = []
        guard let running else { return }
        self.running = nil
        bell.ring()
        if let error = rd_kafka_consumer_close_queue(running.client.pointer, running.queue.pointer) {
            rd_kafka_error_destroy(error)
            return
        }
        let deadline = ContinuousClock.now + .seconds(5)
        while rd_kafka_consumer_closed(running.client.pointer) == 0, ContinuousClock.now < deadline {
            let seen = bell.rings
            running.queue.drain { event in
                guard rd_kafka_event_type(event) == RD_KAFKA_EVENT_REBALANCE else { return }
                Self.accept(event, running.client)
            }
            await bell.wait(since: seen, atMost: .milliseconds(20))
        }
    }

    private func pumpForever() async {
        while !Task.isCancelled, let running {
            let seen = bell.rings
            running.queue.drain { take($0, running.client) }
            await bell.wait(since: seen, atMost: .milliseconds(500))
        }
    }

    private func take(_ event: OpaquePointer, _ client: ClientHandle) {
        switch rd_kafka_event_type(event) {
        case RD_KAFKA_EVENT_REBALANCE:
            let places = Self.places(rd_kafka_event_topic_partition_list(event))
            let numbers = Set(places.map(\.partition))
            if rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
                Self.accept(event, client)
                if !numbers.isEmpty { waiting.append(OwnershipChange(gained: numbers)) }
            } else if numbers.isEmpty || rd_kafka_assignment_lost(client.pointer) == 1 {
                // Others have them already; there is nothing to hand over.
                Self.accept(event, client)
                if !numbers.isEmpty { waiting.append(OwnershipChange(lost: numbers)) }
            } else {
                leaving += places
                waiting.append(OwnershipChange(lost: numbers))
            }
            bell.ring()
        case RD_KAFKA_EVENT_ERROR:
            let code = rd_kafka_event_error(event)
            let said = KafkaFailure.failure(
                code,
                TopicPartition("all topics"),
                "group \(group): \(String(cString: rd_kafka_event_error_string(event)))"
            )
            // A broker that is away comes back; one that refuses does not change its mind by itself.
            if case .denied = said { failure = said }
            bell.ring()
        default:
            // Paused partitions send nothing; what was under way when they were assigned is not wanted.
            break
        }
    }

    /// Hands over what the owner has stopped working for.
    private func letGo() {
        guard isCarryingOut else { return }
        isCarryingOut = false
        let gone = leaving.filter { !owned.contains($0.partition) }
        leaving.removeAll { !owned.contains($0.partition) }
        guard let running, !gone.isEmpty else { return }
        Self.change(gone, running.client) { rd_kafka_incremental_unassign($0, $1) }
    }

    /// Tells librdkafka that the group's word counts.
    private static func accept(_ event: OpaquePointer, _ client: ClientHandle) {
        let places = places(rd_kafka_event_topic_partition_list(event))
        if rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            change(places, client) { client, list in
                let error = rd_kafka_incremental_assign(client, list)
                if let list { _ = rd_kafka_pause_partitions(client, list) }
                return error
            }
        } else {
            change(places, client) { rd_kafka_incremental_unassign($0, $1) }
        }
    }

    private static func change(
        _ places: [TopicPartition],
        _ client: ClientHandle,
        _ call: (OpaquePointer, UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?) -> OpaquePointer?
    ) {
        let list = rd_kafka_topic_partition_list_new(Int32(places.count))
        defer { rd_kafka_topic_partition_list_destroy(list) }
        for place in places {
            // From the end: no committed offset is asked for, and nothing old is fetched.
            rd_kafka_topic_partition_list_add(list, place.topic, place.partition)?.pointee.offset = -1
        }
        // The group answers a call that came too late with its next assignment.
        if let error = call(client.pointer, list) { rd_kafka_error_destroy(error) }
    }

    private static func places(
        _ list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?
    ) -> [TopicPartition] {
        guard let list else { return [] }
        return UnsafeBufferPointer(start: list.pointee.elems, count: Int(list.pointee.cnt))
            .map { TopicPartition(String(cString: $0.topic), $0.partition) }
    }
}
