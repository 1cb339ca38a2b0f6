/// Key and value pairs that an ONNX file carries beside its graph (`ModelProto.metadata_props`, onnx.proto3).
enum OnnxMetadata {
    /// The value under the key; nil where the file has none or is damaged. Reads the top level only.
    static func value(_ key: String, in file: [UInt8]) -> String? {
        let metadata = 14
        var reader = WireReader(file[...])
        while let (field, bytes) = reader.next() {
            guard field == metadata, let bytes else { continue }
            var entry = WireReader(bytes)
            var (name, value): (String?, String?)
            while let (field, bytes) = entry.next() {
                if field == 1 { name = bytes.map { String(decoding: $0, as: UTF8.self) } }
                if field == 2 { value = bytes.map { String(decoding: $0, as: UTF8.self) } }
            }
            if name == key { return value }
        }
        return nil
    }
}

/// Fields of a protobuf message.
private struct WireReader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    /// Number of the next field, and its bytes where it has a length; nil at the end or at what is not protobuf.
    mutating func next() -> (field: Int, bytes: ArraySlice<UInt8>?)? {
        guard let tag = varint() else { return nil }
        let field = Int(tag >> 3)
        switch tag & 7 {
        case 0: return varint().map { _ in (field, nil) }
        case 1: return take(8).map { _ in (field, nil) }
        case 2: return varint().flatMap { Int(exactly: $0) }.flatMap { take($0) }.map { (field, $0) }
        case 5: return take(4).map { _ in (field, nil) }
        default: return nil
        }
    }

    private mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
        guard count <= rest.count else { return nil }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }

    private mutating func varint() -> UInt64? {
        var value: UInt64 = 0
        for shift in stride(from: 0, to: 63, by: 7) {
            guard let byte = rest.popFirst() else { return nil }
            value |= UInt64(byte & 127) << UInt64(shift)
            if byte < 128 { return value }
        }
        return nil
    }
}
