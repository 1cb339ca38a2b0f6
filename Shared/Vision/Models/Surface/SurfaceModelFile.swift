/// The model as a file: the text `LLSURFM` and a zero byte, format version, fields in little-endian order, and a
/// SHA-256 over all before it.
extension SurfaceModel {
    /// Largest model file, bytes.
    package static let maxFileBytes = 16_000_000

    /// Format 2 adds the training parts' scores; a file of format 1 is written as it was.
    static let envelope = ModelEnvelope("a surface model", "LLSURFM", 1...2)

    /// Writes the model to `path`, whole or not at all.
    package func save(path: String) throws(FileError) {
        try Files.writeAtomically(encoded(), to: path)
    }

    /// Reads a model; a damaged file, or one of another format, is an error that says so.
    package static func load(path: String) throws(SurfaceModelError) -> SurfaceModel {
        let bytes: [UInt8]
        do {
            bytes = try Files.read(path, atMost: maxFileBytes)
        } catch {
            throw SurfaceModelError(name: path, reason: error.reason)
        }
        return try decode(bytes, name: path)
    }

    package func encoded() -> [UInt8] {
        Self.envelope.seal(goodScores.isEmpty ? 1 : 2) { writer in
            for value in [width, height, channels] { writer.put(UInt32(value)) }
            writer.put(UInt32(sources.count))
            for source in sources {
                writer.put(source.name)
                writer.put(source.pixelsSHA256)
            }
            writer.bytes += classes.isPart.map { $0 ? 1 : 0 }
            writer.put(doubles: outline.means)
            writer.put(doubles: outline.spreads)
            writer.put(doubles: [frame.cellSize, limits.outline, limits.coverage, limits.surface])
            writer.put(floats: appearance.coverage)
            writer.put(floats: appearance.means)
            writer.put(floats: appearance.weights)
            writer.put(doubles: goodScores)
        }
    }

    package static func decode(_ bytes: [UInt8], name: String) throws(SurfaceModelError) -> SurfaceModel {
        do throws(ModelEnvelope.Refusal) {
            return try envelope.open(bytes) { reader, version in
                read(&reader, hasScores: version > 1).flatMap { $0.isSound ? $0 : nil }
            }
        } catch {
            throw SurfaceModelError(name: name, reason: error.reason)
        }
    }

    private static func read(_ reader: inout FieldReader, hasScores: Bool) -> SurfaceModel? {
        let (width, height, channels) = (Int(reader.word()), Int(reader.word()), Int(reader.word()))
        let count = Int(reader.word())
        guard (minPictures...maxPictures).contains(count) else { return nil }
        let sources = (0..<count).map { _ in Source(name: reader.text(), pixelsSHA256: reader.text()) }
        let isPart = reader.take(ColourClasses.binCount).map { $0 != 0 }
        guard isPart.count == ColourClasses.binCount else { return nil }
        let outline = OutlineStatistics(
            means: reader.doubles(Silhouette.measures.count),
            spreads: reader.doubles(Silhouette.measures.count)
        )
        let numbers = reader.doubles(4)
        let size = PartFrame.cells * PartAppearance.features
        let appearance = PartAppearance(
            coverage: reader.floats(PartFrame.cells),
            means: reader.floats(size),
            weights: reader.floats(size)
        )
        let goodScores = hasScores ? reader.doubles(count) : []
        guard !reader.isShort else { return nil }
        return SurfaceModel(
            width: width,
            height: height,
            channels: channels,
            sources: sources,
            classes: ColourClasses(isPart: isPart),
            outline: outline,
            frame: PartFrame(cellSize: numbers[0]),
            appearance: appearance,
            limits: AspectScores(outline: numbers[1], coverage: numbers[2], surface: numbers[3]),
            goodScores: goodScores
        )
    }

    private var isSound: Bool {
        let numbers =
            outline.means + outline.spreads + [frame.cellSize, limits.outline, limits.coverage, limits.surface]
        return (1...Picture.maxPixels).contains(width) && (1...Picture.maxPixels).contains(height)
            && [1, 3].contains(channels) && numbers.allSatisfy(\.isFinite)
            && (outline.spreads + [frame.cellSize, limits.outline, limits.coverage, limits.surface]).allSatisfy {
                $0 > 0
            }
            && goodScores.allSatisfy { $0.isFinite && $0 >= 0 }
            && (appearance.coverage + appearance.means + appearance.weights).allSatisfy(\.isFinite)
    }
}
