import Cameras
import ServiceRuntime
import Testing
import Vision

/// How tests drive the simulated camera through the adapter, and tell what comes of it.
protocol SimulatedGigETesting {}

extension SimulatedGigETesting {
    typealias Place = SimulatedGigERegisters.Place
    typealias Fault = SimulatedGigE.Fault

    func settings(_ trigger: PlantFile.CameraTrigger = .hardware) -> PlantFile.GigE {
        var settings = PlantFile.GigE(address: "127.0.0.1", trigger: trigger)
        settings.packetSize = 576
        return settings
    }

    /// Opens a simulated camera; nothing, with a printed message, where its port is taken.
    func with(
        _ settings: PlantFile.GigE,
        _ ability: SimulatedGigERegisters.Ability = .init(),
        _ body: (SimulatedGigE, GigECamera, CameraConfiguration) throws -> Void
    ) throws {
        guard let device = try SimulatedGigE.start(ability) else { return }
        defer { device.end() }
        let camera = GigECamera(settings)
        let configuration = try camera.open()
        try body(device, camera, configuration)
        camera.close()
    }

    /// Signals so often, each with its faults, and tells what comes of it, in words.
    func told(_ device: SimulatedGigE, _ camera: GigECamera, _ signals: [Fault]...) -> [String] {
        for faults in signals { device.signal(faults) }
        return GigECameraTests.captures(camera) { $0.triggers >= signals.count }.map(words)
    }

    func words(_ capture: Capture) -> String {
        switch capture {
        case .shot(let shot):
            let name = shot.frameNumber.map { "\($0)" } ?? "?"
            guard case .success(let picture) = shot.picture else { return "\(name) damaged" }
            // Its pixels are the number.
            guard let number = shot.frameNumber else { return "\(name) of \(picture.pixels[0])" }
            let wanted = UInt8(truncatingIfNeeded: number)
            return picture.pixels.allSatisfy { $0 == wanted } ? name : "\(name) with the pixels of \(picture.pixels[0])"
        case .skipped(let count, let reason): return "\(count) \(reason.prefix { $0 != ":" })"
        case .restarted: return "restarted"
        case .lost(let reason): return "lost: \(reason)"
        case .returned: return "returned"
        default: return "\(capture)"
        }
    }
}
