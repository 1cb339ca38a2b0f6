import Cameras
import ServiceRuntime
import Testing
import Vision

extension GigECameraTests {
    @Suite("GigE Vision through Aravis: a simulated camera that is lost or refuses")
    struct SimulatedLoss: SimulatedGigETesting {
        /// What the camera does until it says so in these words.
        private func told(_ camera: GigECamera, until word: String) -> [String] {
            GigECameraTests.captures(camera) { $0.last.map(words)?.hasPrefix(word) == true }.map(words)
        }

        @Test(
            "M23 an unplugged camera is named as lost and taken again; its triggers are a new session",
            arguments: [true, false]
        )
        func unplugged(isRestarted: Bool) throws {
            try with(settings()) { device, camera, configuration in
                #expect(told(device, camera, [], []) == ["1", "2"])
                device.unplug()
                device.signal()
                let reasons = told(camera, until: "lost")
                #expect(reasons.count == 1 && reasons[0].contains("no answer to GigE Vision discovery"), "\(reasons)")
                device.plugIn(restarted: isRestarted)
                let back = GigECameraTests.captures(camera) { !$0.isEmpty }
                guard case .returned(let again) = back.first else {
                    Issue.record("\(back)")
                    return
                }
                #expect(again == configuration)
                #expect(told(device, camera, [], []) == (isRestarted ? ["1", "2"] : ["4", "5"]))
                #expect(camera.statistics.losses == 1 && camera.statistics.skipped == 0)
            }
        }

        @Test("M23 a camera that lost its power for a moment is named as lost and set up again")
        func restarted() throws {
            try with(settings()) { device, camera, _ in
                #expect(told(device, camera, []) == ["1"])
                device.plugIn(restarted: true)
                // Nothing but Aravis' heartbeat notices.
                #expect(told(camera, until: "returned").map { $0.prefix(18) } == ["lost: control lost", "returned"])
                #expect(told(device, camera, []) == ["1"])
            }
        }

        @Test("M23 frames of another size are named, and are one trigger each")
        func otherSizes() throws {
            try with(settings()) { device, camera, _ in
                #expect(told(device, camera, [], [.payload(1_000)], []) == ["1", "? damaged", "3"])
                // More than the camera announced: its chunk data do not fit in.
                #expect(told(device, camera, [.payload(10_000)], []) == ["? of 1", "5"])
                #expect(camera.statistics.skipped == 0)
            }
        }

