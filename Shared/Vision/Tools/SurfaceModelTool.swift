/// A surface model learned from good parts only, as recipes name it.
package struct SurfaceModelSettings: ToolSettings {
    package static let key = "surface_model"
    package static let task = VisionTask.inspect
    package let categories: [DefectCategory] = [.shape, .surface]
    private let model: RecipeFile

    package init(_ section: RecipeSection) { model = section.file("model") }

    /// Of a model file in the recipe's folder.
    package init(model: String) { self.model = RecipeFile(name: model) }

    package func load(_ files: RecipeFiles) throws -> any Tool {
        let bytes = try files.read(model, atMost: SurfaceModel.maxFileBytes)
        return SurfaceModelTool(try SurfaceModel.decode(bytes, name: files.path(of: model)))
    }
}

/// Distance to what good parts look like.
package struct SurfaceModelTool: Tool {
    private let model: SurfaceModel

    package init(_ model: SurfaceModel) { self.model = model }

    package func inspect(_ part: PartView, timer: inout StepTimer) throws(ToolError) -> ToolResult {
        try model.measure(part.picture, timer: &timer)
    }
}
