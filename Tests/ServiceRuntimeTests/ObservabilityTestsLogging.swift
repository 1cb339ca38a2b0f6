import Logging
import ServiceRuntime
import Synchronization
import Testing

private final class Lines: Sendable {
    private let lines = Mutex<[String]>([])

    var all: [String] { lines.withLock { $0 } }

    @Sendable func add(_ line: String) {
        lines.withLock { $0.append(line) }
    }
}

@Suite struct LogfmtTests {
    private static func logger(_ lines: Lines, nowUs: Int64 = 1_700_000_000_000_042) -> Logger {
        Logger(label: "inspector") { _ in
            LogfmtHandler(service: "inspector", level: .info, nowUs: { nowUs }, write: lines.add)
        }
    }

    @Test func aMessageIsOneLineWithItsFactsInOrder() {
        let lines = Lines()
        var logger = Self.logger(lines)
        logger[metadataKey: "station"] = "vision-1"
        logger[metadataKey: "topic"] = "overridden"
        logger.info(
            "parked a record",
            metadata: .of([.topic: "frames", .offset: "7", .reason: "a \"b\" = c\\\n\tnext"])
        )
        logger.debug("not shown")
        logger.error("no facts")
        #expect(
            lines.all == [
                #"time=2023-11-14T22:13:20.000042Z level=info service=inspector message="parked a record" offset=7 "#
                    + #"reason="a \"b\" = c\\\n\tnext" station=vision-1 topic=frames"# + "\n",
                #"time=2023-11-14T22:13:20.000042Z level=error service=inspector message="no facts" "#
                    + "station=vision-1 topic=overridden\n",
            ]
        )
    }

    @Test(arguments: [
        (Int64(0), "1970-01-01T00:00:00.000000Z"), (-1, "1969-12-31T23:59:59.999999Z"),
        (1_709_164_800_500_000, "2024-02-29T00:00:00.500000Z"),
    ])
    func timesAreUTCWithMicroseconds(us: Int64, text: String) {
        let lines = Lines()
        Self.logger(lines, nowUs: us).info("x")
        #expect(lines.all.first?.hasPrefix("time=\(text) ") == true, "\(lines.all)")
    }

    @Test(arguments: ["a", "é", "🏭", "\"", "\n", "\u{1}", "\u{2028}"], [0, 1, 2, 3])
    func everyLineIsShortAndOne(unit: String, shift: Int) {
        let lines = Lines()
        let text = String(repeating: "x", count: shift) + String(repeating: unit, count: 50_000)
        let logger = Self.logger(lines)
        logger.info("\(text)", metadata: ["k\ney = 1": "\(text)", "": "v"])
        logger.info("short", metadata: ["list": ["a", "b\nc"], "map": ["k": "\(text)"]])
        #expect(lines.all.count == 2)
        for line in lines.all {
            #expect(line.utf8.count <= LogfmtHandler.lineLimit)
            #expect(line.hasSuffix("… cut=true\n"))
            #expect(line.filter(\.isNewline).count == 1)
            #expect(!line.contains("\u{FFFD}"))
        }
    }

    @Test func aShortLineIsWhole() {
        let lines = Lines()
        Self.logger(lines).info("", metadata: ["k\ney = 1": "", "n": "é"])
        #expect(lines.all.first?.hasSuffix("message=\"\" k_ey___1=\"\" n=\"é\"\n") == true, "\(lines.all)")
    }

    @Test func theLevelComesFromTheEnvironment() throws {
        #expect(try ServiceLogging.level([:]) == .info)
        #expect(try ServiceLogging.level(["LINELEDGER_LOG_LEVEL": "DEBUG"]) == .debug)
        let error = #expect(throws: ServiceLogging.LevelError.self) {
            try ServiceLogging.level(["LINELEDGER_LOG_LEVEL": "loud"])
        }
        #expect(
            error?.description == "LINELEDGER_LOG_LEVEL: found \"loud\"; expected one of "
                + "trace, debug, info, notice, warning, error, critical"
        )
    }
}
