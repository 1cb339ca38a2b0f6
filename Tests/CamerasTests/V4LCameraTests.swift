import CV4L
import Cameras
import Glibc
import SeededRandom
import ServiceRuntime
import Testing
import Vision

/// The V4L2 adapter on a simulated device: there is no /dev/video on the machines that run the tests.
@Suite("V4L2 on a simulated device")
struct V4LCameraTests {
    private func rig(
        _ settings: PlantFile.V4L2 = PlantFile.V4L2(device: "/dev/video9")
    ) -> (V4LCamera, SimulatedV4L, SteppedClock) {
        let clock = SteppedClock()
        let system = SimulatedV4L(clock)
        return (V4LCamera(settings, system: system, clock: clock.camera), system, clock)
    }

    private func captures(_ camera: V4LCamera, _ count: Int) -> [Capture] {
        (0..<count).map { camera.next(index: UInt64($0), waitUs: 100_000) }
    }

    private func refusal(_ camera: V4LCamera) -> CameraError? {
        do {
            _ = try camera.open()
            return nil
        } catch {
            return error
        }
    }

    @Test("frames carry pixels, sequence and the time of their exposure")
    func frames() throws {
        let (camera, system, clock) = rig()
        let configuration = try camera.open()
        #expect(configuration.width == 64 && configuration.height == 48 && configuration.pixelFormat == "GREY")
        #expect(configuration.settings.contains(CameraSetting("frame_rate", 25, "HTZ")))
        for number in 0..<10 as Range<UInt64> {
            guard case .shot(let shot) = camera.next(index: number, waitUs: 100_000) else {
                Issue.record("no shot \(number)")
                return
            }
            let picture = try shot.picture.get()
            #expect(picture.pixels == [UInt8](repeating: UInt8(number), count: 64 * 48) && picture.channels == 1)
            #expect(shot.frameNumber == number && shot.sourceName == "frame-\(number)")
            #expect(shot.hostTimeUs == clock.now + SteppedClock.epoch - 3_000)
        }
        camera.close()
        system.change { state in
            #expect(state.openFiles == 0 && state.mapped == 0)
        }
        #expect(camera.statistics.pictures == 10)
    }

    @Test("M23 every fault of a frame is named, and its trigger counted")
    func frameFaults() throws {
        let (camera, system, _) = rig()
        system.change { $0.faults = [.drop(3), .damaged, .short, .repeated] }
        _ = try camera.open()
        // 0 to 2 are dropped before the first frame: the counter is not known to begin at 0.
        let found = captures(camera, 6)
        #expect(found.damage.count == 2)
        #expect(found.damage.first == "frame-3: damaged on its way, says the driver")
        #expect(found.damage.contains { $0.contains("short frame: 1536 bytes; 64x48 needs 3072") })
        let repeats = found.count { if case .repeated = $0 { true } else { false } }
        #expect(repeats == 1)
        system.change { $0.faults = [.drop(5)] }
        let gap = captures(camera, 2)
        guard case .skipped(let count, let reason) = gap[0] else {
            Issue.record("\(gap)")
            return
        }
        #expect(count == 5 && reason.contains("counter went from"))
        #expect(camera.statistics.skipped == 5)
    }

    @Test(
        "M23 what ends the stream is named, and the camera taken again",
        arguments: [
            ("EIO", SimulatedV4L.Fault.dequeue(EIO), "signal or transfer lost"),
            ("ENODEV", .dequeue(ENODEV), "unplugged"),
            ("source", .sourceChange, "the source changed its format"),
            ("format", .format(width: 32, height: 24), "format changed under us: was 64x48 GREY, is 32x24 GREY"),
            ("frozen", .freeze, "streams, but sends no frame for 800 ms"),
        ]
    )
    func streamFaults(name: String, fault: SimulatedV4L.Fault, reason: String) throws {
        let (camera, system, _) = rig()
        _ = try camera.open()
        _ = captures(camera, 3)
        system.change { $0.faults = [fault] }
        let after = captures(camera, 60)
        let losses: [String] = after.compactMap { if case .lost(let reason) = $0 { reason } else { nil } }
        #expect(losses.count == 1 && losses.first?.contains(reason) == true, "\(name): \(losses)")
        let returns = after.count { if case .returned = $0 { true } else { false } }
        #expect(returns == 1)
        guard case .shot(let last) = after.last else {
            Issue.record("no frames after the return: \(after.suffix(3))")
            return
        }
        #expect(throws: Never.self) { try last.picture.get() }
        system.change { state in
            #expect(state.openFiles == 1 && state.mapped == 4)
        }
    }

