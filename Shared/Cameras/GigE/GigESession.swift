import CAravis
import Dispatch
import Foundation
import ServiceRuntime
import Synchronization

/// An open, streaming GigE Vision camera.
struct GigESession {
    let handle: AravisHandle
    /// Nil where only Aravis knows where the camera is.
    let probe: GigEProbe?
    let configuration: CameraConfiguration
    /// PFNC number of `configuration.pixelFormat`; 0 where the camera does not tell it.
    let pixelFormat: UInt32
    /// The chunk feature that is the camera's own frame counter; nil where the stream's block ids count.
    var counter: String?
    /// Whether a frame had it so far.
    var hasCounted = false
    /// The block ids beside the camera's own counter, and the frames that they left out just before the last frame.
    var blocks = StreamCount(modulus: 1 << 16, lowest: 1)
    var lost: UInt64?
    /// Packets that Aravis cannot read since the last whole frame.
    var unreadable = 0
    /// Longest time without a frame before a free-running camera counts as stuck, microseconds.
    let stallUs: Int64
    /// Longest wait for the picture of a software trigger, microseconds.
    let pictureUs: Int64
    /// When the camera last gave a sign of life, and when its last frame came; monotonic, microseconds.
    var heardUs: Int64
    var frameUs: Int64

    /// Gives a camera back that is gone, beside the caller: Aravis waits for its answer for seconds.
    func abandon() -> AravisFarewell {
        let farewell = AravisFarewell()
        DispatchQueue.global(qos: .utility).async { [handle] in
            handle.close(answers: false)
            farewell.isOver.store(true, ordering: .releasing)
        }
        return farewell
    }
}

/// Whether Aravis is through with a lost camera, so that it may be opened again.
final class AravisFarewell: Sendable {
    let isOver = Atomic(false)
}

/// Opens a GigE Vision camera step by step; what fails is named, and what was opened is closed.
struct GigEOpening {
    let settings: PlantFile.GigE
    let clock: CameraClock

    func open() throws(CameraError) -> GigESession {
        do throws(AravisFailure) {
            try AravisHandle.load()
        } catch {
            throw refused("needs Aravis: \(error.text)", "install it: apt-get install libaravis-0.8-0")
        }
        let probe = GigEProbe(settings.address)
        if let probe, probe.ask() == nil {
            throw CameraError(
                .unreachable,
                device: settings.address,
                reason: "no answer to GigE Vision discovery at this address",
                advice: "check power, cable and address; lineledger camera list shows what is there"
            )
        }
        let handle: AravisHandle
        do throws(AravisFailure) {
            handle = try AravisHandle(settings.address)
        } catch {
            throw CameraError(
                .unreachable,
                device: settings.address,
                reason: error.text,
                advice: "lineledger camera list shows what is there; another program may be in control of it"
            )
        }
        do throws(CameraError) {
            guard handle.isController else {
                throw CameraError(
                    .unreachable,
                    device: settings.address,
                    reason: "another program is in control of it",
                    advice: "close that program: arv-viewer, the maker's viewer, a second camera-ingest"
                )
            }
            if let probe { return try start(handle, probe) }
            return try start(handle, try found())
        } catch {
            handle.close(answers: true)
            throw error
        }
    }

    /// The probe of a camera that is known by its id.
    private func found() throws(CameraError) -> GigEProbe? {
        do throws(AravisFailure) {
            let cameras = try AravisSearch.run()
            return cameras.first { $0.id == settings.address }.flatMap { GigEProbe($0.address) }
        } catch {
            throw refused("needs Aravis: \(error.text)", "install it: apt-get install libaravis-0.8-0")
        }
    }

    private func start(_ handle: AravisHandle, _ probe: GigEProbe?) throws(CameraError) -> GigESession {
        try apply("packet_size") { () throws(AravisFailure) in try handle.setPacketSize(settings.packetSize ?? 0) }
        if let format = settings.format {
            try apply("format", format) { () throws(AravisFailure) in try handle.set("PixelFormat", text: format) }
        }
        try setRegion(handle)
        try setSettings(handle)
        try setTrigger(handle)
        var remarks: [String] = []
        let counter = setCounter(handle, &remarks)
        var configuration = try configuration(handle)
        configuration.remarks = remarks + notGranted(configuration) + socketRemark(configuration)
        try apply("stream") { () throws(AravisFailure) in try handle.start(buffers: settings.buffers) }
        func value(_ name: String) -> Double { configuration.settings.first { $0.name == name }?.value ?? 0 }
        let rate = value("frame_rate")
        let nowUs = clock.monotonicUs()
        return GigESession(
            handle: handle,
            probe: probe,
            configuration: configuration,
            pixelFormat: (try? handle.integer("PixelFormat")).map { UInt32(truncatingIfNeeded: $0) } ?? 0,
            counter: counter,
            stallUs: max(800_000, rate > 0 ? Int64(5_000_000 / rate) : 0),
            pictureUs: 500_000 + Int64(value("exposure")),
            heardUs: nowUs,
            frameUs: nowUs
        )
    }

