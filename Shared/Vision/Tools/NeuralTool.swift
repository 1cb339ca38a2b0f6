/// What a neural model tells of a picture.
package enum NeuralJob: String, CaseIterable, Sendable {
    /// Confidences of classes, for the whole picture.
    case classification
    /// Boxes with classes.
    case detection
    /// The class of each pixel.
    case segmentation
    /// How unlike good parts each pixel is.
    case anomalyMap = "anomaly_map"
}

/// Any ONNX or OpenVINO model, as recipes name it.
package struct NeuralSettings: ToolSettings {
    package static let key = "neural"
    package static let task = VisionTask.detect
    package let categories: [DefectCategory]

    private let model: RecipeFile
    /// The `.bin` of a model in OpenVINO's representation.
    private let weights: RecipeFile?
    private let job: NeuralJob
    private let input: NeuralInputSettings
    /// Name of the output that is read; nil for the first.
    private let output: String?
    private let classes: NeuralClasses
    private let activation: NeuralActivation
    private let format: DetectionFormat
    private let overlap: Double
    private let minArea: Int

    package init(_ section: RecipeSection) {
        model = section.file("model")
        weights = section.has("weights") ? section.file("weights") : nil
        if model.name.hasSuffix(".xml"), weights == nil {
            section.note("model", found: "\"\(model.name)\" alone", expected: "`weights`, its .bin file, too")
        }
        job = section.choice("job", of: NeuralJob.self)
        input = NeuralInputSettings(section.section("input"))
        output = section.optionalText("output")
        classes = Self.classes(section, job)
        categories = zip(classes.names, classes.isGood).filter { !$1 }.map { DefectCategory(rawValue: $0.0) }
        activation = section.choice("activation", of: NeuralActivation.self, default: NeuralActivation.none)
        format =
            job == .detection ? section.choice("format", of: DetectionFormat.self) : .ssd
        overlap = job == .detection ? section.number("overlap", 0...1, default: 0.5) : 0
        let marksPixels = job == .segmentation || job == .anomalyMap
        minArea = marksPixels ? section.integer("min_area", 1...Picture.maxPixels, default: 1) : 1
    }

    package func load(_ files: RecipeFiles) throws -> any Tool {
        let bytes = try files.read(model, atMost: NeuralFile.maxBytes)
        let file: NeuralFile =
            if let weights {
                .representation(bytes, weights: try files.read(weights, atMost: NeuralFile.maxBytes))
            } else { .onnx(bytes) }
        let runtime = try NeuralRuntime.shared()
        let loaded = try NeuralModel(file, name: files.path(of: model), shape: input.openSizes, runtime: runtime)
        return try NeuralTool(
            model: loaded,
            input: try input.input(of: loaded),
            output: output,
            reader: reader
        )
    }

    private var reader: NeuralReader {
        switch job {
        case .classification: .classification(classes, activation)
        case .detection:
            .detection(NeuralDetector(format: format, classes: classes, activation: activation, overlap: overlap))
        case .segmentation: .segmentation(NeuralMasks(classes: classes, activation: activation), minArea: minArea)
        case .anomalyMap: .anomalyMap(NeuralMasks(classes: classes, activation: activation), minArea: minArea)
        }
    }

    private static func classes(_ section: RecipeSection, _ job: NeuralJob) -> NeuralClasses {
        let names = section.texts("classes", default: job == .anomalyMap ? [DefectCategory.anomaly.rawValue] : nil)
        let most = job == .anomalyMap ? 1 : 255
        if !(1...most).contains(names.count) || Set(names).count != names.count {
            section.note("classes", found: "\(names.count) names", expected: "1 to \(most) different names")
        }
        let good = job == .anomalyMap ? [] : section.texts("good", of: names, default: [])
        if !names.isEmpty, Set(good).isSuperset(of: names) {
            section.note("good", found: "every class", expected: "at least one class that is a defect")
        }
        let range = job == .anomalyMap ? 1e-6...1e9 : 1e-6...1
        let common = section.number("threshold", range, default: job == .anomalyMap ? nil : 0.5)
        var thresholds = [Double](repeating: common, count: names.count)
        if let own = section.section("thresholds") {
            for (index, name) in names.enumerated() {
                thresholds[index] = own.optionalNumber(name, range) ?? common
            }
        }
        guard let first = names.first else {
            return NeuralClasses(names: ["class"], isGood: [false], thresholds: [common])
        }
        return NeuralClasses(
            names: job == .anomalyMap ? [first] : names,
            isGood: job == .anomalyMap ? [false] : names.map(good.contains),
            thresholds: thresholds
        )
    }
}

