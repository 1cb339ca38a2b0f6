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
    /// Whether frames carry the camera's own frame counter as chunk data; else the stream's block ids count.
    let countsByChunk: Bool
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
        var remarks: [String] = []
        try apply("packet_size") { () throws(AravisFailure) in try handle.setPacketSize(settings.packetSize ?? 0) }
        if let format = settings.format {
            try apply("format", format) { () throws(AravisFailure) in try handle.set("PixelFormat", text: format) }
        }
        try setRegion(handle)
        try setFeatures(handle)
        try setTrigger(handle)
        var countsByChunk = false
        if handle.has("ChunkModeActive") {
            do throws(AravisFailure) {
                try handle.setChunks("FrameID")
                countsByChunk = true
            } catch {
                remarks.append("chunk data FrameID not to be had (\(error.text)): block ids count the frames")
            }
        }
        var configuration = try configuration(handle, remarks)
        configuration.remarks += socketRemark(configuration)
        try apply("stream") { () throws(AravisFailure) in try handle.start(buffers: settings.buffers) }
        func value(_ name: String) -> Double { configuration.settings.first { $0.name == name }?.value ?? 0 }
        let rate = value("frame_rate")
        let nowUs = clock.monotonicUs()
        return GigESession(
            handle: handle,
            probe: probe,
            configuration: configuration,
            countsByChunk: countsByChunk,
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

    private func setFeatures(_ handle: AravisHandle) throws(CameraError) {
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
        for (name, value) in settings.features.sorted(by: { $0.key < $1.key }) {
            try apply("features.\(name)", value) { () throws(AravisFailure) in try set(handle, name, value) }
        }
        // Last: limits of the rate depend on exposure, format and size.
        if let rate = settings.frameRate {
            try apply("frame_rate", "\(rate)") { () throws(AravisFailure) in try handle.set(.frameRate, rate) }
        }
    }

    /// A feature's kind is the camera's matter; the text is tried as what it looks like, then as text.
    private func set(_ handle: AravisHandle, _ name: String, _ value: String) throws(AravisFailure) {
        do throws(AravisFailure) {
            if let whole = Int64(value) {
                do throws(AravisFailure) {
                    return try handle.set(name, integer: whole)
                } catch {
                    return try handle.set(name, number: Double(whole))
                }
            }
            if let number = Double(value) { return try handle.set(name, number: number) }
            if value == "true" || value == "false" { return try handle.set(name, flag: value == "true") }
        } catch {
            return try handle.set(name, text: value)
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
    }

    private func configuration(_ handle: AravisHandle, _ remarks: [String]) throws(CameraError) -> CameraConfiguration {
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
                settings: values,
                remarks: remarks
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
            throw refused(
                "\(key)\(value.isEmpty ? "" : " \(value)") is not taken: \(error.text)",
                "the camera's manual or arv-viewer shows its features and their limits"
            )
        }
    }

    private func refused(_ reason: String, _ advice: String) -> CameraError {
        CameraError(.refused, device: settings.address, reason: reason, advice: advice)
    }
}
