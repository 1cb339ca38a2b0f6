package import EventLog
import PlantEvents
import SeededRandom

/// Event chains of an imaginary plant, the same for the same seed: for benches and tests, not for production.
///
/// For each part: frame, evidence, verdict, an intent and its confirmation at the MES, and a count towards the ERP, in
/// records as large as real ones. Failed parts have defects, a few of them a hold; orders, batches and lots change.
package struct SyntheticChains {
    package static let site = "berlin"
    private static let partsPerOrder = 500
    private static let stations = ["vision-1", "vision-2"]
    private static let startUs: Int64 = 1_700_000_000_000_000
    private static let recipe = String(repeating: "5e", count: 32)

    private var random: SplitMix64
    private var sequences: [Topic: UInt64] = [:]
    private var records: [StoredRecord] = []
    private var places: [Topic: TopicPartition] = [:]
    private var nowUs = Self.startUs

    package init(seed: UInt64) {
        random = SplitMix64(seed: seed)
    }

    /// All records in the order in which a plant would append them.
    package mutating func records(parts: Int) throws -> [StoredRecord] {
        records = []
        records.reserveCapacity(parts * 6 + 64)
        for topic in Topic.written {
            places[topic] = TopicPartition(TopicName(site: Self.site, topic: topic).description)
            try append(topic, key: Self.site) { $0.takeover() }
        }
        for station in Self.stations { try startSession(station) }
        for index in 0..<parts {
            if index % Self.partsPerOrder == 0 { try startOrder(index / Self.partsPerOrder) }
            try makePart(index)
        }
        return records
    }

    /// A record about to be appended: its metadata and the events of its topic.
    private struct Draft {
        var meta: Meta
        var frames: [FrameRecord.Event] = []
        var inspections: [InspectionRecord.Event] = []
        var production: [ProductionRecord.Event] = []
        var materials: [MaterialRecord.Event] = []
        var deliveries: [DeliveryRecord.Event] = []
        var alarms: [AlarmRecord.Event] = []
        var decisions: [DecisionRecord.Event] = []

        mutating func takeover() {
            var event = WriterTookOver()
            event.epoch = meta.origin.epoch
            event.instance = meta.producer.instance
            frames.append(.takeover(event))
            inspections.append(.takeover(event))
            production.append(.takeover(event))
            materials.append(.takeover(event))
            deliveries.append(.takeover(event))
            alarms.append(.takeover(event))
            decisions.append(.takeover(event))
        }

        func encode(_ topic: Topic) throws -> [UInt8] {
            switch topic {
            case .frames: try encode(FrameRecord(), frames)
            case .inspections: try encode(InspectionRecord(), inspections)
            case .production: try encode(ProductionRecord(), production)
            case .materials: try encode(MaterialRecord(), materials)
            case .mesDeliveries, .erpDeliveries: try encode(DeliveryRecord(), deliveries)
            case .decisions: try encode(DecisionRecord(), decisions)
            case .alarms, .access, .ledger: try encode(AlarmRecord(), alarms)
            }
        }

        private func encode<Record: TopicRecord>(_ empty: Record, _ events: [Record.Event]) throws -> [UInt8] {
            var record = empty
            record.meta = meta
            record.events = events
            return try Codec.encode(record)
        }
    }

    private mutating func append(_ topic: Topic, key: String, _ fill: (inout Draft) throws -> Void) throws {
        let sequence = sequences[topic] ?? 0
        sequences[topic] = sequence + 1
        nowUs += 150
        var draft = Draft(meta: Meta())
        draft.meta.origin.site = Self.site
        draft.meta.origin.topic = topic.rawValue
        draft.meta.origin.epoch = 1
        draft.meta.origin.sequence = sequence
        draft.meta.recordID = "\(topic.rawValue):\(key)"
        draft.meta.occurredAtUs = nowUs
        draft.meta.recordedAtUs = nowUs + 40
        draft.meta.place.enterprise = "acme"
        draft.meta.place.site = Self.site
        draft.meta.place.area = "assembly"
        draft.meta.place.workCenter = "line-1"
        draft.meta.subject = key
        draft.meta.correlationID = key
        draft.meta.actor = topic.rawValue
        draft.meta.producer.service = topic.rawValue
        draft.meta.producer.instance = "\(topic.rawValue)-4711-1"
        draft.meta.producer.build = "0.1.0"
        try fill(&draft)
        guard let place = places[topic] else { return }
        records.append(
            StoredRecord(
                place: place,
                offset: Int64(sequence),
                appendedAtUs: nowUs + 60,
                record: LogRecord(key: Array(key.utf8), value: try draft.encode(topic))
            )
        )
    }

    private mutating func startSession(_ station: String) throws {
        try append(.frames, key: station) { draft in
            var event = TriggerSessionStarted()
            event.station = station
            event.session = 1
            event.adapter = "scene"
            event.device = "scene:\(station)"
            event.reason = "service start"
            draft.frames = [.init(.triggerSessionStarted(event))]
        }
    }

    private func context(_ order: Int) -> ProductionContext {
        var context = ProductionContext()
        context.orderID = "WO-\(1000 + order)"
        context.sku = "PCB-\(order % 7)"
        context.batchID = "B-\(order)"
        context.variant = "rev-c"
        context.customerOrder = "SO-\(order / 3)"
        context.line = "line-1"
        context.shift = "2023-11-\(10 + order / 50 % 20)/early"
        context.recipeID = "board-top"
        context.recipeSha256 = Self.recipe
        context.targetQuantity = UInt64(Self.partsPerOrder)
        context.changeover = .inProduction
        context.materialLots = ["ML-\(order / 4)", "SP-\(order / 10)"]
        context.controlPlanRevision = "CP-12"
        return context
    }

    private mutating func startOrder(_ order: Int) throws {
        let context = context(order)
        try append(.materials, key: context.materialLots[0]) { draft in
            var lot = MaterialLotReceived()
            lot.materialLotID = context.materialLots[0]
            lot.sku = "RAW-1"
            lot.supplierID = "S-\(order % 5)"
            lot.supplierLot = "SL-\(order / 4)"
            lot.purchaseOrder = "PO-\(order / 8)"
            lot.quantity = 2000
            lot.unit = "C62"
            draft.materials = [.init(.materialLotReceived(lot))]
        }
        try append(.production, key: context.line) { draft in
            var released = OrderReleased()
            released.line = context.line
            released.context = context
            var started = OrderStarted()
            started.line = context.line
            started.orderID = context.orderID
            draft.production = [.init(.orderReleased(released)), .init(.orderStarted(started))]
        }
        try append(.inspections, key: Self.stations[0]) { draft in
            draft.inspections = Self.stations.map { station in
                var adopted = ContextAdopted()
                adopted.station = station
                adopted.context = context
                return .init(.contextAdopted(adopted))
            }
        }
        guard order > 0 else { return }
        try append(.materials, key: "SH-\(order - 1)") { draft in
            var shipment = ShipmentDispatched()
            shipment.shipmentID = "SH-\(order - 1)"
            shipment.customerID = "C-\(order % 11)"
            shipment.customerOrder = "SO-\((order - 1) / 3)"
            shipment.batchIds = ["B-\(order - 1)"]
            draft.materials = [.init(.shipmentDispatched(shipment))]
        }
    }

    private mutating func makePart(_ index: Int) throws {
        var trigger = TriggerId()
        trigger.station = Self.stations[index % Self.stations.count]
        trigger.session = 1
        trigger.sequence = UInt64(index / Self.stations.count)
        let partID = "\(trigger.station)/1/\(trigger.sequence)"
        let context = context(index / Self.partsPerOrder)
        nowUs += 20_000
        let frame = frame(trigger, index)
        let fails = random.next() % 50 == 0
        let part = part(partID, frame, context, fails)
        let hold = fails && random.next() % 10 == 0 ? hold(part, index) : nil
        try append(.frames, key: trigger.station) { $0.frames = [.init(.frameCaptured(frame))] }
        let evidence = evidence(frame)
        try append(.frames, key: trigger.station) { $0.frames = [.init(.evidenceStored(evidence))] }
        try append(.inspections, key: trigger.station) { draft in
            draft.meta.recordID = "part:\(partID)"
            draft.meta.subject = partID
            draft.meta.correlationID = partID
            draft.meta.place.workUnit = trigger.station
            draft.meta.cause = part.frame
            draft.inspections = [.init(.partInspected(part))]
            if let hold { draft.inspections.append(.init(.holdPlaced(hold))) }
        }
        try deliver(part, index, hold)
    }

    private mutating func frame(_ trigger: TriggerId, _ index: Int) -> FrameCaptured {
        var frame = FrameCaptured()
        frame.trigger = trigger
        frame.triggeredAtUs = nowUs
        frame.width = 640
        frame.height = 640
        frame.pixelFormat = .grey8
        frame.pixelsSha256 = random.hash()
        frame.sourceName = "board-\(index).png"
        return frame
    }

    private mutating func evidence(_ frame: FrameCaptured) -> EvidenceStored {
        var evidence = EvidenceStored()
        evidence.trigger = frame.trigger
        evidence.pixelsSha256 = frame.pixelsSha256
        evidence.storedSha256 = random.hash()
        evidence.lossless = true
        evidence.mediaType = "image/png"
        evidence.storedBytes = 120_000 + random.next() % 50_000
        return evidence
    }

    private mutating func part(
        _ id: String,
        _ frame: FrameCaptured,
        _ context: ProductionContext,
        _ fails: Bool
    ) -> PartInspected {
        var part = PartInspected()
        part.partID = id
        part.trigger = frame.trigger
        part.frame.site = Self.site
        part.frame.topic = Topic.frames.rawValue
        part.frame.epoch = 1
        part.frame.sequence = sequences[.frames] ?? 0
        part.pixelsSha256 = frame.pixelsSha256
        part.context = context
        part.verdict = fails ? .fail : .pass
        part.score = Double(random.next() % 1000) / 1000 + (fails ? 1 : 0)
        part.confidence = 0.87
        part.recipeID = context.recipeID
        part.recipeSha256 = context.recipeSha256
        part.triggeredAtUs = frame.triggeredAtUs
        part.decidedAtUs = frame.triggeredAtUs + 2000 + Int64(random.next() % 2000)
        part.sourceName = frame.sourceName
        part.scores = [Float(part.score), Float(part.score) / 2, 0]
        for tool in ["align", "compare", "blob"] {
            var timing = ToolTiming()
            timing.tool = tool
            timing.durationUs = UInt32(300 + random.next() % 500)
            part.timings.append(timing)
        }
        guard fails else { return part }
        part.rejectionReason = "short at U7, score \(part.score), limit 1"
        for _ in 0...random.next() % 3 {
            var defect = Defect()
            defect.category = ["short", "open", "spur"][Int(random.next() % 3)]
            defect.x = Float(random.next() % 640)
            defect.y = Float(random.next() % 640)
            defect.width = 12
            defect.height = 9
            defect.area = 77
            defect.score = Float(part.score)
            defect.tool = "compare"
            defect.severity = "major"
            part.defects.append(defect)
        }
        return part
    }

    private func hold(_ part: PartInspected, _ index: Int) -> HoldPlaced {
        var hold = HoldPlaced()
        hold.holdID = "hold:\(index)"
        hold.subjectKind = .batch
        hold.subjectID = part.context.batchID
        hold.reason = "critical defect on \(part.partID)"
        hold.defectCategory = "short"
        hold.partID = part.partID
        hold.rule = "reaction-plan:critical-defect"
        hold.context = part.context
        return hold
    }

    private mutating func deliver(_ part: PartInspected, _ index: Int, _ hold: HoldPlaced?) throws {
        var yield = OrderYield()
        yield.orderID = part.context.orderID
        yield.accepted = UInt64(index % Self.partsPerOrder)
        yield.rejected = 3
        try deliver(.mesDeliveries, "mes", "mes:yield:\(part.partID)", "order/\(yield.orderID)", .orderYield(yield))
        try append(.erpDeliveries, key: part.context.orderID) { draft in
            var counted = PartsCounted()
            counted.orderID = part.context.orderID
            counted.sku = part.context.sku
            counted.batchID = part.context.batchID
            counted.accepted = 1
            draft.deliveries = [.init(.partsCounted(counted))]
        }
        guard let hold else { return }
        var block = LotHold()
        block.holdID = hold.holdID
        block.subjectKind = .batch
        block.subjectID = hold.subjectID
        block.partID = hold.partID
        try deliver(.mesDeliveries, "mes", "mes:\(hold.holdID)", "batch/\(hold.subjectID)", .lotHold(block))
        var stock = StockBlock()
        stock.holdID = hold.holdID
        stock.batchID = hold.subjectID
        try deliver(.erpDeliveries, "erp", "erp:\(hold.holdID)", "batch/\(hold.subjectID)", .stockBlock(stock))
    }

    private mutating func deliver(
        _ topic: Topic,
        _ peer: String,
        _ id: String,
        _ key: String,
        _ effect: DeliveryIntended.OneOf_Effect
    ) throws {
        try append(topic, key: key) { draft in
            var intent = DeliveryIntended()
            intent.intentID = id
            intent.peer = peer
            intent.businessKey = key
            intent.effect = effect
            draft.deliveries = [.init(.deliveryIntended(intent))]
        }
        let reference = "\(random.next() % 1_000_000_000)"
        try append(topic, key: key) { draft in
            var confirmed = DeliveryConfirmed()
            confirmed.intentID = id
            confirmed.peerReference = reference
            draft.deliveries = [.init(.deliveryConfirmed(confirmed))]
        }
    }
}

extension SplitMix64 {
    /// Something that looks like a SHA-256.
    mutating func hash() -> String {
        HashCell.hex((0..<4).flatMap { _ in withUnsafeBytes(of: next()) { Array($0) } })
    }
}
