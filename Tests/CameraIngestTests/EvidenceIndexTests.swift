import EventLog
import Foundation
import PlantCore
import PlantEvents
import SwiftProtobuf
import Testing
import camera_ingest

private let day: Int64 = 86_400_000_000
private let start: Int64 = 1_715_922_000_000_000

/// An index in a folder of its own, fed with what services would have written.
private struct Plant {
    let path: String
    let index: EvidenceIndex
    private var nowUs = start

    init(_ policy: KeepingPolicy, path: String? = nil) throws {
        self.path =
            path ?? FileManager.default.temporaryDirectory.appending(path: "index-\(UUID().uuidString)/i.sqlite").path
        index = try EvidenceIndex(path: self.path, policy: policy)
    }

    mutating func at(_ us: Int64) { nowUs = us }

    func frames(_ kinds: FrameRecord.Event.OneOf_Kind...) throws {
        let record = FrameRecord.with {
            $0.meta.occurredAtUs = nowUs
            $0.meta.place.workUnit = "vision-1"
            $0.meta.place.workCenter = "line-1"
            $0.events = kinds.map { FrameRecord.Event($0) }
        }
        try index.commit([.frames(record)], positions: IntakePositions())
    }

    func inspections(_ kinds: InspectionRecord.Event.OneOf_Kind...) throws {
        let record = InspectionRecord.with { $0.events = kinds.map { InspectionRecord.Event($0) } }
        try index.commit([.inspections(record)], positions: IntakePositions())
    }

    func decisions(_ kinds: DecisionRecord.Event.OneOf_Kind...) throws {
        let record = DecisionRecord.with { $0.events = kinds.map { DecisionRecord.Event($0) } }
        try index.commit([.decisions(record)], positions: IntakePositions())
    }

    func release(_ ids: String...) throws {
        let record = DecisionRecord.with {
            $0.events = [.init(.holdReleased(.with { $0.holdIds = ids }))]
        }
        try index.commit([.decisions(record)], positions: IntakePositions())
    }

    /// Names of the pictures that are due and not held.
    func due(atUs: Int64) throws -> [String] {
        try index.due(nowUs: atUs, after: nil, limit: 100).map(\.pixels).filter { try !index.isHeld($0) }
    }
}

private func trigger(_ number: UInt64) -> TriggerId {
    .with {
        $0.station = "vision-1"
        $0.session = 1
        $0.sequence = number
    }
}

private func stored(_ number: UInt64, _ pixels: String) -> FrameRecord.Event.OneOf_Kind {
    .evidenceStored(
        .with {
            $0.trigger = trigger(number)
            $0.pixelsSha256 = pixels
            $0.storedSha256 = "file-\(pixels)"
            $0.storedBytes = 1_000
        }
    )
}

private func inspected(_ number: UInt64, _ verdict: Verdict, batch: String = "B-1") -> InspectionRecord.Event.OneOf_Kind
{
    .partInspected(
        .with {
            $0.trigger = trigger(number)
            $0.partID = "SN-\(number)"
            $0.verdict = verdict
            $0.context.batchID = batch
            $0.context.orderID = "WO-1"
            $0.context.customerOrder = "CO-5"
            $0.context.materialLots = ["ML-9"]
        }
    )
}

private func hold(_ id: String, _ kind: SubjectKind, _ subject: String) -> InspectionRecord.Event.OneOf_Kind {
    .holdPlaced(
        .with {
            $0.holdID = id
            $0.subjectKind = kind
            $0.subjectID = subject
        }
    )
}

private func legalHold(_ id: String, _ subjects: String...) -> DecisionRecord.Event.OneOf_Kind {
    .legalHoldPlaced(
        .with {
            $0.legalHoldID = id
            $0.subjectIds = subjects
        }
    )
}

private func lift(_ id: String) -> DecisionRecord.Event.OneOf_Kind { .legalHoldLifted(.with { $0.legalHoldID = id }) }

private let policy = KeepingPolicy(pass: .seconds(30 * 86_400), fail: .seconds(60 * 86_400), process: .seconds(86_400))

