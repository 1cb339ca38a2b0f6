import CV4L
import Cameras
import ServiceRuntime
import Testing
import Vision

/// Pixel formats through the V4L2 adapter with the real libv4lconvert.
@Suite("Pixel formats")
struct PixelTests {
    /// The first picture of a simulated device whose frames are `bytes`.
    private func picture(
        _ format: String,
        width: UInt32 = 64,
        height: UInt32 = 48,
        _ bytes: @escaping @Sendable (Int) -> UInt8
    ) throws -> Picture {
        var settings = PlantFile.V4L2(device: "/dev/video9")
        settings.format = format
        let clock = SteppedClock()
        let system = SimulatedV4L(clock)
        system.change { state in
            state.formats = [format]
            (state.width, state.height) = (width, height)
            state.fill = { memory, _ in
                for index in memory.indices { memory[index] = bytes(index) }
                return memory.count
            }
        }
        let camera = V4LCamera(settings, system: system, clock: clock.camera)
        _ = try camera.open()
        guard case .shot(let shot) = camera.next(index: 0, waitUs: 100_000) else {
            throw NoPicture(reason: "no shot of \(format)")
        }
        return try shot.picture.get()
    }

    private func near(_ picture: Picture, _ red: Int, _ green: Int, _ blue: Int, within: Int = 4) -> Bool {
        let middle = 3 * (picture.width * picture.height / 2 + picture.width / 2)
        let found = picture.pixels[middle..<(middle + 3)].map(Int.init)
        return zip(found, [red, green, blue]).allSatisfy { abs($0 - $1) <= within }
    }

    @Test("packed YUV becomes RGB by libv4lconvert")
    func yuv() throws {
        // Mid grey, then strong red of BT.601: Y 76, U 85, V 255.
        #expect(near(try picture("YUYV") { _ in 128 }, 128, 128, 128, within: 6))
        let red: [UInt8] = [76, 85, 76, 255]
        let yuyv = try picture("YUYV") { red[$0 % 4] }
        #expect(yuyv.channels == 3 && yuyv.width == 64 && yuyv.height == 48)
        #expect(near(yuyv, 254, 0, 0, within: 12))
        let uyvy = try picture("UYVY") { red[[1, 0, 3, 2][$0 % 4]] }
        #expect(near(uyvy, 254, 0, 0, within: 12))
        let yvyu = try picture("YVYU") { red[[0, 3, 2, 1][$0 % 4]] }
        #expect(near(yvyu, 254, 0, 0, within: 12))
        let planar = try picture("YU12") { $0 < 64 * 48 ? 76 : $0 < 64 * 48 * 5 / 4 ? 85 : 255 }
        #expect(near(planar, 254, 0, 0, within: 12))
    }

    @Test(
        "each Bayer mosaic becomes RGB by libv4lconvert",
        arguments: [("RGGB", 0, 0), ("GRBG", 1, 0), ("GBRG", 0, 1), ("BA81", 1, 1)]
    )
    func mosaic(format: String, redX: Int, redY: Int) throws {
        // Every red cell 200, all others 20.
        let picture = try picture(format) { ($0 % 64) % 2 == redX && ($0 / 64) % 2 == redY ? 200 : 20 }
        #expect(near(picture, 200, 20, 20))
    }

    @Test("deep grey keeps its highest bits", arguments: [("Y10 ", 10), ("Y12 ", 12), ("Y16 ", 16)])
    func deepGrey(format: String, bits: Int) throws {
        let picture = try picture(format) { index in
            let word = UInt16((index / 2) % 256) << UInt16(bits - 8) | 1
            return UInt8(truncatingIfNeeded: index % 2 == 0 ? word : word >> 8)
        }
        #expect(picture.channels == 1)
        #expect(picture.pixels.indices.allSatisfy { picture.pixels[$0] == UInt8($0 % 256) })
    }

    @Test("RGB is taken as it is, BGR turned round")
    func colourOrder() throws {
        let picture = try picture("RGB3", width: 4, height: 2) { UInt8($0) }
        #expect(picture.pixels == [UInt8](0..<24))
        let turned = try self.picture("BGR3", width: 4, height: 2) { UInt8($0) }
        #expect(turned.pixels.prefix(6) == [2, 1, 0, 5, 4, 3])
    }

    @Test("a Motion JPEG frame is decoded; a damaged one is named")
    func motionJpeg() throws {
        let board = try Picture(width: 64, height: 48, channels: 3, pixels: (0..<9_216).map { UInt8($0 / 48) })
        let file = try PictureCodec.encodeJPEG(board, quality: 90)
        let expected = try PictureCodec.decode(file, name: "")
        let decoded = try picture("MJPG") { $0 < file.count ? file[$0] : 0 }
        #expect(decoded == expected)
        #expect(throws: NoPicture.self) { try picture("MJPG") { $0 < file.count / 2 ? file[$0] : 0 } }
    }
}
