import CoreMetrics
import ServiceRuntime
import Testing

/// Prometheus' text format 0.0.4 as its documentation gives it, read strictly.
struct Exposition {
    struct Sample: Equatable {
        let name: String
        let labels: [String: String]
        let value: Double
    }

    struct Malformed: Error {
        let line: String
        let why: String
    }

    private(set) var types: [String: String] = [:]
    private(set) var help: [String: String] = [:]
    private(set) var samples: [Sample] = []

    init(_ text: String) throws {
        guard text.hasSuffix("\n") else { throw Malformed(line: "", why: "no line break at the end") }
        var finished: Set<String> = []
        var current = ""
        for line in text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init) {
            let words = line.split(separator: " ", maxSplits: 3).map(String.init)
            if line.hasPrefix("# HELP ") {
                guard words.count == 4, help.updateValue(words[3], forKey: words[2]) == nil else {
                    throw Malformed(line: line, why: "no help, or a second one")
                }
                finished.insert(current)
                current = words[2]
                guard !finished.contains(current) else { throw Malformed(line: line, why: "family is split") }
            } else if line.hasPrefix("# TYPE ") {
                guard words.count == 4, words[2] == current, types.updateValue(words[3], forKey: words[2]) == nil else {
                    throw Malformed(line: line, why: "no type, or a second one")
                }
            } else {
                let sample = try Self.sample(line)
                let bases =
                    types[current] == "histogram"
                    ? ["_bucket", "_sum", "_count"].map { current + $0 } : [current]
                guard bases.contains(sample.name) else { throw Malformed(line: line, why: "outside its family") }
                guard !samples.contains(where: { $0.name == sample.name && $0.labels == sample.labels }) else {
                    throw Malformed(line: line, why: "a second time")
                }
                samples.append(sample)
            }
        }
        try checkHistograms()
    }

    func value(_ name: String, _ labels: [String: String] = [:]) -> Double? {
        samples.first { $0.name == name && $0.labels == labels }?.value
    }

    private func checkHistograms() throws {
        for (name, type) in types where type == "histogram" {
            for count in samples where count.name == "\(name)_count" {
                let buckets = samples.filter { sample in
                    sample.name == "\(name)_bucket"
                        && sample.labels.filter { $0.key != "le" } == count.labels
                }
                let bounds = try buckets.map { bucket in
                    let bound = bucket.labels["le"] ?? ""
                    guard let number = bound == "+Inf" ? .infinity : Double(bound) else {
                        throw Malformed(line: name, why: "bound \(bound)")
                    }
                    return number
                }
                guard bounds == bounds.sorted(), bounds.last == .infinity, buckets.last?.value == count.value,
                    buckets.map(\.value) == buckets.map(\.value).sorted()
                else { throw Malformed(line: name, why: "buckets do not add up") }
            }
        }
    }

    private static func sample(_ line: String) throws -> Sample {
        var rest = Substring(line)
        func isNameStart(_ character: Character) -> Bool {
            character.isASCII && (character.isLetter || character == "_")
        }
        func name() throws -> String {
            let name = rest.prefix { isNameStart($0) || ($0.isASCII && $0.isNumber) }
            guard let first = name.first, isNameStart(first) else { throw Malformed(line: line, why: "name") }
            rest = rest.dropFirst(name.count)
            return String(name)
        }
        func take(_ character: Character) throws {
            guard rest.first == character else { throw Malformed(line: line, why: "expected \(character)") }
            rest = rest.dropFirst()
        }
        func quoted() throws -> String {
            try take("\"")
            var out = ""
            while let next = rest.popFirst() {
                if next == "\"" { return out }
                guard next == "\\" else {
                    out.append(next)
                    continue
                }
                switch rest.popFirst() {
                case "n": out.append("\n")
                case "\\": out.append("\\")
                case "\"": out.append("\"")
                default: throw Malformed(line: line, why: "escape")
                }
            }
            throw Malformed(line: line, why: "quotation mark is missing")
        }
        let sampleName = try name()
        var labels: [String: String] = [:]
        if rest.first == "{" {
            try take("{")
            while rest.first != "}" {
                if !labels.isEmpty { try take(",") }
                let label = try name()
                try take("=")
                guard labels.updateValue(try quoted(), forKey: label) == nil else {
                    throw Malformed(line: line, why: "label twice")
                }
            }
            try take("}")
        }
        try take(" ")
        let words = ["+Inf": Double.infinity, "-Inf": -Double.infinity, "NaN": Double.nan]
        guard let value = words[String(rest)] ?? Double(rest) else { throw Malformed(line: line, why: "value") }
        return Sample(name: sampleName, labels: labels, value: value)
    }
}

