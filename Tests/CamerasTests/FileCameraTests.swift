import Cameras
import Foundation
import Testing
import Vision

@Suite("Folders, the scene and clips")
struct FileCameraTests {
    private let clock = SteppedClock().camera

    /// A folder of its own, removed after the test.
    private func inFolder(_ body: (String) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("cameras-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: "\(folder)/b", withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try body(folder)
    }

    private func write(_ bytes: [UInt8], _ path: String) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: path))
    }

    private func shot(_ camera: any Camera, _ index: UInt64) -> Shot? {
        guard case .shot(let shot) = camera.next(index: index, waitUs: 0) else { return nil }
        return shot
    }

    private func refusal(_ camera: any Camera) -> CameraError? {
        do {
            _ = try camera.open()
            return nil
        } catch {
            return error
        }
    }

    @Test("a folder gives its images in natural order, with those that cannot be read as gaps")
    func folder() throws {
        try inFolder { folder in
            let grey = try Picture(width: 2, height: 1, channels: 1, pixels: [1, 2])
            for name in ["part10.png", "part9.png", "b/part1.png"] {
                try write(try PictureCodec.encodePNG(grey), "\(folder)/\(name)")
            }
            try write([1, 2, 3], "\(folder)/part11.png")
            try write([1], "\(folder)/notes.txt")
            let camera = FolderCamera(path: folder, loops: false, clock: clock)
            let configuration = try camera.open()
            #expect(configuration.settings == [CameraSetting("images", 4, "C62")])
            let names = (0..<4 as Range<UInt64>).compactMap { shot(camera, $0)?.sourceName }
            #expect(names == ["b/part1.png", "part9.png", "part10.png", "part11.png"])
            #expect(throws: NoPicture.self) { try shot(camera, 3)?.picture.get() }
            #expect(try shot(camera, 1)?.picture.get() == grey)
            guard case .ended = camera.next(index: 4, waitUs: 0) else {
                Issue.record("a fifth of four images")
                return
            }
            let looping = FolderCamera(path: folder, loops: true, clock: clock)
            _ = try looping.open()
            #expect(shot(looping, 5)?.sourceName == "part9.png")
            #expect(camera.statistics.damaged == 2 && camera.statistics.pictures == 4)
        }
        #expect(refusal(FolderCamera(path: "/nowhere", loops: false))?.reason.hasPrefix("no such folder") == true)
    }

    @Test("the scene gives the same part for the same trigger")
    func scene() throws {
        let camera = SceneCamera(seed: 3, defectRate: 0.2, size: 256, clock: clock)
        _ = camera.open()
        let again = SceneCamera(seed: 3, defectRate: 0.2, size: 256, clock: clock)
        #expect(try shot(camera, 7)?.picture.get() == shot(again, 7)?.picture.get())
        #expect(shot(camera, 7)?.sourceName == "part-7")
        #expect(try shot(camera, 7)?.picture.get() != shot(again, 8)?.picture.get())
    }

    @Test("a Y4M clip is read frame by frame, and again where it loops")
    func y4m() throws {
        try inFolder { folder in
            var file = Array("YUV4MPEG2 W4 H2 F25:1 Cmono\n".utf8)
            for number in 0..<3 as Range<UInt8> { file += Array("FRAME\n".utf8) + [UInt8](repeating: number, count: 8) }
            try write(file + Array("FRAME\nhalf".utf8), "\(folder)/a.y4m")
            let camera = ClipCamera(path: "\(folder)/a.y4m", loops: false, clock: clock)
            let configuration = try camera.open()
            #expect(configuration.width == 4 && configuration.height == 2)
            #expect(configuration.settings == [CameraSetting("frames", 3, "C62")])
            for index in [0, 2, 1] as [UInt64] {
                let pixels = try shot(camera, index)?.picture.get().pixels
                #expect(pixels == [UInt8](repeating: UInt8(index), count: 8))
            }
            guard case .ended = camera.next(index: 3, waitUs: 0) else {
                Issue.record("a fourth of three frames")
                return
            }
            let looping = ClipCamera(path: "\(folder)/a.y4m", loops: true, clock: clock)
            _ = try looping.open()
            #expect(shot(looping, 10)?.sourceName == "frame-1")
            let grey420 = Array("YUV4MPEG2 W4 H2 F25:1 C420jpeg\nFRAME\n".utf8) + [UInt8](repeating: 128, count: 12)
            try write(grey420, "\(folder)/b.y4m")
            let colour = ClipCamera(path: "\(folder)/b.y4m", loops: false, clock: clock)
            _ = try colour.open()
            let pixels = try #require(try shot(colour, 0)?.picture.get())
            #expect(pixels.channels == 3 && pixels.pixels.allSatisfy { abs(Int($0) - 128) <= 6 })
            try write(Array("YUV4MPEG2 W4 H2 C444\nFRAME\n".utf8), "\(folder)/c.y4m")
            let wrong = refusal(ClipCamera(path: "\(folder)/c.y4m", loops: false))
            #expect(wrong?.reason == "C444 of 4x2; expected Cmono, or C420 of even size")
        }
    }

    @Test("a Motion JPEG clip is cut where its files end, embedded previews and padding notwithstanding")
    func motionJpeg() throws {
        try inFolder { folder in
            let pictures = try (1...4).map { number in
                try Picture(
                    width: 16,
                    height: 16,
                    channels: 1,
                    pixels: [UInt8](repeating: UInt8(40 * number), count: 256)
                )
            }
            var file: [UInt8] = []
            for picture in pictures {
                var jpeg = try PictureCodec.encodeJPEG(picture, quality: 95)
                // An application segment with a whole JPEG in it, as cameras put their previews.
                jpeg.insert(contentsOf: [0xFF, 0xE1, 0, 10, 0xFF, 0xD8, 0xFF, 0xD9, 0, 0, 0, 0], at: 2)
                file += jpeg + [0, 0, 0xFF, 0xFF]
            }
            try write(file, "\(folder)/a.mjpeg")
            let camera = ClipCamera(path: "\(folder)/a.mjpeg", loops: false, clock: clock)
            let configuration = try camera.open()
            #expect(configuration.settings == [CameraSetting("frames", 4, "C62")])
            for (index, picture) in pictures.enumerated() {
                let read = try #require(try shot(camera, UInt64(index))?.picture.get())
                #expect(zip(read.pixels, picture.pixels).allSatisfy { abs(Int($0) - Int($1)) <= 3 })
            }
        }
    }

    /// Where ffmpeg is; nil, with a printed message, where it is not.
    private func program() -> String? {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
        let found = folders.map { "\($0)/ffmpeg" }.first(where: FileManager.default.isExecutableFile)
        if found == nil { print("skipped: ffmpeg is not installed; apt-get install ffmpeg") }
        return found
    }

    @Test("any other video goes through ffmpeg: forwards, back, to its end and round again")
    func anyVideo() throws {
        guard let program = program() else { return }
        try inFolder { folder in
            let path = "\(folder)/a.avi"
            let maker = Process()
            maker.executableURL = URL(fileURLWithPath: program)
            maker.arguments =
                ["-nostdin", "-v", "quiet", "-f", "lavfi", "-i", "testsrc=size=64x48:rate=25"]
                + ["-frames:v", "12", "-c:v", "ffv1", path]
            try maker.run()
            maker.waitUntilExit()
            let camera = ClipCamera(path: path, loops: false, clock: clock)
            let configuration = try camera.open()
            #expect(configuration.width == 64 && configuration.height == 48)
            let frames = try (0..<12 as Range<UInt64>).map { try shot(camera, $0)?.picture.get() }
            #expect(Set(frames.map { $0?.pixels }).count == 12)
            guard case .ended = camera.next(index: 12, waitUs: 0) else {
                Issue.record("a thirteenth of twelve frames")
                return
            }
            #expect(try shot(camera, 3)?.picture.get() == frames[3])
            camera.close()
            let looping = ClipCamera(path: path, loops: true, clock: clock)
            _ = try looping.open()
            let far = try #require(shot(looping, 29))
            #expect(far.sourceName == "frame-5")
            #expect(try far.picture.get() == frames[5])
            looping.close()
            // Cut off in the middle: what can be read is given, then its end or the trouble.
            let whole = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
            try write(Array(whole.prefix(whole.count / 2)), "\(folder)/b.avi")
            let cut = ClipCamera(path: "\(folder)/b.avi", loops: false, clock: clock)
            _ = try cut.open()
            var taken: UInt64 = 0
            while taken < 13, shot(cut, taken) != nil { taken += 1 }
            #expect((1..<13).contains(taken))
            cut.close()
        }
    }

    @Test("a real clip gives the frames that its own still pictures show")
    func realClip() throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../../shared/data/intel-bottle-clip").standardized.path
        guard FileManager.default.fileExists(atPath: folder) else { return print("skipped: needs \(folder)") }
        guard program() != nil else { return }
        let camera = ClipCamera(path: "\(folder)/bottle-detection.mp4", loops: true, clock: clock)
        _ = try camera.open()
        for index in [0, 148] as [UInt64] {
            let still = try PictureCodec.load(path: "\(folder)/frame_0\(index == 0 ? "000" : "148").png")
            let frame = try #require(try shot(camera, index)?.picture.get())
            let away = zip(frame.pixels, still.pixels).reduce(0) { $0 + abs(Int($1.0) - Int($1.1)) }
            // Another program made the stills, with its own rounding.
            #expect(frame.width == still.width && away < 2 * frame.pixels.count)
        }
        camera.close()
    }

    @Test("what is no video is refused by name")
    func noVideo() throws {
        try inFolder { folder in
            try write(Array("nothing of the kind".utf8), "\(folder)/a.mp4")
            let error = refusal(ClipCamera(path: "\(folder)/a.mp4", loops: false))
            #expect(error?.kind == .refused && error?.reason.contains("ffmpeg") == true)
        }
        let missing = refusal(ClipCamera(path: "/nowhere.mp4", loops: false))
        #expect(missing?.description == "/nowhere.mp4: cannot be opened: No such file or directory")
    }
}
