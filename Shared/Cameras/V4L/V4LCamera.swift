import CV4L
import Glibc
package import ServiceRuntime
import Synchronization
import Vision

/// A camera of the Linux kernel through V4L2: streaming into mapped buffers, each frame copied once.
///
/// V4L2 has no trigger of its own: `.software` takes the first frame that was exposed after it was asked for, and
/// `.hardware` counts every frame of a camera that its controls put into a triggered mode.
package final class V4LCamera: Camera {
    /// Time between two attempts to open a lost camera, microseconds.
    static let retryUs: Int64 = 500_000
    /// Time between two looks at the format, microseconds.
    static let checkUs: Int64 = 1_000_000

    package let adapter = "v4l2"
    package let trigger: TriggerMode
    private let settings: PlantFile.V4L2
    private let system: any V4LSystem
    private let clock: CameraClock
    private let state: Mutex<State>
    private let shown: Mutex<(device: String, counts: CameraStatistics)>

    private enum Link {
        case closed
        case open(V4LSession)
        case lost(nextTryUs: Int64, reason: String)
    }

    private struct State {
        var link = Link.closed
        var order = FrameOrder(modulus: 1 << 32, lowest: 0)
        let maker = PictureMaker()
        var counts = CameraStatistics()
        var revival = Revival(retryUs: V4LCamera.retryUs)
    }

    package convenience init(_ settings: PlantFile.V4L2, clock: CameraClock = .system) {
        self.init(settings, system: KernelV4L(), clock: clock)
    }

    /// With another operating system underneath, which tests bring.
    package init(_ settings: PlantFile.V4L2, system: any V4LSystem, clock: CameraClock) {
        self.settings = settings
        self.system = system
        self.clock = clock
        trigger = TriggerMode(settings.trigger)
        state = Mutex(State())
        shown = Mutex((settings.device, CameraStatistics()))
    }

    deinit { close() }

    package var device: String { shown.withLock { $0.device } }
    package var statistics: CameraStatistics { shown.withLock { $0.counts } }

    package func open() throws(CameraError) -> CameraConfiguration {
        try state.withLock { state throws(CameraError) in try open(&state) }
    }

    package func next(index: UInt64, waitUs: Int64) -> Capture {
        state.withLock { state in
            defer { shown.withLock { $0.counts = state.counts } }
            let deadlineUs = clock.monotonicUs() + waitUs
            // Only pictures of frames that were exposed from now on answer a software trigger.
            let askedUs = trigger == .software ? clock.monotonicUs() : .min
            while true {
                if let told = state.order.next() { return told }
                let leftUs = max(0, deadlineUs - clock.monotonicUs())
                switch state.link {
                case .closed: return .ended
                case .lost(let nextTryUs, let reason): return retry(&state, nextTryUs, reason, leftUs)
                case .open(var session):
                    take(&state, &session, waitUs: leftUs, askedUs: askedUs)
                    if case .open = state.link { state.link = .open(session) }
                }
                if clock.monotonicUs() >= deadlineUs { return state.order.next() ?? .nothing }
            }
        }
    }

    package func close() {
        state.withLock { state in
            if case .open(let session) = state.link { session.close(system) }
            state.link = .closed
        }
    }

    private func open(_ state: inout State) throws(CameraError) -> CameraConfiguration {
        if case .open(let session) = state.link { session.close(system) }
        state.link = .closed
        do throws(CameraError) {
            let session = try V4LOpening(settings: settings, system: system, clock: clock).open()
            state.link = .open(session)
            state.order.begin()
            state.revival.opened(nowUs: clock.monotonicUs())
            shown.withLock { $0.device = session.configuration.device }
            return session.configuration
        } catch {
            if error.kind == .unreachable {
                state.link = .lost(nextTryUs: clock.monotonicUs() + Self.retryUs, reason: error.reason)
            }
            throw error
        }
    }

    private func retry(_ state: inout State, _ nextTryUs: Int64, _ before: String, _ waitUs: Int64) -> Capture {
        let nowUs = clock.monotonicUs()
        if nowUs < nextTryUs { clock.pause(min(waitUs, nextTryUs - nowUs)) }
        guard clock.monotonicUs() >= nextTryUs else { return .nothing }
        do throws(CameraError) {
            return .returned(try open(&state))
        } catch {
            state.link = .lost(nextTryUs: clock.monotonicUs() + Self.retryUs, reason: error.reason)
            return error.kind == .refused && error.reason != before ? .lost(reason: error.description) : .nothing
        }
    }

    private func lose(_ state: inout State, _ session: V4LSession, _ reason: String) {
        session.close(system)
        state.counts.losses += 1
        state.order.tell(.lost(reason: reason))
        state.link = .lost(nextTryUs: state.revival.afterLoss(nowUs: clock.monotonicUs()), reason: reason)
    }

    /// Waits for the device and takes what it has.
    private func take(_ state: inout State, _ session: inout V4LSession, waitUs: Int64, askedUs: Int64) {
        do throws(SystemError) {
            let events = try system.poll(session.file, waitUs: min(waitUs, session.stallUs))
            if events & Int16(POLLPRI) != 0, try sourceChanged(session) {
                return lose(&state, session, "the source changed its format; was \(session.format)")
            }
            if events & Int16(POLLIN | POLLERR | POLLHUP | POLLNVAL) != 0 {
                try dequeue(&state, &session, askedUs)
            } else if trigger != .hardware, clock.monotonicUs() - session.heardUs >= session.stallUs {
                return lose(&state, session, "streams, but sends no frame for \(session.stallUs / 1_000) ms")
            }
            guard case .open = state.link else { return }
            if clock.monotonicUs() - session.checkedUs >= Self.checkUs { try checkFormat(&state, &session) }
        } catch {
            guard error.code != EAGAIN else { return }
            lose(&state, session, loss(error))
        }
    }

    private func loss(_ error: SystemError) -> String {
        switch error.code {
        case ENODEV, ENXIO, ENOENT: "unplugged (\(error.text))"
        case EIO: "signal or transfer lost (\(error.text)); the stream is started again"
        default: "stopped: \(error.text)"
        }
    }

    private func sourceChanged(_ session: V4LSession) throws(SystemError) -> Bool {
        var event = v4l2_event()
        try system.request(session.file, UInt(cv4l_dqevent), &event)
        return event.type == UInt32(V4L2_EVENT_SOURCE_CHANGE)
    }

    private func dequeue(_ state: inout State, _ session: inout V4LSession, _ askedUs: Int64) throws(SystemError) {
        var buffer = v4l2_buffer.capture()
        try system.request(session.file, UInt(cv4l_dqbuf), &buffer)
        guard Int(buffer.index) < session.buffers.count else { throw SystemError(EINVAL) }
        let nowUs = clock.monotonicUs()
        session.heardUs = nowUs
        let isStamped = buffer.flags & UInt32(V4L2_BUF_FLAG_TIMESTAMP_MASK) == UInt32(V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC)
        let stampUs = isStamped ? Int64(buffer.timestamp.tv_sec) * 1_000_000 + Int64(buffer.timestamp.tv_usec) : nowUs
        if stampUs >= askedUs {
            let hostTimeUs = clock.nowUs() - max(0, nowUs - stampUs)
            let shot = shot(&state, session, buffer, hostTimeUs)
            if trigger == .software {
                state.order.begin()
            }
            state.order.take(shot, &state.counts)
        }
        try system.request(session.file, UInt(cv4l_qbuf), &buffer)
        let isShort = session.layout != .jpeg && Int(buffer.bytesused) < session.format.stride * session.format.height
        if isShort { try checkFormat(&state, &session) }
    }

    private func shot(
        _ state: inout State,
        _ session: V4LSession,
        _ buffer: v4l2_buffer,
        _ hostTimeUs: Int64
    ) -> Shot {
        let name = "frame-\(buffer.sequence)"
        let picture: Result<Picture, NoPicture>
        let memory = session.buffers[Int(buffer.index)]
        if buffer.flags & UInt32(V4L2_BUF_FLAG_ERROR) != 0 {
            picture = .failure(NoPicture(reason: "\(name): damaged on its way, says the driver"))
        } else {
            let used = min(Int(buffer.bytesused), memory.count)
            let raw = RawFrame(
                bytes: UnsafeRawBufferPointer(rebasing: memory[..<used]),
                width: session.format.width,
                height: session.format.height,
                stride: session.format.stride,
                layout: session.layout
            )
            picture = state.maker.picture(raw, name: name)
        }
        switch picture {
        case .success: state.counts.pictures += 1
        case .failure: state.counts.damaged += 1
        }
        return Shot(
            picture: picture,
            sourceName: name,
            hostTimeUs: hostTimeUs,
            frameNumber: UInt64(buffer.sequence)
        )
    }

    /// Another program may have set another format while the stream was being opened, or the source changed it.
    private func checkFormat(_ state: inout State, _ session: inout V4LSession) throws(SystemError) {
        session.checkedUs = clock.monotonicUs()
        var format = v4l2_format()
        format.type = V4L2_BUF_TYPE_VIDEO_CAPTURE.rawValue
        try system.request(session.file, UInt(cv4l_g_fmt), &format)
        let found = V4LFormat(format)
        guard found != session.format else { return }
        lose(&state, session, "format changed under us: was \(session.format), is \(found)")
    }
}

extension TriggerMode {
    init(_ trigger: PlantFile.CameraTrigger) {
        self =
            switch trigger {
            case .free: .free
            case .software: .software
            case .hardware: .hardware
            }
    }
}
