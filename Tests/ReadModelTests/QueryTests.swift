import EventLog
import Foundation
import PlantEvents
import ReadModel
import SeededRandom
import SwiftProtobuf
import Testing

@Suite struct QueryTests {
    @Test("The balance names a missing verdict, and closes when it comes")
    func balanceNamesAMissingVerdict() throws {
        let folder = try Folder()
        let model = try ReadModel(path: folder.path("m"), site: PartitionWriter.site)
        var frames = PartitionWriter(.frames)
        var inspections = PartitionWriter(.inspections)
        try frames.takeOver(as: FrameRecord.self)
        try inspections.takeOver(as: InspectionRecord.self)
        for sequence in 0..<10 {
            try frames.write(FrameRecord.self, [.init(.frameCaptured(frame(sequence)))])
            if sequence != 4 {
                try inspections.write(InspectionRecord.self, [.init(.partInspected(part(sequence, .pass)))])
            }
        }
        _ = try model.apply(frames.records + inspections.records, nowUs: 1)
        let queries = try Queries(path: folder.path("m"))
        let open = try queries.balance()
        #expect(open.open == 1)
        #expect(open.named == ["vision-1/1/4: no verdict and no named gap"])
        let read = inspections.records.count
        try inspections.write(InspectionRecord.self, [.init(.partInspected(part(4, .fail)))])
        try inspections.write(InspectionRecord.self, [.init(.partInspected(part(11, .fail)))])
        _ = try model.apply(Array(inspections.records[read...]), nowUs: 1)
        let later = try queries.balance()
        #expect(later.open == 0)
        #expect(later.waiting == 1)
        #expect(later.named.contains("vision-1/1/11: no frame record"))
        #expect(later.verdicts == 11)
    }

    @Test("I12, RES-04: a part whose picture was deleted says so, by which rule; one kept anew is kept")
    func deletedPicturesAreNamed() throws {
        let folder = try Folder()
        let model = try ReadModel(path: folder.path("m"), site: PartitionWriter.site)
        var frames = PartitionWriter(.frames)
        var inspections = PartitionWriter(.inspections)
        try frames.takeOver(as: FrameRecord.self)
        try inspections.takeOver(as: InspectionRecord.self)
        func pixels(_ sequence: Int) -> String { String(repeating: "\(sequence)", count: 64) }
        func stored(_ sequence: Int) -> FrameRecord.Event {
            .init(
                .evidenceStored(
                    .with {
                        $0.trigger = frame(sequence).trigger
                        $0.pixelsSha256 = pixels(sequence)
                        $0.lossless = true
                    }
                )
            )
        }
        for sequence in 0..<3 {
            try frames.write(FrameRecord.self, [.init(.frameCaptured(frame(sequence)))])
            try frames.write(FrameRecord.self, [stored(sequence)])
            try inspections.write(InspectionRecord.self, [.init(.partInspected(part(sequence, .pass)))])
        }
        for sequence in 0..<2 {
            let expired = EvidenceExpired.with {
                $0.pixelsSha256 = pixels(sequence)
                $0.policy = "pass: 30d"
            }
            try frames.write(FrameRecord.self, [.init(.evidenceExpired(expired))])
        }
        try frames.write(FrameRecord.self, [stored(1)])
        _ = try model.apply(frames.records + inspections.records, nowUs: 1)
        let queries = try Queries(path: folder.path("m"))
        let kept = try (0..<3).map { try queries.part("vision-1/1/\($0)").first?.evidence }
        #expect(kept.map { $0?.stored } == [false, true, true])
        #expect(kept[0]?.reason.contains("pass: 30d") == true)
    }

