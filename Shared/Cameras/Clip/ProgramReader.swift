import Foundation
import Glibc
import Vision

/// Any video file through the program ffmpeg, which writes its frames as PPM pictures into a pipe: raw pixels that say
/// their size. Decoding is set to be exact, so that equal files give equal pictures.
final class ProgramReader: ClipReader {
    private let path: String
    private let program: String
    private(set) var count: Int?
    private var run: Run?
    /// The last frame read, so that opening needs no second run.
    private var last: (index: Int, picture: Picture)?

    private struct Run {
        let process: Process
        let output: Int32
        let pipe: Pipe
        var position = 0
    }

    /// - Throws: what to install where ffmpeg is missing.
    init(_ path: String) throws(NoPicture) {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin").split(separator: ":")
        guard let program = folders.map({ String($0) + "/ffmpeg" }).first(where: { access($0, X_OK) == 0 }) else {
            throw NoPicture(
                reason: "\(path): ffmpeg is needed to read it and not installed; apt-get install ffmpeg, or give a Y4M "
                    + "or MJPEG file"
            )
        }
        self.path = path
        self.program = program
    }

    deinit { close() }

    func picture(at index: Int) throws(NoPicture) -> Picture? {
        if let last, last.index == index { return last.picture }
        if let count, index >= count { return nil }
        if run.map({ $0.position > index }) ?? true { try start() }
        while true {
            let position = run?.position ?? 0
            guard let picture = try read() else {
                try end(at: position)
                return nil
            }
            run?.position = position + 1
            guard position < index else {
                last = (index, picture)
                return picture
            }
        }
    }

    func close() {
        guard let run else { return }
        self.run = nil
        if run.process.isRunning { kill(run.process.processIdentifier, SIGKILL) }
        run.process.waitUntilExit()
    }

    private func start() throws(NoPicture) {
        close()
        let process = Process()
        let pipe = Pipe()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = [
            "-nostdin", "-v", "quiet", "-i", "file:\(path)", "-map", "0:v:0", "-an", "-sn", "-dn", "-fps_mode",
            "passthrough", "-flags", "bitexact", "-sws_flags", "accurate_rnd+full_chroma_int+bitexact", "-pix_fmt",
            "rgb24", "-f", "image2pipe", "-c:v", "ppm", "pipe:1",
        ]
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        do {
            try process.run()
        } catch {
            throw NoPicture(reason: "\(path): \(program) does not start: \(error)")
        }
        run = Run(process: process, output: pipe.fileHandleForReading.fileDescriptor, pipe: pipe)
    }

    /// The stream is over: the program's exit status tells whether the clip was whole.
    private func end(at position: Int) throws(NoPicture) {
        guard let run else { return }
        run.process.waitUntilExit()
        self.run = nil
        guard run.process.terminationStatus != 0 || position == 0 else {
            count = position
            return
        }
        // The frame that could not be read is the clip's last.
        count = position + 1
        throw NoPicture(
            reason: "\(path), frame \(position): ffmpeg stopped with status \(run.process.terminationStatus); "
                + "ffmpeg -i \(path) -f null - shows why"
        )
    }

    /// The next picture of the pipe; nil at its end.
    private func read() throws(NoPicture) -> Picture? {
        guard let run else { return nil }
        guard let width = number(run.output, after: "P6\n"), let height = number(run.output, after: ""),
            number(run.output, after: "") == 255, (1...Picture.maxPixels).contains(width),
            (1...Picture.maxPixels).contains(height), width * height <= Picture.maxPixels
        else { return nil }
        let count = width * height * 3
        let pixels = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            while filled < count {
                let got = Glibc.read(run.output, buffer.baseAddress.map { $0 + filled }, count - filled)
                if got < 0, errno == EINTR { continue }
                guard got > 0 else { return }
                filled += got
            }
        }
        guard pixels.count == count else { return nil }
        do {
            return try Picture(width: width, height: height, channels: 3, pixels: pixels, name: path)
        } catch {
            throw NoPicture(reason: error.description)
        }
    }

    /// A decimal number that ends with white space, after these bytes.
    private func number(_ file: Int32, after prefix: StaticString) -> Int? {
        var byte: UInt8 = 0
        let expected = prefix.withUTF8Buffer(Array.init)
        for want in expected {
            guard Glibc.read(file, &byte, 1) == 1, byte == want else { return nil }
        }
        var value = 0
        for _ in 0..<8 {
            guard Glibc.read(file, &byte, 1) == 1 else { return nil }
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return value }
            value = value * 10 + Int(byte - UInt8(ascii: "0"))
        }
        return nil
    }
}
