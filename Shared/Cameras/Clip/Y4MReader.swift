import Vision

/// Uncompressed video in a YUV4MPEG2 file: a header line, then for each frame a FRAME line and its planes, here grey
/// (Cmono) or 8-bit 4:2:0 (https://wiki.multimedia.cx/index.php/YUV4MPEG2).
final class Y4MReader: ClipReader {
    static let signature = "YUV4MPEG2 "
    private static let longestLine = 256

    private let file: ClipFile
    private let maker = PictureMaker()
    private let width: Int
    private let height: Int
    private let layout: PixelLayout
    private let start: Int
    /// Length of the FRAME lines, all alike.
    private let lineBytes: Int
    private let frameBytes: Int

    var count: Int? { (file.size - start) / (lineBytes + frameBytes) }

    init(_ file: ClipFile) throws(NoPicture) {
        self.file = file
        let head = try Self.line(file, 0)
        let words = head.split(separator: " ").dropFirst()
        func value(_ key: Character) -> Substring? { words.first { $0.first == key }?.dropFirst() }
        guard let width = value("W").flatMap({ Int($0) }), let height = value("H").flatMap({ Int($0) }),
            (1...65_536).contains(width), (1...65_536).contains(height), width * height <= Picture.maxPixels
        else {
            throw NoPicture(reason: "\(file.path): its header \"\(head)\" has no usable size; expected W640 H480")
        }
        let colour = value("C") ?? "420"
        let isGrey = colour == "mono"
        guard isGrey || ["420", "420jpeg", "420mpeg2", "420paldv"].contains(colour),
            isGrey || width % 2 + height % 2 == 0
        else {
            throw NoPicture(
                reason: "\(file.path): C\(colour) of \(width)x\(height); expected Cmono, or C420 of even size"
            )
        }
        self.width = width
        self.height = height
        layout = isGrey ? .grey8 : .converted(fourcc: .fourcc("YU12"))
        frameBytes = isGrey ? width * height : width * height * 3 / 2
        start = head.utf8.count + 1
        lineBytes = try Self.line(file, start).utf8.count + 1
    }

    func picture(at index: Int) throws(NoPicture) -> Picture? {
        guard index < count ?? 0 else { return nil }
        let place = start + index * (lineBytes + frameBytes)
        let bytes = try file.bytes(at: place, count: lineBytes + frameBytes)
        guard bytes.count == lineBytes + frameBytes, bytes.starts(with: "FRAME".utf8), bytes[lineBytes - 1] == 10 else {
            throw NoPicture(reason: "\(file.path): no whole frame \(index) at byte \(place)")
        }
        let picture = bytes.withUnsafeBytes { all in
            let raw = RawFrame(
                bytes: UnsafeRawBufferPointer(rebasing: all[lineBytes...]),
                width: width,
                height: height,
                stride: width,
                layout: layout
            )
            return maker.picture(raw, name: "\(file.path), frame \(index)")
        }
        return try picture.get()
    }

    func close() {}

    private static func line(_ file: ClipFile, _ offset: Int) throws(NoPicture) -> String {
        let bytes = try file.bytes(at: offset, count: longestLine)
        guard let end = bytes.firstIndex(of: 10) else {
            throw NoPicture(reason: "\(file.path): no line of YUV4MPEG2 at byte \(offset)")
        }
        return String(decoding: bytes[..<end], as: UTF8.self)
    }
}
