import CV4L
import Glibc
import ServiceRuntime

/// An open, streaming V4L2 device with its mapped buffers.
struct V4LSession {
    static let bufferCount: UInt32 = 4

    let file: Int32
    let format: V4LFormat
    let layout: PixelLayout
    let configuration: CameraConfiguration
    /// Longest time without a frame before a free-running camera counts as stuck, microseconds.
    let stallUs: Int64
    let buffers: [UnsafeMutableRawBufferPointer]
    /// When the last frame came, or the stream was started; monotonic, microseconds.
    var heardUs: Int64
    /// When the format was last asked for; monotonic, microseconds.
    var checkedUs: Int64

    /// Stops the stream and gives memory and device back.
    func close(_ system: any V4LSystem) {
        var type = V4L2_BUF_TYPE_VIDEO_CAPTURE.rawValue
        // A device that is gone answers nothing; what counts is that the file is closed.
        _ = try? system.request(file, UInt(cv4l_streamoff), &type)
        for buffer in buffers { system.unmap(buffer) }
        system.close(file)
    }
}

/// Opens a V4L2 device step by step; what fails is named, and what was opened is closed.
struct V4LOpening {
    let settings: PlantFile.V4L2
    let system: any V4LSystem
    let clock: CameraClock

    func open() throws(CameraError) -> V4LSession {
        let file: Int32
        do {
            file = try system.open(settings.device)
        } catch {
            throw failure(error, "cannot be opened")
        }
        var buffers: [UnsafeMutableRawBufferPointer] = []
        do throws(CameraError) {
            return try start(file, &buffers)
        } catch {
            for buffer in buffers { system.unmap(buffer) }
            system.close(file)
            throw error
        }
    }

    private func start(
        _ file: Int32,
        _ buffers: inout [UnsafeMutableRawBufferPointer]
    ) throws(CameraError) -> V4LSession {
        var about = v4l2_capability()
        try attempt("does not answer") { () throws(SystemError) in try system.request(file, UInt(cv4l_querycap), &about)
        }
        try checkCapabilities(about)
        let format = try setFormat(file)
        guard let layout = V4LFormats.layout(of: format.fourcc) else {
            throw refused(
                "streams \(format)",
                "expected one of \(V4LFormats.known.map(\.fourcc.fourccText).joined(separator: ", "))"
            )
        }
        let rate = setRate(file)
        var controls: V4LControls
        do throws(SystemError) {
            controls = try V4LControls(file, system)
        } catch {
            throw failure(error, "does not list its controls")
        }
        try controls.apply(settings)
        try mapBuffers(file, &buffers)
        var type = V4L2_BUF_TYPE_VIDEO_CAPTURE.rawValue
        try attempt("does not start to stream") { () throws(SystemError) in
            try system.request(file, UInt(cv4l_streamon), &type)
        }
        listen(file)
        let nowUs = clock.monotonicUs()
        return V4LSession(
            file: file,
            format: format,
            layout: layout,
            configuration: configuration(about, format, rate, controls),
            stallUs: max(800_000, rate > 0 ? Int64(5_000_000 / rate) : 0),
            buffers: buffers,
            heardUs: nowUs,
            checkedUs: nowUs
        )
    }

    private func checkCapabilities(_ about: v4l2_capability) throws(CameraError) {
        let hasOwn = about.capabilities & UInt32(V4L2_CAP_DEVICE_CAPS) != 0
        let able = hasOwn ? about.device_caps : about.capabilities
        guard able & UInt32(V4L2_CAP_VIDEO_CAPTURE) != 0, able & UInt32(V4L2_CAP_STREAMING) != 0 else {
            throw refused(
                "is no camera that streams (capabilities 0x\(String(able, radix: 16)))",
                "many cameras have several device files: see v4l2-ctl --list-devices"
            )
        }
    }

    private func setFormat(_ file: Int32) throws(CameraError) -> V4LFormat {
        var format = v4l2_format()
        format.type = V4L2_BUF_TYPE_VIDEO_CAPTURE.rawValue
        try attempt("does not say its format") { () throws(SystemError) in
            try system.request(file, UInt(cv4l_g_fmt), &format)
        }
        let offered = offeredFormats(file)
        let wanted = settings.format.flatMap(UInt32.init(fourcc:)) ?? V4LFormats.best(of: offered)
        format.fmt.pix.width = settings.width.map(UInt32.init) ?? format.fmt.pix.width
        format.fmt.pix.height = settings.height.map(UInt32.init) ?? format.fmt.pix.height
        format.fmt.pix.pixelformat = wanted ?? format.fmt.pix.pixelformat
        format.fmt.pix.field = V4L2_FIELD_NONE.rawValue
        format.fmt.pix.bytesperline = 0
        format.fmt.pix.sizeimage = 0
        try attempt("does not take the format") { () throws(SystemError) in
            try system.request(file, UInt(cv4l_s_fmt), &format)
        }
        let granted = V4LFormat(format)
        if let wanted, granted.fourcc != wanted {
            let has = offered.map(\.fourccText).joined(separator: ", ")
            throw refused("does not take the format \(wanted.fourccText)", "it has \(has)")
        }
        guard settings.width.map({ $0 == granted.width }) ?? true,
            settings.height.map({ $0 == granted.height }) ?? true
        else {
            let asked = "\(settings.width ?? granted.width)x\(settings.height ?? granted.height)"
            throw refused("gives \(granted) instead of \(asked)", "see v4l2-ctl --list-formats-ext for its sizes")
        }
        return granted
    }

