/// How headers lie in their column, and what the checksum covers.
enum RecordForm {
    /// Each header as length of name (2 bytes), name, length of value (4 bytes), value; little-endian.
    static func encode(_ headers: [LogHeader]) -> [UInt8] {
        var bytes: [UInt8] = []
        for header in headers {
            let name = Array(header.name.utf8)
            let value = Array(header.value.utf8)
            precondition(name.count <= UInt16.max, "a header's name is at most 65,535 bytes")
            bytes += little(UInt64(name.count), 2) + name + little(UInt64(value.count), 4) + value
        }
        return bytes
    }

    /// Nil when the bytes are not headers.
    static func decode(_ bytes: [UInt8]) -> [LogHeader]? {
        var headers: [LogHeader] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            guard let name = field(&rest, lengthBytes: 2), let value = field(&rest, lengthBytes: 4) else { return nil }
            headers.append(LogHeader(String(decoding: name, as: UTF8.self), String(decoding: value, as: UTF8.self)))
        }
        return headers
    }

    /// Covers place, time and every byte, so that nothing can be exchanged unnoticed.
    static func checksum(id: Int64, atUs: Int64, key: [UInt8], value: [UInt8], headers: [UInt8]) -> Int64 {
        var crc = Crc32c()
        crc.add(id)
        crc.add(atUs)
        crc.add(Int64(key.count))
        crc.add(key)
        crc.add(Int64(value.count))
        crc.add(value)
        crc.add(headers)
        return Int64(crc.value)
    }

    private static func little(_ number: UInt64, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: number >> (8 * UInt64($0))) }
    }

    private static func field(_ rest: inout ArraySlice<UInt8>, lengthBytes: Int) -> ArraySlice<UInt8>? {
        guard rest.count >= lengthBytes else { return nil }
        let length = rest.prefix(lengthBytes).reversed().reduce(0) { $0 << 8 | Int($1) }
        rest = rest.dropFirst(lengthBytes)
        guard rest.count >= length else { return nil }
        defer { rest = rest.dropFirst(length) }
        return rest.prefix(length)
    }
}