    @Test("M23 an unplugged camera is named within a second and returns with its plug")
    func unplug() throws {
        let (camera, system, clock) = rig()
        _ = try camera.open()
        _ = captures(camera, 3)
        system.change { $0.faults = [.unplug] }
        let pulledUs = clock.now
        var found = camera.next(index: 0, waitUs: 100_000)
        while case .nothing = found, clock.now - pulledUs < 5_000_000 { found = camera.next(index: 0, waitUs: 100_000) }
        guard case .lost(let reason) = found else {
            Issue.record("\(found)")
            return
        }
        #expect(reason.hasPrefix("unplugged") && clock.now - pulledUs < 1_000_000)
        for _ in 0..<20 {
            guard case .nothing = camera.next(index: 0, waitUs: 100_000) else {
                Issue.record("something without a camera")
                return
            }
        }
        system.change { $0.isPresent = true }
        let back = captures(camera, 12)
        #expect(back.contains { if case .returned = $0 { true } else { false } })
        #expect(back.shots.count >= 3)
        #expect(camera.statistics.losses == 1)
    }

    @Test(
        "what cannot be opened says what to do",
        arguments: [
            (EACCES, CameraError.Kind.refused, "group video"),
            (ENOENT, .unreachable, "is it plugged in?"),
            (EBUSY, .unreachable, "cheese (process 4711) has it"),
            (ENOTTY, .refused, "no V4L2 device"),
        ]
    )
    func openFaults(code: Int32, kind: CameraError.Kind, advice: String) {
        let (camera, system, _) = rig()
        system.change { $0.openError = code }
        let error = refusal(camera)
        #expect(error?.kind == kind && error?.description.contains(advice) == true, "\(error.debugDescription)")
        system.change { state in
            state.openError = 0
            #expect(state.openFiles == 0 && state.mapped == 0)
        }
        guard kind == .unreachable else { return }
        // It was never there: it is taken once it is.
        let after = captures(camera, 10)
        #expect(after.contains { if case .returned = $0 { true } else { false } } && !after.shots.isEmpty)
    }

    @Test("a stream that does not start leaves nothing open")
    func streamDoesNotStart() {
        let (camera, system, _) = rig()
        system.change { $0.streamError = EBUSY }
        #expect(refusal(camera)?.reason.hasPrefix("does not start to stream") == true)
        system.change { state in
            #expect(state.openFiles == 0 && state.mapped == 0)
        }
    }

