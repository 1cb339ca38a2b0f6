import SwiftProtobuf

/// Why bytes are not a record; the reader parks them with this sentence.
package struct InvalidRecord: Error, Equatable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }
}

/// Bytes to records and back, checked: proto3 cannot tell a missing field from an empty one, so the codec does.
package enum Codec {
    /// Decodes and validates one record.
    package static func decode<Record: TopicRecord>(
        _: Record.Type = Record.self,
        from value: [UInt8]
    ) throws(InvalidRecord) -> Record {
        let record: Record
        do {
            record = try Record(serializedBytes: value)
        } catch {
            throw InvalidRecord("not a \(Record.protoMessageName): \(error); \(value.count) bytes")
        }
        try validate(record.hasMeta ? record.meta : nil)
        guard !record.events.isEmpty else { throw InvalidRecord("events: empty; expected at least one event") }
        return record
    }

    /// Decodes the metadata that every record has, whatever its topic.
    package static func decodeMeta(from value: [UInt8]) throws(InvalidRecord) -> Meta {
        let envelope: Envelope
        do {
            var options = BinaryDecodingOptions()
            options.discardUnknownFields = true
            envelope = try Envelope(serializedBytes: value, options: options)
        } catch {
            throw InvalidRecord("not a LineLedger record: \(error); \(value.count) bytes")
        }
        try validate(envelope.hasMeta ? envelope.meta : nil)
        return envelope.meta
    }

    package static func encode(_ record: some TopicRecord) throws(InvalidRecord) -> [UInt8] {
        do {
            return try record.serializedBytes()
        } catch {
            throw InvalidRecord("\(type(of: record).protoMessageName) cannot be encoded: \(error)")
        }
    }

    private static func validate(_ meta: Meta?) throws(InvalidRecord) {
        guard let meta else { throw InvalidRecord("meta: missing; a foreign record?") }
        guard meta.hasOrigin, !meta.origin.site.isEmpty, !meta.origin.topic.isEmpty, meta.origin.epoch > 0 else {
            throw InvalidRecord("meta.origin: incomplete; expected site, topic and an epoch of at least 1")
        }
        guard !meta.recordID.isEmpty else { throw InvalidRecord("meta.record_id: empty") }
        guard meta.recordedAtUs > 0 else {
            throw InvalidRecord("meta.recorded_at_us: \(meta.recordedAtUs); expected > 0")
        }
    }
}
