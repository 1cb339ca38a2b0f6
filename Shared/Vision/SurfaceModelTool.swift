/// Distance to what good parts look like.
package struct SurfaceModelTool: Tool {
    package static let categories: [DefectCategory] = [.shape, .surface]

    /// SHA-256 over the model file.
    package let sha256: String
    private let model: SurfaceModel

    package init(path: String) throws(SurfaceModelError) {
        let bytes: [UInt8]
        do {
            bytes = try Files.read(path, atMost: SurfaceModel.maxFileBytes)
        } catch {
            throw SurfaceModelError(name: path, reason: error.reason)
        }
        model = try SurfaceModel.decode(bytes, name: path)
        sha256 = hexSHA256(bytes)
    }

    package init(_ model: SurfaceModel) {
        self.model = model
        sha256 = hexSHA256(model.encoded())
    }

    package func inspect(
        _ picture: Picture,
        sourceName: String,
        timer: inout StepTimer
    ) throws(ToolError) -> PartMeasurement {
        try model.measure(picture, timer: &timer)
    }
}