    @Test("formats and sizes that the device does not grant are refused by name")
    func refusedFormats() {
        var settings = PlantFile.V4L2(device: "/dev/video9")
        settings.format = "RGB3"
        #expect(
            refusal(rig(settings).0)?.description.contains("does not take the format RGB3; it has YUYV, GREY") == true
        )
        settings.format = nil
        settings.width = 5_000
        #expect(refusal(rig(settings).0)?.reason == "gives 1920x48 GREY instead of 5000x48")
        let (camera, system, _) = rig()
        system.change { $0.capabilities = UInt32(V4L2_CAP_VIDEO_OUTPUT) }
        #expect(refusal(camera)?.reason.hasPrefix("is no camera that streams") == true)
    }

    @Test("controls are set, read back and told with their units; what is not granted is remarked")
    func controls() throws {
        var settings = PlantFile.V4L2(device: "/dev/video9")
        settings.exposureUs = 20_000
        settings.gain = 90
        settings.controls = ["sharpness": 3, "hue": 4]
        let (camera, system, _) = rig(settings)
        let automatic = UInt32(V4L2_CID_EXPOSURE_AUTO)
        system.change { state in
            state.controls = [
                .init(
                    id: UInt32(V4L2_CID_EXPOSURE_ABSOLUTE),
                    name: "Exposure Time, Absolute",
                    range: 1...5_000,
                    value: 9
                ),
                .init(id: automatic, name: "Auto Exposure", range: 0...3, value: 3),
                .init(id: UInt32(V4L2_CID_GAIN), name: "Gain", range: 0...48, value: 1),
                .init(id: UInt32(V4L2_CID_SHARPNESS), name: "Sharpness", range: 0...7, value: 1, error: EBUSY),
                .init(id: UInt32(V4L2_CID_HUE), name: "Hue", range: 0...7, value: 1, error: EINVAL),
            ]
        }
        let configuration = try camera.open()
        #expect(configuration.settings.contains(CameraSetting("exposure", 20_000, "B98")))
        #expect(configuration.settings.contains(CameraSetting("gain", 48, "C62")))
        #expect(configuration.settings.contains(CameraSetting("auto_exposure", 1, "C62")))
        #expect(configuration.remarks.contains("gain: 90 asked for; the device takes 0 to 48; 48 set"))
        #expect(
            configuration.remarks.contains { $0.hasPrefix("sharpness: 3 not taken: Device or resource busy; another") }
        )
        #expect(configuration.remarks.contains { $0.hasPrefix("hue: 4 not taken: Invalid argument") })
        settings.controls = ["sharpnes": 1]
        let wrong = V4LCamera(settings, system: system, clock: SteppedClock().camera)
        #expect(
            refusal(wrong)?.description.contains("no control sharpnes; it has hue, gain, sharpness, auto_ex") == true
        )
    }

    @Test("a software trigger takes the first frame exposed after it, not one that waited")
    func softwareTrigger() throws {
        let (camera, _, clock) = rig(PlantFile.V4L2(device: "/dev/video9", trigger: .software))
        _ = try camera.open()
        for index in 0..<5 as Range<UInt64> {
            clock.step(130_000)
            let askedUs = clock.now + SteppedClock.epoch
            guard case .shot(let shot) = camera.next(index: index, waitUs: 500_000) else {
                Issue.record("no shot")
                return
            }
            #expect(shot.hostTimeUs >= askedUs && shot.hostTimeUs - askedUs <= 80_000)
        }
        #expect(camera.statistics.skipped == 0)
    }

    @Test("TRC-13 every frame number is told once, whatever goes wrong between", arguments: 0..<60)
    func accounting(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let (camera, system, _) = rig()
        _ = try camera.open()
        let faults: [SimulatedV4L.Fault] = (0..<40).map { _ in
            switch random.next() % 8 {
            case 0: .drop(UInt32(random.next() % 9))
            case 1: .damaged
            case 2: .short
            case 3: .repeated
            case 4: .dequeue(EIO)
            case 5: .sourceChange
            case 6: .freeze
            default: .dequeue(EAGAIN)
            }
        }
        system.change { $0.faults = faults }
        var due: UInt64?
        var waited = 0
        for index in 0..<900 as Range<UInt64> {
            let next = camera.next(index: index, waitUs: 500_000)
            if case .nothing = next { waited += 1 } else { waited = 0 }
            switch next {
            case .shot(let shot):
                let number = try #require(shot.frameNumber)
                if let due { #expect(number == due) }
                due = number + 1
            case .skipped(let count, _): due = due.map { $0 + count }
            case .repeated(let shot): #expect(shot.frameNumber.map { $0 + 1 } == due)
            case .lost: due = nil
            case .returned: #expect(due == nil)
            case .restarted, .unmatched, .ended: Issue.record("unexpected")
            case .nothing: break
            }
            #expect(waited < 40)
        }
        system.change { #expect($0.faults.isEmpty) }
    }
}
