import PlantCore
import PlantEvents
import SwiftProtobuf
import Testing

private let limits = AlarmFold.Limits(burstFailures: 5, burstWindow: 20, silentAfterUs: 60_000_000)

@Suite struct CameraAlarmTests {
    /// What an alarm fold says to these events of one station, `+kind subject` or `-kind subject`.
    private func signs(_ kinds: FrameRecord.Event.OneOf_Kind...) -> [String] {
        var fold = AlarmFold()
        var signs: [String] = []
        for (number, kind) in kinds.enumerated() {
            let record: FrameRecord = foreign("r\(number)", [kind], station: "vision-1", sequence: UInt64(number))
            for draft in fold.fold(record, limits) {
                switch draft.kind.message.kind {
                case .alarmRaised(let raised): signs.append("+\(raised.kind) \(raised.subject)")
                case .alarmReturnedToNormal(let returned): signs.append("-\(returned.kind) \(returned.subject)")
                case .writerTookOver, nil: break
                }
            }
        }
        return signs
    }

    @Test("REL-05, M23: a lost camera is an alarm until it is back")
    func cameraLost() {
        let lost = CameraLost.with { $0.station = "vision-1" }
        let returned = CameraReturned.with { $0.station = "vision-1" }
        let found = signs(.cameraLost(lost), .cameraLost(lost), .cameraReturned(returned), .cameraReturned(returned))
        #expect(found == ["+camera-lost vision-1", "-camera-lost vision-1"])
    }

    @Test("M23: each fault of a station's pictures is an alarm of its own, until it is over")
    func pictureDegraded() {
        func degraded(_ fault: PictureFault) -> FrameRecord.Event.OneOf_Kind {
            .pictureQualityDegraded(
                .with {
                    $0.station = "vision-1"
                    $0.fault = fault
                }
            )
        }
        func restored(_ fault: PictureFault) -> FrameRecord.Event.OneOf_Kind {
            .pictureQualityRestored(
                .with {
                    $0.station = "vision-1"
                    $0.fault = fault
                }
            )
        }
        let found = signs(degraded(.dark), degraded(.blurred), restored(.dark), degraded(.dark), restored(.blurred))
        #expect(
            found == [
                "+picture-degraded vision-1/dark", "+picture-degraded vision-1/blurred",
                "-picture-degraded vision-1/dark",
                "+picture-degraded vision-1/dark", "-picture-degraded vision-1/blurred",
            ]
        )
    }

    @Test("RES-04: pictures that cannot be kept are an alarm until one is; what the policy leaves out is none")
    func notStored() {
        func notStored(_ cause: NotStoredCause) -> FrameRecord.Event.OneOf_Kind {
            .evidenceNotStored(
                .with {
                    $0.trigger = TriggerId("vision-1", 1)
                    $0.cause = cause
                }
            )
        }
        let stored = FrameRecord.Event.OneOf_Kind.evidenceStored(.with { $0.trigger = TriggerId("vision-1", 2) })
        #expect(signs(notStored(.policy), notStored(.unspecified), stored) == [])
        for cause in [NotStoredCause.budget, .fault] {
            let found = signs(notStored(cause), notStored(.policy), notStored(cause), stored)
            #expect(found == ["+evidence-not-stored vision-1", "-evidence-not-stored vision-1"])
        }
    }
}
