import Foundation
import PlantSim
import ServiceRuntime
import Vision

/// What a source delivers for one trigger.
struct Shot: Sendable {
    /// The picture, or why there is none.
    let picture: Result<Picture, NoPicture>
    /// Name of the picture at its source.
    let sourceName: String
}

struct NoPicture: Error {
    let reason: String
}

/// Where a station's pictures come from; one adapter a kind of camera.
protocol PictureSource: Sendable {
    /// Adapter and device as events name them.
    var adapter: String { get }
    var device: String { get }
    /// The picture of the source's trigger number `index`, counted over all sessions; nil after the last one.
    func shot(at index: UInt64) -> Shot?
}

/// Opens the camera that the plant file names.
func openSource(_ camera: PlantFile.Camera) throws -> any PictureSource {
    switch camera {
    case .folder(let path, let loop): try FolderSource(path: path, loops: loop)
    case .scene(let seed, let defectRate, let size): SceneSource(seed: seed, defectRate: defectRate, size: size)
    }
}

/// The images of a folder and of the folders in it, in the natural order of their names.
struct FolderSource: PictureSource {
    static let endings: Set<String> = ["png", "jpg", "jpeg", "pgm", "ppm"]
    /// Most images taken from one folder.
    static let limit = 1_000_000

    let adapter = "folder"
    let device: String
    private let names: [String]
    private let loops: Bool

    init(path: String, loops: Bool) throws {
        device = path
        self.loops = loops
        guard let files = FileManager.default.enumerator(atPath: path) else {
            throw NoPicture(reason: "\(path): no such folder; expected a folder of PNG, JPEG, PGM or PPM images")
        }
        var found: [String] = []
        while let name = files.nextObject() as? String, found.count < Self.limit {
            if Self.endings.contains((name as NSString).pathExtension.lowercased()) { found.append(name) }
        }
        guard !found.isEmpty else {
            throw NoPicture(reason: "\(path): no images; expected PNG, JPEG, PGM or PPM files")
        }
        names = found.sorted { $0.compare($1, options: .numeric) == .orderedAscending }
    }

    func shot(at index: UInt64) -> Shot? {
        guard loops || index < UInt64(names.count) else { return nil }
        let name = names[Int(index % UInt64(names.count))]
        let picture: Result<Picture, NoPicture>
        do {
            picture = .success(try PictureCodec.load(path: "\(device)/\(name)"))
        } catch {
            picture = .failure(NoPicture(reason: error.description))
        }
        return Shot(picture: picture, sourceName: name)
    }
}

/// The built-in test scene: simulated printed circuit boards with true, labelled defects.
struct SceneSource: PictureSource {
    let adapter = "scene"
    let device: String
    private let scene: TestScene

    init(seed: UInt64, defectRate: Double, size: Int) {
        device = "simulated, seed \(seed), defect rate \(defectRate)"
        scene = TestScene(seed: seed, defectRate: defectRate, size: size)
    }

    func shot(at index: UInt64) -> Shot? {
        Shot(picture: .success(scene.part(Int(index)).picture), sourceName: "part-\(index)")
    }
}