    /// What is wrong where a frame of a byte a pixel has no room in what the host keeps for a socket.
    private func socketRemark(_ configuration: CameraConfiguration) -> [String] {
        let limit = "/proc/sys/net/core/rmem_max"
        let frame = configuration.width * configuration.height
        guard let text = try? String(contentsOfFile: limit, encoding: .utf8),
            let bytes = Int(text.filter(\.isNumber)), bytes < frame
        else { return [] }
        return [
            "this host keeps \(bytes) bytes of what a socket gets, a frame has \(frame): packets are lost when it is busy; "
                + "sysctl net.core.rmem_max=\(CARAVIS_SOCKET_BYTES)"
        ]
    }

    private func setRegion(_ handle: AravisHandle) throws(CameraError) {
        guard settings.width != nil || settings.height != nil || settings.offsetX > 0 || settings.offsetY > 0 else {
            return
        }
        try apply("width, height, offset_x, offset_y") { () throws(AravisFailure) in
            var (width, height) = (settings.width ?? 0, settings.height ?? 0)
            if width == 0 { width = Int(try handle.integer("Width")) }
            if height == 0 { height = Int(try handle.integer("Height")) }
            try handle.setRegion(x: settings.offsetX, y: settings.offsetY, width: width, height: height)
        }
    }

    /// Names of the frame counter among the chunks: SFNC's, and those of older Basler and FLIR cameras.
    private static let counters = ["FrameID", "Framecounter", "FrameCounter"]

    /// The frame counter that frames will carry.
    private func setCounter(_ handle: AravisHandle, _ remarks: inout [String]) -> String? {
        var reasons: [String] = []
        if settings.features["ChunkModeActive"] != nil {
            reasons.append("features: sets ChunkModeActive")
        } else if handle.has("ChunkModeActive") {
            for counter in Self.counters {
                do throws(AravisFailure) {
                    try handle.setChunk(counter)
                    return "Chunk\(counter)"
                } catch {
                    reasons.append(error.text)
                }
            }
        } else {
            reasons.append("no ChunkModeActive")
        }
        remarks.append(
            "no frame counter in the chunk data (\(reasons.joined(separator: ", "))): block ids count the frames, "
                + "and a trigger that the camera makes no frame of is not seen"
        )
        return nil
    }

    /// What was asked for and is another now.
    private func notGranted(_ configuration: CameraConfiguration) -> [String] {
        let asked: [(key: String, asked: Double?, name: String)] = [
            ("exposure_us", settings.exposureUs, "exposure"), ("gain", settings.gain, "gain"),
            ("frame_rate", settings.frameRate, "frame_rate"),
            ("packet_size", settings.packetSize.map(Double.init), "packet_size"),
        ]
        var remarks: [String] = asked.compactMap { key, asked, name in
            guard let asked, let granted = configuration.settings.first(where: { $0.name == name })?.value,
                abs(granted - asked) > 0.01 * asked
            else { return nil }
            return "\(key): \(asked) asked for, the camera says \(granted)"
        }
        let size = (settings.width ?? configuration.width, settings.height ?? configuration.height)
        if size != (configuration.width, configuration.height) {
            let granted = "\(configuration.width)x\(configuration.height)"
            remarks.append("width, height: \(size.0)x\(size.1) asked for, the camera says \(granted)")
        }
        return remarks
    }

    private func setSettings(_ handle: AravisHandle) throws(CameraError) {
        if let exposure = settings.exposureUs {
            try apply("exposure_us", "\(exposure)") { () throws(AravisFailure) in
                if handle.has("ExposureAuto") { try handle.set("ExposureAuto", text: "Off") }
                try handle.set(.exposureUs, exposure)
            }
        }
        if let gain = settings.gain {
            try apply("gain", "\(gain)") { () throws(AravisFailure) in
                if handle.has("GainAuto") { try handle.set("GainAuto", text: "Off") }
                try handle.set(.gain, gain)
            }
        }
        try setFeatures(handle) { !$0.hasPrefix("Trigger") }
        // Last: limits of the rate depend on exposure, format and size.
        if let rate = settings.frameRate {
            try apply("frame_rate", "\(rate)") { () throws(AravisFailure) in try handle.set(.frameRate, rate) }
        }
    }

