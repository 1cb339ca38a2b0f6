package import Vision

/// A station's camera, whatever it is: a folder, the test scene, a clip, a V4L2 or a GigE Vision camera.
///
/// `open`, `next` and `close` are called from one thread. The order is `open`, then `next` as often as wanted, then
/// `close`; after `close` it may be opened again. An `open` that throws `.unreachable` leaves the camera as one that is
/// lost: `next` goes on trying to get it, and says `.returned` once it is there.
package protocol Camera: Sendable {
    /// Kind of the adapter as events name it: "folder", "scene", "clip", "v4l2", "gige".
    var adapter: String { get }
    /// The device as events name it: serial number where it is known, else path or address.
    var device: String { get }
    /// What makes the camera take a picture.
    var trigger: TriggerMode { get }

    /// Opens the device, applies its settings and starts it.
    /// - Returns: what the device says its settings are, which may differ from what was asked for.
    func open() throws(CameraError) -> CameraConfiguration
    /// What happened next. Waits at most `waitUs` for a trigger; an attempt to get a lost camera back may take a few
    /// seconds more (the time-outs of its driver), and waits are bounded all the same.
    /// - Parameter index: triggers accepted so far over all sessions: which picture of a folder, scene or clip is next.
    func next(index: UInt64, waitUs: Int64) -> Capture
    /// Stops the device and gives it back. Nothing happens where it is not open.
    func close()

    /// Counted since the camera was made.
    var statistics: CameraStatistics { get }
}

/// What makes a camera take a picture.
package enum TriggerMode: String, CaseIterable, Sendable {
    /// Nothing: pictures are there for the asking. Each `next` is one trigger (folder, scene, clip).
    case request
    /// The camera's own rate. Each of its frames is one trigger.
    case free
    /// The adapter: each `next` fires once and waits for the picture.
    case software
    /// A signal at the camera's input. Each of its frames is one trigger.
    case hardware

    /// Whether the caller sets the pace; where it does not, the camera does.
    package var isPacedByCaller: Bool { self == .request || self == .software }
}

/// What `Camera.next` found. `.shot` and each trigger of `.skipped` take one number of the trigger session.
package enum Capture: Sendable {
    /// One trigger: its picture, or the reason why there is none.
    case shot(Shot)
    /// A second picture for the trigger of the last shot (same frame number); it is no trigger of its own.
    case repeated(Shot)
    /// A picture that belongs to no trigger, and why: one that came after its software trigger was given up.
    case unmatched(Shot, reason: String)
    /// The camera's own counter says that this many triggers had no picture; each of them is a gap with this reason.
    case skipped(count: UInt64, reason: String)
    /// The camera's counter began again (wrapped, or the camera restarted its stream) without it having been lost: what
    /// follows belongs to a new trigger session.
    case restarted(reason: String)
    /// No trigger within the wait.
    case nothing
    /// The camera is gone, and why. Each `next` from here tries to get it back and says `.nothing` until then. `.lost`
    /// is said again only where it is there and something that a person must change keeps it from being used.
    case lost(reason: String)
    /// The lost camera is back with this configuration. Its counter may have begun again: a new trigger session.
    case returned(CameraConfiguration)
    /// A finite source has no more. Every later `next` says so too, and every `next` of a closed camera.
    case ended
}

/// What a camera delivered for one trigger.
package struct Shot: Sendable {
    /// The picture, or why there is none.
    package let picture: Result<Picture, NoPicture>
    /// Name of the picture at its source: a file, a part of the scene, a frame of a clip or camera.
    package let sourceName: String
    /// The device's own clock at exposure, microseconds in its own epoch; 0 where it is not known.
    package let deviceTimeUs: Int64
    /// The host's clock at exposure as nearly as the adapter knows it: the driver's stamp (V4L2), the first packet's
    /// arrival (GigE Vision), the time of asking (folder, scene, clip). Microseconds since 1970.
    package let hostTimeUs: Int64
    /// The device's own number of the frame; nil where it has none.
    package let frameNumber: UInt64?

    package init(
        picture: Result<Picture, NoPicture>,
        sourceName: String,
        deviceTimeUs: Int64 = 0,
        hostTimeUs: Int64,
        frameNumber: UInt64? = nil
    ) {
        self.picture = picture
        self.sourceName = sourceName
        self.deviceTimeUs = deviceTimeUs
        self.hostTimeUs = hostTimeUs
        self.frameNumber = frameNumber
    }
}