@Suite struct EvidenceIndexTests {
    @Test("RES-04: a picture is due when its time is over, by its verdict, whichever was read first")
    func due() throws {
        let plant = try Plant(policy)
        try plant.frames(stored(0, "a"), stored(1, "b"))
        try plant.inspections(inspected(1, .fail), inspected(0, .pass), inspected(2, .uncertain), inspected(3, .pass))
        try plant.frames(stored(2, "c"), stored(3, "d"))
        #expect(try plant.due(atUs: start + 30 * day - 1) == [])
        #expect(try plant.due(atUs: start + 30 * day) == ["a", "d"])
        #expect(try plant.due(atUs: start + 60 * day) == ["a", "d", "b", "c"])
    }

    @Test("RES-04: what has no verdict yet is never due; without one it stays as long as a failed part")
    func unknown() throws {
        let plant = try Plant(policy)
        try plant.frames(stored(0, "a"), stored(1, "b"))
        try plant.inspections(
            .inspectionMissed(
                .with {
                    $0.trigger = trigger(1)
                    $0.partID = "vision-1/1/1"
                }
            )
        )
        #expect(try plant.due(atUs: start + 59 * day) == [])
        #expect(try plant.due(atUs: start + 1_000 * day) == ["b"])
    }

    @Test(
        "ERP-21: what is on hold stays while any hold is open: part, batch, lot, order or station",
        arguments: [
            (SubjectKind.part, "SN-0"), (.part, "vision-1/1/0"), (.batch, "B-1"), (.materialLot, "ML-9"),
            (.order, "WO-1"),
            (.station, "vision-1"),
        ]
    )
    func holds(kind: SubjectKind, subject: String) throws {
        let plant = try Plant(policy)
        try plant.frames(stored(0, "a"))
        try plant.inspections(inspected(0, .pass), hold("H-1", kind, subject), hold("H-2", kind, subject))
        try plant.inspections(hold("H-3", kind, "another"))
        #expect(try plant.due(atUs: start + 100 * day) == [])
        try plant.release("H-1")
        #expect(try plant.due(atUs: start + 100 * day) == [])
        try plant.release("H-2")
        #expect(try plant.due(atUs: start + 100 * day) == ["a"])
        // A release may be read before its hold, and a hold twice.
        try plant.release("H-4")
        try plant.inspections(hold("H-4", kind, subject), hold("H-1", kind, subject))
        #expect(try plant.due(atUs: start + 100 * day) == ["a"])
    }

    @Test(
        "TRC-16: a legal hold keeps what has its id, of any kind, also when it comes after the picture, until it is lifted",
        arguments: ["SN-0", "vision-1/1/0", "B-1", "ML-9", "WO-1", "CO-5", "vision-1", "line-1"]
    )
    func legalHolds(subject: String) throws {
        for isPlacedFirst in [true, false] {
            let plant = try Plant(policy)
            if isPlacedFirst { try plant.decisions(legalHold("LH-1", "B-0", subject), legalHold("LH-2", subject)) }
            try plant.frames(stored(0, "a"))
            try plant.inspections(inspected(0, .pass))
            if !isPlacedFirst {
                #expect(try plant.due(atUs: start + 100 * day) == ["a"])
                try plant.decisions(legalHold("LH-1", "B-0", subject), legalHold("LH-2", subject))
            }
            #expect(try plant.due(atUs: start + 100 * day) == [])
            try plant.decisions(lift("LH-1"))
            #expect(try plant.due(atUs: start + 100 * day) == [])
            let again = try Plant(policy, path: plant.path)
            #expect(try again.due(atUs: start + 100 * day) == [])
            try again.decisions(lift("LH-2"))
            #expect(try again.due(atUs: start + 100 * day) == ["a"])
            // A place that is read after its lift, as a re-driven record may be, holds nothing.
            try again.decisions(lift("LH-3"), legalHold("LH-3", subject))
            #expect(try again.due(atUs: start + 100 * day) == ["a"])
        }
    }