        @Test(
            "M23 frames that Aravis cannot read are named, and no old picture is shown for them",
            arguments: [true, false]
        )
        func otherKinds(hasResend: Bool) throws {
            var settings = settings()
            settings.buffers = 2
            var ability = SimulatedGigERegisters.Ability()
            ability.hasResend = hasResend
            try with(settings, ability) { device, camera, _ in
                // Each buffer has had a picture, and each may have had a damaged one.
                for number in 1...4 { #expect(told(device, camera, []) == ["\(number)"]) }
                for number in [6, 8] {
                    #expect(told(device, camera, [.dropForGood([0])], []) == ["? damaged", "\(number)"])
                }
                var (signals, found): (Int, [Capture]) = (0, [])
                let endUs = CameraClock.system.monotonicUs() + GigECameraTests.deadlineUs
                let cannot = hasResend ? "payload type 6 with pixel format 0x0 is not taken" : "Aravis cannot read"
                while CameraClock.system.monotonicUs() < endUs, !found.reasons.contains(where: { $0.contains(cannot) })
                {
                    device.signal([.payloadType(6)])
                    signals += 1
                    found.append(camera.next(index: 0, waitUs: 50_000))
                }
                #expect(found.allSatisfy { if case .shot(let shot) = $0 { shot.isDamaged } else { true } })
                #expect(found.reasons.last?.contains(cannot) == true, "\(found)")
                #expect(found.triggers <= signals)
            }
        }

        @Test("TRC-13 what was asked for and not granted is a remark; what a maker's feature was set to stays")
        func remarks() throws {
            var settings = settings()
            settings.exposureUs = 20_000
            settings.features = ["TriggerActivation": "FallingEdge"]
            try with(settings) { device, _, configuration in
                #expect(configuration.remarks == ["exposure_us: 20000.0 asked for, the camera says 10000.0"])
                #expect(configuration.settings.contains(CameraSetting("exposure", 10_000, "B98")))
                #expect(device.register(Place.triggerActivation) == 1 && device.register(Place.triggerSource) == 1)
            }
        }

        /// How opening fails; nil where the port is taken.
        private func refusal(
            _ settings: PlantFile.GigE,
            _ prepare: (inout SimulatedGigE.State) -> Void
        ) throws -> CameraError? {
            guard let device = try SimulatedGigE.start() else { return nil }
            defer { device.end() }
            device.change(prepare)
            let error = try #require(GigECameraTests.refusal(GigECamera(settings)))
            #expect(!device.seen { $0.isAcquiring })
            return error
        }

        @Test("an error names the feature, the camera's reason and what to do")
        func refusals() throws {
            var settings = settings()
            settings.exposureUs = 800
            guard let exposure = try refusal(settings, { $0.refused[Place.exposure] = 0x8002 }) else { return }
            #expect(exposure.kind == .refused)
            #expect(exposure.reason.hasPrefix("exposure_us 800.0 is not taken: [ExposureTime]"))
            #expect(exposure.reason.hasSuffix("GigEVision write_memory error (invalid-parameter)"))
            #expect(exposure.advice == "the camera's manual or arv-viewer shows its features and their limits")

            settings.exposureUs = nil
            settings.features = ["ExposureTicks": "9"]
            guard let feature = try refusal(settings, { $0.refused[Place.exposure] = 0x8005 }) else { return }
            #expect(feature.reason.hasPrefix("features.ExposureTicks 9 is not taken: [ExposureTicks]"))
            #expect(feature.reason.hasSuffix("GigEVision write_memory error (bad-alignment)"))

            settings.features = ["Sharpness": "9"]
            guard let unknown = try refusal(settings, { _ in }) else { return }
            #expect(unknown.kind == .refused)
            #expect(unknown.reason == "features.Sharpness 9 is not taken: [Sharpness] Not found")
        }

        @Test(
            "a camera that another program controls, or that falls silent while it is set up, may come free by itself"
        )
        func unreachable() throws {
            var settings = settings()
            settings.exposureUs = 800
            guard let taken = try refusal(settings, { $0.isTaken = true }) else { return }
            #expect(taken.kind == .unreachable && taken.reason == "another program is in control of it")
            #expect(taken.advice.contains("arv-viewer"))
            guard let silent = try refusal(settings, { $0.unanswered[Place.exposure] = .max }) else { return }
            #expect(silent.kind == .unreachable)
            #expect(silent.reason.hasPrefix("no answer to exposure_us 800.0: [ExposureTime]"))
            #expect(silent.reason.hasSuffix("GigEVision write_memory timeout"))
        }

        @Test("a camera that answers late, or at the second asking, is opened")
        func slow() throws {
            guard let device = try SimulatedGigE.start() else { return }
            defer { device.end() }
            device.change { state in
                state.pending = [Place.width, Place.pixelFormat, Place.control]
                state.unanswered[Place.payloadSize] = 1
            }
            let camera = GigECamera(settings())
            _ = try camera.open()
            #expect(told(device, camera, []) == ["1"])
            camera.close()
        }
    }
}

extension [Capture] {
    /// Why there is no picture, or no camera.
    fileprivate var reasons: [String] {
        compactMap { capture in
            switch capture {
            case .shot(let shot): shot.missing
            case .lost(let reason): reason
            default: nil
            }
        }
    }
}

extension Shot {
    fileprivate var missing: String? { if case .failure(let missing) = picture { missing.reason } else { nil } }
    fileprivate var isDamaged: Bool { missing != nil }
}
