/// What a demo run found, as `--report` writes it (design 6). Absent parts are null: nothing is made up.
struct DemoReport: Codable, Sendable {
    struct Verdicts: Codable, Sendable {
        var pass = 0
        var fail = 0
        var uncertain = 0
        /// Parts with a named gap instead of a verdict.
        var missed = 0
    }

    struct GroundTruth: Codable, Sendable {
        /// Parts with a label and a verdict.
        var labelled = 0
        /// Defective parts that passed.
        var escapes = 0
        /// Good parts that failed.
        var overkill = 0
    }

    struct Balance: Codable, Sendable {
        var triggers = 0
        var frames = 0
        var verdicts = 0
        var gaps = 0
        /// Triggers that have neither a verdict nor a named gap.
        var open = 0
    }

    struct Deliveries: Codable, Sendable {
        var intended = 0
        var delivered = 0
        var pending = 0
        /// Refused by the peer: parked until re-driven or skipped.
        var parked = 0
        /// Idempotency keys that the peer's own books hold, and how many of them took effect more than once.
        var booked = 0
        var booked_twice = 0
        /// Intents confirmed here that the peer's books do not hold, and the other way round.
        var differences: [String] = []
    }

    struct Quantiles: Codable, Sendable {
        var p50: Double
        var p99: Double
        var max: Double
    }

    struct Latency: Codable, Sendable {
        var trigger_to_verdict: Quantiles?
        /// Null without a PLC: the null adapter commands nothing.
        var trigger_to_reject: Quantiles?
        var verdict_to_mes_hold: Quantiles?
        var verdict_to_erp_block: Quantiles?
        var verdict_to_projected: Quantiles?
    }

    struct Log: Codable, Sendable {
        var backend: String
        var events: Int
        var records: Int
    }

    struct RebuildResult: Codable, Sendable {
        var events: Int
        var seconds: Double
        var digest_live: String
        var digest_rebuilt: String
    }

    var command: String
    var machine: String
    var parts = 0
    var frames = 0
    var verdicts = Verdicts()
    var ground_truth: GroundTruth?
    var balance = Balance()
    var holds = 0
    var mes = Deliveries()
    var erp = Deliveries()
    var latency_ms = Latency()
    var log: Log
    var rebuild: RebuildResult?
    var rss_mb: [String: Double] = [:]
    var restarts: [String: Int] = [:]
    var seconds: Double = 0
    /// What is not as it must be; empty when all is well.
    var problems: [String] = []
}
