package import Vision

/// How a camera lays out its pixels in memory. In a `Picture` deeper pixels keep their 8 highest bits.
package enum PixelLayout: Equatable, Sendable {
    /// One byte a pixel.
    case grey8
    /// 16-bit little-endian words of so many used bits (9 to 16).
    case greyWords(bits: Int)
    /// Bits without gaps, lowest first (PFNC Mono10p, Mono12p).
    case greyBits(bits: Int)
    /// Three bytes a pair, the middle one with both pixels' lowest bits (GigE Vision Mono10Packed, Mono12Packed).
    case greyPairs
    case rgb
    case bgr
    /// A JPEG file a frame (Motion JPEG).
    case jpeg
    /// Bayer mosaic in 16-bit little-endian words of so many used bits; `fourcc` names the 8-bit mosaic.
    case mosaicWords(bits: Int, fourcc: UInt32)
    /// A format that libv4lconvert turns into RGB.
    case converted(fourcc: UInt32)

    /// Bytes of a row without padding; nil where rows have no fixed length.
    func rowBytes(width: Int) -> Int? {
        switch self {
        case .grey8: width
        case .greyWords, .mosaicWords: 2 * width
        case .greyBits, .greyPairs, .jpeg: nil as Int?
        case .rgb, .bgr: 3 * width
        case .converted(let fourcc):
            switch fourcc {
            case UInt32.fourcc("YUYV"), UInt32.fourcc("UYVY"), UInt32.fourcc("YVYU"): 2 * width
            default: width
            }
        }
    }

    /// Bytes that a whole frame has at least.
    func frameBytes(width: Int, height: Int, stride: Int) -> Int {
        switch self {
        case .jpeg: 4
        case .greyBits(let bits): (width * height * bits + 7) / 8
        case .greyPairs: (width * height * 3 + 1) / 2
        case .converted(let fourcc) where [UInt32.fourcc("YU12"), .fourcc("YV12"), .fourcc("NV12")].contains(fourcc):
            stride * height * 3 / 2
        default: stride * (height - 1) + (rowBytes(width: width) ?? stride)
        }
    }
}

extension UInt32 {
    /// The four-character code of V4L2: first character lowest.
    static func fourcc(_ text: StaticString) -> UInt32 {
        text.withUTF8Buffer { UInt32($0[0]) | UInt32($0[1]) << 8 | UInt32($0[2]) << 16 | UInt32($0[3]) << 24 }
    }

    /// The code of a text of up to four characters, filled up with spaces; nil for others.
    init?(fourcc text: String) {
        let bytes = Array(text.utf8)
        guard (1...4).contains(bytes.count), bytes.allSatisfy({ (0x20...0x7E).contains($0) }) else { return nil }
        self = (0..<4).reduce(0) { $0 | UInt32($1 < bytes.count ? bytes[$1] : 0x20) << (8 * $1) }
    }

    /// The four characters, without spaces at the end.
    var fourccText: String {
        let bytes = (0..<4).map { UInt8(truncatingIfNeeded: self >> (8 * $0)) }
        let shown = bytes.map { (0x20...0x7E).contains($0) ? $0 : UInt8(ascii: "?") }
        return String(decoding: shown.reversed().drop { $0 == 0x20 }.reversed(), as: UTF8.self)
    }
}

/// One frame as a camera laid it out.
package struct RawFrame {
    let bytes: UnsafeRawBufferPointer
    /// Pixels.
    let width: Int
    /// Pixels.
    let height: Int
    /// Bytes from row to row; 0 for rows without padding.
    let stride: Int
    let layout: PixelLayout

    package init(bytes: UnsafeRawBufferPointer, width: Int, height: Int, stride: Int, layout: PixelLayout) {
        self.bytes = bytes
        self.width = width
        self.height = height
        self.stride = stride
        self.layout = layout
    }
}