/// Why a trigger has no picture, naming the place.
package struct NoPicture: Error, Equatable, CustomStringConvertible {
    package let reason: String

    package init(reason: String) {
        self.reason = reason
    }

    package var description: String { reason }
}

/// What a camera says about itself and its settings once it is open; made for `CameraConfigured`.
package struct CameraConfiguration: Equatable, Sendable {
    /// Serial number, or what else names the device.
    package var device: String
    /// Maker and model; empty where unknown.
    package var model: String
    /// Firmware or driver version; empty where unknown.
    package var firmware: String
    /// Pixels.
    package var width: Int
    /// Pixels.
    package var height: Int
    /// The device's name of its pixel format: "Mono8", "YUYV", "PNG, JPEG, PGM or PPM".
    package var pixelFormat: String
    /// The settings as the device reports them.
    package var settings: [CameraSetting]
    /// What was asked for and not granted, in words: "gain 40: the device takes 0 to 24; set to 24".
    package var remarks: [String]

    package init(
        device: String,
        model: String = "",
        firmware: String = "",
        width: Int = 0,
        height: Int = 0,
        pixelFormat: String = "",
        settings: [CameraSetting] = [],
        remarks: [String] = []
    ) {
        self.device = device
        self.model = model
        self.firmware = firmware
        self.width = width
        self.height = height
        self.pixelFormat = pixelFormat
        self.settings = settings
        self.remarks = remarks
    }
}

/// One setting of a camera as the device reports it.
package struct CameraSetting: Equatable, Sendable {
    /// Name in lower case with underscores; example "exposure".
    package let name: String
    /// Value in `unit`.
    package let value: Double
    /// Unit by UN/ECE Recommendation 20: "B98" microsecond, "2N" decibel, "HTZ" hertz, "KEL" kelvin, "C62" none.
    package let unit: String

    package init(_ name: String, _ value: Double, _ unit: String) {
        self.name = name
        self.value = value
        self.unit = unit
    }
}

/// Why a camera could not be opened: which one, what was found, what to do.
package struct CameraError: Error, Equatable, CustomStringConvertible {
    package enum Kind: Sendable {
        /// Not there, busy or not answering: may come back by itself, so `next` goes on trying.
        case unreachable
        /// A person must change something first: a setting, a permission, a package to install.
        case refused
    }

    package let kind: Kind
    /// Path, address or name of the device.
    package let device: String
    /// What was found.
    package let reason: String
    /// What to do about it; empty where the reason says it.
    package let advice: String

    package init(_ kind: Kind, device: String, reason: String, advice: String = "") {
        self.kind = kind
        self.device = device
        self.reason = reason
        self.advice = advice
    }

    package var description: String { "\(device): \(reason)\(advice.isEmpty ? "" : "; \(advice)")" }
}

/// What an adapter counted since it was made; for metrics.
package struct CameraStatistics: Equatable, Sendable {
    /// Pictures handed on.
    package var pictures: UInt64 = 0
    /// Frames that arrived damaged or incomplete.
    package var damaged: UInt64 = 0
    /// Triggers without a frame, by the camera's own counter.
    package var skipped: UInt64 = 0
    /// Packets that came when they were asked for again (GigE Vision).
    package var resentPackets: UInt64 = 0
    /// Packets from the first that never came to the end of its frame (GigE Vision, as Aravis counts).
    package var missingPackets: UInt64 = 0
    /// Times the camera was lost.
    package var losses: UInt64 = 0

    package init() {}
}
