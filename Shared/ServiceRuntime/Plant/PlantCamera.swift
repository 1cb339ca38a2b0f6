extension PlantFile {
    /// Where a station's images come from.
    package enum Camera: Equatable, Sendable {
        /// The images of a folder in the order of their names; `loop` begins again after the last.
        case folder(path: String, loop: Bool)
        /// The built-in test scene: `size` x `size` grey pixels, a share `defectRate` of the parts defective.
        case scene(seed: UInt64, defectRate: Double, size: Int)
        /// A video file: Y4M and MJPEG are read, others through ffmpeg; `loop` begins again after the last frame.
        case clip(path: String, loop: Bool)
        case v4l2(V4L2)
        case gige(GigE)
    }

    /// What makes a live camera take a picture.
    package enum CameraTrigger: String, CaseIterable, Sendable {
        /// The camera's own rate; each frame is a part.
        case free
        /// The station, at its rate.
        case software
        /// A signal at the camera's input; each frame is a part.
        case hardware
    }

    /// A camera of the Linux kernel: USB, CSI, frame grabber. What is nil stays as the device has it.
    package struct V4L2: Equatable, Sendable {
        /// `/dev/video0`, or better the name that stays, `/dev/v4l/by-id/…`.
        package var device: String
        /// Pixels.
        package var width: Int?
        /// Pixels.
        package var height: Int?
        /// Four-character code: GREY, YUYV, MJPG …
        package var format: String?
        /// Frames a second.
        package var frameRate: Double?
        /// Microseconds.
        package var exposureUs: Int?
        /// In the device's own unit.
        package var gain: Int?
        /// Colour temperature, kelvin.
        package var whiteBalanceK: Int?
        /// Further controls by the names that `v4l2-ctl --list-ctrls` shows.
        package var controls: [String: Int]
        package var trigger: CameraTrigger

        package init(device: String, trigger: CameraTrigger = .free) {
            self.device = device
            self.trigger = trigger
            controls = [:]
        }
    }

    /// A GigE Vision camera. What is nil stays as the camera has it.
    package struct GigE: Equatable, Sendable {
        /// IP address or name, or Aravis' id of the camera (maker-serial).
        package var address: String
        /// Pixels.
        package var width: Int?
        /// Pixels.
        package var height: Int?
        /// Left edge of the picture on the sensor, pixels.
        package var offsetX: Int
        /// Top edge of the picture on the sensor, pixels.
        package var offsetY: Int
        /// Name by the PFNC: Mono8, BayerRG8, RGB8 …
        package var format: String?
        /// Frames a second.
        package var frameRate: Double?
        /// Microseconds.
        package var exposureUs: Double?
        /// In the camera's own unit, decibels for most.
        package var gain: Double?
        /// Further GenICam features by their names.
        package var features: [String: String]
        package var trigger: CameraTrigger
        /// Input of the trigger signal: "Line1" …
        package var triggerSource: String
        /// Bytes of a stream packet; nil takes the largest that gets through.
        package var packetSize: Int?
        /// Frames that may wait to be taken.
        package var buffers: Int

        package init(address: String, trigger: CameraTrigger = .free) {
            self.address = address
            self.trigger = trigger
            offsetX = 0
            offsetY = 0
            features = [:]
            triggerSource = "Line1"
            buffers = 16
        }
    }
}

extension PlantFile {
    /// Most controls or features of one camera.
    private static let cameraSettingLimit = 64