    @Test("TRC-16, RES-13: a hold on a station or line keeps its pictures of the process, too")
    func heldPlaces() throws {
        let plant = try Plant(policy)
        try plant.frames(.processImageStored(.with { $0.pixelsSha256 = "a" }))
        #expect(try plant.due(atUs: start + day) == ["a"])
        try plant.decisions(legalHold("LH-1", "line-1"))
        #expect(try plant.due(atUs: start + day) == [])
        try plant.decisions(lift("LH-1"))
        try plant.inspections(hold("H-1", .station, "vision-1"))
        #expect(try plant.due(atUs: start + day) == [])
    }

    @Test("TRC-16: a hold that comes between a picture's expiry and its deletion is seen; what it shows is said anew")
    func heldWhileExpiring() throws {
        let plant = try Plant(policy)
        try plant.frames(stored(0, "a"), stored(1, "a"), stored(2, "b"))
        try plant.frames(
            .processImageStored(
                .with {
                    $0.pixelsSha256 = "a"
                    $0.storedSha256 = "file-a"
                    $0.storedBytes = 1_000
                }
            )
        )
        try plant.inspections(inspected(0, .pass), inspected(1, .pass), inspected(2, .pass, batch: "B-2"))
        try plant.frames(.evidenceExpired(.with { $0.pixelsSha256 = "a" }))
        let first = try plant.index.lastRemoval()
        try plant.frames(.evidenceExpired(.with { $0.pixelsSha256 = "b" }))
        #expect(try plant.index.removals(1...first, limit: 10).map(\.pixels) == ["a"])
        #expect(try !plant.index.isHeld("a"))
        try plant.decisions(legalHold("LH-1", "B-1"))
        #expect(try plant.index.isHeld("a") && !plant.index.isHeld("b"))
        let kept = try #require(try plant.index.kept("a"))
        #expect(kept.station == "vision-1")
        let names = kept.kinds.map { kind in
            switch kind {
            case .evidenceStored(let stored): "\(stored.trigger.sequence) \(stored.storedSha256) \(stored.storedBytes)"
            case .processImageStored(let image): "process \(image.station)"
            default: "something else"
            }
        }
        #expect(names == ["0 file-a 1000", "1 file-a 1000", "process vision-1"], "\(names)")
        for kind in kept.kinds { try plant.frames(kind) }
        #expect(try plant.index.removals(limit: 10).map(\.pixels) == ["b"])
        try plant.index.removed(["b"])
        #expect(try plant.index.kept("b") == nil)
        try plant.decisions(lift("LH-1"))
        #expect(try plant.due(atUs: start + 31 * day) == ["a"])
    }

    @Test("TRC-16: what a legal hold stands on is known before it is kept or not")
    func preserved() throws {
        let plant = try Plant(KeepingPolicy(keep: .fails))
        try plant.inspections(inspected(0, .pass), inspected(1, .pass, batch: "B-2"))
        try plant.decisions(legalHold("LH-1", "B-1"))
        #expect(try plant.index.isPreserved(trigger: "vision-1/1/0"))
        #expect(try !plant.index.isPreserved(trigger: "vision-1/1/1"))
        #expect(try !plant.index.isPreserved(trigger: "vision-1/1/2"))
    }

    @Test("A picture that shows several parts stays as long as the strictest of them asks")
    func shared() throws {
        let plant = try Plant(policy)
        try plant.frames(stored(0, "a"), stored(1, "a"))
        try plant.inspections(inspected(0, .pass))
        #expect(try plant.due(atUs: start + 1_000 * day) == [])
        try plant.inspections(inspected(1, .fail, batch: "B-2"))
        #expect(try plant.due(atUs: start + 59 * day) == [])
        #expect(try plant.due(atUs: start + 60 * day) == ["a"])
        try plant.inspections(hold("H-1", .batch, "B-2"))
        #expect(try plant.due(atUs: start + 60 * day) == [])
    }

    @Test("RES-13: a picture of the process is kept by its own time, or by its part's where that is longer")
    func process() throws {
        let plant = try Plant(policy)
        for pixels in ["a", "b"] {
            try plant.frames(
                .processImageStored(
                    .with {
                        $0.station = "vision-1"
                        $0.pixelsSha256 = pixels
                    }
                )
            )
        }
        try plant.frames(stored(0, "b"))
        try plant.inspections(inspected(0, .pass))
        #expect(try plant.due(atUs: start + day) == ["a"])
        #expect(try plant.due(atUs: start + 30 * day) == ["a", "b"])
    }

