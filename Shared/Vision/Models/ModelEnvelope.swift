/// What every model file has around its fields: eight bytes that name its kind, a format version, and at the end a SHA-256
/// over all before it, in hexadecimal.
struct ModelEnvelope {
    /// Why bytes are no such model, and what to do.
    struct Refusal: Error {
        let reason: String
    }

    private static let digestBytes = 64

    /// For sentences about it; example "an anomaly model".
    private let kind: String
    /// Seven characters, then a zero byte.
    private let magic: [UInt8]
    /// The formats that can be read.
    private let versions: ClosedRange<UInt32>

    init(_ kind: String, _ name: String, _ versions: ClosedRange<UInt32>) {
        self.kind = kind
        magic = Array("\(name)\0".utf8)
        self.versions = versions
    }

    /// Whether bytes begin as a model of this kind does.
    func names(_ bytes: some Collection<UInt8>) -> Bool { bytes.starts(with: magic) }

    func seal(_ version: UInt32, _ fields: (inout FieldWriter) -> Void) -> [UInt8] {
        var writer = FieldWriter()
        writer.bytes = magic
        writer.put(version)
        fields(&writer)
        return writer.bytes + Array(hexSHA256(writer.bytes).utf8)
    }

    /// What `read` makes of the fields; nil from it, or fields left over, is a refusal.
    func open<Model>(
        _ bytes: [UInt8],
        _ read: (inout FieldReader, _ version: UInt32) -> Model?
    ) throws(Refusal) -> Model {
        guard names(bytes), bytes.count > magic.count + Self.digestBytes else {
            let name = String(decoding: magic.dropLast(), as: UTF8.self)
            throw Refusal(reason: "not \(kind); expected a file that begins \(name)")
        }
        let body = Array(bytes.dropLast(Self.digestBytes))
        guard Array(hexSHA256(body).utf8) == Array(bytes.suffix(Self.digestBytes)) else {
            throw Refusal(reason: "damaged: its content does not match its checksum; restore it or learn it again")
        }
        var reader = FieldReader(bytes: body, position: magic.count)
        let found = reader.word()
        guard versions.contains(found) else {
            let newest = versions.upperBound
            let known = versions.count == 1 ? "\(newest)" : "\(versions.lowerBound) to \(newest)"
            throw Refusal(reason: "format version \(found); this program reads \(known)")
        }
        guard let model = read(&reader, found), !reader.isShort, reader.position == body.count else {
            throw Refusal(reason: "fields that do not fit together; learn the model again")
        }
        return model
    }
}