    @Test("An imbalance that sums to nothing is still named")
    func balanceIsNotAveraged() throws {
        let folder = try Folder()
        let model = try ReadModel(path: folder.path("m"), site: PartitionWriter.site)
        var frames = PartitionWriter(.frames)
        var inspections = PartitionWriter(.inspections)
        try frames.takeOver(as: FrameRecord.self)
        try inspections.takeOver(as: InspectionRecord.self)
        for sequence in [0, 1, 3] { try frames.write(FrameRecord.self, [.init(.frameCaptured(frame(sequence)))]) }
        for sequence in [0, 1, 2] {
            try inspections.write(InspectionRecord.self, [.init(.partInspected(part(sequence, .pass)))])
        }
        try inspections.write(InspectionRecord.self, [.init(.partInspected(part(1, .fail)))])
        _ = try model.apply(frames.records + inspections.records, nowUs: 1)
        let balance = try Queries(path: folder.path("m")).balance()
        #expect(balance.triggers == balance.verdicts)
        #expect(balance.open == 1)
        #expect(balance.waiting == 1)
        #expect(balance.repeated == 1)
        #expect(
            balance.named == [
                "vision-1/1/3: no verdict and no named gap", "vision-1/1/2: no frame record",
                "vision-1/1/1: a second verdict record, partition 0 epoch 1 sequence 4, does not count",
            ]
        )
    }

    @Test("Counts, first-pass yield and latencies of the overview agree with the events", arguments: 1...3)
    func overviewAgreesWithTheEvents(seed: UInt64) throws {
        let folder = try Folder()
        let model = try ReadModel(path: folder.path("m"), site: PartitionWriter.site)
        var random = SplitMix64(seed: seed)
        var inspections = PartitionWriter(.inspections)
        try inspections.takeOver(as: InspectionRecord.self)
        var outcomes: [String: [Verdict]] = [:]
        var latencies: [Int64] = []
        for sequence in 0..<200 {
            var event = part(sequence, random.pick([.pass, .fail, .uncertain]))
            event.partID = "SN-\(random.below(120))"
            event.decidedAtUs = event.triggeredAtUs + Int64(random.below(100_000))
            outcomes[event.partID, default: []].append(event.verdict)
            latencies.append(event.decidedAtUs - event.triggeredAtUs)
            try inspections.write(InspectionRecord.self, [.init(.partInspected(event))])
        }
        _ = try model.apply(inspections.records, nowUs: 1)
        let overview = try Queries(path: folder.path("m")).overview()
        let counts = try #require(overview.stations.first?.counts)
        let all = outcomes.values.flatMap { $0 }
        #expect(counts.accepted == all.filter { $0 == .pass }.count)
        #expect(counts.rejected == all.filter { $0 == .fail }.count)
        #expect(counts.uncertain == all.filter { $0 == .uncertain }.count)
        #expect(counts.firstPassInspected == outcomes.count)
        #expect(counts.firstPassAccepted == outcomes.values.filter { $0.first == .pass }.count)
        let sorted = latencies.sorted()
        #expect(overview.latencies.triggerToVerdict?.maxUs == sorted.last)
        #expect(overview.latencies.triggerToVerdict?.p50Us == sorted[99])
        #expect(overview.latencies.triggerToVerdict?.p99Us == sorted[197])
        #expect(overview.lastParts.count == 50)
        #expect(overview.lastParts.first?.trigger == "vision-1/1/199")
        #expect(overview.orders.first?.counts.inspected == 200)
    }

    @Test("Pages of parts hold each part once")
    func pagesAreComplete() throws {
        let folder = try Folder()
        var chains = SyntheticChains(seed: 3)
        let model = try ReadModel(path: folder.path("m"), site: SyntheticChains.site)
        _ = try model.apply(try chains.records(parts: 700), nowUs: 1)
        let queries = try Queries(path: folder.path("m"))
        var filter = PartFilter()
        filter.order = "WO-1000"
        filter.limit = 64
        var seen: Set<String> = []
        var pages = 0
        repeat {
            let page = try queries.parts(filter)
            #expect(page.parts.allSatisfy { $0.orderID == "WO-1000" && seen.insert($0.trigger).inserted })
            filter.cursor = page.next
            pages += 1
        } while filter.cursor != nil
        #expect(seen.count == 500)
        #expect(pages == 8)
        let part = try #require(try queries.part("vision-2/1/7").first)
        #expect(part.evidence?.lossless == true)
        #expect(part.evidence?.pixelsSha256 == part.pixelsSha256)
        #expect(part.hasFrame)
    }

    @Test("Answers have snake_case keys, and holds know what the other systems were told")
    func holdsAndJSON() throws {
        let folder = try Folder()
        var chains = SyntheticChains(seed: 5)
        let model = try ReadModel(path: folder.path("m"), site: SyntheticChains.site)
        _ = try model.apply(try chains.records(parts: 3000), nowUs: 1)
        let queries = try Queries(path: folder.path("m"))
        let overview = try queries.overview()
        #expect(!overview.holds.isEmpty)
        #expect(overview.holds.allSatisfy { $0.isOpen && $0.deliveries.map(\.effect) == ["lot_hold", "stock_block"] })
        #expect(overview.latencies.verdictToMesHold?.count == Int64(overview.holds.count))
        #expect(overview.deliveries.map(\.pending) == [0, 0])
        #expect(overview.balance.open == 0)
        let json = String(decoding: try Queries.json(overview), as: UTF8.self)
        for key in ["\"first_pass_yield\":", "\"last_parts\":", "\"p50_us\":", "\"pixels_sha256\":", "\"part_id\":"] {
            #expect(json.contains(key))
        }
    }

    private func frame(_ sequence: Int) -> FrameCaptured {
        var frame = FrameCaptured()
        frame.trigger = .with("vision-1", 1, UInt64(sequence))
        frame.triggeredAtUs = Int64(sequence) * 1000 + 1
        return frame
    }

    private func part(_ sequence: Int, _ verdict: Verdict) -> PartInspected {
        var part = PartInspected()
        part.trigger = .with("vision-1", 1, UInt64(sequence))
        part.partID = part.trigger.text
        part.verdict = verdict
        part.context.orderID = "WO-1"
        part.triggeredAtUs = Int64(sequence) * 1000 + 1
        part.decidedAtUs = part.triggeredAtUs + 10
        return part
    }
}
