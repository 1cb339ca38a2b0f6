package import PlantCore
import PlantEvents
import SwiftProtobuf

/// Why a record is parked, for somebody who has never seen one.
package struct Explanation: Codable, Equatable, Sendable {
    package let expected: String
    package let found: String
    /// Byte offset or field path; empty where nothing is amiss any more.
    package let place: String
    /// Service and build that wrote it, as far as the bytes say.
    package let writtenBy: String
    /// Field paths that this build's schema does not have: a newer one wrote them.
    package let unknownFields: [String]
    package let toDo: String

    private static let unknownFieldsLimit = 32

    package init(_ content: ParkedShelf.Content, topic: String, build: String) {
        let raw = RawMessage(content.value)
        let service = raw.text(at: [1, 10, 1]) ?? ""
        let writerBuild = raw.text(at: [1, 10, 3]) ?? ""
        writtenBy = service.isEmpty ? "the bytes do not say" : "\(service) \(writerBuild), this is \(build)"
        expected = "a record of \(topic) with meta (origin, record_id, recorded_at_us) and at least one event"
        unknownFields = Self.unknownFields(of: content, raw)
        switch content.understanding {
        case .understood(let record):
            found = "a sound record, \(record.meta.recordID)"
            place = ""
            toDo = "re-drive it"
        case .not(.damaged, let reason):
            found = reason
            place = "stored bytes"
            toDo =
                "suspect disk or memory; restore the source topic's file from its mirror, then re-drive, or discard it"
        case .not(.notUnderstood, let reason):
            found = reason
            place = "events.kind"
            toDo = "upgrade this service to the writer's build or later, then re-drive it"
        case .not(_, let reason):
            found = reason
            place = raw.problem.map { "byte \($0.offset): \($0.text)" } ?? Self.field(in: reason)
            toDo =
                service.isEmpty
                ? "find the program that writes here and take its right to write away, then discard it"
                : "upgrade this service if \(service) is newer, then re-drive it; otherwise show the bytes to the developers"
        }
    }

    /// A delivery that the peer refused.
    package init(_ refused: DeliveryCore.Refused, by bridge: String) {
        expected = "the \(refused.intent.peer) to take \(refused.intent.intentID)"
        found = "refused: \(refused.reason)"
        place = refused.intent.businessKey
        writtenBy = bridge
        unknownFields = []
        toDo = "mend it at the peer and re-drive it, or do it there by hand and discard it with that as the reason"
    }

    /// `meta.origin: incomplete; …` names its field first.
    private static func field(in reason: String) -> String {
        let head = reason.prefix { $0 != ":" }
        return head.contains(" ") ? "the message as a whole" : String(head)
    }

    /// What decoding passes over: paths in the bytes that are gone once unknown fields are dropped.
    private static func unknownFields(of content: ParkedShelf.Content, _ raw: RawMessage) -> [String] {
        guard case .understood(let record) = content.understanding, let known = record.knownFieldsOnly else {
            return []
        }
        return Array(raw.paths().subtracting(RawMessage(known).paths()).sorted().prefix(unknownFieldsLimit))
    }
}

extension AnyRecord {
    /// The record as its bytes would be had its writer known this build's schema only.
    fileprivate var knownFieldsOnly: [UInt8]? {
        func plain<Record: TopicRecord>(_ record: Record) throws -> [UInt8] {
            var options = BinaryDecodingOptions()
            options.discardUnknownFields = true
            let bytes: [UInt8] = try record.serializedBytes()
            return try Record(serializedBytes: bytes, options: options).serializedBytes()
        }
        // Nothing to show is the answer where it cannot be told.
        return switch self {
        case .frames(let record): try? plain(record)
        case .inspections(let record): try? plain(record)
        case .production(let record): try? plain(record)
        case .decisions(let record): try? plain(record)
        case .materials(let record): try? plain(record)
        case .deliveries(let record): try? plain(record)
        case .alarms(let record): try? plain(record)
        case .parked(let record): try? plain(record)
        }
    }
}
