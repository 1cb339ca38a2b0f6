/// Why nothing can be learned from pictures, or a learned model not be used.
package struct LearnError: Error, Equatable, CustomStringConvertible {
    package let reason: String

    package init(_ reason: String) { self.reason = reason }

    package var description: String { reason }
}

/// A tool that was learned from pictures of good parts only (ML-02).
package struct LearnedTool: Sendable {
    /// What is learned.
    package enum Kind: String, CaseIterable, Sendable {
        /// `AnomalyModel`, on the features of a network; needs the neural runtime.
        case anomaly
        /// `SurfaceModel`, on outline and plain features; needs a part on a ground of another colour, and nothing else.
        case surface
    }

    private enum Model: Sendable {
        case anomaly(AnomalyModel)
        case surface(SurfaceModel)
    }

    /// A limit of the model and where it comes from.
    package struct Limit: Equatable, Sendable {
        package let name: String
        /// Distance at which the score is 1.
        package let value: Double
        package let basis: String
    }

    private let model: Model
    package let tool: any Tool
    /// Why it is not of the better kind; nil where it is, or where its kind was asked for.
    package let remark: String?

    /// Pictures needed to learn from, at least.
    package static let minPictures = max(AnomalyModel.minPictures, SurfaceModel.minPictures)
    /// Pictures to learn from, at most.
    package static let maxPictures = min(AnomalyModel.maxPictures, SurfaceModel.maxPictures)
    /// Largest model file, bytes.
    package static let maxFileBytes = max(AnomalyModel.maxFileBytes, SurfaceModel.maxFileBytes)

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

    /// Reads a model file of either kind.
    package static func load(path: String) throws(LearnError) -> LearnedTool {
        do {
            let bytes = try Files.read(path, atMost: maxFileBytes)
            if bytes.starts(with: AnomalyModel.magic) {
                let model = try AnomalyModel.decode(bytes, name: path)
                let tool = try AnomalyTool(model, features: try FeatureBackbone.installed())
                return LearnedTool(model: .anomaly(model), tool: tool, remark: nil)
            }
            let model = try SurfaceModel.decode(bytes, name: path)
            return LearnedTool(model: .surface(model), tool: SurfaceModelTool(model), remark: nil)
        } catch {
            throw LearnError("\(error)")
        }
    }
}

// MARK: What it is

extension LearnedTool {
    package var kind: Kind {
        switch model {
        case .anomaly: .anomaly
        case .surface: .surface
        }
    }

    /// The model as a file.
    package func encoded() -> [UInt8] {
        switch model {
        case .anomaly(let model): model.encoded()
        case .surface(let model): model.encoded()
        }
    }

    /// Names and SHA-256 over the pixels of the pictures that it was learned from, in their order.
    package var sources: [(name: String, pixelsSHA256: String)] {
        switch model {
        case .anomaly(let model): model.sources.map { ($0.name, $0.pixelsSHA256) }
        case .surface(let model): model.sources.map { ($0.name, $0.pixelsSHA256) }
        }
    }

    /// SHA-256 over one line `<pixels' sha256>  <name>\n` for each picture that it was learned from, in their order.
    package var setSHA256: String {
        hexSHA256(Array(sources.map { "\($0.pixelsSHA256)  \($0.name)\n" }.joined().utf8))
    }

    package var limits: [Limit] {
        switch model {
        case .anomaly(let model):
            let rank = AnomalyModel.falseRejects * 100
            let basis =
                "furthest of \(model.leftOut.count) good parts, each left out in turn, but for \(rank) %, and "
                + "\(AnomalyModel.margin * 100) % more"
            return [Limit(name: "distance", value: model.limit, basis: basis)]
        case .surface(let model):
            let basis =
                "\(model.sources.count) good parts, each left out in turn: mean and 3 standard deviations, at most 1.25 "
                + "times the furthest"
            return [
                Limit(name: "outline", value: model.limits.outline, basis: basis),
                Limit(name: "coverage", value: model.limits.coverage, basis: basis),
                Limit(name: "surface", value: model.limits.surface, basis: basis),
            ]
        }
    }

    /// What good parts may score: scores of the training pictures, each left out in turn; empty where the model does
    /// not keep them.
    package var goodScores: [Double] {
        switch model {
        case .anomaly(let model): model.goodScores
        case .surface: []
        }
    }

    /// SHA-256 of the backbone; nil where the model needs none.
    package var backboneSHA256: String? {
        switch model {
        case .anomaly(let model): model.backboneSHA256
        case .surface: nil
        }
    }

    /// Settings of the tool in a recipe beside the model file.
    package func settings(modelFile: String) -> any ToolSettings {
        switch model {
        case .anomaly: AnomalySettings(model: modelFile)
        case .surface: SurfaceModelSettings(model: modelFile)
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
        return """
            # Draft. Learned from \(sources.count) pictures of good parts, SHA-256 over their list \(setSHA256).
            recipe: \(quoted(id))
            revision: "1"
            station: \(quoted(station))
            product: \(quoted(product))
            control_plan: "to be named"
            tools:
              - name: learned
                \(key):
                  model: {file: \(quoted(modelFile)), sha256: \(hexSHA256(encoded()))}
            limits:
              fail_at: 1.0
              uncertain_at: 0.95
            reaction:
              hold_after: {failures: 3, window: 20}
              reject_uncertain: true

            """
    }
}
