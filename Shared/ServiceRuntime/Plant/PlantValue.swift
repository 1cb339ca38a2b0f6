import Foundation

/// A kind of value in a plant file: how to read it, and what to say is expected where it cannot be read.
struct PlantValue<Value: Sendable>: Sendable {
    let expected: String
    /// Stands in for a value that is missing or wrong, so that reading goes on to find further mistakes.
    let placeholder: Value
    let parse: @Sendable (String) -> Value?
}

extension PlantValue where Value == String {
    /// A word that may become part of topic names, keys and paths.
    static let identifier = PlantValue(
        expected: "a word of 1 to 64 letters a-z A-Z, digits, - and _, beginning with a letter or digit",
        placeholder: ""
    ) { text in
        guard (1...64).contains(text.utf8.count), let first = text.utf8.first, isWordByte(first) else { return nil }
        return text.utf8.allSatisfy { isWordByte($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") }
            ? text : nil
    }

    /// A business key or name as other systems write it.
    static let text = PlantValue(
        expected: "a text of 1 to 200 characters without control characters",
        placeholder: ""
    ) { text in
        (1...200).contains(text.count) && isPrintable(text) ? text : nil
    }

    static let environmentName = PlantValue(
        expected: "the name of an environment variable (letters, digits and _)",
        placeholder: ""
    ) { text in
        let named = text.utf8.allSatisfy { isWordByte($0) || $0 == UInt8(ascii: "_") }
        return (1...128).contains(text.utf8.count) && named ? text : nil
    }

    /// A path; relative ones begin at `folder`.
    static func path(from folder: String) -> PlantValue {
        PlantValue(expected: "a path of 1 to 1024 bytes", placeholder: "") { text in
            (1...1024).contains(text.utf8.count) && isPrintable(text) ? absolutePath(text, from: folder) : nil
        }
    }

    /// The place of an event log; the folder of an embedded one begins at `folder`.
    static func log(from folder: String) -> PlantValue {
        PlantValue(
            expected: "embedded:DIR, kafka://host:port[,host:port…] without user or password, or memory:",
            placeholder: ""
        ) { text in
            if text == "memory:" { return text }
            if text.hasPrefix("embedded:") {
                return path(from: folder).parse(String(text.dropFirst("embedded:".count))).map { "embedded:\($0)" }
            }
            guard text.hasPrefix("kafka://"), text.utf8.count <= 1024 else { return nil }
            let hosts = text.dropFirst("kafka://".count).split(separator: ",", omittingEmptySubsequences: false)
            return hosts.allSatisfy(isHostAndPort) ? text : nil
        }
    }

    static let webAddress = PlantValue(
        expected: "an address such as http://127.0.0.1:8091 or https://host/path, without user, password, ? and #",
        placeholder: ""
    ) { text in
        guard text.utf8.count <= 1024, let parts = URLComponents(string: text), let scheme = parts.scheme,
            ["http", "https"].contains(scheme), let host = parts.host, !host.isEmpty, parts.user == nil,
            parts.password == nil, parts.query == nil, parts.fragment == nil
        else { return nil }
        return parts.port.map((1...65535).contains) ?? true ? text : nil
    }
}

extension PlantValue where Value == Bool {
    static let flag = PlantValue(expected: "true or false", placeholder: false) { text in
        switch text {
        case "true": true
        case "false": false
        default: nil
        }
    }
}

extension PlantValue where Value: FixedWidthInteger {
    static func whole(_ range: ClosedRange<Value>, _ meaning: String) -> PlantValue {
        PlantValue(
            expected: "\(meaning): a whole number from \(range.lowerBound) to \(range.upperBound)",
            placeholder: range.lowerBound
        ) { text in
            Value(text).flatMap { range.contains($0) ? $0 : nil }
        }
    }
}

extension PlantValue where Value == Double {
    static func number(_ range: ClosedRange<Double>, _ meaning: String) -> PlantValue {
        PlantValue(
            expected: "\(meaning): a number from \(range.lowerBound) to \(range.upperBound)",
            placeholder: range.lowerBound
        ) { text in
            Double(text).flatMap { range.contains($0) ? $0 : nil }
        }
    }
}

extension PlantValue where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
    /// One of the words of an enum; `first` stands in where it is wrong.
    static func word(_ first: Value) -> PlantValue {
        PlantValue(
            expected: Value.allCases.map(\.rawValue).joined(separator: " or "),
            placeholder: first,
            parse: Value.init(rawValue:)
        )
    }
}

/// Whether it is an ASCII letter or digit.
func isWordByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"):
        true
    default: false
    }
}

private func isPrintable(_ text: String) -> Bool {
    text.unicodeScalars.allSatisfy {
        !CharacterSet.controlCharacters.contains($0) && !CharacterSet.newlines.contains($0)
    }
}

private func isHostAndPort(_ text: Substring) -> Bool {
    guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]) else { return false }
    let host = text[..<colon]
    let allowed: (UInt8) -> Bool = { isWordByte($0) || "-_.:[]".utf8.contains($0) }
    return (1...65535).contains(port) && !host.isEmpty && host.utf8.allSatisfy(allowed)
}

/// `path` from the root, without `.` and `..`; relative ones begin at `folder`. Links are not followed.
func absolutePath(_ path: String, from folder: String) -> String {
    var parts: [Substring] = []
    for part in (path.hasPrefix("/") ? path : "\(folder)/\(path)").split(separator: "/") where part != "." {
        if part == ".." {
            _ = parts.popLast()
        } else {
            parts.append(part)
        }
    }
    return "/" + parts.joined(separator: "/")
}
