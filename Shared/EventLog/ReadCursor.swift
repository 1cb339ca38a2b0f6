/// Where a reader stands in each of its partitions. Turns begin with another partition each time, so that a busy one
/// cannot starve the rest.
package struct ReadCursor: Sendable {
    private var offsets: [TopicPartition: Int64]
    private let places: [TopicPartition]
    private var first = 0

    package init(_ positions: [TopicPartition: Int64]) {
        offsets = positions
        places = positions.keys.sorted()
    }

    /// The next offset to read; reading a place that is not the reader's is a mistake of ours.
    package subscript(_ place: TopicPartition) -> Int64 {
        get { offsets[place] ?? 0 }
        set { offsets[place] = newValue }
    }

    /// The partitions in the order of this turn.
    package mutating func turn() -> [TopicPartition] {
        guard !places.isEmpty else { return [] }
        defer { first = (first + 1) % places.count }
        return Array(places[first...] + places[..<first])
    }
}
