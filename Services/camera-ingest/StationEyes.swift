import Logging
import Metrics
import PlantCore
import PlantEvents
import ServiceRuntime
import SwiftProtobuf
import Synchronization
import Vision

/// What a station learns about its camera from the pictures themselves and their times: faults of the pictures (M23) and
/// how far the device's clock is off (M18).
final class StationEyes: Sendable {
    private struct State {
        var watch: PictureWatch
        var clock = DeviceClock()
    }

    private let station: String
    private let logger: Logger
    private let state: Mutex<State>
    private let faults: Gauge
    private let skew: Gauge
    private let uncertainty: Gauge

    /// - Parameter active: values of `PictureFault` that were named before and are not known to be over.
    init(station: String, watch: PictureWatch.Settings, active: Set<Int>, logger: Logger) {
        self.station = station
        self.logger = logger
        let known = PictureWatch.Fault.allCases.filter { active.contains($0.event.rawValue) }
        state = Mutex(State(watch: PictureWatch(watch, active: Set(known))))
        let labels = [("station", station)]
        faults = Gauge(label: "lineledger_camera_picture_faults", dimensions: labels)
        skew = Gauge(label: "lineledger_camera_clock_skew_seconds", dimensions: labels)
        uncertainty = Gauge(label: "lineledger_camera_clock_uncertainty_seconds", dimensions: labels)
    }

    /// The trigger session begins anew.
    func startSession() { state.withLock { $0.watch.startSession() } }

    /// What the picture of this trigger says about the pictures.
    func look(at picture: Picture, of trigger: TriggerId) -> [CaptureCore.Input] {
        let (findings, active) = state.withLock { state in
            (state.watch.take(picture, number: trigger.sequence), state.watch.active.count)
        }
        faults.record(active)
        return findings.map { finding in
            var affected = trigger
            affected.sequence = finding.number
            logger.warning(
                finding.hasBegun ? "pictures degraded" : "pictures good again",
                metadata: [
                    "trigger": "\(affected.text)", "fault": "\(finding.fault)", "measure": "\(finding.measure)",
                    "limit": "\(finding.limit)",
                ]
            )
            guard finding.hasBegun else {
                return .restored(
                    .with {
                        $0.station = station
                        $0.trigger = affected
                        $0.fault = finding.fault.event
                    }
                )
            }
            return .degraded(
                .with {
                    $0.station = station
                    $0.trigger = affected
                    $0.fault = finding.fault.event
                    $0.measure = finding.measure
                    $0.limit = finding.limit
                }
            )
        }
    }

    /// What the times of a frame say about the device's clock.
    func compare(deviceUs: Int64, hostUs: Int64, device: String) -> CaptureCore.Input? {
        let found = state.withLock { $0.clock.take(deviceUs: deviceUs, hostUs: hostUs) }
        guard let found else { return nil }
        skew.record(Double(found.skewUs) / 1e6)
        uncertainty.record(Double(found.uncertaintyUs) / 1e6)
        return .skewEstimated(
            .with {
                $0.station = station
                $0.device = device
                $0.skewUs = found.skewUs
                $0.uncertaintyUs = found.uncertaintyUs
                $0.driftPpm = found.driftPpm
                $0.samples = UInt32(clamping: found.samples)
            }
        )
    }
}

extension PictureWatch.Fault {
    var event: PictureFault {
        switch self {
        case .frozen: .frozen
        case .dark: .dark
        case .overexposed: .overexposed
        case .blurred: .blurred
        case .shifted: .shifted
        case .noisy: .noisy
        }
    }
}
