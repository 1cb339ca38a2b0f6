import CV4L
import Vision

/// libv4lconvert as a converter of pixels alone: it is given no device, so that it neither turns pictures nor adds its
/// own white balance and gain, and equal frames give equal pictures on every host.
final class V4LConverter {
    private let handle: OpaquePointer?

    init() {
        handle = cv4l_converter()
    }

    deinit { if let handle { v4lconvert_destroy(handle) } }

    /// Fills `out` with the frame in RGB; returns what went wrong.
    func rgb(
        _ frame: RawFrame,
        stride: Int,
        fourcc: UInt32,
        into out: UnsafeMutableBufferPointer<UInt8>,
        name: String
    ) -> PictureError? {
        guard let handle else { return PictureError(name: name, reason: "no memory for libv4lconvert") }
        var source = Self.format(frame, fourcc, stride: stride, size: frame.bytes.count)
        var target = Self.format(frame, .fourcc("RGB3"), stride: 3 * frame.width, size: out.count)
        // The library takes a pointer that is not const and only reads from it.
        let bytes = UnsafeMutablePointer(mutating: frame.bytes.assumingMemoryBound(to: UInt8.self).baseAddress)
        let written = v4lconvert_convert(
            handle,
            &source,
            &target,
            bytes,
            Int32(frame.bytes.count),
            out.baseAddress,
            Int32(out.count)
        )
        guard Int(written) == out.count else {
            let said = v4lconvert_get_error_message(handle).map { String(cString: $0) } ?? "no message"
            let reason = "libv4lconvert cannot turn \(fourcc.fourccText) into RGB: \(said)"
            return PictureError(name: name, reason: reason.filter { $0 != "\n" })
        }
        return nil
    }

    private static func format(_ frame: RawFrame, _ fourcc: UInt32, stride: Int, size: Int) -> v4l2_format {
        var format = v4l2_format()
        format.type = V4L2_BUF_TYPE_VIDEO_CAPTURE.rawValue
        format.fmt.pix.width = UInt32(frame.width)
        format.fmt.pix.height = UInt32(frame.height)
        format.fmt.pix.pixelformat = fourcc
        format.fmt.pix.field = V4L2_FIELD_NONE.rawValue
        format.fmt.pix.bytesperline = UInt32(stride)
        format.fmt.pix.sizeimage = UInt32(size)
        return format
    }
}