/// Turns frames into pictures, copying each pixel once.
package struct PictureMaker {
    private let converter = V4LConverter()

    package init() {}

    package func picture(_ frame: RawFrame, name: String) -> Result<Picture, NoPicture> {
        do {
            return .success(try make(frame, name))
        } catch {
            return .failure(NoPicture(reason: error.description))
        }
    }

    private func make(_ frame: RawFrame, _ name: String) throws(PictureError) -> Picture {
        let (width, height) = (frame.width, frame.height)
        if frame.layout == .jpeg { return try PictureCodec.decode(Array(frame.bytes), name: name) }
        let isColour =
            switch frame.layout {
            case .rgb, .bgr, .converted, .mosaicWords: true
            default: false
            }
        let channels = isColour ? 3 : 1
        let count = try Picture.byteCount(width: width, height: height, channels: channels, name: name)
        let stride = frame.stride > 0 ? frame.stride : frame.layout.rowBytes(width: width) ?? 0
        let needed = frame.layout.frameBytes(width: width, height: height, stride: stride)
        guard frame.bytes.count >= needed, stride >= frame.layout.rowBytes(width: width) ?? 0 else {
            let reason = "short frame: \(frame.bytes.count) bytes; \(width)x\(height) needs \(needed)"
            throw PictureError(name: name, reason: reason)
        }
        var failure: PictureError?
        let pixels = [UInt8](unsafeUninitializedCapacity: count) { out, initialised in
            switch frame.layout {
            case .converted(let fourcc):
                failure = converter.rgb(frame, stride: stride, fourcc: fourcc, into: out, name: name)
            case .mosaicWords(let bits, let fourcc):
                let mosaic = [UInt8](unsafeUninitializedCapacity: width * height) { grey, filled in
                    copyWords(frame, stride, shift: bits - 8, into: grey)
                    filled = width * height
                }
                failure = mosaic.withUnsafeBytes {
                    let grey = RawFrame(bytes: $0, width: width, height: height, stride: width, layout: frame.layout)
                    return converter.rgb(grey, stride: width, fourcc: fourcc, into: out, name: name)
                }
            default: copy(frame, stride, into: out)
            }
            initialised = failure == nil ? count : 0
        }
        if let failure { throw failure }
        return try Picture(width: width, height: height, channels: channels, pixels: pixels, name: name)
    }

    private func copy(_ frame: RawFrame, _ stride: Int, into out: UnsafeMutableBufferPointer<UInt8>) {
        switch frame.layout {
        case .grey8: copyRows(frame, stride, rowBytes: frame.width, into: out)
        case .rgb: copyRows(frame, stride, rowBytes: 3 * frame.width, into: out)
        case .bgr: copySwapped(frame, stride, into: out)
        case .greyWords(let bits): copyWords(frame, stride, shift: bits - 8, into: out)
        case .greyBits(let bits): copyBits(frame.bytes, bits: bits, into: out, frame.width * frame.height)
        case .greyPairs: copyPairs(frame.bytes, into: out, frame.width * frame.height)
        case .jpeg, .mosaicWords, .converted: preconditionFailure("\(frame.layout) is not copied")
        }
    }

    private func copyRows(
        _ frame: RawFrame,
        _ stride: Int,
        rowBytes: Int,
        into out: UnsafeMutableBufferPointer<UInt8>
    ) {
        let target = UnsafeMutableRawBufferPointer(out)
        if stride == rowBytes {
            target.copyMemory(from: UnsafeRawBufferPointer(rebasing: frame.bytes[..<(rowBytes * frame.height)]))
            return
        }
        for row in 0..<frame.height {
            let source = UnsafeRawBufferPointer(rebasing: frame.bytes[(row * stride)..<(row * stride + rowBytes)])
            UnsafeMutableRawBufferPointer(rebasing: target[(row * rowBytes)...]).copyMemory(from: source)
        }
    }

    private func copySwapped(_ frame: RawFrame, _ stride: Int, into out: UnsafeMutableBufferPointer<UInt8>) {
        for row in 0..<frame.height {
            for column in 0..<frame.width {
                let (from, to) = (row * stride + 3 * column, 3 * (row * frame.width + column))
                out[to] = frame.bytes[from + 2]
                out[to + 1] = frame.bytes[from + 1]
                out[to + 2] = frame.bytes[from]
            }
        }
    }

    private func copyWords(
        _ frame: RawFrame,
        _ stride: Int,
        shift: Int,
        into out: UnsafeMutableBufferPointer<UInt8>
    ) {
        for row in 0..<frame.height {
            for column in 0..<frame.width {
                let from = row * stride + 2 * column
                let word = UInt16(frame.bytes[from]) | UInt16(frame.bytes[from + 1]) << 8
                out[row * frame.width + column] = UInt8(truncatingIfNeeded: min(word >> shift, 255))
            }
        }
    }

    /// Pixel i has the bits from `bits * i`; its 8 highest begin `bits - 8` later.
    private func copyBits(
        _ bytes: UnsafeRawBufferPointer,
        bits: Int,
        into out: UnsafeMutableBufferPointer<UInt8>,
        _ count: Int
    ) {
        for index in 0..<count {
            let at = bits * index + bits - 8
            let (byte, shift) = (at >> 3, at & 7)
            let high = shift == 0 ? 0 : UInt16(bytes[byte + 1]) << 8
            out[index] = UInt8(truncatingIfNeeded: (UInt16(bytes[byte]) | high) >> shift)
        }
    }

    private func copyPairs(
        _ bytes: UnsafeRawBufferPointer,
        into out: UnsafeMutableBufferPointer<UInt8>,
        _ count: Int
    ) {
        for index in 0..<count { out[index] = bytes[3 * (index >> 1) + 2 * (index & 1)] }
    }
}
