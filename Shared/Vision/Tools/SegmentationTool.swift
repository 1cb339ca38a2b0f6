/// A model learned from marked defects, as recipes name it.
package struct SegmentationSettings: ToolSettings {
    package static let key = "segmentation"
    package static let task = VisionTask.detect
    package let categories: [DefectCategory]
    private let model: RecipeFile

    package init(_ section: RecipeSection) {
        model = section.file("model")
        categories = section.texts("classes", default: nil).map { DefectCategory(rawValue: $0) }
        if !(1...SegmentationModel.maxCategories).contains(categories.count) {
            section.note(
                "classes",
                found: "\(categories.count) names",
                expected: "the model's 1 to \(SegmentationModel.maxCategories) classes, as `lineledger train` says"
            )
        }
    }

    /// Of a model file in the recipe's folder.
    package init(model: String, categories: [DefectCategory]) {
        self.model = RecipeFile(name: model)
        self.categories = categories
    }

    package func load(_ files: RecipeFiles) throws -> any Tool {
        let bytes = try files.read(model, atMost: SegmentationModel.maxFileBytes)
        let model = try SegmentationModel.decode(bytes, name: files.path(of: model))
        guard Set(model.categories) == Set(categories) else {
            func listed(_ categories: [DefectCategory]) -> String { categories.map(\.rawValue).joined(separator: ", ") }
            throw LearnError(
                "\(files.path(of: self.model)): tells \(listed(model.categories)) apart; `classes` has "
                    + listed(categories)
            )
        }
        return try SegmentationTool(model, features: try PixelBackbone.installed())
    }
}

/// Defects of the kinds that people marked on the pictures it was learned from.
package struct SegmentationTool: MappingTool {
    private let model: SegmentationModel
    private let features: any PixelFeatureSource

    /// `features` must be what the model was learned with.
    package init(_ model: SegmentationModel, features: any PixelFeatureSource) throws(LearnError) {
        guard model.backboneSHA256 == features.sha256 else {
            throw LearnError(
                "the model was learned with the backbone of SHA-256 \(model.backboneSHA256); this program has "
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
