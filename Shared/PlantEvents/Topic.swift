/// A stream of records with one writing service (design: one topic, one writer).
package enum Topic: String, CaseIterable, Sendable, Codable {
    case frames
    case inspections
    case production
    case materials
    case mesDeliveries = "mes-deliveries"
    case erpDeliveries = "erp-deliveries"
    case alarms
    case decisions
    case access
    case ledger

    /// The topics a running service writes today; the others are catalogued in `proto/README.md`.
    package static let written: [Topic] = [
        .frames, .inspections, .production, .materials, .mesDeliveries, .erpDeliveries, .alarms, .decisions,
    ]
}

/// Builds and reads full topic names, `lineledger.<site>.<topic>`; the only place that does.
package struct TopicName: Hashable, Sendable, CustomStringConvertible {
    package static let prefix = "lineledger"

    package let site: String
    package let topic: String

    package init(site: String, topic: Topic) {
        self.site = site
        self.topic = topic.rawValue
    }

    /// Where `service` sets records aside that it cannot read.
    package init(site: String, parkedBy service: String) {
        self.site = site
        self.topic = "\(service)-parked"
    }

    /// A topic of a site by its word, as people write it: `frames`, `inspector-parked`; nil where that makes no name.
    package init?(site: String, word: String) {
        self.init("\(Self.prefix).\(site).\(word)")
    }

    /// Reads a full name; nil when it is not one of ours.
    package init?(_ name: String) {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == Self.prefix, !parts[1].isEmpty, !parts[2].isEmpty else { return nil }
        site = String(parts[1])
        topic = String(parts[2])
    }

    package var description: String { "\(Self.prefix).\(site).\(topic)" }
}
