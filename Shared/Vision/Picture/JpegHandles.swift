import CTurboJPEG

/// One libjpeg-turbo decompressor.
struct JpegDecoder: ~Copyable {
    private let handle: tjhandle
    private let name: String

    init(name: String) throws(PictureError) {
        guard let handle = tjInitDecompress() else {
            throw PictureError(name: name, reason: "no memory for a JPEG decoder")
        }
        self.handle = handle
        self.name = name
    }

    deinit { tjDestroy(handle) }

    func decode(_ bytes: [UInt8]) throws(PictureError) -> Picture {
        let length = UInt(bytes.count)
        var (width, height, subsampling, space): (Int32, Int32, Int32, Int32) = (0, 0, 0, 0)
        guard tjDecompressHeader3(handle, bytes, length, &width, &height, &subsampling, &space) == 0 else {
            throw failure()
        }
        guard space != TJCS_CMYK.rawValue, space != TJCS_YCCK.rawValue else {
            throw PictureError(name: name, reason: "a CMYK JPEG; expected grey or colour (YCbCr, RGB)")
        }
        let isGrey = space == TJCS_GRAY.rawValue
        let channels = isGrey ? 1 : 3
        let count = try Picture.byteCount(width: Int(width), height: Int(height), channels: channels, name: name)
        let format = isGrey ? TJPF_GRAY.rawValue : TJPF_RGB.rawValue
        // The accurate transform is bit-exact on every processor; the scan limit stops files made to take for ever.
        let flags = TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS
        var isWhole = false
        let pixels = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialised in
            buffer.initialize(repeating: 0)
            initialised = count
            isWhole =
                tjDecompress2(handle, bytes, length, buffer.baseAddress, width, 0, height, Int32(format), flags) == 0
        }
        guard isWhole || isHarmless(message) else { throw failure() }
        return Picture(unchecked: pixels, width: Int(width), height: Int(height), channels: channels)
    }

    /// Padding between JPEG segments, common in motion JPEG, changes no pixel; every other warning may.
    private func isHarmless(_ message: String) -> Bool {
        tjGetErrorCode(handle) == TJERR_WARNING.rawValue && message.contains("extraneous bytes before marker")
    }

    private var message: String { tjGetErrorStr2(handle).map { String(cString: $0) } ?? "no message" }

    private func failure() -> PictureError {
        PictureError(name: name, reason: "damaged or truncated JPEG (\(message)); expected a whole JPEG file")
    }
}

/// One libjpeg-turbo compressor.
struct JpegEncoder: ~Copyable {
    private let handle: tjhandle

    init() throws(PictureError) {
        guard let handle = tjInitCompress() else {
            throw PictureError(name: "JPEG encoder", reason: "no memory for a JPEG encoder")
        }
        self.handle = handle
    }

    deinit { tjDestroy(handle) }

    func encode(_ picture: Picture, quality: Int) throws(PictureError) -> [UInt8] {
        guard picture.width <= 65_500, picture.height <= 65_500 else {
            throw PictureError(
                name: "JPEG encoder",
                reason: "size \(picture.width)x\(picture.height); JPEG holds at most 65500x65500"
            )
        }
        var file: UnsafeMutablePointer<UInt8>?
        var length: UInt = 0
        defer { tjFree(file) }
        let format = picture.channels == 3 ? TJPF_RGB : TJPF_GRAY
        let subsampling = picture.channels == 1 ? TJSAMP_GRAY : quality >= 90 ? TJSAMP_444 : TJSAMP_420
        let code = tjCompress2(
            handle,
            picture.pixels,
            Int32(picture.width),
            0,
            Int32(picture.height),
            Int32(format.rawValue),
            &file,
            &length,
            Int32(subsampling.rawValue),
            Int32(quality),
            0
        )
        guard code == 0, let file else {
            let message = tjGetErrorStr2(handle).map { String(cString: $0) } ?? "no message"
            throw PictureError(name: "JPEG encoder", reason: message)
        }
        return Array(UnsafeBufferPointer(start: file, count: Int(length)))
    }
}
