/// Reading and verifying of printed texts such as date and lot codes, as recipes name it.
///
/// Without `model`, the recogniser and detector that `deploy/setup --neural` installs are used, known by their hashes.
/// Spaces do not count: they are neither reported nor compared.
package struct TextSettings: ToolSettings {
    package static let key = "text"
    package static let task = VisionTask.read
    package let categories: [DefectCategory] = [.text]

    private let models: TextModels
    private let characters: Set<Character>
    private let print: PrintKind
    private let lines: Int
    private let rules: TextRules

    package init(_ section: RecipeSection) {
        models = TextModels(section)
        characters = section.optionalText("characters").map(TextAlphabet.set) ?? TextAlphabet.printable
        print = section.choice("print", of: PrintKind.self, default: .continuous)
        lines = section.integer("lines", 1...8, default: 1)
        rules = TextRules(section, lines: lines)
    }

    package func load(_ files: RecipeFiles) throws -> any Tool {
        let runtime = try NeuralRuntime.shared()
        let recogniser = try models.recogniser.read(files)
        guard let dictionary = OnnxMetadata.value("character", in: recogniser.bytes) else {
            throw NeuralError(
                "model \(recogniser.path): no list of its characters (ONNX metadata \"character\"), as PaddleOCR's have"
            )
        }
        let model = try NeuralModel(
            .onnx(recogniser.bytes),
            name: recogniser.path,
            shape: [1, 3, 48, -1],
            runtime: runtime
        )
        let found = try models.detector.map { try $0.read(files) }
        let detector = try found.map {
            TextDetector(try NeuralModel(.onnx($0.bytes), name: $0.path, shape: [1, 3, -1, -1], runtime: runtime))
        }
        let alphabet = TextAlphabet(dictionary: dictionary, allowed: characters)
        let decoder = TextDecoder(alphabet: alphabet)
        let reader = TextReader(model, decoder: decoder, kind: print)
        return TextTool(detector: detector, reader: reader, lines: lines, rules: rules)
    }
}

/// The models of the text tool.
private struct TextModels: Sendable {
    let recogniser: Source
    /// Nil where the region holds nothing but one line, `find: region`.
    let detector: Source?

    enum Place: String, CaseIterable { case detector, region }

    init(_ section: RecipeSection) {
        recogniser = section.has("model") ? .recipe(section.file("model")) : .recogniser
        let place = section.choice("find", of: Place.self, default: .detector)
        let own = section.has("detector") ? Source.recipe(section.file("detector")) : .detector
        detector = place == .region ? nil : own
    }

    enum Source: Sendable {
        case recipe(RecipeFile)
        case installed(String, sha256: String)

        /// PP-OCRv4's recogniser and detector, Apache-2.0 (deploy/neural/README.md).
        static let recogniser = Source.installed(
            "rapidocr/ch_PP-OCRv4_rec_infer.onnx",
            sha256: "48fc40f24f6d2a207a2b1091d3437eb3cc3eb6b676dc3ef9c37384005483683b"
        )
        static let detector = Source.installed(
            "rapidocr/ch_PP-OCRv4_det_infer.onnx",
            sha256: "d2a7720d45a54257208b1e13e36a8479894cb74155a5efe29462512d42f49da9"
        )

        func read(_ files: RecipeFiles) throws -> (path: String, bytes: [UInt8]) {
            switch self {
            case .recipe(let file): return (files.path(of: file), try files.read(file, atMost: NeuralFile.maxBytes))
            case .installed(let name, let sha256):
                guard let path = NeuralPlace.find(name) else {
                    let folders = NeuralPlace.folders.joined(separator: ", ")
                    throw NeuralError("no \(name) in \(folders): \(NeuralPlace.remedy), or name `model` in the recipe")
                }
                let bytes = try Files.read(path, atMost: NeuralFile.maxBytes)
                let found = hexSHA256(bytes)
                guard found == sha256 else {
                    throw NeuralError("\(path): its SHA-256 is \(found); expected \(sha256): \(NeuralPlace.remedy)")
                }
                try files.note(RecipeFile(name: name, sha256: sha256), sha256: found)
                return (path, bytes)
            }
        }
    }
}

/// Reads a text and compares it with what is expected.
package struct TextTool: Tool {
    private let detector: TextDetector?
    private let reader: TextReader
    private let lines: Int
    private let rules: TextRules

    init(detector: TextDetector?, reader: TextReader, lines: Int, rules: TextRules) {
        (self.detector, self.reader, self.lines, self.rules) = (detector, reader, lines, rules)
    }

    package func inspect(_ part: PartView, timer: inout StepTimer) throws(ToolError) -> ToolResult {
        let check = try rules.check(for: part)
        let picture = part.picture.grey()
        let whole = Box(x: 0, y: 0, width: picture.width, height: picture.height)
        do {
            let found = try detector?.lines(of: picture, atMost: lines) ?? []
            timer.finish("find text")
            var readings: [TextReader.Reading] = []
            for line in found.isEmpty ? [nil] : found.map(Optional.some) {
                readings.append(try reader.read(line, alone: lines == 1, of: picture, check.fielding))
            }
            timer.finish("read text")
            let box = found.dropFirst().reduce(found.first) { $0?.union($1) }?.box(in: picture) ?? whole
            return result(check, readings, box)
        } catch {
            throw ToolError(error.reason)
        }
    }

    private func result(_ check: TextCheck, _ readings: [TextReader.Reading], _ box: Box) -> ToolResult {
        let read = rules.chosen(readings)
        let reason = check.mismatch(read)
        let score = reason == nil ? rules.doubt(read) : TextRules.failed
        let feature = Feature(
            name: check.name,
            value: read.weakest * 100,
            unit: "P1",
            text: read.text,
            lowerLimit: rules.minConfidence * 100,
            conforms: reason == nil && score < 1
        )
        let isWrong = reason != nil || score >= 1
        let rejection = reason ?? "read \"\(read.text)\" with a confidence below the limit"
        let defect = FoundDefect(
            category: .text,
            x: box.x,
            y: box.y,
            width: box.width,
            height: box.height,
            area: box.width * box.height,
            score: score
        )
        let words = Feature(name: "rejection", value: 0, unit: "C62", text: rejection, conforms: false)
        return ToolResult(
            score: score,
            defects: isWrong ? [defect] : [],
            features: isWrong ? [words, feature] : [feature]
        )
    }
}
