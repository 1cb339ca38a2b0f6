import Foundation
import Synchronization
import Vision

/// The images of a folder and of the folders in it, in the natural order of their names.
package final class FolderCamera: Camera {
    static let endings: Set<String> = ["png", "jpg", "jpeg", "pgm", "ppm"]
    /// Most images taken from one folder.
    static let limit = 1_000_000

    package let adapter = "folder"
    package let device: String
    package let trigger = TriggerMode.request
    private let loops: Bool
    private let clock: CameraClock
    private let names = Mutex<[String]>([])
    private let counts = Mutex(CameraStatistics())

    package init(path: String, loops: Bool, clock: CameraClock = .system) {
        device = path
        self.loops = loops
        self.clock = clock
    }

    package var statistics: CameraStatistics { counts.withLock { $0 } }

    package func open() throws(CameraError) -> CameraConfiguration {
        guard Files.isFolder(device), let files = FileManager.default.enumerator(atPath: device) else {
            throw CameraError(
                .refused,
                device: device,
                reason: "no such folder; expected a folder of PNG, JPEG, PGM or PPM images"
            )
        }
        var found: [String] = []
        while let name = files.nextObject() as? String, found.count < Self.limit {
            if Self.endings.contains((name as NSString).pathExtension.lowercased()) { found.append(name) }
        }
        guard !found.isEmpty else {
            throw CameraError(.refused, device: device, reason: "no images; expected PNG, JPEG, PGM or PPM files")
        }
        found.sort { $0.compare($1, options: .numeric) == .orderedAscending }
        let count = Double(found.count)
        names.withLock { $0 = found }
        return CameraConfiguration(
            device: device,
            pixelFormat: "PNG, JPEG, PGM or PPM",
            settings: [CameraSetting("images", count, "C62")]
        )
    }

    package func next(index: UInt64, waitUs: Int64) -> Capture {
        let name: String? = names.withLock { names in
            guard !names.isEmpty, loops || index < UInt64(names.count) else { return nil }
            return names[Int(index % UInt64(names.count))]
        }
        guard let name else { return .ended }
        let picture: Result<Picture, NoPicture>
        do {
            picture = .success(try PictureCodec.load(path: "\(device)/\(name)"))
            counts.withLock { $0.pictures += 1 }
        } catch {
            picture = .failure(NoPicture(reason: error.description))
            counts.withLock { $0.damaged += 1 }
        }
        return .shot(Shot(picture: picture, sourceName: name, hostTimeUs: clock.nowUs()))
    }

    package func close() {}
}
