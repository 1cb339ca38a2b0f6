import EventLog
import PlantEvents
import ReadModel
import SeededRandom
import Testing

@Suite struct TraceTests {
    /// A random genealogy: batches made of lots, some of them batches made here, loops included.
    struct Genealogy {
        var lotsOfBatch: [String: Set<String>] = [:]
        var supplierOfLot: [String: String] = [:]
        var batchesOfShipment: [String: Set<String>] = [:]
        var customerOfShipment: [String: String] = [:]
        /// Batch and lots of each part.
        var parts: [String: (batch: String, lots: Set<String>)] = [:]

        /// Everything reached from the item by following edges until nothing is new.
        func reach(_ start: String, forward: Bool) -> Set<String> {
            var edges: [String: Set<String>] = [:]
            func edge(_ from: String, _ to: String) {
                edges[forward ? from : to, default: []].insert(forward ? to : from)
            }
            for (batch, lots) in lotsOfBatch {
                for lot in lots {
                    edge("material_lot:\(lot)", "batch:\(batch)")
                    if lotsOfBatch[lot] != nil { edge("batch:\(lot)", "material_lot:\(lot)") }
                }
            }
            for (lot, supplier) in supplierOfLot { edge("supplier_lot:\(supplier)", "material_lot:\(lot)") }
            for (shipment, batches) in batchesOfShipment {
                for batch in batches { edge("batch:\(batch)", "shipment:\(shipment)") }
                if let customer = customerOfShipment[shipment] { edge("shipment:\(shipment)", "customer:\(customer)") }
            }
            var seen: Set<String> = [start]
            var left = [start]
            while let item = left.popLast() {
                for next in edges[item] ?? [] where seen.insert(next).inserted { left.append(next) }
            }
            return seen
        }
    }

    @Test("Traces agree with brute force over a random genealogy with loops", arguments: 1...8)
    func agreesWithBruteForce(seed: UInt64) throws {
        let folder = try Folder()
        var random = SplitMix64(seed: seed)
        let (genealogy, records) = try generate(&random)
        let model = try ReadModel(path: folder.path("m"), site: PartitionWriter.site)
        _ = try model.apply(records, nowUs: 1)
        let queries = try Queries(path: folder.path("m"))
        let starts =
            genealogy.lotsOfBatch.keys.map { (TraceKind.batch, $0) }
            + Set(genealogy.lotsOfBatch.values.flatMap { $0 }).map { (TraceKind.materialLot, $0) }
            + genealogy.batchesOfShipment.keys.map { (TraceKind.shipment, $0) }
            + Set(genealogy.supplierOfLot.values).map { (TraceKind.supplierLot, $0) }
        for (kind, id) in starts {
            let trace = try #require(try queries.trace(id, as: kind, partLimit: 10_000), "\(kind) \(id)")
            let name = "\(kind.rawValue):\(id)"
            let relevant: (TraceNode) -> Bool = { $0.kind != .order && $0.kind != .purchaseOrder }
            let wentTo = Set(trace.wentTo.filter(relevant).map { "\($0.kind.rawValue):\($0.id)" })
            let madeFrom = Set(trace.madeFrom.filter(relevant).map { "\($0.kind.rawValue):\($0.id)" })
            #expect(wentTo == genealogy.reach(name, forward: true), "seed \(seed), \(name)")
            #expect(madeFrom == genealogy.reach(name, forward: false), "seed \(seed), \(name)")
            let lots = Set(wentTo.compactMap { $0.hasPrefix("material_lot:") ? String($0.dropFirst(13)) : nil })
            let batches = kind == .batch ? [id] : genealogy.batchesOfShipment[kind == .shipment ? id : ""] ?? []
            let parts = genealogy.parts.filter {
                batches.contains($0.value.batch) || !lots.isDisjoint(with: $0.value.lots)
            }
            #expect(Set(trace.parts.map(\.partID)) == Set(parts.keys), "seed \(seed), \(name)")
            #expect(trace.partCount == Int64(parts.count))
        }
        #expect(try queries.trace("nothing") == nil)
    }

