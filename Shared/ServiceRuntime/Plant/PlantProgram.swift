/// A program of the plant that serves HTTP; the raw value is its executable's name.
package enum PlantProgram: String, CaseIterable, Sendable {
    case console
    case cameraIngest = "camera-ingest"
    case inspector
    case mesBridge = "mes-bridge"
    case erpBridge = "erp-bridge"
    case traceabilityProjector = "traceability-projector"
    case alerting
    /// `lineledger uplink`, on a station host.
    case uplink
    /// The simulated MES of the demo.
    case mesPeer = "mes-peer"
    /// The simulated ERP of the demo.
    case erpPeer = "erp-peer"

    /// What the program adds to the plant's base port.
    package var portOffset: Int {
        switch self {
        case .console: 0
        case .cameraIngest: 1
        case .inspector: 2
        case .mesBridge: 3
        case .erpBridge: 4
        case .traceabilityProjector: 5
        case .alerting: 6
        case .uplink: 7
        case .mesPeer: 11
        case .erpPeer: 12
        }
    }

    static let highestOffset = allCases.map(\.portOffset).max() ?? 0
}

extension PlantFile {
    /// The port on which `program` of this plant serves HTTP.
    package func port(of program: PlantProgram) -> Int {
        http + program.portOffset
    }
}
