import Foundation
import ServiceRuntime

/// The programs that make a plant, in the order in which they start.
struct PlantPrograms {
    let plantPath: String
    let plant: PlantFile

    /// Folder of the executables: all are built and installed together.
    static let folder = (CommandLine.arguments.first.map(resolve) ?? "").deletingLastPathComponent

    /// Everything between the peers and the cameras.
    var services: [Supervisor.Program] {
        var programs: [PlantProgram] = [.traceabilityProjector, .alerting, .mesBridge]
        if plant.erp != nil { programs.append(.erpBridge) }
        let here = (programs + [.inspector]).filter(plant.runsHere).map(service)
        return plant.uplink == nil ? here : [uplink] + here
    }

    /// The mirror to and from the plant's log, where this is a station host.
    private var uplink: Supervisor.Program {
        Supervisor.Program(
            name: PlantProgram.uplink.rawValue,
            executable: "\(Self.folder)/lineledger",
            arguments: [PlantProgram.uplink.rawValue, "--plant", plantPath],
            port: plant.port(of: .uplink)
        )
    }

    var camera: Supervisor.Program { service(.cameraIngest) }
    var console: Supervisor.Program { service(.console) }

    func service(_ program: PlantProgram) -> Supervisor.Program {
        Supervisor.Program(
            name: program.rawValue,
            executable: "\(Self.folder)/\(program.rawValue)",
            arguments: ["--plant", plantPath],
            port: plant.port(of: program)
        )
    }

    private static func resolve(_ argument: String) -> String {
        // The kernel knows which file runs, whatever name it was called by.
        (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? argument
    }
}

extension String {
    fileprivate var deletingLastPathComponent: String { (self as NSString).deletingLastPathComponent }
}
