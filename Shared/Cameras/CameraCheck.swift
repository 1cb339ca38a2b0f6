import Glibc
import PlantCore
import Vision

/// Takes frames from a camera and measures what comes: rate, regularity, losses, clocks.
package struct CameraCheck {
    /// Without anything from the camera for this long the check ends, microseconds.
    static let patienceUs: Int64 = 15_000_000
    /// Reasons of missing pictures that are kept.
    static let reasonLimit = 8

    private let camera: any Camera
    private let frames: Int
    private let clock: CameraClock

    /// Takes `frames` frames.
    package init(_ camera: any Camera, frames: Int, clock: CameraClock = .system) {
        self.camera = camera
        self.frames = frames
        self.clock = clock
    }

    /// Opens the camera, takes the frames and closes it.
    /// - Parameter goOn: is told how many frames there are, and says whether to go on.
    package func run(_ goOn: (Int) -> Bool) throws(CameraError) -> CameraReport {
        var report = CameraReport(camera, try camera.open())
        defer { camera.close() }
        var intervals = Intervals()
        var skew = DeviceClock()
        let startUs = clock.monotonicUs()
        let startCpuUs = Self.cpuUs()
        var heardUs = startUs
        var hasEnded = false
        take: while report.frames < frames, goOn(report.frames) {
            let next = camera.next(index: UInt64(report.frames), waitUs: 200_000)
            if case .nothing = next {
                guard clock.monotonicUs() - heardUs < Self.patienceUs else { break }
                continue
            }
            heardUs = clock.monotonicUs()
            switch next {
            case .shot(let shot):
                report.count(shot)
                intervals.take(shot.hostTimeUs)
                _ = skew.take(deviceUs: shot.deviceTimeUs, hostUs: shot.hostTimeUs)
            case .repeated: report.repeated += 1
            case .unmatched(_, let reason): report.note(reason)
            case .skipped(let count, let reason):
                report.skipped += count
                report.note(reason)
            case .restarted(let reason):
                report.restarts += 1
                report.note(reason)
            case .lost(let reason):
                report.losses += 1
                report.note(reason)
            case .returned: intervals = Intervals(keeping: intervals)
            case .ended:
                hasEnded = true
                break take
            case .nothing: break
            }
        }
        report.finish(seconds: Double(clock.monotonicUs() - startUs) / 1_000_000, Self.cpuUs() - startCpuUs, intervals)
        report.complete = report.frames >= frames || hasEnded
        report.device_clock = skew.estimate.map {
            CameraReport.Skew(
                skew_us: $0.skewUs,
                uncertainty_us: $0.uncertaintyUs,
                drift_ppm: $0.driftPpm,
                samples: $0.samples
            )
        }
        report.resent_packets = camera.statistics.resentPackets
        report.missing_packets = camera.statistics.missingPackets
        return report
    }

    /// Processor time of this process, microseconds.
    private static func cpuUs() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000
    }
}

/// Times between frames: mean and variance in one pass (Welford, 1962).
struct Intervals {
    private(set) var count = 0
    private(set) var mean = 0.0
    private(set) var longest: Int64 = 0
    private var squares = 0.0
    private var lastUs: Int64?

    init() {}

    /// Goes on after a break that is no interval.
    init(keeping other: Intervals) {
        self = other
        lastUs = nil
    }

    mutating func take(_ us: Int64) {
        defer { lastUs = us }
        guard let lastUs else { return }
        let interval = us - lastUs
        count += 1
        longest = max(longest, interval)
        let away = Double(interval) - mean
        mean += away / Double(count)
        squares += away * (Double(interval) - mean)
    }

    var standardDeviation: Double { count > 1 ? (squares / Double(count - 1)).squareRoot() : 0 }
}

/// What a check of a camera found; the names are those of its JSON.
package struct CameraReport: Encodable, Sendable {
    package struct Setting: Encodable, Sendable {
        package let name: String
        package let value: Double
        package let unit: String
    }

    package struct Skew: Encodable, Sendable {
        package let skew_us: Int64
        package let uncertainty_us: Int64
        package let drift_ppm: Double
        package let samples: Int
    }

    package let adapter: String
    package let device: String
    package let model: String
    package let firmware: String
    package let trigger: String
    package let settings: [Setting]
    package let remarks: [String]
    /// As the camera says; of the first picture where it does not.
    package internal(set) var width: Int
    package internal(set) var height: Int
    package let format: String
    /// Triggers with and without picture.
    package internal(set) var frames = 0
    package internal(set) var damaged = 0
    package internal(set) var skipped: UInt64 = 0
    package internal(set) var repeated = 0
    package internal(set) var restarts = 0
    package internal(set) var losses = 0
    package internal(set) var first_frame: UInt64?
    package internal(set) var last_frame: UInt64?
    package internal(set) var seconds = 0.0
    package internal(set) var frames_per_second = 0.0
    package internal(set) var cpu_us_per_frame = 0.0
    /// Between the host times of frames, microseconds: mean, standard deviation, longest.
    package internal(set) var interval_us = 0.0
    package internal(set) var jitter_us = 0.0
    package internal(set) var longest_interval_us: Int64 = 0
    /// Device clock minus host clock; nil without device clock, and before some five seconds of frames.
    package internal(set) var device_clock: Skew?
    package internal(set) var has_device_clock = false
    package internal(set) var resent_packets: UInt64 = 0
    package internal(set) var missing_packets: UInt64 = 0
    /// The first few reasons for what was wrong.
    package internal(set) var reasons: [String] = []
    /// Whether all the frames asked for came, or all that a finite source has.
    package internal(set) var complete = false

    init(_ camera: any Camera, _ configuration: CameraConfiguration) {
        adapter = camera.adapter
        device = configuration.device
        model = configuration.model
        firmware = configuration.firmware
        trigger = camera.trigger.rawValue
        settings = configuration.settings.map { Setting(name: $0.name, value: $0.value, unit: $0.unit) }
        remarks = configuration.remarks
        width = configuration.width
        height = configuration.height
        format = configuration.pixelFormat
    }

    /// Whether nothing was wrong.
    package var isSound: Bool { complete && damaged == 0 && skipped == 0 && repeated == 0 && losses == 0 }

    mutating func count(_ shot: Shot) {
        frames += 1
        first_frame = first_frame ?? shot.frameNumber
        last_frame = shot.frameNumber
        has_device_clock = has_device_clock || shot.deviceTimeUs != 0
        switch shot.picture {
        case .success(let picture): if width == 0 { (width, height) = (picture.width, picture.height) }
        case .failure(let missing):
            damaged += 1
            note(missing.reason)
        }
    }

    mutating func note(_ reason: String) {
        if reasons.count < CameraCheck.reasonLimit { reasons.append(reason) }
    }

    mutating func finish(seconds: Double, _ cpuUs: Int64, _ intervals: Intervals) {
        self.seconds = seconds
        frames_per_second = seconds > 0 ? Double(frames) / seconds : 0
        cpu_us_per_frame = frames > 0 ? Double(cpuUs) / Double(frames) : 0
        interval_us = intervals.mean
        jitter_us = intervals.standardDeviation
        longest_interval_us = intervals.longest
    }
}
