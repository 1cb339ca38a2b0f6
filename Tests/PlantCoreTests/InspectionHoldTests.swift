import PlantCore
import PlantEvents
import SeededRandom
import SwiftProtobuf
import Testing

/// One thing that happens at a station.
private enum Happening {
    case part(Verdict)
    case missed
    case newBatch
    case newShift
}

@Suite struct InspectionHoldTests {
    @Test("MES-01: a defect of a holding category holds the batch, once, with all that the MES needs")
    func categoryHolds() throws {
        var live = inspecting()
        live.adopt(context("WO-1", batch: "B-1"))
        live.submit(.recipeLoaded(activated("d", plan: plan(categories: ["short", "open", "short"]))))
        #expect(live.judge(0, .fail, by: "d", categories: ["scratch"])?.holds == [])
        #expect(live.judge(1, .uncertain, by: "d", categories: ["short"])?.holds == [], "not failed")
        let record = live.judge(2, .fail, by: "d", categories: ["scratch", "short"])
        let hold = try #require(record?.holds.first)
        #expect(record?.holds.count == 1)
        #expect(hold.subjectKind == .batch && hold.subjectID == "B-1")
        #expect(hold.defectCategory == "short" && hold.rule == "category-short")
        #expect(hold.partID == "vision-1/1/2" && hold.context.orderID == "WO-1")
        // The same category again holds nothing new; another one is another rule
        #expect(live.judge(3, .fail, by: "d", categories: ["short"])?.holds == [])
        #expect(live.judge(4, .fail, by: "d", categories: ["open", "short"])?.holds.map(\.rule) == ["category-open"])
        // And the next batch is a new subject
        live.adopt(context("WO-1", batch: "B-2"))
        let next = live.judge(5, .fail, by: "d", categories: ["short"])?.holds
        #expect(next?.map(\.subjectID) == ["B-2"])
        let all = live.records.flatMap(\.holds).map(\.holdID)
        #expect(all.count == 3 && all.hasNoRepeats)
    }

    @Test("MES-01: one cause holds a batch once, whichever station sees it and whenever a line takes the batch up")
    func oneHoldAcrossStations() {
        var live = inspecting()
        let plan = plan(categories: ["short"])
        for station in lines.keys.sorted() { live.submit(.recipeLoaded(activated("d", at: station, plan: plan))) }
        live.adopt(context("WO-1", batch: "B-1"))
        #expect(live.judge(0, .fail, by: "d", at: "vision-1", categories: ["short"])?.holds.count == 1)
        #expect(live.judge(0, .fail, by: "d", at: "vision-2", categories: ["short"])?.holds == [])
        live.adopt(context("WO-1", batch: "B-1"), line: "line-2")
        #expect(live.judge(0, .fail, by: "d", at: "vision-3", categories: ["short"])?.holds == [])
        // When nobody works on it any more and it comes back, its holds may have been released: it is held anew
        live.adopt(context("WO-2", batch: "B-2"), line: "line-1")
        #expect(live.judge(1, .fail, by: "d", at: "vision-3", categories: ["short"])?.holds == [])
        live.adopt(context("WO-2", batch: "B-2"), line: "line-2")
        live.adopt(context("WO-1", batch: "B-1"), line: "line-1")
        #expect(live.judge(2, .fail, by: "d", at: "vision-1", categories: ["short"])?.holds.count == 1)
    }

    @Test("RES-11, RES-12: a stop is asked for once a part, and what was measured travels with the verdict")
    func stopsAndFeatures() throws {
        var live = inspecting()
        let plan = ReactionPlan.with { $0.stopOnCategories = ["short", "open"] }
        live.submit(.recipeLoaded(activated("d", plan: plan)))
        func kinds(_ number: UInt64, _ verdict: Verdict, _ categories: [String]) throws -> [InspectionCore.Kind] {
            var judged = judgement(verdict, by: "d", categories: categories)
            judged.features = [.with { $0.name = "bore" }]
            let captured = frame(TriggerId("vision-1", number))
            let record = live.submit(.judged(captured, frame: Origin(), judged))
            return try #require(record).events.compactMap(\.kind)
        }
        func stops(_ kinds: [InspectionCore.Kind]) -> [StopRequested] {
            kinds.compactMap { if case .stopRequested(let stop) = $0 { stop } else { nil } }
        }
        #expect(stops(try kinds(0, .fail, ["scratch"])).isEmpty)
        #expect(stops(try kinds(1, .uncertain, ["short"])).isEmpty, "not failed")
        let found = try kinds(2, .fail, ["open", "short"])
        #expect(stops(found).map(\.stopID) == ["stop:vision-1/1/2"] && stops(found).map(\.line) == ["line-1"])
        let measured = found.compactMap { if case .featuresMeasured(let event) = $0 { event } else { nil } }
        #expect(measured.map(\.partID) == ["vision-1/1/2"] && measured[0].features.map(\.name) == ["bore"])
    }

