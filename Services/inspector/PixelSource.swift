import Evidence
import PlantEvents
import SwiftProtobuf
import Vision

/// Where a frame's pixels come from: shared memory, and after a restart the evidence store. Whatever comes is the
/// picture that the frame names by hash, or nothing.
struct PixelSource: Sendable {
    private let rings: [String: PixelRing]
    private let store: EvidenceStore

    /// - Parameter rings: each station's ring.
    init(rings: [String: PixelRing], store: EvidenceStore) {
        self.rings = rings
        self.store = store
    }

    enum Found: Sendable {
        case picture(Picture)
        case missing(reason: String)
    }

    func pixels(of frame: FrameCaptured) -> Found {
        let trigger = frame.trigger
        do {
            if let picture = try rings[trigger.station]?.take(session: trigger.session, sequence: trigger.sequence),
                picture.sha256 == frame.pixelsSha256
            {
                return .picture(picture)
            }
            if let kept = try store.load(pixelsSHA256: frame.pixelsSha256), kept.sha256 == frame.pixelsSha256 {
                return .picture(kept)
            }
            return .missing(reason: "pixels are neither in memory nor kept losslessly as evidence")
        } catch {
            return .missing(reason: "pixels cannot be had: \(error)")
        }
    }

    /// The frame is judged and its verdict durable: its place in memory, and those before it, may be used again.
    func release(through trigger: TriggerId) throws {
        try rings[trigger.station]?.releaseThrough(session: trigger.session, sequence: trigger.sequence)
    }
}
