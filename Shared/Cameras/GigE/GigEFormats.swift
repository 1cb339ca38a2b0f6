/// Pixel formats of GigE Vision by their numbers (EMVA Pixel Format Naming Convention, 32-bit values).
package enum GigEFormats {
    package static func layout(of code: UInt32) -> PixelLayout? {
        switch code {
        case 0x0108_0001: .grey8
        case 0x0110_0003: .greyWords(bits: 10)
        case 0x0110_0005: .greyWords(bits: 12)
        case 0x0110_0025: .greyWords(bits: 14)
        case 0x0110_0007: .greyWords(bits: 16)
        case 0x010A_0046: .greyBits(bits: 10)
        case 0x010C_0047: .greyBits(bits: 12)
        case 0x010C_0004, 0x010C_0006: .greyPairs
        case 0x0218_0014: .rgb
        case 0x0218_0015: .bgr
        case 0x0108_0008...0x0108_000B: .converted(fourcc: mosaics[Int(code - 0x0108_0008)])
        case 0x0110_000C...0x0110_000F: .mosaicWords(bits: 10, fourcc: mosaics[Int(code - 0x0110_000C)])
        case 0x0110_0010...0x0110_0013: .mosaicWords(bits: 12, fourcc: mosaics[Int(code - 0x0110_0010)])
        case 0x0110_002E...0x0110_0031: .mosaicWords(bits: 16, fourcc: mosaics[Int(code - 0x0110_002E)])
        case 0x0210_0032: .converted(fourcc: .fourcc("YUYV"))
        case 0x0210_001F: .converted(fourcc: .fourcc("UYVY"))
        default: nil
        }
    }

    /// What the adapter takes, in the PFNC's names.
    static let names =
        "Mono8/10/12/14/16, Mono10p, Mono12p, Mono10Packed, Mono12Packed, RGB8, BGR8, "
        + "Bayer..8/10/12/16, YUV422_8 or YUV422_8_UYVY"

    /// The mosaics GR, RG, GB, BG in the order of their PFNC numbers, as V4L2 names them.
    private static let mosaics: [UInt32] = [.fourcc("GRBG"), .fourcc("RGGB"), .fourcc("GBRG"), .fourcc("BA81")]
}
