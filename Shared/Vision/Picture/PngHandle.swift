import CPng

/// libpng through its simplified API, which reports errors by return value and never by longjmp.
enum PngHandle {
    static func decode(_ bytes: [UInt8], name: String) throws(PictureError) -> Picture {
        guard hasEnd(bytes) else {
            throw PictureError(name: name, reason: "truncated PNG without its end chunk; expected a whole PNG file")
        }
        let outcome = bytes.withUnsafeBytes { file in Result { () throws(PictureError) in try decode(file, name: name) }
        }
        return try outcome.get()
    }

    private static func decode(_ file: UnsafeRawBufferPointer, name: String) throws(PictureError) -> Picture {
        var image = png_image()
        image.version = png_uint_32(PNG_IMAGE_VERSION)
        defer { png_image_free(&image) }
        guard png_image_begin_read_from_memory(&image, file.baseAddress, file.count) != 0 else {
            throw failure(image, name: name)
        }
        let colour = image.format & png_uint_32(PNG_FORMAT_FLAG_COLOR) != 0
        image.format = png_uint_32(colour ? PNG_FORMAT_FLAG_COLOR : 0)
        image.flags |= png_uint_32(PNG_IMAGE_FLAG_16BIT_sRGB)
        let channels = colour ? 3 : 1
        let (width, height) = (Int(image.width), Int(image.height))
        let count = try Picture.byteCount(width: width, height: height, channels: channels, name: name)
        var white = png_color(red: 255, green: 255, blue: 255)
        var isWhole = false
        let pixels = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialised in
            buffer.initialize(repeating: 0)
            initialised = count
            isWhole = png_image_finish_read(&image, &white, buffer.baseAddress, 0, nil) != 0
        }
        guard isWhole else { throw failure(image, name: name) }
        return Picture(unchecked: pixels, width: width, height: height, channels: channels)
    }

    static func encode(_ picture: Picture) throws(PictureError) -> [UInt8] {
        var image = png_image()
        image.version = png_uint_32(PNG_IMAGE_VERSION)
        image.width = png_uint_32(picture.width)
        image.height = png_uint_32(picture.height)
        image.format = png_uint_32(picture.channels == 3 ? PNG_FORMAT_FLAG_COLOR : 0)
        image.flags = png_uint_32(PNG_IMAGE_FLAG_FAST)
        defer { png_image_free(&image) }
        // The bound of png.h's PNG_IMAGE_PNG_SIZE_MAX, rounded up.
        let raw = picture.pixels.count + picture.height
        let bound = raw + raw / 8 + raw / 64 + 12 * (raw / 8_192 + 1) + 4_096
        var written = png_alloc_size_t(bound)
        var isWhole = false
        let file = [UInt8](unsafeUninitializedCapacity: bound) { buffer, initialised in
            picture.pixels.withUnsafeBytes { pixels in
                isWhole =
                    png_image_write_to_memory(
                        &image,
                        buffer.baseAddress,
                        &written,
                        0,
                        pixels.baseAddress,
                        0,
                        nil
                    ) != 0
            }
            initialised = isWhole ? min(bound, Int(written)) : 0
        }
        guard isWhole else { throw failure(image, name: "PNG encoder") }
        return file
    }

    /// Whether the chunks lead to IEND: libpng is content once it has all rows.
    private static func hasEnd(_ bytes: [UInt8]) -> Bool {
        var position = 8
        while position + 12 <= bytes.count {
            let length = bytes[position..<position + 4].reduce(0) { $0 << 8 | Int($1) }
            if bytes[position + 4..<position + 8].elementsEqual("IEND".utf8) { return true }
            position += length + 12
        }
        return false
    }

    private static func failure(_ image: png_image, name: String) -> PictureError {
        let message = withUnsafeBytes(of: image.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        return PictureError(name: name, reason: "damaged or truncated PNG (\(message)); expected a whole PNG file")
    }
}
