/// The model as a file: the text `LLANOMM` and a zero byte, format version, fields in little-endian order, and a
/// SHA-256 over all before it.
extension AnomalyModel {
    /// Largest model file, bytes.
    package static let maxFileBytes = 64_000_000

    static let envelope = ModelEnvelope("an anomaly model", "LLANOMM", 1...1)
    /// Most features a patch.
    private static let maxDepth = 1_024

    package func encoded() -> [UInt8] {
        Self.envelope.seal(1) { writer in
            writer.put(backboneSHA256)
            for value in [pictureWidth, pictureHeight, width, height] { writer.put(UInt32(value)) }
            writer.put(UInt32(sources.count))
            for source in sources {
                writer.put(source.name)
                writer.put(source.pixelsSHA256)
            }
            writer.put(UInt32(scales.count))
            writer.put(floats: scales)
            writer.put(UInt32(memory.count))
            writer.put(floats: memory.entries)
            writer.put(floats: [reach])
            writer.put(UInt32(leftOut.count))
            writer.put(doubles: leftOut)
            writer.put(doubles: [limit])
        }
    }

    /// Reads a model; a damaged file, or one of another format, is an error that says so.
    package static func decode(_ bytes: [UInt8], name: String) throws(AnomalyModelError) -> AnomalyModel {
        do throws(ModelEnvelope.Refusal) {
            return try envelope.open(bytes) { reader, _ in read(&reader).flatMap { $0.isSound ? $0 : nil } }
        } catch {
            throw AnomalyModelError(name: name, reason: error.reason)
        }
    }

    private static func read(_ reader: inout FieldReader) -> AnomalyModel? {
        let backbone = reader.text()
        let sizes = (0..<4).map { _ in Int(reader.word()) }
        let count = Int(reader.word())
        guard (minPictures...maxPictures).contains(count) else { return nil }
        let sources = (0..<count).map { _ in Source(name: reader.text(), pixelsSHA256: reader.text()) }
        let depth = Int(reader.word())
        guard (1...maxDepth).contains(depth) else { return nil }
        let scales = reader.floats(depth)
        let patches = Int(reader.word())
        guard (1...maxPatches).contains(patches) else { return nil }
        let entries = reader.floats(patches * depth)
        let reach = reader.floats(1)[0]
        let tried = Int(reader.word())
        guard !reader.isShort, (1...maxLeftOut).contains(tried), entries.allSatisfy(\.isFinite) else { return nil }
        var memory = PatchMemory(depth: depth)
        entries.withUnsafeBufferPointer { entries in
            for entry in 0..<patches {
                memory.append(UnsafeBufferPointer(rebasing: entries[entry * depth..<(entry + 1) * depth]))
            }
        }
        let leftOut = reader.doubles(tried)
        return AnomalyModel(
            backboneSHA256: backbone,
            pictureWidth: sizes[0],
            pictureHeight: sizes[1],
            width: sizes[2],
            height: sizes[3],
            sources: sources,
            scales: scales,
            memory: memory,
            reach: reach,
            leftOut: leftOut,
            limit: reader.doubles(1)[0]
        )
    }

    private var isSound: Bool {
        [pictureWidth, pictureHeight].allSatisfy { (1...Picture.maxPixels).contains($0) }
            && [width, height].allSatisfy { (1...2 * Self.longerSide).contains($0) }
            && (scales + [reach]).allSatisfy { $0.isFinite && $0 >= 0 }
            && leftOut.allSatisfy { $0.isFinite && $0 >= 0 } && limit.isFinite && limit > 0
    }
}
