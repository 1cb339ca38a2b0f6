/// The model as a file: the text `LLSEGMM` and a zero byte, format version, fields in little-endian order, and a
/// SHA-256 over all before it.
extension SegmentationModel {
    /// Largest model file, bytes.
    package static let maxFileBytes = 8_000_000

    static let envelope = ModelEnvelope("a segmentation model", "LLSEGMM", 1...1)
    /// Most features a cell.
    private static let maxDepth = 1_024

    package func encoded() -> [UInt8] {
        Self.envelope.seal(1) { writer in
            writer.put(backboneSHA256)
            writer.put(UInt32(sources.count))
            for source in sources {
                writer.put(source.name)
                writer.put(source.pixelsSHA256)
            }
            writer.put(UInt32(categories.count))
            for category in categories { writer.put(category.rawValue) }
            writer.put(UInt32(classifier.depth))
            for values in [classifier.first, classifier.firstBias, classifier.second, classifier.secondBias] {
                writer.put(floats: values)
            }
            writer.put(doubles: [limit])
        }
    }

    /// Reads a model; a damaged file, or one of another format, is an error that says so.
    package static func decode(_ bytes: [UInt8], name: String) throws(LearnError) -> SegmentationModel {
        do throws(ModelEnvelope.Refusal) {
            return try envelope.open(bytes) { reader, _ in read(&reader).flatMap { $0.isSound ? $0 : nil } }
        } catch {
            throw LearnError("\(name): \(error.reason)")
        }
    }

    private var isSound: Bool { classifier.isSound && limit > 0 && limit <= Self.certainty }

    private static func read(_ reader: inout FieldReader) -> SegmentationModel? {
        let backbone = reader.text()
        let count = Int(reader.word())
        guard (minMarked...maxPictures).contains(count) else { return nil }
        let sources = (0..<count).map { _ in
            AnomalyModel.Source(name: reader.text(), pixelsSHA256: reader.text())
        }
        let named = Int(reader.word())
        guard (1...maxCategories).contains(named) else { return nil }
        let categories = (0..<named).map { _ in DefectCategory(rawValue: reader.text()) }
        let depth = Int(reader.word())
        guard (1...maxDepth).contains(depth), Set(categories).count == named else { return nil }
        let (hidden, outputs) = (PixelClassifier.hidden, named + 1)
        return SegmentationModel(
            backboneSHA256: backbone,
            sources: sources,
            categories: categories,
            classifier: PixelClassifier(
                depth: depth,
                outputs: outputs,
                first: reader.floats(depth * hidden),
                firstBias: reader.floats(hidden),
                second: reader.floats(hidden * outputs),
                secondBias: reader.floats(outputs)
            ),
            limit: reader.doubles(1)[0]
        )
    }
}
