/// Picture files to pixels and back: PNG, JPEG, PGM and PPM in; PNG and JPEG out.
///
/// Pixels are taken as stored: no colour management beyond 8-bit sRGB and no turning by EXIF orientation.
package enum PictureCodec {
    /// Largest picture file accepted, bytes.
    package static let maxFileBytes = 400_000_000

    /// Decodes a file by its first bytes, whatever its name says. The size in the header is checked before pixels are
    /// allocated. A file that is truncated, damaged or of another kind is an error that names it.
    package static func decode(_ bytes: [UInt8], name: String) throws(PictureError) -> Picture {
        guard bytes.count <= maxFileBytes else {
            throw PictureError(name: name, reason: "\(bytes.count) bytes; expected at most \(maxFileBytes)")
        }
        if bytes.starts(with: [0x89, 0x50, 0x4E, 0x47]) { return try PngHandle.decode(bytes, name: name) }
        if bytes.starts(with: [0xFF, 0xD8, 0xFF]) { return try JpegDecoder(name: name).decode(bytes) }
        if bytes.starts(with: Array("P5".utf8)) || bytes.starts(with: Array("P6".utf8)) {
            return try PortableAnymap.decode(bytes, name: name)
        }
        let found = bytes.isEmpty ? "an empty file" : "a file that begins \(hexStart(of: bytes))"
        throw PictureError(name: name, reason: "\(found); expected a PNG, JPEG, binary PGM or PPM file")
    }

    /// Reads and decodes the picture file at `path`.
    package static func load(path: String) throws(PictureError) -> Picture {
        let bytes: [UInt8]
        do {
            bytes = try Files.read(path, atMost: maxFileBytes)
        } catch {
            throw PictureError(name: path, reason: error.reason)
        }
        return try decode(bytes, name: path)
    }

    /// Lossless PNG, made for speed rather than size.
    package static func encodePNG(_ picture: Picture) throws(PictureError) -> [UInt8] {
        try PngHandle.encode(picture)
    }

    /// JPEG of quality 1 (worst) to 100, colour at half resolution (4:2:0) below 90 and full (4:4:4) from there.
    package static func encodeJPEG(_ picture: Picture, quality: Int) throws(PictureError) -> [UInt8] {
        guard (1...100).contains(quality) else {
            throw PictureError(name: "JPEG encoder", reason: "quality \(quality); expected 1 to 100")
        }
        return try JpegEncoder().encode(picture, quality: quality)
    }

    private static func hexStart(of bytes: [UInt8]) -> String {
        bytes.prefix(4).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ")
    }
}

/// Binary PGM (P5) and PPM (P6) of the Netpbm family, 8 or 16 bits a sample
/// (https://netpbm.sourceforge.net/doc/pgm.html).
enum PortableAnymap {
    static func decode(_ bytes: [UInt8], name: String) throws(PictureError) -> Picture {
        let channels = bytes[1] == UInt8(ascii: "6") ? 3 : 1
        var position = 2
        let width = try number(in: bytes, at: &position, what: "width", name: name)
        let height = try number(in: bytes, at: &position, what: "height", name: name)
        let maximum = try number(in: bytes, at: &position, what: "maximum value", name: name)
        guard (1...65_535).contains(maximum) else {
            throw PictureError(name: name, reason: "maximum value \(maximum); expected 1 to 65535")
        }
        position += 1
        let count = try Picture.byteCount(width: width, height: height, channels: channels, name: name)
        let sampleBytes = maximum > 255 ? 2 : 1
        guard bytes.count - position >= count * sampleBytes else {
            throw PictureError(
                name: name,
                reason: "truncated: \(max(0, bytes.count - position)) bytes of pixels, expected \(count * sampleBytes)"
            )
        }
        if maximum == 255 {
            let pixels = Array(bytes[position..<position + count])
            return Picture(unchecked: pixels, width: width, height: height, channels: channels)
        }
        var pixels = [UInt8](repeating: 0, count: count)
        for index in 0..<count {
            let at = position + index * sampleBytes
            let value = sampleBytes == 1 ? Int(bytes[at]) : Int(bytes[at]) << 8 | Int(bytes[at + 1])
            pixels[index] = UInt8((min(value, maximum) * 255 + maximum / 2) / maximum)
        }
        return Picture(unchecked: pixels, width: width, height: height, channels: channels)
    }

    /// One decimal number of the header, after white space and `#` comments; the byte after it is left unread.
    private static func number(
        in bytes: [UInt8],
        at position: inout Int,
        what: String,
        name: String
    ) throws(PictureError) -> Int {
        while position < bytes.count {
            if bytes[position] == UInt8(ascii: "#") {
                while position < bytes.count, bytes[position] != UInt8(ascii: "\n") { position += 1 }
            } else if isSpace(bytes[position]) {
                position += 1
            } else {
                break
            }
        }
        var value = 0
        let start = position
        while position < bytes.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[position]) {
            value = value * 10 + Int(bytes[position] - UInt8(ascii: "0"))
            position += 1
            guard position - start <= 9 else {
                throw PictureError(name: name, reason: "PGM or PPM header with a \(what) of more than 9 digits")
            }
        }
        guard position > start, position < bytes.count, isSpace(bytes[position]) else {
            throw PictureError(name: name, reason: "PGM or PPM header without a readable \(what); expected a number")
        }
        return value
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 32 || (9...13).contains(byte) }
}
