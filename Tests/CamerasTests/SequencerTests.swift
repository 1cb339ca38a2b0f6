import Cameras
import SeededRandom
import Testing
import Vision

@Suite("Frame counters")
struct SequencerTests {
    @Test("M23 gaps, repeats, wraps and restarts are told apart")
    func steps() {
        var block = FrameSequencer(modulus: 65_536, lowest: 1)
        #expect(block.accept(65_530) == .next)
        #expect(block.accept(65_533) == .skipped(2))
        #expect(block.accept(65_533) == .repeated)
        #expect(block.accept(3) == .wrapped(skipped: 4))
        #expect(block.accept(1) == .restarted(from: 3))
        #expect(block.accept(1 + FrameSequencer.mostSkipped + 2) == .restarted(from: 1))
        block.begin()
        #expect(block.accept(7) == .next)
        var frames = FrameSequencer(modulus: 1 << 32, lowest: 0)
        #expect(frames.accept(0xFFFF_FFFF) == .next)
        #expect(frames.accept(0) == .wrapped(skipped: 0))
        // GigE Vision 2 has 64-bit ids: they go past 65,535 without a wrap.
        var wide = FrameSequencer(modulus: 65_536, lowest: 1)
        #expect(wide.accept(65_535) == .next)
        #expect(wide.accept(65_536) == .next)
        #expect(wide.accept(2) == .restarted(from: 65_536))
    }

    @Test("TRC-13 what is told adds up to what the camera counted", arguments: 0..<200)
    func sums(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let (modulus, lowest): (UInt64, UInt64) = seed % 2 == 0 ? (65_536, 1) : (1 << 32, 0)
        var sequencer = FrameSequencer(modulus: modulus, lowest: lowest)
        var number = modulus - 300
        var (counted, told): (UInt64, UInt64) = (0, 1)
        _ = sequencer.accept(number)
        for _ in 0..<200 {
            let step = 1 + random.next() % 8 / 5 * (random.next() % 20)
            counted += step
            for _ in 0..<step { number = number + 1 == modulus ? lowest : number + 1 }
            switch sequencer.accept(number) {
            case .next: told += 1
            case .skipped(let count), .wrapped(let count): told += count + 1
            case .repeated, .restarted: Issue.record("seed \(seed): \(number)")
            }
        }
        #expect(told == counted + 1)
    }
}

@Suite("Frames in order")
struct FrameOrderTests {
    /// Frames of a camera whose numbers run over; each is whole, without a number, or lost.
    @Test("TRC-13 M23 each frame is one trigger or one gap, with or without its number", arguments: 0..<100)
    func eachOnce(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var order = FrameOrder(modulus: 65_536, lowest: 1)
        var counts = CameraStatistics()
        var number: UInt64 = 65_500
        var (sent, told, skipped): (UInt64, UInt64, UInt64) = (0, 0, 0)
        func shot(_ number: UInt64?) -> Shot {
            let missing = NoPicture(reason: "seed \(seed)")
            return Shot(picture: .failure(missing), sourceName: "", hostTimeUs: 1, frameNumber: number)
        }
        for index in 0..<200 {
            sent += 1
            // The first and the last have numbers: what is lost before or after all others is not told.
            let fate = index == 0 || index == 199 ? 9 : random.next() % 10
            if fate > 0 { order.take(shot(fate > 2 ? number : nil), &counts) }
            while let capture = order.next() {
                switch capture {
                case .shot: told += 1
                case .skipped(let count, _): skipped += count
                case .restarted: break
                default: Issue.record("seed \(seed): \(capture)")
                }
            }
            number = number == 65_535 ? 1 : number + 1
        }
        #expect(told + skipped == sent && counts.skipped == skipped)
    }
}

@Suite("GigE Vision bytes")
struct GigEBytesTests {
    /// The 8 highest bits of pixel `index` in a stream of `bits` a pixel, lowest bit first: bit by bit.
    private func slowly(_ bytes: [UInt8], _ bits: Int, _ index: Int) -> UInt8 {
        (0..<8).reduce(0) { value, bit in
            let at = bits * index + bits - 8 + bit
            return value | (bytes[at / 8] >> UInt8(at % 8) & 1) << UInt8(bit)
        }
    }

    @Test(
        "packed grey keeps the 8 highest bits",
        arguments: [(0x010A_0046 as UInt32, 10), (0x010C_0047, 12)],
        [(8, 4), (5, 3), (7, 7), (1, 1)]
    )
    func packed(format: (code: UInt32, bits: Int), size: (width: Int, height: Int)) throws {
        var random = SplitMix64(seed: 7)
        let count = size.width * size.height
        let bytes = (0..<((count * format.bits + 7) / 8)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        let layout = try #require(GigEFormats.layout(of: format.code))
        let pixels = try bytes.withUnsafeBytes { raw in
            let frame = RawFrame(bytes: raw, width: size.width, height: size.height, stride: 0, layout: layout)
            return try PictureMaker().picture(frame, name: "packed").get().pixels
        }
        #expect(pixels == (0..<count).map { slowly(bytes, format.bits, $0) })
        let short = bytes.dropLast().withUnsafeBytes { raw in
            let frame = RawFrame(bytes: raw, width: size.width, height: size.height, stride: 0, layout: layout)
            return PictureMaker().picture(frame, name: "packed")
        }
        #expect(throws: NoPicture.self) { try short.get() }
    }

    @Test("Mono12Packed has the low bits of two pixels between their high ones")
    func pairs() throws {
        let layout = try #require(GigEFormats.layout(of: 0x010C_0006))
        // Pixels 0xABC and 0xDEF.
        let bytes: [UInt8] = [0xAB, 0xFC, 0xDE]
        let pixels = try bytes.withUnsafeBytes { raw in
            let frame = RawFrame(bytes: raw, width: 2, height: 1, stride: 0, layout: layout)
            return try PictureMaker().picture(frame, name: "pairs").get().pixels
        }
        #expect(pixels == [0xAB, 0xDE])
    }

    @Test("rows with padding are taken without it")
    func padding() throws {
        let bytes: [UInt8] = [1, 2, 9, 3, 4, 9]
        let pixels = try bytes.withUnsafeBytes { raw in
            let frame = RawFrame(bytes: raw, width: 2, height: 2, stride: 3, layout: .grey8)
            return try PictureMaker().picture(frame, name: "padded").get().pixels
        }
        #expect(pixels == [1, 2, 3, 4])
    }

    @Test("a discovery answer is read, and nothing else taken for one")
    func discovery() {
        var bytes = [UInt8](repeating: 0, count: 256)
        bytes[3] = 3
        func put(_ text: String, at register: Int) {
            for (index, byte) in text.utf8.enumerated() { bytes[8 + register + index] = byte }
        }
        put("Maker", at: 0x48)
        put("Model 4", at: 0x68)
        put("1.8.2", at: 0x88)
        put("CAM-4711", at: 0xD8)
        let answer = GigEProbe.read(bytes[...])
        #expect(answer?.maker == "Maker" && answer?.model == "Model 4")
        #expect(answer?.version == "1.8.2" && answer?.serial == "CAM-4711")
        #expect(GigEProbe.read(bytes.dropLast()) == nil)
        bytes[0] = 0x80
        #expect(GigEProbe.read(bytes[...]) == nil)
    }
}
