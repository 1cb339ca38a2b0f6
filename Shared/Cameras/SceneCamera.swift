import PlantSim
import Synchronization

/// The built-in test scene: simulated printed circuit boards with true, labelled defects.
package final class SceneCamera: Camera {
    package let adapter = "scene"
    package let device: String
    package let trigger = TriggerMode.request
    private let scene: TestScene
    private let size: Int
    private let clock: CameraClock
    private let counts = Mutex(CameraStatistics())

    /// `size` is the edge of the square pictures, pixels; `defectRate` the share of defective parts.
    package init(seed: UInt64, defectRate: Double, size: Int, clock: CameraClock = .system) {
        device = "simulated, seed \(seed), defect rate \(defectRate)"
        scene = TestScene(seed: seed, defectRate: defectRate, size: size)
        self.size = size
        self.clock = clock
    }

    package var statistics: CameraStatistics { counts.withLock { $0 } }

    package func open() -> CameraConfiguration {
        CameraConfiguration(device: device, width: size, height: size, pixelFormat: "grey, 8 bits")
    }

    package func next(index: UInt64, waitUs: Int64) -> Capture {
        counts.withLock { $0.pictures += 1 }
        let picture = scene.part(Int(index)).picture
        return .shot(Shot(picture: .success(picture), sourceName: "part-\(index)", hostTimeUs: clock.nowUs()))
    }

    package func close() {}
}
