import CV4L

/// The pixel formats of V4L2 that the adapter takes, best first where the plant file names none.
enum V4LFormats {
    static let known: [(fourcc: UInt32, layout: PixelLayout)] =
        [
            (.fourcc("GREY"), .grey8),
            (.fourcc("Y10 "), .greyWords(bits: 10)),
            (.fourcc("Y12 "), .greyWords(bits: 12)),
            (.fourcc("Y16 "), .greyWords(bits: 16)),
            (.fourcc("RGB3"), .rgb),
            (.fourcc("BGR3"), .bgr),
        ]
        + [UInt32.fourcc("BA81"), .fourcc("GBRG"), .fourcc("GRBG"), .fourcc("RGGB")].map {
            ($0, .converted(fourcc: $0))
        }
        + [
            (.fourcc("BG10"), .mosaicWords(bits: 10, fourcc: .fourcc("BA81"))),
            (.fourcc("GB10"), .mosaicWords(bits: 10, fourcc: .fourcc("GBRG"))),
            (.fourcc("BA10"), .mosaicWords(bits: 10, fourcc: .fourcc("GRBG"))),
            (.fourcc("RG10"), .mosaicWords(bits: 10, fourcc: .fourcc("RGGB"))),
        ]
        + [UInt32.fourcc("YUYV"), .fourcc("UYVY"), .fourcc("YVYU"), .fourcc("YU12"), .fourcc("YV12"), .fourcc("NV12")]
        .map { ($0, .converted(fourcc: $0)) }
        + [(.fourcc("MJPG"), .jpeg), (.fourcc("JPEG"), .jpeg)]

    static func layout(of fourcc: UInt32) -> PixelLayout? { known.first { $0.fourcc == fourcc }?.layout }

    /// The first of `known` that the device has.
    static func best(of offered: [UInt32]) -> UInt32? { known.first { offered.contains($0.fourcc) }?.fourcc }
}

/// The format that a V4L2 device streams in.
struct V4LFormat: Equatable, CustomStringConvertible {
    let width: Int
    let height: Int
    /// Bytes from row to row; 0 where rows have no fixed length.
    let stride: Int
    let fourcc: UInt32

    init(_ format: v4l2_format) {
        width = Int(format.fmt.pix.width)
        height = Int(format.fmt.pix.height)
        stride = Int(format.fmt.pix.bytesperline)
        fourcc = format.fmt.pix.pixelformat
    }

    var description: String { "\(width)x\(height) \(fourcc.fourccText)" }
}
