/// An anomaly model learned from good parts only, as recipes name it.
package struct AnomalySettings: ToolSettings {
    package static let key = "anomaly"
    package static let task = VisionTask.inspect
    package let categories: [DefectCategory] = [.anomaly]
    private let model: RecipeFile

    package init(_ section: RecipeSection) { model = section.file("model") }

    /// Of a model file in the recipe's folder.
    package init(model: String) { self.model = RecipeFile(name: model) }

    package func load(_ files: RecipeFiles) throws -> any Tool {
        let bytes = try files.read(model, atMost: AnomalyModel.maxFileBytes)
        let model = try AnomalyModel.decode(bytes, name: files.path(of: model))
        return try AnomalyTool(model, features: try FeatureBackbone.installed())
    }
}

/// Distance to what good parts look like to a network trained on photographs of everything.
package struct AnomalyTool: MappingTool {
    private let model: AnomalyModel
    private let features: any FeatureSource

    /// `features` must be what the model was learned with.
    package init(_ model: AnomalyModel, features: any FeatureSource) throws(AnomalyModelError) {
        guard model.backboneSHA256 == features.sha256 else {
            throw AnomalyModelError(
                name: "model",
                reason: "learned with the backbone of SHA-256 \(model.backboneSHA256); this program has "
                    + "\(features.sha256): learn it again with `lineledger train`"
            )
        }
        (self.model, self.features) = (model, features)
    }

    package func inspect(_ part: PartView, timer: inout StepTimer) throws(ToolError) -> ToolResult {
        try model.measure(part.picture, features: features, timer: &timer)
    }

    package func map(_ part: PartView, limit: Double) throws(ToolError) -> DefectMap {
        try model.map(part.picture, features: features, limit: limit)
    }
}
