package import ServiceRuntime

/// The adapter for the camera that a plant file describes; it is not opened yet.
package func makeCamera(_ camera: PlantFile.Camera, clock: CameraClock = .system) -> any Camera {
    switch camera {
    case .folder(let path, let loop): FolderCamera(path: path, loops: loop, clock: clock)
    case .scene(let seed, let rate, let size): SceneCamera(seed: seed, defectRate: rate, size: size, clock: clock)
    case .clip(let path, let loop): ClipCamera(path: path, loops: loop, clock: clock)
    case .v4l2(let settings): V4LCamera(settings, clock: clock)
    case .gige(let settings): GigECamera(settings, clock: clock)
    }
}

/// Cameras as a person types them on a command line.
package enum CameraAddress {
    package static let forms =
        "/dev/video0, v4l2:///dev/video0, gige://192.168.1.20, folder:DIR, clip:FILE or scene:"

    /// The camera of that address with the settings that it has; nil where the text has none of `forms`.
    package static func camera(at address: String) -> PlantFile.Camera? {
        func rest(_ prefix: String) -> String? {
            address.hasPrefix(prefix) && address.count > prefix.count ? String(address.dropFirst(prefix.count)) : nil
        }
        if let path = rest("v4l2://") { return .v4l2(PlantFile.V4L2(device: path)) }
        if let place = rest("gige://") { return .gige(PlantFile.GigE(address: place)) }
        if let path = rest("folder:") { return .folder(path: path, loop: false) }
        if let path = rest("clip:") { return .clip(path: path, loop: false) }
        if address == "scene:" { return .scene(seed: 1, defectRate: 0.05, size: 640) }
        if address.hasPrefix("/dev/") { return .v4l2(PlantFile.V4L2(device: address)) }
        return nil
    }
}