    private func offeredFormats(_ file: Int32) -> [UInt32] {
        var offered: [UInt32] = []
        for index in 0..<UInt32(64) {
            var entry = v4l2_fmtdesc()
            entry.index = index
            entry.type = V4L2_BUF_TYPE_VIDEO_CAPTURE.rawValue
            do throws(SystemError) {
                try system.request(file, UInt(cv4l_enum_fmt), &entry)
            } catch {
                // EINVAL ends the list; a driver without one keeps the format that it has.
                break
            }
            offered.append(entry.pixelformat)
        }
        return offered
    }

    /// Frames a second as the device says; 0 where it does not.
    private func setRate(_ file: Int32) -> Double {
        var parameters = v4l2_streamparm()
        parameters.type = V4L2_BUF_TYPE_VIDEO_CAPTURE.rawValue
        do throws(SystemError) {
            if let rate = settings.frameRate {
                parameters.parm.capture.timeperframe = v4l2_fract(
                    numerator: 1_000,
                    denominator: UInt32(max(1, rate * 1_000))
                )
                try system.request(file, UInt(cv4l_s_parm), &parameters)
            }
            try system.request(file, UInt(cv4l_g_parm), &parameters)
        } catch {
            // Optional in V4L2: the rate then stays unknown, which the configuration shows.
            return 0
        }
        let interval = parameters.parm.capture.timeperframe
        return interval.numerator > 0 ? Double(interval.denominator) / Double(interval.numerator) : 0
    }

    private func mapBuffers(
        _ file: Int32,
        _ buffers: inout [UnsafeMutableRawBufferPointer]
    ) throws(CameraError) {
        var request = v4l2_requestbuffers()
        request.count = V4LSession.bufferCount
        request.type = V4L2_BUF_TYPE_VIDEO_CAPTURE.rawValue
        request.memory = V4L2_MEMORY_MMAP.rawValue
        try attempt("gives no buffers") { () throws(SystemError) in
            try system.request(file, UInt(cv4l_reqbufs), &request)
        }
        guard request.count >= 2 else { throw refused("gives \(request.count) buffers", "expected at least 2") }
        for index in 0..<min(request.count, 32) {
            var buffer = v4l2_buffer.capture(index: index)
            try attempt("does not describe buffer \(index)") { () throws(SystemError) in
                try system.request(file, UInt(cv4l_querybuf), &buffer)
            }
            do throws(SystemError) {
                buffers.append(try system.map(file, length: Int(buffer.length), offset: buffer.m.offset))
            } catch {
                throw failure(error, "buffer \(index) cannot be mapped")
            }
            try attempt("does not take buffer \(index)") { () throws(SystemError) in
                try system.request(file, UInt(cv4l_qbuf), &buffer)
            }
        }
    }

    /// Asks to be told when the source changes. Drivers without events say ENOTTY or EINVAL; the format is asked for from
    /// time to time anyway.
    private func listen(_ file: Int32) {
        var subscription = v4l2_event_subscription()
        subscription.type = UInt32(V4L2_EVENT_SOURCE_CHANGE)
        _ = try? system.request(file, UInt(cv4l_subscribe_event), &subscription)
    }

    private func configuration(
        _ about: v4l2_capability,
        _ format: V4LFormat,
        _ rate: Double,
        _ controls: V4LControls
    ) -> CameraConfiguration {
        let serial = system.serial(of: settings.device)
        var values = controls.settings()
        var remarks = controls.remarks
        if rate > 0 { values.append(CameraSetting("frame_rate", rate, "HTZ")) }
        if let asked = settings.frameRate, abs(rate - asked) > 0.01 * asked {
            remarks.append("frame_rate: \(asked) asked for, the device says \(rate > 0 ? "\(rate)" : "nothing")")
        }
        let version = about.version
        return CameraConfiguration(
            device: serial.isEmpty ? settings.device : serial,
            model: withUnsafeBytes(of: about.card) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) },
            firmware: withUnsafeBytes(of: about.driver) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
                + " \(version >> 16).\(version >> 8 & 255).\(version & 255)",
            width: format.width,
            height: format.height,
            pixelFormat: format.fourcc.fourccText,
            settings: values,
            remarks: remarks
        )
    }

    private func attempt(_ trouble: String, _ body: () throws(SystemError) -> Void) throws(CameraError) {
        do throws(SystemError) {
            try body()
        } catch {
            throw failure(error, trouble)
        }
    }

    private func refused(_ reason: String, _ advice: String) -> CameraError {
        CameraError(.refused, device: settings.device, reason: reason, advice: advice)
    }

    private func failure(_ error: SystemError, _ trouble: String) -> CameraError {
        let reason = "\(trouble): \(error.text)"
        switch error.code {
        case ENOENT, ENODEV, ENXIO, EIO:
            return CameraError(
                .unreachable,
                device: settings.device,
                reason: reason,
                advice: "is it plugged in? v4l2-ctl --list-devices shows what is there"
            )
        case EBUSY:
            let users = system.users(of: settings.device).joined(separator: ", ")
            let advice = users.isEmpty ? "another program has it: fuser \(settings.device) names it" : "\(users) has it"
            return CameraError(
                .unreachable,
                device: settings.device,
                reason: reason,
                advice: "\(advice); end that first"
            )
        case EACCES, EPERM:
            return refused(reason, "add the service's user to the group video: usermod --append --groups video USER")
        case ENOTTY: return refused(reason, "this is no V4L2 device")
        default: return refused(reason, "v4l2-compliance --device \(settings.device) tells whether its driver is sound")
        }
    }
}

extension v4l2_buffer {
    static func capture(index: UInt32 = 0) -> v4l2_buffer {
        var buffer = v4l2_buffer()
        buffer.index = index
        buffer.type = V4L2_BUF_TYPE_VIDEO_CAPTURE.rawValue
        buffer.memory = V4L2_MEMORY_MMAP.rawValue
        return buffer
    }
}