    static func camera(_ station: inout PlantSection, folder: String) -> Camera {
        let none = Camera.scene(seed: 0, defectRate: 0, size: 160)
        let kinds = CameraKind.allCases.map(\.rawValue).joined(separator: ", ")
        guard var section = station.requiredSection("camera", expected: "a mapping with kind: one of \(kinds)")
        else { return none }
        defer { section.finish() }
        switch section.optional("kind", .word(CameraKind.folder)) {
        case .folder:
            return .folder(
                path: section.required("path", .path(from: folder)),
                loop: section.optional("loop", .flag) ?? false
            )
        case .scene:
            return .scene(
                seed: section.optional("seed", .whole(0...UInt64.max, "the scene's seed")) ?? 1,
                defectRate: section.optional("defect_rate", .number(0...1, "share of defective parts")) ?? 0.05,
                size: section.optional("size", .whole(160...8192, "pixels of an edge")) ?? 640
            )
        case .clip:
            return .clip(
                path: section.required("path", .path(from: folder)),
                loop: section.optional("loop", .flag) ?? false
            )
        case .v4l2: return .v4l2(v4l2(&section))
        case .gige: return .gige(gige(&section))
        case nil:
            if !section.has("kind") { section.refuse("kind", found: "nothing", expected: "one of \(kinds)") }
            section.allowAll()
            return none
        }
    }

    private static func v4l2(_ section: inout PlantSection) -> V4L2 {
        var camera = V4L2(device: section.required("device", .path(from: "/")))
        (camera.width, camera.height) = size(&section)
        camera.format = section.optional("format", .fourCharacterCode)
        camera.frameRate = section.optional("frame_rate", .frameRate)
        camera.exposureUs = section.optional("exposure_us", .whole(100...100_000_000, "microseconds"))
        camera.gain = section.optional("gain", .whole(0...1_000_000, "gain in the device's own unit"))
        camera.whiteBalanceK = section.optional("white_balance_k", .whole(1_000...20_000, "kelvin"))
        camera.controls = section.entries(
            "controls",
            atMost: cameraSettingLimit,
            .whole(-2_147_483_648...2_147_483_647, "a control's value")
        )
        camera.trigger = section.optional("trigger", .word(.free)) ?? .free
        return camera
    }

    private static func gige(_ section: inout PlantSection) -> GigE {
        var camera = GigE(address: section.required("address", .cameraAddress))
        (camera.width, camera.height) = size(&section)
        camera.offsetX = section.optional("offset_x", .whole(0...65_535, "pixels from the sensor's left edge")) ?? 0
        camera.offsetY = section.optional("offset_y", .whole(0...65_535, "pixels from the sensor's top edge")) ?? 0
        camera.format = section.optional("format", .identifier)
        camera.frameRate = section.optional("frame_rate", .frameRate)
        camera.exposureUs = section.optional("exposure_us", .number(0.1...100_000_000, "microseconds"))
        camera.gain = section.optional("gain", .number(0...1_000_000, "gain in the camera's own unit"))
        camera.features = section.entries("features", atMost: cameraSettingLimit, .text)
        camera.trigger = section.optional("trigger", .word(.free)) ?? .free
        camera.triggerSource = section.optional("trigger_source", .identifier) ?? camera.triggerSource
        camera.packetSize = section.optional("packet_size", .whole(220...16_384, "bytes of a stream packet"))
        camera.buffers = section.optional("buffers", .whole(2...256, "frames that may wait")) ?? camera.buffers
        return camera
    }

    private static func size(_ section: inout PlantSection) -> (width: Int?, height: Int?) {
        (
            section.optional("width", .whole(1...65_536, "pixels")),
            section.optional("height", .whole(1...65_536, "pixels"))
        )
    }
}

private enum CameraKind: String, CaseIterable {
    case folder
    case scene
    case clip
    case v4l2
    case gige
}

extension PlantValue where Value == Double {
    fileprivate static let frameRate = number(0.01...100_000, "frames a second")
}

extension PlantValue where Value == String {
    fileprivate static let fourCharacterCode = PlantValue(
        expected: "a four-character code of V4L2 such as GREY, YUYV or MJPG (v4l2-ctl --list-formats)",
        placeholder: ""
    ) { text in
        let printable = text.utf8.allSatisfy { (0x20...0x7E).contains($0) }
        return (3...4).contains(text.utf8.count) && printable ? text : nil
    }

    fileprivate static let cameraAddress = PlantValue(
        expected: "an IP address, a host name or a camera's id (maker-serial), without spaces",
        placeholder: ""
    ) { text in
        (1...128).contains(text.utf8.count) && text.utf8.allSatisfy { (0x21...0x7E).contains($0) } ? text : nil
    }
}
