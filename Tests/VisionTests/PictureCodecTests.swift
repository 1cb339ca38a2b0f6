import Glibc
import SeededRandom
import Testing
import Vision

@Suite struct PictureCodecTests {
    @Test(arguments: 0..<40) func pngKeepsEveryPixel(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        let picture = try randomPicture(&generator, channels: seed % 2 == 0 ? 1 : 3)
        #expect(try PictureCodec.decode(PictureCodec.encodePNG(picture), name: "a.png") == picture)
    }

    @Test(arguments: 0..<20) func anymapsAreReadAsWritten(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        let picture = try randomPicture(&generator, channels: seed % 2 == 0 ? 1 : 3)
        let header =
            "\(picture.channels == 1 ? "P5" : "P6") # made by a test\n\(picture.width) \(picture.height)\n255\n"
        #expect(try PictureCodec.decode(Array(header.utf8) + picture.pixels, name: "a.pnm") == picture)
    }

    @Test func sixteenBitAnymapsAreScaled() throws {
        let bytes = Array("P5 3 1 65535 ".utf8) + [0, 0, 0x80, 0x00, 0xFF, 0xFF]
        #expect(try PictureCodec.decode(bytes, name: "a.pgm").pixels == [0, 128, 255])
    }

    @Test func jpegComesCloseAndKeepsGrey() throws {
        let picture = try board().picture
        let back = try PictureCodec.decode(PictureCodec.encodeJPEG(picture, quality: 95), name: "a.jpg")
        #expect(back.channels == 1 && back.width == picture.width && back.height == picture.height)
        let worst = zip(back.pixels, picture.pixels).map { abs(Int($0) - Int($1)) }.max() ?? 255
        #expect(worst < 40)
    }

    @Test func everyTruncationIsAnErrorThatNamesTheFile() throws {
        let picture = try board().picture
        let anymap = Array("P5 160 160 255 ".utf8) + picture.pixels
        for file in [try PictureCodec.encodePNG(picture), try PictureCodec.encodeJPEG(picture, quality: 80), anymap] {
            for length in stride(from: 0, to: file.count - 2, by: max(1, file.count / 150)) {
                #expect {
                    try PictureCodec.decode(Array(file.prefix(length)), name: "part-7.png")
                } throws: {
                    ($0 as? PictureError)?.name == "part-7.png"
                }
            }
        }
    }

    @Test(arguments: 0..<8) func damagedFilesNeverCrash(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        let picture = try randomPicture(&generator, channels: seed % 2 == 0 ? 1 : 3)
        let header = "\(picture.channels == 1 ? "P5" : "P6") \(picture.width) \(picture.height) 255 "
        let files = [
            try PictureCodec.encodePNG(picture), try PictureCodec.encodeJPEG(picture, quality: 70),
            Array(header.utf8) + picture.pixels,
        ]
        for _ in 0..<1_000 {
            var file = files[Int.random(in: 0..<files.count, using: &generator)]
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                // Headers are where damage does most, so half of it goes there.
                let reach = Bool.random(using: &generator) ? min(64, file.count) : file.count
                file[Int.random(in: 0..<reach, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            do {
                let decoded = try PictureCodec.decode(file, name: "x")
                #expect(decoded.pixels.count == decoded.width * decoded.height * decoded.channels)
            } catch {
                #expect(error.name == "x" && !error.reason.isEmpty)
            }
        }
    }

    @Test(arguments: [
        ("P5 0 5 255 ", "at least 1x1"), ("P5 99999 99999 255 ", "at most 100000000"), ("P5 5 5 0 ", "maximum value 0"),
        ("P6 9999999999 1 255 ", "more than 9 digits"), ("GIF89a", "begins 47 49 46 38"), ("", "an empty file"),
    ])
    func foreignEmptyAndHugeFilesAreToldApart(text: String, expected: String) {
        #expect {
            try PictureCodec.decode(Array(text.utf8), name: "x")
        } throws: {
            "\($0)".contains(expected)
        }
    }

    @Test func aHugePNGIsRefusedByItsHeader() throws {
        var file = try PictureCodec.encodePNG(Canvas(4, 4).picture)
        // IHDR: width and height at offset 16, checksum of the chunk at 29.
        file.replaceSubrange(16..<24, with: [0, 0, 0xFF, 0xFF, 0, 0, 0xFF, 0xFF])
        var checksum: UInt32 = 0xFFFF_FFFF
        for byte in file[12..<29] {
            checksum ^= UInt32(byte)
            for _ in 0..<8 { checksum = checksum & 1 == 1 ? checksum >> 1 ^ 0xEDB8_8320 : checksum >> 1 }
        }
        checksum = ~checksum
        file.replaceSubrange(29..<33, with: (0..<4).map { UInt8(truncatingIfNeeded: checksum >> (24 - 8 * $0)) })
        #expect {
            try PictureCodec.decode(file, name: "huge.png")
        } throws: {
            "\($0)".contains("65535x65535")
        }
    }

    @Test func whatIsNoFileIsRefusedAndNotWaitedFor() throws {
        let folder = try TemporaryFolder()
        #expect(mkfifo("\(folder.path)/pipe.png", 0o600) == 0)
        for name in ["pipe.png", "."] {
            let error = #expect(throws: PictureError.self) { try PictureCodec.load(path: "\(folder.path)/\(name)") }
            #expect(error?.reason == "not a regular file")
        }
    }

    @Test func hashIsThatOfThePixelsAlone() throws {
        // FIPS 180-2, example B.1: SHA-256 of "abc".
        let picture = try Picture(width: 3, height: 1, channels: 1, pixels: Array("abc".utf8))
        #expect(picture.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    }

    @Test func greyKeepsGreyColours() throws {
        let levels = (0...255).map { UInt8($0) }
        let colour = try Picture(width: 256, height: 1, channels: 3, pixels: levels.flatMap { [$0, $0, $0] })
        #expect(colour.grey().pixels == levels)
    }
}
