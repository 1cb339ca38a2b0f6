package import CoreMetrics
import Synchronization

/// Keeps the metrics of one program and writes them in Prometheus' text format 0.0.4.
///
/// Everything is bounded: metrics, label sets a metric, label length. What does not fit is not kept but counted in
/// `lineledger_metrics_dropped_total` by metric, so that a dashboard shows that something is missing.
package final class PrometheusMetrics: MetricsFactory {
    /// Counts updates that were not kept.
    package static let droppedName = "lineledger_metrics_dropped_total"
    package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// Seconds: from a verdict's budget of milliseconds up to a peer's time-out.
    package static let timerBuckets = [
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.015, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
    ]
    /// Values of any unit, by powers of ten.
    package static let valueBuckets = [0.001, 0.01, 0.1, 1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9]

    private struct Family {
        let kind: SeriesKind
        var help: String
        var series: [SeriesLabels: any Series] = [:]
    }

    private struct State {
        var families: [String: Family] = [:]
        /// Help by Prometheus name, also of metrics that come later.
        var help: [String: String] = [:]
        var dropped: [String: DroppedSeries] = [:]
    }

    private let metricLimit: Int
    private let seriesLimit: Int
    private let state = Mutex(State())

    /// - Parameters:
    ///   - metricLimit: most metrics.
    ///   - seriesLimit: most label sets of one metric.
    package init(metricLimit: Int = 500, seriesLimit: Int = 200) {
        self.metricLimit = metricLimit
        self.seriesLimit = seriesLimit
    }

    /// Says what the metric of this label means, in one line; may come before or after its first use.
    package func describe(_ label: String, _ help: String) {
        let names = SeriesKind.allCases.map { $0.name(of: label) } + [SeriesKind.histogram.name(of: inSeconds(label))]
        state.withLock { state in
            for name in Set(names) where state.help[name] != nil || state.help.count < 3 * metricLimit {
                state.help[name] = help
                state.families[name]?.help = help
            }
        }
    }

    /// All metrics, sorted by name and labels.
    package func render() -> String {
        let (families, dropped) = state.withLock { ($0.families, $0.dropped) }
        var out = ""
        for (name, family) in families.sorted(by: { $0.key < $1.key }) where !family.series.isEmpty {
            header(name, family.kind, family.help, &out)
            for (labels, series) in family.series.sorted(by: { $0.key < $1.key }) {
                series.write(name: name, labels: labels, into: &out)
            }
        }
        header(Self.droppedName, .counter, "Metric updates that were not kept, by metric.", &out)
        for (name, series) in dropped.sorted(by: { $0.key < $1.key }) {
            let labels = SeriesLabels([("metric", name)], reserved: [])
            out += "\(Self.droppedName)\(labels.text()) \(series.count)\n"
        }
        return out
    }

    private func header(_ name: String, _ kind: SeriesKind, _ help: String, _ out: inout String) {
        out += "# HELP \(name) \(escaped(help, quotes: false))\n# TYPE \(name) \(kind.rawValue)\n"
    }

    /// The series of these labels; where there is no room or the name means another kind, one that only counts.
    private func series<Kept: Series>(
        _ kind: SeriesKind,
        _ label: String,
        _ dimensions: [(String, String)],
        _ make: () -> Kept
    ) -> Result<Kept, DroppedSeries> {
        let name = kind.name(of: label)
        let labels = SeriesLabels(dimensions, reserved: kind == .histogram ? ["le"] : [])
        return state.withLock { state -> Result<Kept, DroppedSeries> in
            if state.families[name] == nil, isFree(name, kind, state.families) {
                state.families[name] = Family(kind: kind, help: state.help[name] ?? "\(label), in LineLedger.")
            }
            if let family = state.families[name], family.kind == kind {
                if let known = family.series[labels] as? Kept { return .success(known) }
                if family.series[labels] == nil, family.series.count < seriesLimit {
                    let new = make()
                    state.families[name]?.series[labels] = new
                    return .success(new)
                }
            }
            let reason = state.dropped[name] != nil || state.dropped.count < metricLimit ? name : "other"
            let dropped = state.dropped[reason] ?? DroppedSeries()
            state.dropped[reason] = dropped
            return .failure(dropped)
        }
    }

    /// Whether a metric of this name has room and gives no line that another metric gives too.
    private func isFree(_ name: String, _ kind: SeriesKind, _ families: [String: Family]) -> Bool {
        guard families.count < metricLimit, name != Self.droppedName else { return false }
        let parts = ["_bucket", "_sum", "_count"]
        if kind == .histogram { return parts.allSatisfy { families[name + $0] == nil } }
        return !parts.contains { part in
            name.hasSuffix(part) && families[String(name.dropLast(part.count))]?.kind == .histogram
        }
    }

    private func remove(_ series: any Series) {
        state.withLock { state in
            for (name, family) in state.families {
                for (labels, known) in family.series where known === series {
                    state.families[name]?.series[labels] = nil
                    return
                }
            }
        }
    }
}

extension PrometheusMetrics {
    package func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        switch series(.counter, label, dimensions, CounterSeries.init) {
        case .success(let series): series
        case .failure(let dropped): dropped
        }
    }

    package func makeFloatingPointCounter(
        label: String,
        dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        switch series(.counter, label, dimensions, SumSeries.init) {
        case .success(let series): series
        case .failure(let dropped): dropped
        }
    }

    package func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        switch series(.gauge, label, dimensions, GaugeSeries.init) {
        case .success(let series): series
        case .failure(let dropped): dropped
        }
    }

    package func makeRecorder(
        label: String,
        dimensions: [(String, String)],
        aggregate: Bool
    ) -> any RecorderHandler {
        guard aggregate else {
            switch series(.gauge, label, dimensions, GaugeSeries.init) {
            case .success(let series): return series
            case .failure(let dropped): return dropped
            }
        }
        switch series(.histogram, label, dimensions, { HistogramSeries(bounds: Self.valueBuckets) }) {
        case .success(let series): return series
        case .failure(let dropped): return dropped
        }
    }

    package func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        switch series(.histogram, inSeconds(label), dimensions, { HistogramSeries(bounds: Self.timerBuckets) }) {
        case .success(let series): return series
        case .failure(let dropped): return dropped
        }
    }

    package func destroyCounter(_ handler: any CounterHandler) { destroy(handler) }
    package func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) { destroy(handler) }
    package func destroyMeter(_ handler: any MeterHandler) { destroy(handler) }
    package func destroyRecorder(_ handler: any RecorderHandler) { destroy(handler) }
    package func destroyTimer(_ handler: any TimerHandler) { destroy(handler) }

    private func destroy(_ handler: AnyObject) {
        if let series = handler as? any Series { remove(series) }
    }
}

/// The label of a timer with its unit.
private func inSeconds(_ label: String) -> String {
    label.hasSuffix("_seconds") ? label : "\(label)_seconds"
}
