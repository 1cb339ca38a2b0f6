import CoreMetrics
import Synchronization

/// What a metric is, in the words of Prometheus.
enum SeriesKind: String, CaseIterable {
    case counter
    case gauge
    case histogram

    /// The Prometheus name of a metric: letters, digits and _ only; counters end in `_total`.
    func name(of label: String) -> String {
        let name = sanitised(label, limit: 200)
        return self == .counter && !name.hasSuffix("_total") ? "\(name)_total" : name
    }
}

/// One label set of one metric.
protocol Series: AnyObject, Sendable {
    /// Appends the lines of this series to `out`.
    func write(name: String, labels: SeriesLabels, into out: inout String)
}

/// A label set, in the order of the names.
struct SeriesLabels: Hashable, Comparable {
    /// Longest label value, bytes of UTF-8; the rest is cut off.
    static let valueLimit = 256

    private let names: [String]
    private let values: [String]

    /// Names that are not allowed in Prometheus are made so; of two equal names the first stays.
    init(_ dimensions: [(String, String)], reserved: Set<String>) {
        var labels: [String: String] = [:]
        for (label, value) in dimensions {
            var name = sanitised(label, limit: 100)
            if name.hasPrefix("__") || reserved.contains(name) { name = "label_\(name.drop { $0 == "_" })" }
            if labels[name] == nil { labels[name] = cut(value) }
        }
        let sorted = labels.sorted { $0.key < $1.key }
        names = sorted.map(\.key)
        values = sorted.map(\.value)
    }

    static func < (left: Self, right: Self) -> Bool {
        if left.names != right.names { return left.names.lexicographicallyPrecedes(right.names) }
        return left.values.lexicographicallyPrecedes(right.values)
    }

    /// `{name="value",…}`, with the bucket's bound last; nothing without labels.
    func text(bound: String? = nil) -> String {
        var pairs = zip(names, values).map { "\($0)=\"\(escaped($1, quotes: true))\"" }
        if let bound { pairs.append("le=\"\(bound)\"") }
        return pairs.isEmpty ? "" : "{\(pairs.joined(separator: ","))}"
    }
}

final class CounterSeries: Series, CounterHandler {
    private let count = Atomic<UInt64>(0)

    /// A counter never falls: amounts below 0 do not count.
    func increment(by amount: Int64) {
        guard amount > 0 else { return }
        count.wrappingAdd(UInt64(amount), ordering: .relaxed)
    }

    func reset() { count.store(0, ordering: .relaxed) }

    func write(name: String, labels: SeriesLabels, into out: inout String) {
        out += "\(name)\(labels.text()) \(count.load(ordering: .relaxed))\n"
    }
}

final class SumSeries: Series, FloatingPointCounterHandler {
    private let sum = Mutex(0.0)

    /// A counter never falls: amounts below 0, and what is no number, do not count.
    func increment(by amount: Double) {
        guard amount > 0, amount.isFinite else { return }
        sum.withLock { $0 += amount }
    }

    func reset() { sum.withLock { $0 = 0 } }

    func write(name: String, labels: SeriesLabels, into out: inout String) {
        out += "\(name)\(labels.text()) \(number(sum.withLock { $0 }))\n"
    }
}

final class GaugeSeries: Series, MeterHandler, RecorderHandler {
    private let value = Mutex(0.0)

    func set(_ value: Int64) { set(Double(value)) }
    func set(_ value: Double) { self.value.withLock { $0 = value } }
    func increment(by amount: Double) { value.withLock { $0 += amount } }
    func decrement(by amount: Double) { value.withLock { $0 -= amount } }
    func record(_ value: Int64) { set(Double(value)) }
    func record(_ value: Double) { set(value) }

    func write(name: String, labels: SeriesLabels, into out: inout String) {
        out += "\(name)\(labels.text()) \(number(value.withLock { $0 }))\n"
    }
}

final class HistogramSeries: Series, RecorderHandler, TimerHandler {
    private struct Counts {
        /// One more than bounds: the last is for what is above all of them.
        var buckets: [UInt64]
        var sum = 0.0
    }

    private let bounds: [Double]
    private let counts: Mutex<Counts>

    /// - Parameter bounds: upper bounds of the buckets, inclusive, rising.
    init(bounds: [Double]) {
        self.bounds = bounds
        counts = Mutex(Counts(buckets: Array(repeating: 0, count: bounds.count + 1)))
    }

    func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9) }
    func record(_ value: Int64) { record(Double(value)) }

    /// What is no number is left out: it belongs to no bucket and would spoil the sum.
    func record(_ value: Double) {
        guard value.isFinite else { return }
        let bucket = bounds.firstIndex { value <= $0 } ?? bounds.count
        counts.withLock {
            $0.buckets[bucket] += 1
            $0.sum += value
        }
    }

    func write(name: String, labels: SeriesLabels, into out: inout String) {
        let counts = counts.withLock { $0 }
        var total: UInt64 = 0
        for (bucket, bound) in zip(counts.buckets, bounds.map(number) + ["+Inf"]) {
            total += bucket
            out += "\(name)_bucket\(labels.text(bound: bound)) \(total)\n"
        }
        out += "\(name)_sum\(labels.text()) \(number(counts.sum))\n\(name)_count\(labels.text()) \(total)\n"
    }
}

/// Stands in for a series that has no room: counts the updates it loses.
final class DroppedSeries: Error, CounterHandler, FloatingPointCounterHandler, MeterHandler, RecorderHandler,
    TimerHandler
{
    private let updates = Atomic<UInt64>(0)

    var count: UInt64 { updates.load(ordering: .relaxed) }

    private func drop() { updates.wrappingAdd(1, ordering: .relaxed) }

    func increment(by _: Int64) { drop() }
    func increment(by _: Double) { drop() }
    func decrement(by _: Double) { drop() }
    func set(_: Int64) { drop() }
    func set(_: Double) { drop() }
    func record(_: Int64) { drop() }
    func record(_: Double) { drop() }
    func recordNanoseconds(_: Int64) { drop() }
    func reset() {}
}

/// A number as Prometheus reads it.
private func number(_ value: Double) -> String {
    if value.isNaN { return "NaN" }
    if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
    return value.description
}

/// `[a-zA-Z_][a-zA-Z0-9_]*`: what else stands there becomes `_`.
private func sanitised(_ label: String, limit: Int) -> String {
    var name = ""
    for scalar in label.unicodeScalars.prefix(limit) {
        switch scalar {
        case "a"..."z", "A"..."Z", "_": name.unicodeScalars.append(scalar)
        case "0"..."9":
            if name.isEmpty { name = "_" }
            name.unicodeScalars.append(scalar)
        default: name += "_"
        }
    }
    return name.isEmpty ? "_" : name
}

/// Text as it may stand in a help line, or with `quotes` in a label's value.
func escaped(_ text: String, quotes: Bool) -> String {
    var out = ""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\\": out += "\\\\"
        case "\n": out += "\\n"
        case "\"" where quotes: out += "\\\""
        default: out.unicodeScalars.append(scalar)
        }
    }
    return out
}

/// `value`, cut to the limit at the end of a character.
private func cut(_ value: String) -> String {
    guard value.utf8.count > SeriesLabels.valueLimit else { return value }
    var bytes = 0
    return String(
        value.prefix { character in
            bytes += character.utf8.count
            return bytes <= SeriesLabels.valueLimit
        }
    )
}
