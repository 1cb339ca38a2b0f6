/// A message as its bytes alone tell it, without a schema, as `protoc --decode_raw` does; and where they stop making sense.
package struct RawMessage: Equatable, Sendable {
    package struct Field: Equatable, Sendable {
        package let number: Int
        /// Of the field's tag, in the outermost message.
        package let offset: Int
        package let value: Value
    }

    package indirect enum Value: Equatable, Sendable {
        case varint(UInt64)
        case fixed64(UInt64)
        case fixed32(UInt32)
        case bytes([UInt8])
        /// Bytes that read as a message to the end, and are no plain text.
        case message(RawMessage)
    }

    package struct Problem: Equatable, Sendable {
        package let offset: Int
        package let text: String
    }

    package private(set) var fields: [Field] = []
    /// Where reading ended early; nil where the bytes are a message to the end.
    package private(set) var problem: Problem?

    private static let deepest = 16
    private static let mostFields = 4_096

    package init(_ bytes: [UInt8]) {
        self.init(bytes[...], depth: 0)
    }

    private init(_ bytes: ArraySlice<UInt8>, depth: Int) {
        var at = bytes.startIndex
        while at < bytes.endIndex {
            let start = at
            guard fields.count < Self.mostFields else {
                problem = Problem(offset: start, text: "more than \(Self.mostFields) fields")
                return
            }
            guard let tag = Self.varint(bytes, &at), tag >> 3 > 0, tag >> 3 < 1 << 29 else {
                problem = Problem(offset: start, text: "no field begins here")
                return
            }
            let number = Int(tag >> 3)
            guard let value = Self.value(bytes, &at, wire: tag & 7, depth: depth) else {
                problem = Problem(offset: start, text: Self.why(number, wire: tag & 7, left: bytes.endIndex - at))
                return
            }
            fields.append(Field(number: number, offset: start, value: value))
        }
    }

    private static func why(_ number: Int, wire: UInt64, left: Int) -> String {
        switch wire {
        case 3, 4: "field \(number) is a group, which no schema of ours has"
        case 6, 7: "field \(number) has wire type \(wire), which does not exist"
        default: "field \(number) is cut off: its value does not fit into the \(left) bytes left"
        }
    }

    private static func value(_ bytes: ArraySlice<UInt8>, _ at: inout Int, wire: UInt64, depth: Int) -> Value? {
        switch wire {
        case 0: return varint(bytes, &at).map(Value.varint)
        case 1: return fixed(bytes, &at, 8).map(Value.fixed64)
        case 5: return fixed(bytes, &at, 4).map { .fixed32(UInt32(truncatingIfNeeded: $0)) }
        case 2:
            let start = at
            guard let length = varint(bytes, &at), length <= UInt64(bytes.endIndex - at) else {
                at = start
                return nil
            }
            let content = bytes[at..<at + Int(length)]
            at += Int(length)
            guard !content.isEmpty, depth < deepest, !isText(content) else { return .bytes(Array(content)) }
            let inner = RawMessage(content, depth: depth + 1)
            return inner.problem == nil ? .message(inner) : .bytes(Array(content))
        default: return nil
        }
    }

    private static func varint(_ bytes: ArraySlice<UInt8>, _ at: inout Int) -> UInt64? {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 70, by: 7) where at < bytes.endIndex {
            let byte = bytes[at]
            at += 1
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
        }
        return nil
    }

    private static func fixed(_ bytes: ArraySlice<UInt8>, _ at: inout Int, _ size: Int) -> UInt64? {
        guard bytes.endIndex - at >= size else { return nil }
        defer { at += size }
        return bytes[at..<at + size].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    private static func isText(_ bytes: ArraySlice<UInt8>) -> Bool {
        bytes.allSatisfy { $0 >= 0x20 && $0 != 0x7f } && String(validating: bytes, as: UTF8.self) != nil
    }
}

extension RawMessage {
    /// One line a field, nested ones indented; text in quotes, other bytes in hexadecimal.
    package func lines(indent: String = "") -> [String] {
        let own = fields.flatMap { field -> [String] in
            let head = "\(indent)\(field.number)"
            return switch field.value {
            case .varint(let value): ["\(head): \(value)"]
            case .fixed64(let value): ["\(head): 0x\(String(value, radix: 16))"]
            case .fixed32(let value): ["\(head): 0x\(String(value, radix: 16))"]
            case .bytes(let bytes): ["\(head): \(Self.shown(bytes))"]
            case .message(let inner): ["\(head) {"] + inner.lines(indent: indent + "  ") + ["\(indent)}"]
            }
        }
        return own + (problem.map { ["\(indent)byte \($0.offset): \($0.text)"] } ?? [])
    }

    /// The text at a path of field numbers; nil where there is none.
    package func text(at path: [Int]) -> String? {
        guard let number = path.first else { return nil }
        for field in fields where field.number == number {
            switch field.value {
            case .message(let inner) where path.count > 1:
                if let found = inner.text(at: Array(path.dropFirst())) { return found }
            case .bytes(let bytes) where path.count == 1: return String(validating: bytes, as: UTF8.self)
            case .varint, .fixed64, .fixed32, .bytes, .message: break
            }
        }
        return nil
    }

    /// Every field's path of numbers, `2.3.17`, each once.
    package func paths(under prefix: String = "") -> Set<String> {
        fields.reduce(into: []) { paths, field in
            let path = prefix + String(field.number)
            paths.insert(path)
            if case .message(let inner) = field.value { paths.formUnion(inner.paths(under: path + ".")) }
        }
    }

    private static let shownBytes = 64

    private static func shown(_ bytes: [UInt8]) -> String {
        if isText(bytes[...]) { return "\"\(String(decoding: bytes, as: UTF8.self))\"" }
        let hex = bytes.prefix(shownBytes).map { String(UInt16($0) + 0x100, radix: 16).dropFirst() }.joined()
        return bytes.count > shownBytes ? "\(hex)… (\(bytes.count) bytes)" : hex
    }
}