    private func generate(_ random: inout SplitMix64) throws -> (Genealogy, [StoredRecord]) {
        var genealogy = Genealogy()
        var inspections = PartitionWriter(.inspections)
        var materials = PartitionWriter(.materials)
        try inspections.takeOver(as: InspectionRecord.self)
        try materials.takeOver(as: MaterialRecord.self)
        for number in 0..<60 {
            var part = PartInspected()
            part.trigger = .with("vision-1", 1, UInt64(number))
            part.partID = part.trigger.text
            part.verdict = .pass
            part.context.batchID = "B-\(random.below(12))"
            let lots = Set(
                (0..<random.below(3)).map { _ in random.chance(0.3) ? "B-\(random.below(14))" : "L-\(random.below(9))" }
            )
            part.context.materialLots = lots.sorted()
            genealogy.lotsOfBatch[part.context.batchID, default: []].formUnion(lots)
            genealogy.parts[part.partID] = (part.context.batchID, lots)
            try inspections.write(InspectionRecord.self, [.init(.partInspected(part))])
        }
        for number in 0..<6 {
            var lot = MaterialLotReceived()
            lot.materialLotID = "L-\(number)"
            lot.supplierLot = "S-\(random.below(3))"
            genealogy.supplierOfLot[lot.materialLotID] = lot.supplierLot
            var shipment = ShipmentDispatched()
            shipment.shipmentID = "SH-\(number)"
            shipment.customerID = "C-\(random.below(3))"
            shipment.batchIds = (0..<2).map { _ in random.pick(genealogy.lotsOfBatch.keys.sorted()) }
            genealogy.batchesOfShipment[shipment.shipmentID] = Set(shipment.batchIds)
            genealogy.customerOfShipment[shipment.shipmentID] = shipment.customerID
            try materials.write(
                MaterialRecord.self,
                [.init(.materialLotReceived(lot)), .init(.shipmentDispatched(shipment))]
            )
        }
        return (genealogy, inspections.records + materials.records)
    }

    @Test("A trace says what it cannot prove, and nothing else")
    func unprovenIsExact() throws {
        let folder = try Folder()
        var chains = SyntheticChains(seed: 11)
        let records = try chains.records(parts: 600)
        let whole = try ReadModel(path: folder.path("whole"), site: SyntheticChains.site)
        _ = try whole.apply(records, nowUs: 1)
        let complete = try #require(try Queries(path: folder.path("whole")).trace("B-0"))
        #expect(complete.unproven == ["material lot SP-0: no goods receipt was recorded"])
        #expect(complete.partCount == 500)
        #expect(complete.customers == ["C-1"])
        #expect(complete.recipes == [String(repeating: "5e", count: 32)])
        let part = try #require(try Queries(path: folder.path("whole")).trace("vision-1/1/3"))
        #expect(part.kind == .part)
        #expect(
            part.madeFrom.map(\.id) == [
                "vision-1/1/3", "B-0", "WO-1000", "ML-0", "SL-0", "PO-0", "SP-0", "ML-0", "SP-0", "WO-1000", "ML-0",
                "SP-0",
            ]
        )

        // The record of one verdict is lost: the trigger is an uninspected one, and the log has a gap.
        let lost = try #require(records.firstIndex { $0.place.topic.hasSuffix("inspections") && $0.offset == 20 })
        let holed = try ReadModel(path: folder.path("holed"), site: SyntheticChains.site)
        _ = try holed.apply(records.enumerated().filter { $0.offset != lost }.map(\.element), nowUs: 1)
        let doubts = try #require(try Queries(path: folder.path("holed")).trace("B-0")).unproven
        #expect(doubts.filter { $0.hasPrefix("uninspected: trigger vision-") }.count == 1)
        #expect(doubts.filter { $0.hasPrefix("the log has a gap: inspections/0 epoch 1: records 20 to 20") }.count == 1)
        #expect(doubts.count == 3)
    }
}
