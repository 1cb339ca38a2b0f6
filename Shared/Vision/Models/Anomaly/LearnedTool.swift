/// Why nothing can be learned from pictures, or a learned model not be used.
package struct LearnError: Error, Equatable, CustomStringConvertible {
    package let reason: String

    package init(_ reason: String) { self.reason = reason }

    package var description: String { reason }
}

/// A tool that was learned from pictures of good parts only, or of parts with marked defects (ML-02).
package struct LearnedTool: Sendable {
    /// What is learned.
    package enum Kind: String, CaseIterable, Sendable {
        /// `AnomalyModel`, on the features of a network; needs the neural runtime.
        case anomaly
        /// `SurfaceModel`, on outline and plain features; needs a part on a ground of another colour, and nothing else.
        case surface
        /// `SegmentationModel`, from marked defects; needs the neural runtime.
        case segmentation
    }

    /// A limit of the model and where it comes from.
    package struct Limit: Equatable, Sendable {
        package let name: String
        /// Distance at which the score is 1.
        package let value: Double
        package let basis: String
    }

    package let model: LearnedModel
    package let tool: any Tool
    /// Why it is not of the better kind; nil where it is, or where its kind was asked for.
    package let remark: String?

    /// Pictures needed to learn from, at least.
    package static let minPictures = max(AnomalyModel.minPictures, SurfaceModel.minPictures)
    /// Pictures to learn from, at most.
    package static let maxPictures = min(AnomalyModel.maxPictures, SurfaceModel.maxPictures)
    /// Largest model file, bytes.
    package static let maxFileBytes = max(
        AnomalyModel.maxFileBytes,
        SurfaceModel.maxFileBytes,
        SegmentationModel.maxFileBytes
    )

    /// Learns from pictures of good parts. The same pictures in the same order give the same model, bit for bit.
    /// - Parameters:
    ///   - kind: What to learn; nil for the anomaly model where the neural runtime is installed, else the surface model.
    ///   - progress: Told the share done, 0 to 1.
    package static func learn(
        from pictures: [TrainingPicture],
        kind: Kind? = nil,
        progress: (Double) -> Void = { _ in }
    ) throws(LearnError) -> LearnedTool {
        if kind == .surface { return try surface(pictures, remark: nil) }
        if kind == .segmentation {
            throw LearnError("a segmentation model is learned from marked defects, not from good parts")
        }
        let features: FeatureBackbone
        do {
            features = try FeatureBackbone.installed()
        } catch {
            if kind == .anomaly { throw LearnError(error.reason) }
            return try surface(pictures, remark: error.reason)
        }
        do {
            let model = try AnomalyModel.train(pictures: pictures, features: features, progress: progress)
            return LearnedTool(model: .anomaly(model), tool: try AnomalyTool(model, features: features), remark: nil)
        } catch {
            throw LearnError("\(error)")
        }
    }

    private static func surface(
        _ pictures: [TrainingPicture],
        remark: String?
    ) throws(LearnError) -> LearnedTool {
        guard pictures.count <= SurfaceModel.maxPictures else {
            throw LearnError("\(pictures.count) pictures; expected at most \(SurfaceModel.maxPictures)")
        }
        do {
            let model = try SurfaceModel.train(pictures: try pictures.map { ($0.name, try $0.load()) })
            return LearnedTool(model: .surface(model), tool: SurfaceModelTool(model), remark: remark)
        } catch {
            throw LearnError("\(error)")
        }
    }

    /// A segmentation model and the backbone that it was learned with.
    package init(_ model: SegmentationModel, features: any PixelFeatureSource) throws(LearnError) {
        self.init(model: .segmentation(model), tool: try SegmentationTool(model, features: features), remark: nil)
    }

    private init(model: LearnedModel, tool: any Tool, remark: String?) {
        (self.model, self.tool, self.remark) = (model, tool, remark)
    }

    /// Reads a model file of any kind.
    package static func load(path: String) throws(LearnError) -> LearnedTool {
        do {
            return try load(try Files.read(path, atMost: maxFileBytes), name: path)
        } catch let error as LearnError {
            throw error
        } catch {
            throw LearnError("\(error)")
        }
    }

    /// Reads a model's bytes; `name` stands in what is said of mistakes.
    package static func load(_ bytes: [UInt8], name: String) throws(LearnError) -> LearnedTool {
        let model = try LearnedModel.decode(bytes, name: name)
        do {
            let tool: any Tool =
                switch model {
                case .anomaly(let model): try AnomalyTool(model, features: try FeatureBackbone.installed())
                case .surface(let model): SurfaceModelTool(model)
                case .segmentation(let model): try SegmentationTool(model, features: try PixelBackbone.installed())
                }
            return LearnedTool(model: model, tool: tool, remark: nil)
        } catch {
            throw LearnError("\(error)")
        }
    }
}

// MARK: What it is

extension LearnedTool {
    package var kind: Kind { model.kind }
    package var sources: [(name: String, pixelsSHA256: String)] { model.sources }
    package var setSHA256: String { model.setSHA256 }

    /// The model as a file.
    package func encoded() -> [UInt8] { model.encoded() }

    /// Settings of the tool in a recipe beside the model file.
    package func settings(modelFile: String) -> any ToolSettings {
        switch model {
        case .anomaly: AnomalySettings(model: modelFile)
        case .surface: SurfaceModelSettings(model: modelFile)
        case .segmentation(let model): SegmentationSettings(model: modelFile, categories: model.categories)
        }
    }

    /// A judge with nothing but this tool at its own limits.
    package func judge(nowUs: @escaping @Sendable () -> Int64 = Judge.steadyUs) -> Judge {
        let recipe = Recipe(
            id: "learned",
            revision: "1",
            station: "any",
            product: "any",
            controlPlan: "none",
            tools: [
                .init(
                    name: kind.rawValue,
                    settings: settings(modelFile: "learned.model"),
                    limits: .init(failAt: 1, uncertainAt: 1)
                )
            ],
            reaction: .init(holdOn: [], holdAfter: nil, rejectUncertain: false),
            sha256: ""
        )
        return Judge(recipe: recipe, tool: tool, modelSHA256s: [hexSHA256(encoded())], nowUs: nowUs)
    }

    /// A recipe that uses the model, to be completed by the people who know the product.
    package func draftRecipe(id: String, station: String, product: String, modelFile: String) -> String {
        let key = type(of: settings(modelFile: modelFile)).key
        func quoted(_ text: String) -> String {
            let escaped = text.map { $0 == "\"" || $0 == "\\" ? "\\\($0)" : "\($0)" }.joined()
            return "\"\(escaped)\""
        }
        let (parts, classes): (String, String) =
            switch model {
            case .anomaly, .surface: ("good parts", "")
            case .segmentation(let model):
                (
                    "parts with marked defects",
                    "\n      classes: [\(model.categories.map { quoted($0.rawValue) }.joined(separator: ", "))]"
                )
            }
        return """
            # Draft. Learned from \(sources.count) pictures of \(parts), SHA-256 over their list \(setSHA256).
            recipe: \(quoted(id))
            revision: "1"
            station: \(quoted(station))
            product: \(quoted(product))
            control_plan: "to be named"
            tools:
              - name: learned
                \(key):
                  model: {file: \(quoted(modelFile)), sha256: \(hexSHA256(encoded()))}\(classes)
            limits:
              fail_at: 1.0
              uncertain_at: 0.95
            reaction:
              hold_after: {failures: 3, window: 20}
              reject_uncertain: true

            """
    }
}