@Suite struct PrometheusMetricsTests {
    @Test func everyKindOfMetricIsRendered() throws {
        let metrics = PrometheusMetrics()
        metrics.describe("parts.judged", "Parts that have a verdict.")
        Counter(label: "parts.judged", dimensions: [("verdict", "pass")], factory: metrics).increment(by: 3)
        Counter(label: "parts.judged", dimensions: [("verdict", "fail")], factory: metrics).increment()
        Counter(label: "parts.judged", dimensions: [("verdict", "fail")], factory: metrics).increment()
        FloatingPointCounter(label: "energy_total", factory: metrics).increment(by: 1.5)
        Gauge(label: "lag", factory: metrics).record(-7)
        Meter(label: "queue", factory: metrics).increment(by: 2.5)
        Recorder(label: "batch.size", factory: metrics).record(40)
        let timer = Timer(label: "append", dimensions: [("topic", "frames")], factory: metrics)
        timer.recordMilliseconds(3)
        timer.recordMilliseconds(5)
        timer.recordSeconds(60)
        metrics.describe("append", "Time of an append.")
        let text = metrics.render()
        let page = try Exposition(text)
        #expect(page.value("parts_judged_total", ["verdict": "pass"]) == 3)
        #expect(page.value("parts_judged_total", ["verdict": "fail"]) == 2)
        #expect(page.help["parts_judged_total"] == "Parts that have a verdict.")
        #expect(page.help["append_seconds"] == "Time of an append.")
        #expect(page.value("energy_total") == 1.5)
        #expect(page.value("lag") == -7)
        #expect(page.value("queue") == 2.5)
        #expect(page.value("batch_size_bucket", ["le": "10.0"]) == 0)
        #expect(page.value("batch_size_bucket", ["le": "100.0"]) == 1)
        #expect(page.value("append_seconds_bucket", ["topic": "frames", "le": "0.0025"]) == 0)
        #expect(page.value("append_seconds_bucket", ["topic": "frames", "le": "0.005"]) == 2)
        #expect(page.value("append_seconds_bucket", ["topic": "frames", "le": "10.0"]) == 2)
        #expect(page.value("append_seconds_count", ["topic": "frames"]) == 3)
        #expect(page.value("append_seconds_sum", ["topic": "frames"]) == 60.008)
        #expect(
            page.types == [
                "parts_judged_total": "counter", "energy_total": "counter", "lag": "gauge", "queue": "gauge",
                "batch_size": "histogram", "append_seconds": "histogram",
                "lineledger_metrics_dropped_total": "counter",
            ]
        )
        #expect(metrics.render() == text)
    }

    @Test func namesAndLabelsAreMadeSafe() throws {
        let metrics = PrometheusMetrics()
        metrics.describe("9 lives-é", "two\nlines \\ \"quoted\"")
        let awkward = "a\"b\\c\nd{},= é🏭"
        Gauge(
            label: "9 lives-é",
            dimensions: [
                ("a-b", awkward), ("a.b", "second of the same name"), ("__name__", "x"), ("", "y"),
                ("long", String(repeating: "é", count: 500)),
            ],
            factory: metrics
        ).record(1)
        Recorder(label: "h", dimensions: [("le", "mine")], factory: metrics).record(1)
        let page = try Exposition(metrics.render())
        let labels = [
            "a_b": awkward, "label_name__": "x", "_": "y", "long": String(repeating: "é", count: 128),
        ]
        #expect(page.value("_9_lives__", labels) == 1, "\(page.samples)")
        #expect(page.help["_9_lives__"] == "two\\nlines \\\\ \"quoted\"")
        #expect(page.value("h_count", ["label_le": "mine"]) == 1)
    }

    @Test func labelSetsBeyondTheLimitAreCountedNotKept() throws {
        let metrics = PrometheusMetrics(metricLimit: 3, seriesLimit: 10)
        for serial in 0..<1000 {
            Counter(label: "by_serial", dimensions: [("serial", "\(serial)")], factory: metrics).increment()
        }
        for name in 0..<20 { Gauge(label: "g\(name)", factory: metrics).record(1) }
        let page = try Exposition(metrics.render())
        #expect(page.samples.filter { $0.name == "by_serial_total" }.count == 10)
        #expect(page.value(PrometheusMetrics.droppedName, ["metric": "by_serial_total"]) == 990)
        let dropped = page.samples.filter { $0.name == PrometheusMetrics.droppedName }
        #expect(dropped.map(\.value).reduce(0, +) == 990 + 18)
        #expect(dropped.count <= 4)
    }

    @Test func oneNameWithTwoMeaningsStaysOneMetric() throws {
        let metrics = PrometheusMetrics()
        Recorder(label: "x", factory: metrics).record(1)
        Gauge(label: "x", factory: metrics).record(1)
        Gauge(label: "x_count", factory: metrics).record(1)
        Gauge(label: "y_sum", factory: metrics).record(1)
        Recorder(label: "y", factory: metrics).record(1)
        FloatingPointCounter(label: "c", factory: metrics).increment(by: 1)
        Counter(label: "c", factory: metrics).increment()
        Counter(label: PrometheusMetrics.droppedName, factory: metrics).increment()
        let page = try Exposition(metrics.render())
        #expect(page.types["x"] == "histogram")
        #expect(page.types["y_sum"] == "gauge")
        #expect(page.types["y"] == nil)
        #expect(page.value("c_total") == 1)
        let dropped = page.samples.filter { $0.name == PrometheusMetrics.droppedName }.map { $0.labels["metric"] ?? "" }
        #expect(dropped == ["c_total", PrometheusMetrics.droppedName, "x", "x_count", "y"])
    }

    @Test func countersNeverFallAndHistogramsTakeNumbersOnly() throws {
        let metrics = PrometheusMetrics()
        let counter = metrics.makeCounter(label: "c", dimensions: [])
        counter.increment(by: 4)
        counter.increment(by: -3)
        let sum = metrics.makeFloatingPointCounter(label: "f", dimensions: [])
        sum.increment(by: 0.5)
        for wrong in [-1.0, .nan, .infinity] { sum.increment(by: wrong) }
        let recorder = metrics.makeRecorder(label: "r", dimensions: [], aggregate: true)
        for value in [1.0, .nan, .infinity, -5, 1e12] { recorder.record(value) }
        let gauge = metrics.makeRecorder(label: "g", dimensions: [], aggregate: false)
        gauge.record(Double.nan)
        let page = try Exposition(metrics.render())
        #expect(page.value("c_total") == 4)
        #expect(page.value("f_total") == 0.5)
        #expect(page.value("r_count") == 3)
        #expect(page.value("r_sum") == 1e12 - 4)
        #expect(page.value("g")?.isNaN == true)
    }

    @Test func aDestroyedSeriesIsGoneAndMakesRoom() throws {
        let metrics = PrometheusMetrics(seriesLimit: 1)
        let first = Counter(label: "c", dimensions: [("peer", "a")], factory: metrics)
        first.increment()
        first.destroy()
        Counter(label: "c", dimensions: [("peer", "b")], factory: metrics).increment()
        let page = try Exposition(metrics.render())
        #expect(page.samples.filter { $0.name == "c_total" }.map(\.labels) == [["peer": "b"]])
    }

    @Test func updatesFromManyTasksAreAllCounted() async throws {
        let metrics = PrometheusMetrics()
        await withTaskGroup(of: Void.self) { group in
            for task in 0..<8 {
                group.addTask {
                    for _ in 0..<1000 {
                        Counter(label: "c", dimensions: [("t", "\(task % 2)")], factory: metrics).increment()
                        Timer(label: "t", factory: metrics).recordNanoseconds(1_000_000)
                    }
                }
            }
        }
        let page = try Exposition(metrics.render())
        #expect(page.value("c_total", ["t": "0"]) == 4000)
        #expect(page.value("c_total", ["t": "1"]) == 4000)
        #expect(page.value("t_seconds_count") == 8000)
    }
}
