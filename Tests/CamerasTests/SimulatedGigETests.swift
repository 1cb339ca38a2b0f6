import Cameras
import ServiceRuntime
import Testing
import Vision

extension GigECameraTests {
    /// The adapter, with the real Aravis, against a SIMULATED camera that has what Aravis' own fake camera lacks: a
    /// trigger line, chunk data, packets sent again, large packets, and faults at will.
    @Suite("GigE Vision through Aravis: a simulated camera's frames")
    struct Simulated: SimulatedGigETesting {
        @Test(
            "M18 TRC-13 each signal is one trigger, with the camera's own number, clock and picture",
            arguments: ["FrameID", "Framecounter", "FrameCounter"]
        )
        func signals(counter: String) throws {
            var ability = SimulatedGigERegisters.Ability()
            ability.counter = counter
            try with(settings(), ability) { device, camera, configuration in
                #expect(configuration.device == "SIM-1" && configuration.model == "Simulated Stepper")
                #expect(configuration.remarks.isEmpty)
                device.signal([.counter(4_711)])
                device.signal()
                let found = GigECameraTests.captures(camera) { $0.triggers >= 2 }
                #expect(found.map(words) == ["4711", "4712"])
                // 1,000,000 ticks of 125 MHz a frame.
                #expect(found.shots.map(\.deviceTimeUs) == [8_000, 16_000])
                #expect(found.shots.allSatisfy { $0.hostTimeUs > 0 && $0.sourceName == "frame-\($0.frameNumber ?? 0)" })
                guard case .nothing = camera.next(index: 2, waitUs: 0) else {
                    Issue.record("a picture without a signal")
                    return
                }
            }
        }

