import EventLog
import PlantEvents

/// The subjects whose records wait because an earlier one must be understood and is not (design 3). Follows from the
/// parked topic alone, so a restart holds what was held before.
struct HeldSubjects: Sendable {
    /// Parked records of each held subject.
    private var held: [TopicPartition: [String: OffsetSet]] = [:]
    /// Subjects of a partition that are held one by one; beyond it all of the partition waits. A writer that is so far
    /// ahead of its reader says something that the reader cannot go on without.
    static let limit = 1_024

    /// Whether a record of the subject at `offset` waits behind another.
    func holds(_ subject: String, _ place: TopicPartition, _ offset: Int64) -> Bool {
        guard let subjects = held[place] else { return false }
        if let first = subjects[subject]?.first { return first < offset }
        return subjects.count >= Self.limit && subjects.values.contains { $0.first.map { $0 < offset } ?? false }
    }

    /// The parked record that goes before the one at `offset`; nil where it is the next of its subject.
    func before(_ subject: String, _ place: TopicPartition, _ offset: Int64) -> Int64? {
        held[place]?[subject]?.first.flatMap { $0 < offset ? $0 : nil }
    }

    /// Whether this parked record holds its subject.
    func contains(_ place: TopicPartition, _ offset: Int64) -> Bool {
        held[place]?.values.contains { $0.contains(offset) } ?? false
    }

    mutating func add(_ subject: String, _ place: TopicPartition, _ offset: Int64) {
        held[place, default: [:]][subject, default: OffsetSet()].insert(offset)
    }

    mutating func release(_ place: TopicPartition, _ offset: Int64) {
        for (subject, offsets) in held[place] ?? [:] where offsets.contains(offset) {
            held[place]?[subject]?.remove(offset)
            if held[place]?[subject]?.isEmpty == true { held[place]?[subject] = nil }
        }
        if held[place]?.isEmpty == true { held[place] = nil }
    }

    /// How many subjects are held, in all partitions.
    var count: Int { held.values.reduce(0) { $0 + $1.count } }
}

extension ParkingCause {
    /// Whether the record's subject is held until the record is handled or given up.
    package var holdsSubject: Bool {
        switch self {
        case .notUnderstood, .behind: true
        case .unspecified, .unreadable, .damaged, .UNRECOGNIZED: false
        }
    }
}
