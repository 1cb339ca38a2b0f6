package import SwiftProtobuf

/// One record of one topic: metadata and the events of one step of its writer's core.
package protocol TopicRecord: SwiftProtobuf.Message, Sendable {
    associatedtype Event: TopicEvent
    var meta: Meta { get set }
    var hasMeta: Bool { get }
    var events: [Event] { get set }
}

/// One event of a topic: a oneof of the kinds that the topic knows.
package protocol TopicEvent: SwiftProtobuf.Message, Sendable {
    associatedtype Kind: Equatable, Sendable
    /// The kind; nil when a newer writer sent one that this build does not know.
    var kind: Kind? { get set }
    /// The field name of the kind, as in the `.proto`; it goes into the record's `events` header.
    var kindName: String { get }
    /// The event that opens an epoch.
    static func takeover(_ event: WriterTookOver) -> Self
}

extension TopicEvent {
    package init(_ kind: Kind) {
        self.init()
        self.kind = kind
    }
}

extension TopicRecord {
    /// Field numbers of the kinds inside that this build does not know; 0 for an event without any kind.
    package var unknownKinds: [Int] {
        events.filter { $0.kind == nil }
            .map { RawMessage(Array($0.unknownFields.data)).fields.first?.number ?? 0 }
    }
}
