/// Where a log is, as people write it: `embedded:DIR`, `memory:` or `kafka://host:port,…`.
package enum LogAddress: Equatable, Sendable, CustomStringConvertible {
    case embedded(directory: String)
    case memory
    /// Brokers to ask first, `host:port`.
    case kafka(brokers: [String])

    package init(_ text: String) throws(LogFailure) {
        if text == "memory:" {
            self = .memory
        } else if let directory = text.suffix(after: "embedded:") {
            guard !directory.isEmpty else { throw .badAddress("\"\(text)\": no directory") }
            self = .embedded(directory: directory)
        } else if let list = text.suffix(after: "kafka://") {
            let brokers = list.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
            for broker in brokers where !Self.isBroker(broker) {
                throw .badAddress("\"\(text)\": \"\(broker)\" is not host:port")
            }
            self = .kafka(brokers: brokers)
        } else {
            throw .badAddress("\"\(text)\"")
        }
    }

    package var description: String {
        switch self {
        case .embedded(let directory): "embedded:\(directory)"
        case .memory: "memory:"
        case .kafka(let brokers): "kafka://\(brokers.joined(separator: ","))"
        }
    }

    private static func isBroker(_ text: String) -> Bool {
        guard let colon = text.lastIndex(of: ":"), colon != text.startIndex else { return false }
        let isPlain = !text.contains { $0.isWhitespace || $0 == "/" }
        return isPlain && UInt16(text[text.index(after: colon)...]).map { $0 > 0 } == true
    }
}

extension String {
    fileprivate func suffix(after prefix: String) -> String? {
        hasPrefix(prefix) ? String(dropFirst(prefix.count)) : nil
    }
}
