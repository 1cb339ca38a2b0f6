import CAravis
package import ServiceRuntime
import Synchronization
import Vision

/// A GigE Vision camera through Aravis: its stream's buffers go round, each frame is copied once.
///
/// Frames are numbered by the camera: by its own counter in the chunk data where it has one, else by the block ids of its
/// stream, which have 16 bits and leave out 0 (GigE Vision 1.2, 24.2).
package final class GigECamera: Camera {
    /// Silence after which the camera is asked whether it is there, microseconds.
    static let silenceUs: Int64 = 300_000
    /// Time between two attempts to get a lost camera back, microseconds.
    static let retryUs: Int64 = 300_000
    /// Payload type of plain chunk data (GigE Vision 1.2, 24.3).
    static let chunkData: Int32 = 4
    /// Packets without a frame after which the camera sends what Aravis cannot read: one may be another program's.
    static let mostUnreadable = 3

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
        var order = FrameOrder.ofBlocks
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
                        state.order.take(shot, lost: session.lost, &state.counts)
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
            state.order = session.counter == nil ? .ofBlocks : .ofChunks
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
        let taken = session.handle.take(waitUs: min(waitUs, Self.silenceUs)) { frame in
            frame.isFrame ? shot(frame, &state, &session) : nil
        }
        guard let taken else {
            if clock.monotonicUs() - session.heardUs >= Self.silenceUs { listen(&state, &session) }
            return nil
        }
        session.heardUs = clock.monotonicUs()
        guard let shot = taken else {
            session.unreadable += 1
            if session.unreadable >= Self.mostUnreadable {
                let reason = "sends frames of a kind that Aravis cannot read, such as JPEG, H.264 or GenDC"
                lose(&state, session, "\(reason): set PixelFormat to one of \(GigEFormats.names)")
            }
            return nil
        }
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
                return state.order.take(shot, lost: session.lost, &state.counts)
            }
            guard case .open = state.link else { return miss("lost before the picture of a software trigger came") }
        } while clock.monotonicUs() - startUs < session.pictureUs
        let reason = "no picture within \(session.pictureUs / 1_000) ms of a software trigger"
        miss(reason)
        lose(&state, session, reason)
    }

    private func shot(_ frame: AravisFrame, _ state: inout State, _ session: inout GigESession) -> Shot {
        // A damaged frame has no chunk data, one without leader packet no block id: its number is not known.
        let block = frame.blockID
        let chunk = session.counter.flatMap { frame.chunk($0) }.map(UInt64.init(bitPattern:))
        if chunk != nil { session.hasCounted = true }
        if frame.isWhole {
            session.unreadable = 0
            if session.counter != nil, !session.hasCounted { countBlocks(&state, &session) }
        }
        session.lost = session.counter == nil ? nil : session.blocks.lost(before: block)
        let number = session.counter == nil ? block : chunk
        let name = number.map { "frame-\($0)" } ?? block.map { "block-\($0)" } ?? "frame without number"
        return Shot(
            picture: Self.picture(frame, session, name, state.maker),
            sourceName: name,
            deviceTimeUs: frame.deviceUs,
            hostTimeUs: frame.hostUs ?? clock.nowUs(),
            frameNumber: number
        )
    }

    /// For a camera that grants chunk data and does not send them, or in a way that Aravis before 0.8.32
    /// cannot read (payload type "extended chunk data" of GigE Vision 1.2).
    private func countBlocks(_ state: inout State, _ session: inout GigESession) {
        session.counter = nil
        state.order = .ofBlocks
        state.order.tell(.restarted(reason: "frames come without a counter in chunk data: block ids count from here"))
    }

    private static func picture(
        _ frame: AravisFrame,
        _ session: GigESession,
        _ name: String,
        _ maker: PictureMaker
    ) -> Result<Picture, NoPicture> {
        if let fault = fault(frame.status) { return .failure(NoPicture(reason: "\(name): \(fault)")) }
        // Such a frame does not tell its size and format; the image is its first chunk.
        let isChunkData = frame.payloadType == chunkData
        let pixelFormat = isChunkData ? session.pixelFormat : frame.pixelFormat
        let width = isChunkData ? session.configuration.width : frame.width
        guard let layout = GigEFormats.layout(of: pixelFormat) else {
            let code = String(pixelFormat, radix: 16)
            let kind = "payload type \(frame.payloadType) with pixel format 0x\(code)"
            let reason = "\(name): \(kind) is not taken; set format: to one of \(GigEFormats.names)"
            return .failure(NoPicture(reason: reason))
        }
        let raw = RawFrame(
            bytes: frame.bytes,
            width: width,
            height: isChunkData ? session.configuration.height : frame.height,
            stride: layout.rowBytes(width: width).map { $0 + frame.rowPadding } ?? 0,
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

extension FrameOrder {
    /// By block ids: 16 bits without 0.
    fileprivate static var ofBlocks: FrameOrder { FrameOrder(modulus: 1 << 16, lowest: 1) }
    /// By the counter in the chunk data: how wide it is differs from camera to camera.
    fileprivate static var ofChunks: FrameOrder { FrameOrder(modulus: .max, lowest: 0) }
}
