import Cameras
import Foundation

/// Aravis' own fake GigE Vision camera on the loopback interface: a peer that nobody here wrote.
final class FakeGigECamera {
    static let program = "/usr/bin/arv-fake-gv-camera-0.8"

    private let process = Process()
    private let input = Pipe()

    /// Nil, with a printed message, where aravis-tools is not installed or another camera has the port.
    static func start(serial: String = "GVX1", lostPerThousand: Int = 0) throws -> FakeGigECamera? {
        guard FileManager.default.isExecutableFile(atPath: program) else {
            print("skipped: \(program) is not installed; apt-get install aravis-tools")
            return nil
        }
        guard GigEProbe("127.0.0.1")?.ask() == nil else {
            print("skipped: another camera answers at 127.0.0.1, UDP port \(GigEProbe.port)")
            return nil
        }
        return try FakeGigECamera(serial, lostPerThousand)
    }

    private init(_ serial: String, _ lostPerThousand: Int) throws {
        // Killed at a line or the end of the input, so that it does not outlive a test that is killed itself.
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments =
            ["-c", "\"$@\" & read -r line; kill -9 $!", "sh", Self.program]
            + ["-i", "127.0.0.1", "-s", serial, "-r", "\(lostPerThousand)"]
        process.standardInput = input
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
    }

    deinit { kill() }

    /// Kills it, without a word to its client, and returns when its port is free.
    func kill() {
        guard process.isRunning else { return }
        input.fileHandleForWriting.write(Data([10]))
        process.waitUntilExit()
        // The shell does not wait for it.
        let endUs = CameraClock.system.monotonicUs() + 5_000_000
        while !UDP.isFree(GigEProbe.port), CameraClock.system.monotonicUs() < endUs { sched_yield() }
    }
}
