import Foundation
package import Logging
import Synchronization

/// Names of the facts that log lines carry, in one place so that one search finds a fact in every service.
package enum LogKey: String, CaseIterable, Sendable {
    case address
    case alarm
    case attempt
    case batch
    case camera
    case code
    case count
    case cursor
    case durationMs = "duration_ms"
    case epoch
    case error
    case event
    case expected
    case file
    case found
    case hold
    case intent
    case line
    case lot
    case offset
    case order
    case origin
    case part
    case partition
    case path
    case peer
    case port
    case reason
    case recipe
    case record
    case sequence
    case service
    case sha256
    case signal
    case station
    case subject
    case topic
    case url
}

extension Logger.Metadata {
    /// Metadata by key: `logger.info("parked a record", metadata: .of([.topic: "frames"]))`.
    package static func of(_ pairs: [LogKey: Logger.MetadataValue]) -> Logger.Metadata {
        Dictionary(uniqueKeysWithValues: pairs.map { ($0.key.rawValue, $0.value) })
    }
}

/// How a service logs: one line of logfmt a message, on standard error.
package enum ServiceLogging {
    /// The environment variable `LINELEDGER_LOG_LEVEL` is none of swift-log's levels.
    package struct LevelError: Error, Equatable, Sendable, CustomStringConvertible {
        package let found: String

        package var description: String {
            let levels = Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
            return "LINELEDGER_LOG_LEVEL: found \"\(found)\"; expected one of \(levels)"
        }
    }

    /// The level that `environment` asks for; info where it says nothing.
    package static func level(_ environment: [String: String]) throws(LevelError) -> Logger.Level {
        guard let found = environment["LINELEDGER_LOG_LEVEL"], !found.isEmpty else { return .info }
        guard let level = Logger.Level(rawValue: found.lowercased()) else {
            throw LevelError(found: String(found.prefix(40)))
        }
        return level
    }

    /// Sends what this process logs to standard error; to be called once, before the first logger is made.
    /// - Returns: the logger of `service`.
    package static func bootstrap(
        service: String,
        environment: [String: String],
        nowUs: @escaping @Sendable () -> Int64
    ) throws(LevelError) -> Logger {
        let level = try level(environment)
        LoggingSystem.bootstrap { _ in
            LogfmtHandler(service: service, level: level, nowUs: nowUs, write: StandardError.write)
        }
        return Logger(label: service)
    }
}

/// Writes log lines as `time=… level=… service=… message="…" key=value …`.
package struct LogfmtHandler: LogHandler {
    /// Longest line with its line break, bytes: what a pipe takes in one piece (POSIX PIPE_BUF on Linux), so that the
    /// lines of several processes never mix.
    package static let lineLimit = 4096

    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?
    package var logLevel: Logger.Level

    private let service: String
    private let nowUs: @Sendable () -> Int64
    private let write: @Sendable (String) -> Void

    /// - Parameter write: takes each line, its line break included.
    package init(
        service: String,
        level: Logger.Level,
        nowUs: @escaping @Sendable () -> Int64,
        write: @escaping @Sendable (String) -> Void
    ) {
        self.service = service
        logLevel = level
        self.nowUs = nowUs
        self.write = write
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        var facts = metadata
        if let provided = metadataProvider?.get() { facts.merge(provided) { _, new in new } }
        if let given = event.metadata { facts.merge(given) { _, new in new } }
        if let error = event.error { facts[LogKey.error.rawValue] = "\(error)" }
        var line = "time=\(Self.time(nowUs())) level=\(event.level.rawValue) service=\(Self.value(service))"
        line += " message=\(Self.value(event.message.description))"
        for (key, value) in facts.sorted(by: { $0.key < $1.key }) where line.utf8.count < Self.lineLimit {
            line += " \(Self.key(key))=\(Self.value(value.description))"
        }
        write(Self.bounded(line))
    }

    /// RFC 3339 in UTC with microseconds.
    private static func time(_ us: Int64) -> String {
        let (seconds, rest) = us.quotientAndRemainder(dividingBy: 1_000_000)
        let whole = rest < 0 ? seconds - 1 : seconds
        let digits = String(rest < 0 ? rest + 1_000_000 : rest)
        let text = Date(timeIntervalSince1970: Double(whole)).formatted(.iso8601)
        return "\(text.dropLast()).\(String(repeating: "0", count: 6 - digits.count))\(digits)Z"
    }

    private static func key(_ key: String) -> String {
        String(String.UnicodeScalarView(key.unicodeScalars.map { isPlain($0) ? $0 : "_" }))
    }

    /// A value as it stands, or in quotation marks with the escapes of JSON where it needs them.
    private static func value(_ value: String) -> String {
        let value = value.utf8.count > lineLimit ? String(value.prefix(lineLimit)) : value
        if !value.isEmpty, value.unicodeScalars.allSatisfy(isPlain) { return value }
        var out = "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            case "\r": out += "\\r"
            case "\t": out += "\\t"
            case _ where scalar.properties.generalCategory == .control || [0x2028, 0x2029].contains(scalar.value):
                let digits = String(scalar.value, radix: 16)
                out += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out + "\""
    }

    private static func isPlain(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value > 0x20 && scalar.value < 0x7F && !["\"", "=", "\\"].contains(scalar)
    }

    private static func bounded(_ line: String) -> String {
        guard line.utf8.count >= lineLimit else { return line + "\n" }
        let mark = "… cut=true\n"
        var length = lineLimit - mark.utf8.count
        let bytes = Array(line.utf8)
        while length > 0, bytes[length] & 0xC0 == 0x80 { length -= 1 }
        return String(decoding: bytes[..<length], as: UTF8.self) + mark
    }
}

private enum StandardError {
    /// Writes the line whole; a line that standard error does not take is lost, since there is nowhere to say so.
    @Sendable static func write(_ line: String) {
        var line = line
        line.withUTF8 { bytes in
            var rest = UnsafeRawBufferPointer(bytes)
            while !rest.isEmpty {
                let written = Foundation.write(STDERR_FILENO, rest.baseAddress, rest.count)
                if written < 0 {
                    if errno == EINTR { continue }
                    return
                }
                rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(written))
            }
        }
    }
}