    @Test("Only what is kept while there is room makes room, oldest first")
    func makesRoom() throws {
        var plant = try Plant(KeepingPolicy(pass: .whileRoom, fail: .forever, process: .seconds(86_400)))
        for (number, pixels) in ["c", "b", "a"].enumerated() {
            plant.at(start + Int64(number))
            try plant.frames(stored(UInt64(number), pixels))
        }
        try plant.inspections(inspected(0, .pass), inspected(1, .fail), inspected(2, .pass))
        #expect(try plant.index.oldest(.pass, after: nil, limit: 10).map(\.pixels) == ["c", "a"])
        let first = try #require(try plant.index.oldest(.pass, after: nil, limit: 1).first)
        #expect(first.bytes == 1_000 && first.stored == "file-c" && first.station == "vision-1")
        #expect(try plant.index.oldest(.pass, after: first, limit: 10).map(\.pixels) == ["a"])
        #expect(try plant.due(atUs: .max) == [])
        // A picture of the process as well is not theirs alone.
        try plant.frames(.processImageStored(.with { $0.pixelsSha256 = "a" }))
        #expect(try plant.index.oldest(.pass, after: nil, limit: 10).map(\.pixels) == ["c"])
    }

    @Test("I8: files go after their expiry is read back, unless the picture is kept anew")
    func removals() throws {
        let plant = try Plant(policy)
        try plant.frames(stored(0, "a"), stored(1, "b"))
        try plant.inspections(inspected(0, .pass), inspected(1, .pass))
        #expect(try plant.index.removals(limit: 10).map(\.pixels) == [])
        for pixels in ["a", "b"] { try plant.frames(.evidenceExpired(.with { $0.pixelsSha256 = pixels })) }
        #expect(try plant.due(atUs: start + 100 * day) == [])
        try plant.frames(stored(2, "b"))
        #expect(try plant.index.removals(limit: 10).map(\.pixels) == ["a"])
        try plant.index.removed(["a"])
        #expect(try plant.index.removals(limit: 10).map(\.pixels) == [])
    }

    @Test("What a person may delete: the index, opened again, is as it was; another policy judges all anew")
    func reopens() throws {
        let first = try Plant(policy)
        try first.frames(stored(0, "a"))
        try first.inspections(inspected(0, .pass), hold("H-1", .batch, "B-1"))
        let again = try Plant(policy, path: first.path)
        #expect(try again.due(atUs: start + 100 * day) == [])
        try again.release("H-1")
        #expect(try again.due(atUs: start + 100 * day) == ["a"])
        let shorter = try Plant(KeepingPolicy(pass: .seconds(60)), path: first.path)
        #expect(try shorter.due(atUs: start + 60_000_000) == ["a"])
        try Data("not a database, and long enough to be looked at".utf8).write(to: URL(fileURLWithPath: first.path))
        for ending in ["-wal", "-shm"] { try? FileManager.default.removeItem(atPath: first.path + ending) }
        let fresh = try Plant(policy, path: first.path)
        #expect(try fresh.due(atUs: .max) == [] && fresh.index.positions() == IntakePositions())
    }

    @Test("RES-13: verdicts are known as they are read; pictures that are not kept leave nothing behind")
    func outcomes() throws {
        let plant = try Plant(KeepingPolicy(keep: .fails))
        #expect(try plant.index.outcome(of: "vision-1/1/0") == .unknown)
        try plant.inspections(inspected(0, .pass), inspected(1, .fail))
        #expect(try plant.index.outcome(of: "vision-1/1/0") == .pass)
        #expect(try plant.index.outcome(of: "vision-1/1/1") == .fail)
        try plant.frames(.evidenceNotStored(.with { $0.trigger = trigger(0) }))
        #expect(try plant.index.outcome(of: "vision-1/1/0") == .unknown)
        try plant.frames(.frameMissed(.with { $0.trigger = trigger(5) }))
        try plant.inspections(.inspectionMissed(.with { $0.trigger = trigger(5) }))
        #expect(try plant.index.outcome(of: "vision-1/1/5") == .unknown)
    }
}