/// How recipes describe a model's input: `width`, `height`, `channels`, `layout`, `fit`, `resize`, `scale`, `mean`,
/// `deviation`, `pad`. What the model fixes need not be said.
private struct NeuralInputSettings: Sendable {
    private var width: Int?
    private var height: Int?
    private var channels: PictureInput.Channels?
    private var layout: PictureInput.Layout?
    private var fit = PictureInput.Fit.stretch
    private var method = Resampling.Method.bilinear
    private var scale = 255.0
    private var mean = [0.0]
    private var deviation = [1.0]
    private var fill: UInt8 = 114

    init(_ section: RecipeSection?) {
        guard let section else { return }
        let sides = 1...8_192
        if section.has("width") || section.has("height") {
            width = section.integer("width", sides)
            height = section.integer("height", sides)
        }
        if section.has("channels") { channels = section.choice("channels", of: PictureInput.Channels.self) }
        if section.has("layout") { layout = section.choice("layout", of: PictureInput.Layout.self) }
        fit = section.choice("fit", of: PictureInput.Fit.self, default: .stretch)
        method = section.choice("resize", of: Resampling.Method.self, default: .bilinear)
        scale = section.number("scale", 1e-6...1e6, default: 255)
        mean = numbers(section, "mean", -1e6...1e6) ?? [0]
        deviation = numbers(section, "deviation", 1e-6...1e6) ?? [1]
        fill = UInt8(section.integer("pad", 0...255, default: 114))
    }

    private func numbers(_ section: RecipeSection, _ key: String, _ range: ClosedRange<Double>) -> [Double]? {
        guard section.has(key) else { return nil }
        let numbers = section.numbers(key, count: 1...3, range)
        return numbers.isEmpty ? nil : numbers
    }

    /// Shape that fixes what the recipe says of the input; nil where it says no size.
    var openSizes: [Int]? {
        guard let width, let height else { return nil }
        let count = (channels ?? .rgb).count
        return layout == .nhwc ? [1, height, width, count] : [1, count, height, width]
    }

    /// The input as model and recipe together say it.
    func input(of model: NeuralModel) throws(NeuralError) -> PictureInput {
        let shape = model.input.shape
        guard shape.count == 4, shape[0] == 1 || shape[0] == -1 else {
            throw wrong(model, "expected one picture, [1, channels, height, width] or [1, height, width, channels]")
        }
        let guessed: PictureInput.Layout = [1, 3].contains(shape[1]) ? .nchw : .nhwc
        let layout = layout ?? guessed
        let sizes = layout == .nchw ? [shape[2], shape[3], shape[1]] : [shape[1], shape[2], shape[3]]
        guard sizes[0] > 0, sizes[1] > 0 else { throw wrong(model, "name `width` and `height` in `input`") }
        guard sizes[0] <= 8_192, sizes[1] <= 8_192 else { throw wrong(model, "expected sides of at most 8192") }
        let channels = channels ?? (sizes[2] == 1 ? .grey : .rgb)
        guard sizes[2] == channels.count || sizes[2] == -1 else {
            throw wrong(model, "`channels` is \(channels.rawValue), \(channels.count); name `channels` or `layout`")
        }
        return PictureInput(
            width: sizes[1],
            height: sizes[0],
            channels: channels,
            layout: layout,
            fit: fit,
            method: method,
            scale: scale,
            mean: mean,
            deviation: deviation,
            fill: fill
        )
    }

    private func wrong(_ model: NeuralModel, _ expected: String) -> NeuralError {
        NeuralError("model \(model.name): its input is \(NeuralModel.shown(model.input.shape)); \(expected)")
    }
}

/// A neural model at work.
package struct NeuralTool: Tool {
    private let model: NeuralModel
    private let input: PictureInput
    private let output: Int
    private let reader: NeuralReader

    /// - Parameter output: Name of the output that `reader` reads; nil for the first.
    init(model: NeuralModel, input: PictureInput, output: String?, reader: NeuralReader) throws(NeuralError) {
        guard let index = output.map({ name in model.outputs.firstIndex { $0.name == name } }) ?? 0 else {
            let names = model.outputs.map(\.name).joined(separator: ", ")
            throw NeuralError("model \(model.name): no output \"\(output ?? "")\"; it has \(names)")
        }
        (self.model, self.input, self.output, self.reader) = (model, input, index, reader)
    }

    package func inspect(_ part: PartView, timer: inout StepTimer) throws(ToolError) -> ToolResult {
        let placement = input.placement(of: part.picture)
        do {
            let result = try model.run(
                shape: input.shape,
                fill: { input.write(part.picture, to: $0) },
                read: { outputs throws(NeuralError) in try reader.read(outputs[output], input, placement) }
            )
            timer.finish(NeuralSettings.key)
            return result
        } catch {
            throw ToolError(error.reason)
        }
    }
}
