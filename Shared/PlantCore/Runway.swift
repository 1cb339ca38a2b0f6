import PlantEvents

/// How long a disk lasts: free bytes over the rate at which a folder on it grows, measured over a sliding window.
///
/// The rate is the growth between the window's oldest and newest sample by the time between them, so that neither the
/// steps in which files grow nor a truncated write-ahead log count for more than they are.
package struct Runway: Codable, Equatable, Sendable {
    package enum Estimate: Equatable, Sendable {
        /// Not watched for long enough.
        case unknown
        case notGrowing
        /// Hours until the disk is full if growth goes on as in the window.
        case hours(Double)
    }

    private struct Sample: Codable, Equatable {
        let atUs: Int64
        let usedBytes: Int64
        let freeBytes: Int64
    }

    /// An hour: long enough to even out breaks, short enough to see an outage begin.
    package static let windowUs: Int64 = 3_600_000_000
    /// Below this span nothing is said.
    package static let leastSpanUs: Int64 = 300_000_000
    /// Samples closer to each other take the place of the last, so their number is bounded.
    private static let stepUs = windowUs / 120

    private var samples: [Sample] = []
    private var newest: Sample?

    package init() {}

    /// - Parameters:
    ///   - usedBytes: what the folder takes now.
    ///   - freeBytes: what its disk has left for this user.
    package mutating func note(usedBytes: Int64, freeBytes: Int64, atUs: Int64) {
        // A clock that was set back: what was measured before it cannot be compared.
        if let newest, atUs <= newest.atUs { samples = [] }
        let sample = Sample(atUs: atUs, usedBytes: usedBytes, freeBytes: freeBytes)
        newest = sample
        samples.removeAll { $0.atUs < atUs - Self.windowUs }
        if samples.last.map({ atUs - $0.atUs >= Self.stepUs }) ?? true { samples.append(sample) }
    }

    /// Free bytes of the newest sample; 0 before the first.
    package var freeBytes: Int64 { newest?.freeBytes ?? 0 }

    /// Growth of the folder, bytes a second; nil while unknown. Negative where it shrank.
    package var bytesPerSecond: Double? {
        guard let oldest = samples.first, let newest, newest.atUs - oldest.atUs >= Self.leastSpanUs else { return nil }
        return Double(newest.usedBytes - oldest.usedBytes) / (Double(newest.atUs - oldest.atUs) / 1e6)
    }

    package var estimate: Estimate {
        guard let rate = bytesPerSecond else { return .unknown }
        return rate > 0 ? .hours(Double(freeBytes) / rate / 3_600) : .notGrowing
    }
}

/// How near the end of the disk is, with the alarm's priority (ISA-18.2: by the time there is to respond).
enum SpoolLevel: String, Codable, Sendable {
    case normal
    /// Under 24 hours: act soon.
    case filling
    /// Under 4 hours: act now.
    case nearlyFull

    /// Beyond a limit by this factor the level falls back: the dead band.
    private static let deadBand = 1.25
    private static let fillingHours = 24.0
    private static let nearlyFullHours = 4.0

    var priority: AlarmPriority? {
        switch self {
        case .normal: nil
        case .filling: .medium
        case .nearlyFull: .high
        }
    }

    /// The level after this estimate; nil where nothing is known.
    func next(_ estimate: Runway.Estimate) -> SpoolLevel? {
        let hours: Double
        switch estimate {
        case .unknown: return nil
        case .notGrowing: return .normal
        case .hours(let value): hours = value
        }
        if hours < Self.nearlyFullHours * (self == .nearlyFull ? Self.deadBand : 1) { return .nearlyFull }
        return hours < Self.fillingHours * (self == .normal ? 1 : Self.deadBand) ? .filling : .normal
    }
}
