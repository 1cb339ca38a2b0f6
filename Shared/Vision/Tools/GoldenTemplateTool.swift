/// The difference to one golden picture, as recipes name it.
package struct GoldenTemplateSettings: ToolSettings {
    package static let key = "golden_template"
    package static let task = VisionTask.inspect
    package var categories: [DefectCategory] { comparison.categories }
    private let template: RecipeFile
    private let comparison: GoldenSettings

    package init(_ section: RecipeSection) {
        template = section.file("template")
        comparison = GoldenSettings(section)
    }

    package func load(_ files: RecipeFiles) throws -> any Tool {
        let bytes = try files.read(template, atMost: PictureCodec.maxFileBytes)
        let picture = try PictureCodec.decode(bytes, name: files.path(of: template))
        return GoldenTemplateTool(GoldenTemplate(picture, settings: comparison))
    }
}

/// Difference to one golden picture.
package struct GoldenTemplateTool: Tool {
    private let template: GoldenTemplate

    package init(_ template: GoldenTemplate) { self.template = template }

    package func inspect(_ part: PartView, timer: inout StepTimer) throws(ToolError) -> ToolResult {
        try template.compare(part.picture, timer: &timer)
    }
}
