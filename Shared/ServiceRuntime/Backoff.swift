/// Waiting times between attempts: doubling from `first` to `longest`.
package struct Backoff: Sendable {
    private let first: Duration
    private let longest: Duration
    private var current: Duration

    package init(first: Duration = .milliseconds(50), longest: Duration = .seconds(5)) {
        self.first = first
        self.longest = longest
        current = first
    }

    /// The next waiting time.
    package mutating func next() -> Duration {
        defer { current = min(current * 2, longest) }
        return current
    }

    /// After a success the next failure starts small again.
    package mutating func reset() { current = first }
}