    @Test("Without a batch the station is held")
    func holdsStation() {
        var live = inspecting()
        live.submit(.recipeLoaded(activated("d", plan: plan(categories: ["short"]))))
        let hold = live.judge(0, .fail, by: "d", categories: ["short"])?.holds.first
        #expect(hold?.subjectKind == .station && hold?.subjectID == "vision-1")
        #expect(live.judge(1, .fail, by: "d", categories: ["short"])?.holds == [])
    }

    @Test(
        "MES-01: failures among the last parts hold the batch exactly when counting says so",
        arguments: UInt64(1)...120
    )
    func failuresInWindow(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let window = random.pick([0, 1, 1, 2, 3, 5, 8])
        let failures = Int.random(in: 0...max(1, window + 1), using: &random)
        let happenings = (0..<150).map { _ -> Happening in
            switch Int.random(in: 0..<20, using: &random) {
            case 0: .newBatch
            case 1: .newShift
            case 2: .missed
            default: .part(random.pick([.pass, .pass, .fail, .uncertain]))
            }
        }
        // Brute force over everything that happened
        var expected: [String] = []
        var batch: [Verdict] = []
        var isHeld = false
        for (number, happening) in happenings.enumerated() {
            switch happening {
            case .newBatch:
                batch = []
                isHeld = false
            case .newShift, .missed:
                break
            case .part(let verdict):
                batch.append(verdict)
                guard verdict == .fail, failures > 0, !isHeld else { continue }
                var counted = 0
                for index in batch.indices where index >= batch.count - window && batch[index] == .fail { counted += 1 }
                guard counted >= failures else { continue }
                isHeld = true
                expected.append("vision-1/1/\(number)")
            }
        }
        let plan = plan(failures: UInt32(failures), window: UInt32(window))
        #expect(holds(happenings, plan) == expected, "\(failures) in \(window)")
    }

    /// The parts at which the core places a hold.
    private func holds(_ happenings: [Happening], _ plan: ReactionPlan) -> [String] {
        var live = inspecting()
        live.submit(.recipeLoaded(activated("d", plan: plan)))
        var batch = 0
        for (number, happening) in happenings.enumerated() {
            switch happening {
            case .newBatch:
                batch += 1
                live.adopt(context("WO-1", batch: "B-\(batch)"))
            case .newShift:
                live.adopt(context("WO-1", batch: batch == 0 ? "" : "B-\(batch)", shift: "shift \(number)"))
            case .missed:
                live.submit(.frameMissed(.with { $0.trigger = TriggerId("vision-1", UInt64(number)) }))
            case .part(let verdict):
                live.judge(UInt64(number), verdict, by: "d")
            }
        }
        return live.records.flatMap(\.holds).map(\.partID)
    }

    @Test("I11: holds of batches that nobody works on any more are not kept in the state")
    func stateDoesNotGrow() throws {
        var live = inspecting()
        for station in lines.keys.sorted() {
            live.submit(.recipeLoaded(activated("d", at: station, plan: plan(categories: ["short"]))))
        }
        live.adopt(context("WO-1", batch: "B-0"), line: "line-2")
        var sizes: [Int] = []
        for number in 100..<300 {
            live.adopt(context("WO-1", batch: "B-\(number)"))
            live.judge(UInt64(number), .fail, by: "d", categories: ["short"])
            sizes.append(try text(live.core.state).utf8.count)
        }
        #expect(live.records.flatMap(\.holds).count == 200)
        #expect(sizes[199] == sizes[10])
    }
}
