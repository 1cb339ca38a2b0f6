/// Says which partitions of a topic this process works for, as that changes.
///
/// Ownership only avoids useless work: what makes two owners harmless is the epoch that each takes a partition over with.
package protocol PartitionOwnership: Sendable {
    /// Whether partitions may pass to another process while this one runs.
    var isShared: Bool { get }
    /// Waits for the next change; nil once closed. Asking again says that the last change has been carried out: what was
    /// lost passes to another process only then. One caller at a time.
    func next() async throws -> OwnershipChange?
    /// Gives everything up; a waiting `next` returns nil.
    func close() async
}

/// What changed since the last time.
package struct OwnershipChange: Equatable, Sendable {
    package var gained: Set<Int32>
    package var lost: Set<Int32>

    package init(gained: Set<Int32> = [], lost: Set<Int32> = []) {
        self.gained = gained
        self.lost = lost
    }
}

/// The same partitions from the beginning to the end, as a process on its own log has them.
package actor StaticOwnership: PartitionOwnership {
    package nonisolated let isShared = false
    private var partitions: Set<Int32>?
    private let bell = Bell()
    private var isClosed = false

    package init(_ partitions: Set<Int32>) {
        self.partitions = partitions
    }

    package func next() async -> OwnershipChange? {
        if isClosed { return nil }
        if let gained = partitions {
            partitions = nil
            return OwnershipChange(gained: gained)
        }
        while !isClosed, !Task.isCancelled {
            let seen = bell.rings
            await bell.wait(since: seen, atMost: .seconds(3_600))
        }
        return nil
    }

    package func close() {
        isClosed = true
        bell.ring()
    }
}
