package import SwiftProtobuf

/// Lets a protobuf message stand in `Codable` state: it is kept as its serialized bytes.
package struct Coded<Message: SwiftProtobuf.Message & Sendable>: Codable, Sendable {
    package var message: Message

    package init(_ message: Message) {
        self.message = message
    }

    package init(from decoder: any Swift.Decoder) throws {
        let bytes = try decoder.singleValueContainer().decode([UInt8].self)
        message = try Message(serializedBytes: bytes)
    }

    package func encode(to encoder: any Swift.Encoder) throws {
        var container = encoder.singleValueContainer()
        let bytes: [UInt8] = try message.serializedBytes()
        try container.encode(bytes)
    }
}

extension Coded: Equatable where Message: Equatable {}
