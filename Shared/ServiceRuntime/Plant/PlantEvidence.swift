package import PlantCore
package import Vision

extension PlantFile {
    /// Which pictures are kept, and how long.
    package typealias Evidence = KeepingPolicy
    /// What of a station's pictures is looked after.
    package typealias Watch = PictureWatch.Settings

    static func evidence(_ top: inout PlantSection) -> Evidence {
        var evidence = Evidence()
        guard var section = top.section("evidence", expected: "a mapping") else { return evidence }
        evidence.keep = section.optional("keep", .word(.all)) ?? evidence.keep
        evidence.goodEvery = section.optional("good_every", .whole(1...1_000_000_000, "every so many good parts"))
        if evidence.goodEvery != nil, evidence.keep != .fails {
            section.refuse("good_every", found: "keep: \(evidence.keep.rawValue)", expected: "keep: fails beside it")
        }
        evidence.lossless = section.optional("lossless", .flag) ?? evidence.lossless
        evidence.jpegQuality =
            section.optional("jpeg_quality", .whole(1...100, "quality of pictures that are not lossless"))
            ?? evidence.jpegQuality
        evidence.processEverySeconds = section.optional(
            "process_image_every_seconds",
            .whole(1...31_536_000, "seconds between two pictures of the process")
        )
        if var retain = section.section("retain", expected: "a mapping with pass, fail and process") {
            evidence.pass = retain.optional("pass", .retention) ?? evidence.pass
            evidence.fail = retain.optional("fail", .retention) ?? evidence.fail
            evidence.process = retain.optional("process", .retention) ?? evidence.process
            retain.finish()
        }
        evidence.budgetBytes =
            section.optional("budget_bytes", .whole(1_048_576...Int64.max, "bytes of images")) ?? evidence.budgetBytes
        section.finish()
        return evidence
    }

    static func write(_ out: inout YAMLWriter, _ evidence: Evidence) {
        out.line("keep", .plain(evidence.keep.rawValue))
        if let every = evidence.goodEvery { out.line("good_every", .plain("\(every)")) }
        out.line("lossless", .plain("\(evidence.lossless)"))
        out.line("jpeg_quality", .plain("\(evidence.jpegQuality)"))
        if let seconds = evidence.processEverySeconds {
            out.line("process_image_every_seconds", .plain("\(seconds)"))
        }
        out.block("retain") { out in
            out.line("pass", .plain(evidence.pass.text))
            out.line("fail", .plain(evidence.fail.text))
            out.line("process", .plain(evidence.process.text))
        }
        out.line("budget_bytes", .plain("\(evidence.budgetBytes)"))
    }

    /// A station's `watch`: each fault has its limit, or `off`.
    static func watch(_ station: inout PlantSection) -> Watch {
        var watch = Watch()
        guard var section = station.section("watch", expected: "a mapping of faults and their limits") else {
            return watch
        }
        func limit(_ key: String, _ range: ClosedRange<Double>, _ meaning: String, _ usual: Double?) -> Double? {
            section.optional(key, .limit(range, meaning)).map(\.value) ?? usual
        }
        watch.learn = section.optional("learn", .whole(2...10_000, "pictures that teach what is usual")) ?? watch.learn
        watch.window = section.optional("window", .whole(1...64, "newest pictures that are looked at")) ?? watch.window
        watch.bad = section.optional("bad", .whole(1...64, "bad pictures of them that make a fault")) ?? watch.bad
        watch.good = section.optional("good", .whole(1...10_000, "good pictures in a row that end it")) ?? watch.good
        watch.frozen = limit("frozen", 0.5...1, "share of pixels as in the picture before", watch.frozen)
        watch.dark = limit("dark", 0.01...0.99, "brightness in parts of the usual one", watch.dark)
        watch.overexposed = limit("overexposed", 0.01...1, "share of saturated pixels above usual", watch.overexposed)
        watch.blurred = limit("blurred", 0.2...0.99, "sharpness in parts of the usual one", watch.blurred)
        watch.shifted = limit("shifted", 0.02...0.16, "shift in parts of the picture", watch.shifted)
        watch.noisy = limit("noisy", 0.5...100, "noise above the usual one, grey levels", watch.noisy)
        if watch.bad > watch.window {
            section.refuse("bad", found: "\(watch.bad)", expected: "no more than window, which is \(watch.window)")
        }
        section.finish()
        return watch
    }

    static func write(_ out: inout YAMLWriter, _ watch: Watch) {
        func line(_ key: String, _ limit: Double?) { out.line(key, .plain(limit.map { "\($0)" } ?? "off")) }
        out.line("learn", .plain("\(watch.learn)"))
        out.line("window", .plain("\(watch.window)"))
        out.line("bad", .plain("\(watch.bad)"))
        out.line("good", .plain("\(watch.good)"))
        line("frozen", watch.frozen)
        line("dark", watch.dark)
        line("overexposed", watch.overexposed)
        line("blurred", watch.blurred)
        line("shifted", watch.shifted)
        line("noisy", watch.noisy)
    }
}

/// A limit that may be switched off.
struct PlantLimit: Sendable {
    /// Nil where it is off.
    let value: Double?
}

extension PlantValue where Value == PlantLimit {
    static func limit(_ range: ClosedRange<Double>, _ meaning: String) -> PlantValue {
        let number = PlantValue<Double>.number(range, meaning)
        return PlantValue(expected: "\(number.expected), or off", placeholder: PlantLimit(value: nil)) { text in
            text == "off" ? PlantLimit(value: nil) : number.parse(text).map { PlantLimit(value: $0) }
        }
    }
}

extension PlantValue where Value == KeepingPolicy.Retention {
    static let retention = PlantValue(
        expected: "forever, while_room, or a time such as 30d, 2y, 12h",
        placeholder: .forever,
        parse: KeepingPolicy.Retention.init(text:)
    )
}
