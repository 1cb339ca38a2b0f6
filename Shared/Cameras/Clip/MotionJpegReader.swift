import Vision

/// JPEG files one after the other, as MJPEG cameras and `ffmpeg -f mjpeg` write them.
final class MotionJpegReader: ClipReader {
    /// Most frames of one file.
    static let limit = 10_000_000

    private let file: ClipFile
    private let places: [Range<Int>]

    var count: Int? { places.count }

    init(_ file: ClipFile) throws(NoPicture) {
        self.file = file
        var scan = JpegScan()
        var offset = 0
        while offset < file.size, scan.places.count < Self.limit {
            let bytes = try file.bytes(at: offset, count: 1 << 20)
            guard !bytes.isEmpty else { break }
            scan.read(bytes)
            offset += bytes.count
        }
        guard !scan.places.isEmpty else { throw NoPicture(reason: "\(file.path): no whole JPEG in it") }
        places = scan.places
    }

    func picture(at index: Int) throws(NoPicture) -> Picture? {
        guard index < places.count else { return nil }
        let bytes = try file.bytes(at: places[index].lowerBound, count: places[index].count)
        do {
            return try PictureCodec.decode(bytes, name: "\(file.path), frame \(index)")
        } catch {
            throw NoPicture(reason: error.description)
        }
    }

    func close() {}
}

/// Finds where JPEG files follow each other, by their markers (ITU-T T.81, B.1): an end marker inside a segment, as in
/// an embedded preview, is not taken for the file's end.
struct JpegScan {
    /// Where whole files are.
    private(set) var places: [Range<Int>] = []
    private var begin: Int?
    private var position = 0
    private var state = State.marker

    private enum State {
        /// Between segments or in a scan, waiting for 0xFF.
        case marker
        /// After 0xFF.
        case code
        case lengthHigh
        case lengthLow(Int)
        case skip(Int)
    }

    mutating func read(_ bytes: [UInt8]) {
        var index = 0
        while index < bytes.count {
            if case .skip(let left) = state {
                let step = min(left, bytes.count - index)
                index += step
                position += step
                state = left > step ? .skip(left - step) : .marker
                continue
            }
            let byte = bytes[index]
            index += 1
            position += 1
            step(byte)
        }
    }

    private mutating func step(_ byte: UInt8) {
        switch state {
        case .marker: if byte == 0xFF { state = .code }
        case .code: state = next(byte)
        case .lengthHigh: state = .lengthLow(Int(byte) << 8)
        case .lengthLow(let high):
            let length = (high | Int(byte)) - 2
            state = length > 0 ? .skip(length) : .marker
        case .skip: break
        }
    }

    private mutating func next(_ code: UInt8) -> State {
        switch code {
        case 0xFF: return .code
        case 0x00, 0x01, 0xD0...0xD7: return .marker
        case 0xD8:
            begin = position - 2
            return .marker
        case 0xD9:
            if let begin { places.append(begin..<position) }
            begin = nil
            return .marker
        // Between files there are no segments, only padding.
        default: return begin == nil ? .marker : .lengthHigh
        }
    }
}