        @Test("M23 a signal whose picture was lost on its way is a named gap, one never taken another")
        func gaps() throws {
            try with(settings()) { device, camera, _ in
                #expect(
                    told(device, camera, [], [.lost], [], [.missed], [.missed], []) == [
                        "1", "1 frame lost on its way", "3", "2 no frame for the trigger", "6",
                    ]
                )
                #expect(
                    told(device, camera, [.lost], [.missed], []) == [
                        "1 frame lost on its way", "1 no frame for the trigger", "9",
                    ]
                )
                #expect(camera.statistics.skipped == 5)
            }
        }

        @Test("M18 M23 a damaged frame is one trigger, and no second gap", arguments: [0, 3, 7])
        func damaged(packet: Int) throws {
            // Leader, one of six with payload, trailer.
            try with(settings()) { device, camera, _ in
                #expect(told(device, camera, [], [.dropForGood([packet])], []) == ["1", "? damaged", "3"])
                // With a gap before and one behind: which comes first is known where the leader packet came.
                let (gap, damage) = ("1 frame lost on its way", "? damaged")
                let found = told(device, camera, [.lost], [.dropForGood([packet])], [.missed], [])
                let wanted = packet == 0 ? [damage, gap] : [gap, damage]
                #expect(found == wanted + ["1 no frame for the trigger", "7"])
                let counts = camera.statistics
                #expect(counts.skipped == 2 && counts.damaged == 2 && counts.pictures == 3)
                #expect(counts.missingPackets > 0)
            }
        }

        @Test("M23 packets that are asked for again recover their frame", arguments: ["Off", "On"])
        func resend(extendedIDs: String) throws {
            var settings = settings()
            settings.features = ["GevGVSPExtendedIDMode": extendedIDs]
            try with(settings) { device, camera, _ in
                let endUs = CameraClock.system.monotonicUs() + GigECameraTests.deadlineUs
                var last = ""
                // On a busy machine Aravis may be too late to ask.
                repeat {
                    device.signal([.drop([3])])
                    last = told(device, camera, []).joined(separator: " ")
                } while camera.statistics.resentPackets == 0 && CameraClock.system.monotonicUs() < endUs
                #expect(device.seen { $0.resendRequests } > 0)
                #expect(camera.statistics.resentPackets > 0 && camera.statistics.skipped == 0, "\(last)")
                #expect(camera.statistics.pictures > 0)
            }
        }

        @Test("M18 M23 a picture without its chunk data is one trigger without number, and gaps are seen beside it")
        func chunkLeftOut() throws {
            try with(settings()) { device, camera, _ in
                #expect(told(device, camera, [], [.noChunk], []) == ["1", "? of 2", "3"])
                #expect(
                    told(device, camera, [.lost], [.noChunk], [.missed], [.lost], [.noChunk], []) == [
                        "1 frame lost on its way", "? of 5", "1 frame lost on its way", "? of 8",
                        "1 no frame for the trigger", "9",
                    ]
                )
                #expect(camera.statistics.skipped == 3 && camera.statistics.pictures == 6)
            }
        }

        @Test("M18 a counter that begins again is a new session; one that runs over, too")
        func restart() throws {
            try with(settings()) { device, camera, _ in
                #expect(
                    told(device, camera, [.counter(65_500)], [.counter(1)], []) == ["65500", "restarted", "1", "2"]
                )
                let most = UInt64(UInt32.max)
                #expect(
                    told(device, camera, [.counter(most)], [.counter(0)], [.lost], [])
                        == ["restarted", "\(most)", "restarted", "0", "1 frame lost on its way", "2"]
                )
                // A jump that cannot be a loss.
                #expect(told(device, camera, [.counter(1_000_000)], []) == ["restarted", "1000000", "1000001"])
            }
        }

        @Test(
            "M18 without a counter in chunk data the block ids count, and a remark says so",
            arguments: [
                "no ChunkModeActive", "[ChunkSelector] 'FrameID' not an entry", "features: sets ChunkModeActive",
            ]
        )
        func blockIDs(reason: String) throws {
            var ability = SimulatedGigERegisters.Ability()
            ability.hasChunks = !reason.hasPrefix("no")
            ability.counter = nil
            var settings = settings()
            if reason.hasPrefix("features") { settings.features = ["ChunkModeActive": "false"] }
            try with(settings, ability) { device, camera, configuration in
                #expect(configuration.remarks.count == 1)
                let remark = configuration.remarks.first ?? ""
                #expect(remark.hasPrefix("no frame counter in the chunk data (\(reason)"))
                #expect(remark.contains("): block ids count the frames"))
                // Nothing is sent that nobody reads.
                #expect(device.register(Place.chunkModeActive) == 0)
                #expect(
                    told(device, camera, [.counter(65_530), .block(65_530)], [.lost], [.dropForGood([2])], [])
                        == ["65530", "1 frame lost on its way", "65532 damaged", "65533"]
                )
                #expect(
                    told(device, camera, [], [], [.lost, .counter(1)], [])
                        == ["65534", "65535", "restarted", "1 frame lost on its way", "2"]
                )
            }
        }

        @Test("M18 chunk data that are granted and do not come, or that Aravis cannot read, are told; block ids count")
        func withoutChunks() throws {
            try with(settings()) { device, camera, _ in
                #expect(
                    told(device, camera, [.noChunk], [.noChunk], [.lost], [.noChunk])
                        == ["restarted", "1", "2", "1 frame lost on its way", "4"]
                )
            }
            try with(settings()) { device, camera, _ in
                let extended = Fault.payloadType(SimulatedGigEFrame.extendedChunks)
                // Aravis from 0.8.32 on reads them.
                let found = told(device, camera, [extended], [extended], [.lost], [extended])
                #expect(found.filter { $0 != "restarted" } == ["1", "2", "1 frame lost on its way", "4"])
            }
        }

        @Test("M18 frames of plain chunk data, which do not tell their size, are pictures with the camera's number")
        func plainChunkData() throws {
            try with(settings()) { device, camera, _ in
                let plain = Fault.payloadType(SimulatedGigEFrame.chunkData)
                #expect(
                    told(device, camera, [plain, .counter(70)], [.missed], [plain]) == [
                        "70", "1 no frame for the trigger", "72",
                    ]
                )
            }
        }

        @Test("M18 large packets and 64-bit block ids", arguments: [(8_192, "Off"), (8_192, "On"), (576, "On")])
        func largePackets(bytes: Int, extendedIDs: String) throws {
            var settings = settings()
            settings.packetSize = bytes
            (settings.width, settings.height) = (160, 120)
            settings.features = ["GevGVSPExtendedIDMode": extendedIDs]
            try with(settings) { device, camera, configuration in
                #expect(configuration.settings.contains(CameraSetting("packet_size", Double(bytes), "AD")))
                #expect(configuration.width == 160 && configuration.height == 120)
                #expect(configuration.remarks.isEmpty)
                let high = extendedIDs == "On" ? UInt64(1) << 40 : 65_535
                #expect(
                    told(device, camera, [.block(high)], [], [.lost], []) == ["1", "2", "1 frame lost on its way", "4"]
                )
            }
        }

        @Test("the largest packets that get through are found", arguments: [1_500, 9_000])
        func packetSize(mtu: Int) throws {
            var settings = settings()
            settings.packetSize = nil
            var ability = SimulatedGigERegisters.Ability()
            ability.mtu = mtu
            try with(settings, ability) { device, camera, configuration in
                let granted = configuration.settings.first { $0.name == "packet_size" }?.value ?? 0
                #expect(granted <= Double(mtu) && granted > Double(mtu) - 100)
                #expect(told(device, camera, [], []) == ["1", "2"])
            }
        }

        @Test("M18 pictures that nobody took in time are gaps, not mistaken for later ones")
        func tooFewBuffers() throws {
            var settings = settings()
            settings.buffers = 2
            try with(settings) { device, camera, _ in
                for _ in 0..<6 { device.signal() }
                // Two are kept; a later one, once there is room again, tells of the others.
                var (sent, found) = (6, GigECameraTests.captures(camera) { $0.shots.count >= 2 })
                let endUs = CameraClock.system.monotonicUs() + GigECameraTests.deadlineUs
                repeat {
                    device.signal()
                    sent += 1
                    while true {
                        let next = camera.next(index: 0, waitUs: 50_000)
                        if case .nothing = next { break }
                        found.append(next)
                    }
                } while found.triggers < sent && CameraClock.system.monotonicUs() < endUs
                #expect(found.triggers == sent && found.shots.last?.frameNumber == UInt64(sent), "\(found.map(words))")
            }
        }

        @Test("a software trigger takes one picture, numbered by the camera")
        func software() throws {
            try with(settings(.software)) { _, camera, _ in
                let found = GigECameraTests.captures(camera) { $0.triggers >= 3 }
                #expect(found.map(words) == ["1", "2", "3"])
            }
        }

        @Test("M18 a camera without clock has no device time")
        func withoutClock() throws {
            var ability = SimulatedGigERegisters.Ability()
            ability.ticksPerSecond = 0
            try with(settings(), ability) { device, camera, _ in
                device.signal()
                let shot = GigECameraTests.captures(camera) { $0.triggers >= 1 }.shots.first
                #expect(shot?.deviceTimeUs == 0 && (shot?.hostTimeUs ?? 0) > 0)
            }
        }
    }
}