    /// Selectors first: others set what they select.
    private func setFeatures(_ handle: AravisHandle, where isDue: (String) -> Bool) throws(CameraError) {
        func order(_ name: String) -> (Int, String) { (name.hasSuffix("Selector") ? 0 : 1, name) }
        let due = settings.features.filter { isDue($0.key) }
        for (name, value) in due.sorted(by: { order($0.key) < order($1.key) }) {
            try apply("features.\(name)", value) { () throws(AravisFailure) in try set(handle, name, value) }
        }
    }

    /// A feature's kind is the camera's matter; the text is tried as what it looks like, then as text.
    private func set(_ handle: AravisHandle, _ name: String, _ value: String) throws(AravisFailure) {
        func isOfThisKind(_ body: () throws(AravisFailure) -> Void) throws(AravisFailure) -> Bool {
            do throws(AravisFailure) {
                try body()
                return true
            } catch {
                guard error.isWrongKind else { throw error }
                return false
            }
        }
        if let whole = Int64(value),
            try isOfThisKind({ () throws(AravisFailure) in try handle.set(name, integer: whole) })
        {
            return
        }
        if let number = Double(value),
            try isOfThisKind({ () throws(AravisFailure) in try handle.set(name, number: number) })
        {
            return
        }
        if let flag = Bool(value), try isOfThisKind({ () throws(AravisFailure) in try handle.set(name, flag: flag) }) {
            return
        }
        try handle.set(name, text: value)
    }

    private func setTrigger(_ handle: AravisHandle) throws(CameraError) {
        let source: String? =
            switch settings.trigger {
            case .free: nil
            case .software: "Software"
            case .hardware: settings.triggerSource
            }
        try apply("trigger", source ?? "free") { () throws(AravisFailure) in try handle.setTrigger(source) }
        // Aravis has set TriggerActivation to its own choice.
        try setFeatures(handle) { $0.hasPrefix("Trigger") }
    }

    private func configuration(_ handle: AravisHandle) throws(CameraError) -> CameraConfiguration {
        func text(_ names: String...) throws(AravisFailure) -> String {
            for name in names where handle.has(name) { return try handle.text(name) }
            return ""
        }
        do throws(AravisFailure) {
            var values: [CameraSetting] = []
            if handle.has("ExposureTime") || handle.has("ExposureTimeAbs") {
                values.append(CameraSetting("exposure", try handle.value(.exposureUs), "B98"))
            }
            if handle.has("Gain") || handle.has("GainRaw") {
                values.append(CameraSetting("gain", try handle.value(.gain), handle.has("Gain") ? "2N" : "C62"))
            }
            if handle.has("AcquisitionFrameRate") || handle.has("AcquisitionFrameRateAbs") {
                values.append(CameraSetting("frame_rate", try handle.value(.frameRate), "HTZ"))
            }
            if handle.has("GevSCPSPacketSize") {
                values.append(CameraSetting("packet_size", Double(try handle.integer("GevSCPSPacketSize")), "AD"))
            }
            let serial = try text("DeviceSerialNumber", "DeviceID")
            return CameraConfiguration(
                device: serial.isEmpty ? settings.address : serial,
                model: "\(try text("DeviceVendorName")) \(try text("DeviceModelName"))",
                firmware: try text("DeviceFirmwareVersion", "DeviceVersion"),
                width: Int(try handle.integer("Width")),
                height: Int(try handle.integer("Height")),
                pixelFormat: try text("PixelFormat"),
                settings: values
            )
        } catch {
            throw CameraError(
                .unreachable,
                device: settings.address,
                reason: "does not tell its settings: \(error.text)"
            )
        }
    }

    private func apply(
        _ key: String,
        _ value: String = "",
        _ body: () throws(AravisFailure) -> Void
    ) throws(CameraError) {
        do throws(AravisFailure) {
            try body()
        } catch {
            let setting = "\(key)\(value.isEmpty ? "" : " \(value)")"
            guard !error.isSilence else {
                throw CameraError(
                    .unreachable,
                    device: settings.address,
                    reason: "no answer to \(setting): \(error.text)",
                    advice: "check power, cable and the load of the network"
                )
            }
            throw refused(
                "\(setting) is not taken: \(error.text)",
                "the camera's manual or arv-viewer shows its features and their limits"
            )
        }
    }

    private func refused(_ reason: String, _ advice: String) -> CameraError {
        CameraError(.refused, device: settings.address, reason: reason, advice: advice)
    }
}
