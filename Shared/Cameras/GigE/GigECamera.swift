import CAravis
package import ServiceRuntime
import Synchronization
import Vision

/// A GigE Vision camera through Aravis: its stream's buffers go round, each frame is copied once.
///
/// Frames are numbered by the camera: by the chunk FrameID where it has one, else by the block ids of its stream, which
/// have 16 bits and leave out 0 (GigE Vision 1.2, 24.2).
package final class GigECamera: Camera {
    /// Silence after which the camera is asked whether it is there, microseconds.
    static let silenceUs: Int64 = 300_000
    /// Time between two attempts to get a lost camera back, microseconds.
    static let retryUs: Int64 = 300_000
    /// Payload type of a JPEG frame (GigE Vision 2.0).
    static let jpegPayload: Int32 = 6

    package let adapter = "gige"
    package let trigger: TriggerMode
    private let settings: PlantFile.GigE
    private let clock: CameraClock
    private let state: Mutex<State>
    private let shown: Mutex<(device: String, counts: CameraStatistics)>

    private enum Link {
        case closed
        case open(GigESession)
        case lost(nextTryUs: Int64, reason: String, AravisFarewell?)
    }

    private struct State {
        var link = Link.closed
        var order = FrameOrder(modulus: 1 << 16, lowest: 1)
        let maker = PictureMaker()
        var counts = CameraStatistics()
        var revival = Revival(retryUs: GigECamera.retryUs)
        /// Packets counted by streams that are closed.
        var packets: (resent: UInt64, missing: UInt64) = (0, 0)
    }

    package init(_ settings: PlantFile.GigE, clock: CameraClock = .system) {
        self.settings = settings
        self.clock = clock
        trigger = TriggerMode(settings.trigger)
        state = Mutex(State())
        shown = Mutex((settings.address, CameraStatistics()))
    }

    deinit { close() }

    package var device: String { shown.withLock { $0.device } }
    package var statistics: CameraStatistics { shown.withLock { $0.counts } }

    package func open() throws(CameraError) -> CameraConfiguration {
        try state.withLock { state throws(CameraError) in
            end(&state)
            return try open(&state)
        }
    }

    package func close() { state.withLock { end(&$0) } }

    package func next(index: UInt64, waitUs: Int64) -> Capture {
        state.withLock { state in
            defer { shown.withLock { $0.counts = state.counts } }
            let deadlineUs = clock.monotonicUs() + waitUs
            while true {
                if let told = state.order.next() { return told }
                let leftUs = max(0, deadlineUs - clock.monotonicUs())
                switch state.link {
                case .closed: return .ended
                case .lost(let nextTryUs, let reason, let farewell):
                    return retry(&state, nextTryUs, reason, farewell, leftUs)
                case .open(var session):
                    if trigger == .software {
                        fire(&state, &session)
                    } else if let shot = take(&state, &session, waitUs: leftUs) {
                        state.order.take(shot, &state.counts)
                    }
                    count(&state, session)
                    if case .open = state.link { state.link = .open(session) }
                }
                if clock.monotonicUs() >= deadlineUs { return state.order.next() ?? .nothing }
            }
        }
    }

    private func open(_ state: inout State) throws(CameraError) -> CameraConfiguration {
        do throws(CameraError) {
            let session = try GigEOpening(settings: settings, clock: clock).open()
            state.link = .open(session)
            state.order.begin()
            state.revival.opened(nowUs: clock.monotonicUs())
            shown.withLock { $0.device = session.configuration.device }
            return session.configuration
        } catch {
            if error.kind == .unreachable {
                state.link = .lost(nextTryUs: clock.monotonicUs() + Self.retryUs, reason: error.reason, nil)
            }
            throw error
        }
    }

    private func end(_ state: inout State) {
        if case .open(let session) = state.link {
            keepPackets(&state, session)
            session.handle.close(answers: true)
        }
        state.link = .closed
    }

    private func retry(
        _ state: inout State,
        _ nextTryUs: Int64,
        _ before: String,
        _ farewell: AravisFarewell?,
        _ waitUs: Int64
    ) -> Capture {
        let nowUs = clock.monotonicUs()
        if let farewell, !farewell.isOver.load(ordering: .acquiring) {
            clock.pause(min(waitUs, 50_000))
            return .nothing
        }
        if nowUs < nextTryUs { clock.pause(min(waitUs, nextTryUs - nowUs)) }
        guard clock.monotonicUs() >= nextTryUs else { return .nothing }
        do throws(CameraError) {
            return .returned(try open(&state))
        } catch {
            state.link = .lost(nextTryUs: clock.monotonicUs() + Self.retryUs, reason: error.reason, nil)
            return error.kind == .refused && error.reason != before ? .lost(reason: error.description) : .nothing
        }
    }

    private func lose(_ state: inout State, _ session: GigESession, _ reason: String) {
        keepPackets(&state, session)
        state.counts.losses += 1
        state.order.tell(.lost(reason: reason))
        let nextTryUs = state.revival.afterLoss(nowUs: clock.monotonicUs())
        state.link = .lost(nextTryUs: nextTryUs, reason: reason, session.abandon())
    }

    private func count(_ state: inout State, _ session: GigESession) {
        guard case .open = state.link else { return }
        let packets = session.handle.packets
        state.counts.resentPackets = state.packets.resent + packets.resent
        state.counts.missingPackets = state.packets.missing + packets.missing
    }

    private func keepPackets(_ state: inout State, _ session: GigESession) {
        count(&state, session)
        state.packets = (state.counts.resentPackets, state.counts.missingPackets)
    }

    /// The next frame; nil where none came, or the camera is lost. Silence is looked into.
    private func take(_ state: inout State, _ session: inout GigESession, waitUs: Int64) -> Shot? {
        guard !session.handle.isLost else {
            lose(&state, session, "control lost: no answer to Aravis' heartbeat, or another program took over")
            return nil
        }
        let countsByChunk = session.countsByChunk
        let shot = session.handle.take(waitUs: min(waitUs, Self.silenceUs)) { frame in
            self.shot(frame, countsByChunk, state.maker)
        }
        guard let shot else {
            if clock.monotonicUs() - session.heardUs >= Self.silenceUs { listen(&state, &session) }
            return nil
        }
        session.heardUs = clock.monotonicUs()
        session.frameUs = session.heardUs
        switch shot.picture {
        case .success: state.counts.pictures += 1
        case .failure: state.counts.damaged += 1
        }
        return shot
    }

    /// Asks the silent camera whether it is there.
    private func listen(_ state: inout State, _ session: inout GigESession) {
        let silentMs = (clock.monotonicUs() - session.heardUs) / 1_000
        if let probe = session.probe {
            guard probe.ask() != nil else {
                return lose(&state, session, "silent for \(silentMs) ms, and no answer to GigE Vision discovery")
            }
            session.heardUs = clock.monotonicUs()
        }
        let quietUs = clock.monotonicUs() - session.frameUs
        if trigger == .free, quietUs >= session.stallUs {
            lose(&state, session, "answers, but sends no frame for \(quietUs / 1_000) ms")
        }
    }

    /// One software trigger and its picture. One that stays without a picture is a gap, and the camera is opened anew,
    /// so that a late picture is not taken for the next part's.
    private func fire(_ state: inout State, _ session: inout GigESession) {
        if let stray = take(&state, &session, waitUs: 0) {
            state.order.see(stray)
            return state.order.tell(.unmatched(stray, reason: "came without a software trigger"))
        }
        guard case .open = state.link else { return }
        let firedUs = clock.nowUs()
        let startUs = clock.monotonicUs()
        func miss(_ reason: String) {
            let missing = NoPicture(reason: "\(device): \(reason)")
            state.order.tellFirst(.shot(Shot(picture: .failure(missing), sourceName: "", hostTimeUs: firedUs)))
        }
        do throws(AravisFailure) {
            try session.handle.fire()
        } catch {
            miss("the software trigger was not taken: \(error.text)")
            return lose(&state, session, "takes no software trigger: \(error.text)")
        }
        repeat {
            let leftUs = session.pictureUs - (clock.monotonicUs() - startUs)
            if let shot = take(&state, &session, waitUs: max(0, leftUs)) {
                return state.order.take(shot, &state.counts)
            }
            guard case .open = state.link else { return miss("lost before the picture of a software trigger came") }
        } while clock.monotonicUs() - startUs < session.pictureUs
        let reason = "no picture within \(session.pictureUs / 1_000) ms of a software trigger"
        miss(reason)
        lose(&state, session, reason)
    }

    private func shot(_ frame: AravisFrame, _ countsByChunk: Bool, _ maker: PictureMaker) -> Shot {
        // A damaged frame has no chunk data, one without leader packet no block id: its number is not known.
        let number = countsByChunk ? frame.chunk("ChunkFrameID").map(UInt64.init(bitPattern:)) : frame.blockID
        let name = number.map { "frame-\($0)" } ?? "frame without number"
        return Shot(
            picture: Self.picture(frame, name, maker),
            sourceName: name,
            deviceTimeUs: frame.deviceUs,
            hostTimeUs: frame.hostUs ?? clock.nowUs(),
            frameNumber: number
        )
    }

    private static func picture(_ frame: AravisFrame, _ name: String, _ maker: PictureMaker) -> Result<
        Picture, NoPicture
    > {
        if let fault = fault(frame.status) { return .failure(NoPicture(reason: "\(name): \(fault)")) }
        let layout = frame.payloadType == jpegPayload ? PixelLayout.jpeg : GigEFormats.layout(of: frame.pixelFormat)
        guard let layout else {
            let code = String(frame.pixelFormat, radix: 16)
            let reason = "\(name): pixel format 0x\(code) is not taken; set format: to one of \(GigEFormats.names)"
            return .failure(NoPicture(reason: reason))
        }
        let raw = RawFrame(
            bytes: frame.bytes,
            width: frame.width,
            height: frame.height,
            stride: layout.rowBytes(width: frame.width).map { $0 + frame.rowPadding } ?? 0,
            layout: layout
        )
        return maker.picture(raw, name: name)
    }

    /// What Aravis found wrong with a frame.
    private static func fault(_ status: Int32) -> String? {
        switch Int(status) {
        case CARAVIS_STATUS_SUCCESS: nil
        case CARAVIS_STATUS_TIMEOUT: "packets missing when the time for resending them was over"
        case CARAVIS_STATUS_MISSING_PACKETS: "packets missing: check cable, packet_size and the network card's buffers"
        case CARAVIS_STATUS_WRONG_PACKET_ID: "packets in wrong order"
        case CARAVIS_STATUS_SIZE_MISMATCH: "more bytes than the camera announced"
        case CARAVIS_STATUS_ABORTED: "stream stopped before the frame was whole"
        default: "buffer status \(status) of Aravis"
        }
    }
}
