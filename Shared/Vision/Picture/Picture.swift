import Crypto

/// Why a picture cannot be used: which one, what was found and what is expected.
package struct PictureError: Error, Equatable, CustomStringConvertible {
    /// File or source the picture came from.
    package let name: String
    package let reason: String

    package init(name: String, reason: String) {
        self.name = name
        self.reason = reason
    }

    package var description: String { "\(name): \(reason)" }
}

/// A picture in memory: one byte a channel, row by row without padding, 1 (grey) or 3 (red, green, blue) channels a
/// pixel.
package struct Picture: Equatable, Sendable {
    /// Largest picture accepted, pixels.
    package static let maxPixels = 100_000_000

    /// Pixels.
    package let width: Int
    /// Pixels.
    package let height: Int
    /// 1 (grey) or 3 (red, green, blue).
    package let channels: Int
    /// `width * height * channels` bytes.
    package let pixels: [UInt8]

    /// Checks the geometry; `name` is the picture's name in the error.
    package init(
        width: Int,
        height: Int,
        channels: Int,
        pixels: [UInt8],
        name: String = "picture"
    ) throws(PictureError) {
        let bytes = try Self.byteCount(width: width, height: height, channels: channels, name: name)
        guard pixels.count == bytes else {
            throw PictureError(
                name: name,
                reason: "\(pixels.count) bytes of pixels; \(width)x\(height)x\(channels) needs \(bytes)"
            )
        }
        self.init(unchecked: pixels, width: width, height: height, channels: channels)
    }

    /// For pixels that were made for exactly this geometry.
    init(unchecked pixels: [UInt8], width: Int, height: Int, channels: Int) {
        precondition(pixels.count == width * height * channels, "\(pixels.count) bytes, \(width)x\(height)x\(channels)")
        self.width = width
        self.height = height
        self.channels = channels
        self.pixels = pixels
    }

    /// Bytes that a picture of this geometry takes, once the geometry is found acceptable.
    package static func byteCount(width: Int, height: Int, channels: Int, name: String) throws(PictureError) -> Int {
        guard channels == 1 || channels == 3 else {
            throw PictureError(name: name, reason: "\(channels) channels; expected 1 (grey) or 3 (RGB)")
        }
        guard width > 0, height > 0 else {
            throw PictureError(name: name, reason: "size \(width)x\(height); expected at least 1x1 pixel")
        }
        guard width <= maxPixels, height <= maxPixels, width * height <= maxPixels else {
            throw PictureError(name: name, reason: "size \(width)x\(height); expected at most \(maxPixels) pixels")
        }
        return width * height * channels
    }

    /// SHA-256 over `pixels` and nothing else, lower-case hexadecimal. The geometry is not hashed: whoever keeps the
    /// hash keeps width, height and channels beside it.
    package var sha256: String { hexSHA256(pixels) }

    /// The picture in one channel: luma by ITU-R BT.601 (0.299, 0.587, 0.114) in 8-bit fixed point.
    package func grey() -> Picture {
        guard channels == 3 else { return self }
        return Picture(width: width, height: height) { out in
            pixels.withUnsafeBufferPointer { rgb in
                if let rgb = rgb.baseAddress { PixelLoops.grey(rgb, into: out, count: width * height) }
            }
        }
    }
}

extension Picture: CustomStringConvertible {
    package var description: String { "picture of \(width)x\(height)x\(channels)" }
}

/// SHA-256 in lower-case hexadecimal, as everywhere in the log.
package func hexSHA256(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var hash = SHA256()
    bytes.withUnsafeBytes { hash.update(bufferPointer: $0) }
    var text: [UInt8] = []
    text.reserveCapacity(64)
    for byte in hash.finalize() {
        text.append(digits[Int(byte >> 4)])
        text.append(digits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
}
