import EventLog
import KafkaLog
import Synchronization
import Testing

/// Partitions that move between members of a real consumer group; nothing is ever committed.
@Suite(.timeLimit(.minutes(3)))
struct KafkaGroupTests {
    @Test("Members share the partitions, one takes over from another that leaves, and no two have one at once")
    func moving() async throws {
        try await LogUnderTest.with(LogKind.brokerAddress == nil ? .kafkaMock : .kafkaBroker) { test in
            let topic = try await test.topic(partitions: 6)
            let registry = OwnershipRegistry()
            let kafka = try #require(test.log as? KafkaLog)
            let first = try await Member("first", kafka, topic, registry)
            try await registry.wait("first has all") { $0["first"]?.count == 6 }
            try await test.withOpened { other in
                let second = try await Member("second", try #require(other as? KafkaLog), topic, registry)
                try await registry.wait("both have some, all are owned") { owned in
                    !(owned["second"] ?? []).isEmpty && owned.values.reduce(0) { $0 + $1.count } == 6
                }
                await first.leave()
                try await registry.wait("second has all") { $0["second"]?.count == 6 }
                await second.leave()
            }
            #expect(registry.doubles.isEmpty, "owned by two members at once: \(registry.doubles)")
        }
    }
}

/// Who owns what, as the members themselves carry it out.
private final class OwnershipRegistry: Sendable {
    private let state = Mutex((owned: [String: Set<Int32>](), doubles: Set<Int32>()))
    private let bell = Bell()

    var doubles: Set<Int32> { state.withLock { $0.doubles } }

    func note(_ member: String, _ change: OwnershipChange) {
        state.withLock { state in
            for (other, owned) in state.owned where other != member {
                state.doubles.formUnion(owned.intersection(change.gained))
            }
            state.owned[member, default: []].subtract(change.lost)
            state.owned[member, default: []].formUnion(change.gained)
        }
        bell.ring()
    }

    func wait(_ what: String, until isTrue: ([String: Set<Int32>]) -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(600)
        while true {
            let seen = bell.rings
            let owned = state.withLock { $0.owned }
            if isTrue(owned) { return }
            guard ContinuousClock.now < deadline else { throw DidNotCome(description: "\(what): found \(owned)") }
            await bell.wait(since: seen, atMost: .seconds(1))
        }
    }
}

/// A member that does what it is told at once.
private final class Member: Sendable {
    private let ownership: any PartitionOwnership
    private let following: Task<Void, any Error>
    private let name: String
    private let registry: OwnershipRegistry

    init(_ name: String, _ log: KafkaLog, _ topic: String, _ registry: OwnershipRegistry) async throws {
        let ownership = try await log.ownership(of: topic, group: "\(topic).group", sessionTimeout: .seconds(6))
        self.ownership = ownership
        self.name = name
        self.registry = registry
        following = Task {
            while let change = try await ownership.next() { registry.note(name, change) }
        }
    }

    func leave() async {
        registry.note(name, OwnershipChange(lost: Set(0..<1_024)))
        await ownership.close()
        await #expect(throws: Never.self) { try await following.value }
    }
}
