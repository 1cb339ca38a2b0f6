import Synchronization
import Vision

/// The frames of a video file, one a trigger: Y4M and MJPEG files are read directly, others through ffmpeg.
package final class ClipCamera: Camera {
    package let adapter = "clip"
    package let device: String
    package let trigger = TriggerMode.request
    private let loops: Bool
    private let clock: CameraClock
    private let state = Mutex(State())

    private struct State {
        var reader: (any ClipReader)?
        var counts = CameraStatistics()
    }

    /// `loops`: begins again after the last frame.
    package init(path: String, loops: Bool, clock: CameraClock = .system) {
        device = path
        self.loops = loops
        self.clock = clock
    }

    package var statistics: CameraStatistics { state.withLock { $0.counts } }

    package func open() throws(CameraError) -> CameraConfiguration {
        try state.withLock { state throws(CameraError) in
            do throws(NoPicture) {
                let reader = try reader()
                guard let first = try reader.picture(at: 0) else {
                    throw NoPicture(reason: "\(device): no frame in it; expected a video file")
                }
                state.reader = reader
                return CameraConfiguration(
                    device: device,
                    width: first.width,
                    height: first.height,
                    pixelFormat: first.channels == 1 ? "grey, 8 bits" : "RGB, 8 bits",
                    settings: reader.count.map { [CameraSetting("frames", Double($0), "C62")] } ?? []
                )
            } catch {
                let place = "\(device): "
                let reason = error.reason.hasPrefix(place) ? String(error.reason.dropFirst(place.count)) : error.reason
                throw CameraError(.refused, device: device, reason: reason)
            }
        }
    }

    package func next(index: UInt64, waitUs: Int64) -> Capture {
        state.withLock { state in
            guard let reader = state.reader else { return .ended }
            var number = Int(clamping: index)
            let picture: Result<Picture, NoPicture>
            do throws(NoPicture) {
                var read = try reader.picture(at: loops ? reader.count.map { number % $0 } ?? number : number)
                if read == nil, loops, let count = reader.count, count > 0 {
                    number %= count
                    read = try reader.picture(at: number)
                }
                guard let read else { return .ended }
                picture = .success(read)
                state.counts.pictures += 1
            } catch {
                picture = .failure(error)
                state.counts.damaged += 1
            }
            if loops, let count = reader.count, count > 0 { number %= count }
            return .shot(Shot(picture: picture, sourceName: "frame-\(number)", hostTimeUs: clock.nowUs()))
        }
    }

    package func close() {
        state.withLock { state in
            state.reader?.close()
            state.reader = nil
        }
    }

    private func reader() throws(NoPicture) -> any ClipReader {
        let file = try ClipFile(device)
        let start = try file.bytes(at: 0, count: 16)
        if start.starts(with: Y4MReader.signature.utf8) { return try Y4MReader(file) }
        if start.starts(with: [0xFF, 0xD8, 0xFF]) { return try MotionJpegReader(file) }
        return try ProgramReader(device)
    }
}
