package import PlantEvents
import SwiftProtobuf

// What a station's camera says: silence, loss, pictures that show nothing sure, pictures that are not kept.
extension AlarmFold {
    package mutating func fold(_ record: FrameRecord, _ limits: Limits) -> [Draft] {
        var drafts: [Draft] = []
        for event in record.events {
            switch event.kind {
            case .triggerSessionStarted(let started):
                touch(started.station, record.meta)
                stations[started.station]?.isExhausted = false
            case .frameCaptured(let frame):
                touch(frame.trigger.station, record.meta)
                clear("station-silent", frame.trigger.station, record.meta, into: &drafts)
            case .frameMissed(let gap):
                touch(gap.trigger.station, record.meta)
                clear("station-silent", gap.trigger.station, record.meta, into: &drafts)
            case .sourceExhausted(let exhausted):
                stations[exhausted.station, default: Station()].isExhausted = true
                clear("station-silent", exhausted.station, record.meta, into: &drafts)
            case .cameraLost(let lost):
                tellLost(lost, record.meta, into: &drafts)
            case .cameraReturned(let returned):
                clear("camera-lost", returned.station, record.meta, into: &drafts)
            case .pictureQualityDegraded(let fault):
                tellDegraded(fault, record.meta, into: &drafts)
            case .pictureQualityRestored(let fault):
                clear("picture-degraded", "\(fault.station)/\(fault.fault.word)", record.meta, into: &drafts)
            case .evidenceNotStored(let lost):
                tellNotStored(lost, record.meta, into: &drafts)
            case .evidenceStored(let stored):
                clear("evidence-not-stored", stored.trigger.station, record.meta, into: &drafts)
            case .writerTookOver, .evidenceExpired, .processImageStored, .cameraConfigured, .clockSkewEstimated,
                .frameRepeated, .frameUnmatched, nil:
                break
            }
        }
        return drafts
    }

    private mutating func tellLost(_ lost: CameraLost, _ meta: Meta, into drafts: inout [Draft]) {
        raise(
            "camera-lost",
            lost.station,
            .high,
            meta,
            text: "camera \(lost.device) is gone: \(lost.reason)",
            response: "Stop the line or segregate what passes: parts pass without inspection until it is back.",
            into: &drafts
        )
    }

    private mutating func tellDegraded(_ fault: PictureQualityDegraded, _ meta: Meta, into drafts: inout [Draft]) {
        raise(
            "picture-degraded",
            "\(fault.station)/\(fault.fault.word)",
            .high,
            meta,
            text: "pictures are \(fault.fault.word) from part \(fault.trigger.text) on: measure "
                + "\(fault.measure.rounded(to: 3)), limit \(fault.limit.rounded(to: 3))",
            response: "Look at camera, lens and light: verdicts from that part on may miss defects.",
            into: &drafts
        )
    }

    private mutating func tellNotStored(_ lost: EvidenceNotStored, _ meta: Meta, into drafts: inout [Draft]) {
        guard lost.cause == .budget || lost.cause == .fault else { return }
        raise(
            "evidence-not-stored",
            lost.trigger.station,
            .medium,
            meta,
            text: "the picture of part \(lost.trigger.text) is not kept: \(lost.reason)",
            response: "Free the disk or raise the budget; verdicts go on, but their pictures are missing.",
            into: &drafts
        )
    }
}

extension PictureFault {
    /// As alarms and people name it.
    package var word: String {
        switch self {
        case .frozen: "frozen"
        case .dark: "dark"
        case .overexposed: "overexposed"
        case .blurred: "blurred"
        case .shifted: "shifted"
        case .noisy: "noisy"
        case .unspecified, .UNRECOGNIZED: "unfit"
        }
    }
}

extension Double {
    fileprivate func rounded(to digits: Int) -> Double {
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        return (self * scale).rounded() / scale
    }
}
