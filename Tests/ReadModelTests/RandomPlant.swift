import EventLog
import PlantEvents
import SeededRandom
import SwiftProtobuf

/// One partition as a log would hold it, with everything that goes wrong in one: takeovers, records of writers that had
/// lost the partition, repeats.
struct PartitionWriter {
    let topic: Topic
    let partition: UInt32
    private(set) var records: [StoredRecord] = []
    private var epoch: UInt64 = 0
    private var sequence: UInt64 = 0
    private var nowUs: Int64 = 1_700_000_000_000_000

    init(_ topic: Topic, partition: UInt32 = 0) {
        self.topic = topic
        self.partition = partition
    }

    static let site = "berlin"

    var place: TopicPartition {
        TopicPartition(TopicName(site: Self.site, topic: topic).description, Int32(partition))
    }

    mutating func takeOver<Record: TopicRecord>(as _: Record.Type) throws {
        epoch += 1
        sequence = 0
        var event = WriterTookOver()
        event.epoch = epoch
        event.instance = "writer-\(epoch)"
        try write(Record.self, [.takeover(event)])
    }

    mutating func write<Record: TopicRecord>(
        _: Record.Type,
        _ events: [Record.Event],
        subject: String = "",
        mustUnderstand: Bool = false
    ) throws {
        var record = Record()
        record.meta = meta(epoch, sequence)
        record.meta.subject = subject
        record.meta.mustUnderstand = mustUnderstand
        record.events = events
        sequence += 1
        append(try Codec.encode(record))
    }

    /// A record that the writer before still appends after the takeover: it must change nothing.
    mutating func writeZombie<Record: TopicRecord>(_: Record.Type, _ events: [Record.Event]) throws {
        guard epoch > 1 else { return }
        var record = Record()
        record.meta = meta(epoch - 1, 1_000_000)
        record.events = events
        append(try Codec.encode(record))
    }

    /// The last record once more, as after an append that was reported lost.
    mutating func repeatLast() {
        guard let last = records.last else { return }
        append(last.record.value)
    }

    mutating func append(_ value: [UInt8], damage: String? = nil) {
        records.append(
            StoredRecord(
                place: place,
                offset: Int64(records.count),
                appendedAtUs: nowUs,
                record: LogRecord(key: [], value: value),
                damage: damage
            )
        )
    }

    /// Numbers that are never written, as when a disk page was lost.
    mutating func skip(_ count: UInt64) {
        sequence += count
    }

    private mutating func meta(_ epoch: UInt64, _ sequence: UInt64) -> Meta {
        nowUs += 1000
        var meta = Meta()
        meta.origin.site = Self.site
        meta.origin.topic = topic.rawValue
        meta.origin.partition = partition
        meta.origin.epoch = epoch
        meta.origin.sequence = sequence
        meta.recordID = "r\(epoch)/\(sequence)"
        meta.occurredAtUs = nowUs
        meta.recordedAtUs = nowUs
        meta.producer.instance = "writer-\(epoch)"
        return meta
    }
}

/// A plant of two stations in which everything that the model knows happens at random.
struct RandomPlant {
    private var random: SplitMix64
    private var frames = [PartitionWriter(.frames), PartitionWriter(.frames, partition: 1)]
    private var inspections = [PartitionWriter(.inspections), PartitionWriter(.inspections, partition: 1)]
    private var production = PartitionWriter(.production)
    private var materials = PartitionWriter(.materials)
    private var mes = PartitionWriter(.mesDeliveries)
    private var erp = PartitionWriter(.erpDeliveries)
    private var alarms = PartitionWriter(.alarms)
    private var decisions = PartitionWriter(.decisions)
    /// Whether zombies and repeats are written, which must change nothing.
    private let isNoisy: Bool

    init(seed: UInt64, isNoisy: Bool = true) {
        random = SplitMix64(seed: seed)
        self.isNoisy = isNoisy
    }

    /// Each partition's records.
    mutating func make(parts: Int) throws -> [[StoredRecord]] {
        try takeOver()
        for number in 0..<parts {
            if random.chance(0.03) { try takeOver() }
            if number % 10 == 0 { try makeOrder(number / 10) }
            try makePart(number)
            if random.chance(0.2) { try makeDeliveries(number) }
            if random.chance(0.1) { try makeAlarm(number) }
            if random.chance(0.05) { try makeLegalHold(number) }
            if random.chance(0.05) { try makeModel(number) }
        }
        return (frames + inspections + [production, materials, mes, erp, alarms, decisions]).map(\.records)
    }

    private mutating func takeOver() throws {
        for index in 0..<2 {
            try frames[index].takeOver(as: FrameRecord.self)
            try inspections[index].takeOver(as: InspectionRecord.self)
        }
        try production.takeOver(as: ProductionRecord.self)
        try materials.takeOver(as: MaterialRecord.self)
        try mes.takeOver(as: DeliveryRecord.self)
        try erp.takeOver(as: DeliveryRecord.self)
        try alarms.takeOver(as: AlarmRecord.self)
        try decisions.takeOver(as: DecisionRecord.self)
        guard isNoisy else { return }
        let stray = frame(TriggerId.with("vision-0", 1, 77_777))
        try frames[0].writeZombie(FrameRecord.self, [.init(.frameCaptured(stray))])
        try inspections[1].writeZombie(InspectionRecord.self, [.init(.partInspected(part(stray.trigger, 3)))])
        mes.repeatLast()
        frames[1].repeatLast()
    }

    private func context(_ order: Int) -> ProductionContext {
        var context = ProductionContext()
        context.orderID = "WO-\(order)"
        context.batchID = "B-\(order % 7)"
        context.sku = "SKU-\(order % 3)"
        context.line = "line-1"
        context.shift = "day-\(order % 4)"
        context.recipeID = "R"
        context.recipeSha256 = String(repeating: "ab", count: 32)
        context.materialLots = ["ML-\(order % 5)", "ML-\(order % 3 + 5)"]
        return context
    }

    private mutating func makeOrder(_ order: Int) throws {
        var released = OrderReleased()
        released.line = "line-1"
        released.context = context(order)
        var started = OrderStarted()
        started.line = "line-1"
        started.orderID = "WO-\(order)"
        var changed = ContextChanged()
        changed.line = "line-1"
        changed.context = context(order)
        try production.write(
            ProductionRecord.self,
            [.init(.orderReleased(released)), .init(.orderStarted(started)), .init(.contextChanged(changed))]
        )
        var completed = OrderCompleted()
        completed.line = "line-1"
        completed.orderID = "WO-\(order)"
        var loaded = MaterialLotLoaded()
        loaded.line = "line-1"
        loaded.materialLotID = "ML-\(order % 5)"
        var shift = ShiftStarted()
        shift.line = "line-1"
        shift.shift = "day-\(order % 4)"
        var closed = BatchClosed()
        closed.line = "line-1"
        closed.batchID = "B-\(order % 7)"
        let later: [ProductionRecord.Event] = [
            .init(.orderCompleted(completed)), .init(.materialLotLoaded(loaded)), .init(.shiftStarted(shift)),
            .init(.batchClosed(closed)),
        ]
        try production.write(ProductionRecord.self, later.shuffled(using: &random))
        var lot = MaterialLotReceived()
        lot.materialLotID = "ML-\(order % 9)"
        lot.supplierLot = "SL-\(order % 4)"
        lot.purchaseOrder = "PO-\(order % 2)"
        lot.quantity = Double(random.below(1000))
        var shipment = ShipmentDispatched()
        shipment.shipmentID = "SH-\(order % 6)"
        shipment.customerID = "C-\(order % 3)"
        shipment.batchIds = ["B-\(random.below(7))", "B-\(random.below(9))"]
        try materials.write(
            MaterialRecord.self,
            [.init(.materialLotReceived(lot)), .init(.shipmentDispatched(shipment))]
        )
        var adopted = ContextAdopted()
        adopted.station = "vision-\(order % 2)"
        adopted.context = context(order)
        var activated = RecipeActivated()
        activated.station = adopted.station
        activated.recipeSha256 = context(order).recipeSha256
        activated.modelSha256 = ["aa", "bb"]
        var refused = RecipeRefused()
        refused.station = adopted.station
        refused.recipeID = "R-\(order % 2)"
        refused.reason = "no file"
        try inspections[order % 2].write(
            InspectionRecord.self,
            [.init(.contextAdopted(adopted)), .init(.recipeActivated(activated)), .init(.recipeRefused(refused))]
        )
    }

    private func frame(_ trigger: TriggerId) -> FrameCaptured {
        var frame = FrameCaptured()
        frame.trigger = trigger
        frame.triggeredAtUs = 1_700_000_000_000_000 + Int64(trigger.sequence) * 50_000
        frame.width = 640
        frame.height = 480
        frame.pixelFormat = .grey8
        frame.pixelsSha256 = Self.hash(trigger)
        frame.sourceName = "board-\(trigger.sequence).png"
        return frame
    }

    private func part(_ trigger: TriggerId, _ verdict: Int) -> PartInspected {
        var part = PartInspected()
        part.trigger = trigger
        part.partID = trigger.text
        part.pixelsSha256 = Self.hash(trigger)
        part.context = context(Int(trigger.sequence) / 5)
        part.verdict = Verdict(rawValue: verdict) ?? .unspecified
        part.score = Double(verdict) / 3
        part.scores = trigger.sequence.isMultiple(of: 5) ? [] : [Float(verdict) / 3, Float(trigger.sequence) / 7]
        part.confidence = 0.5
        part.recipeSha256 = part.context.recipeSha256
        part.triggeredAtUs = frame(trigger).triggeredAtUs
        part.decidedAtUs = part.triggeredAtUs + 3000
        return part
    }

    private static func hash(_ trigger: TriggerId) -> String {
        var random = SplitMix64(seed: trigger.sequence &* 31 &+ trigger.session)
        return (0..<64).map { _ in random.pick(Array("0123456789abcdef").map(String.init)) }.joined()
    }

    private mutating func makePart(_ number: Int) throws {
        let station = number % 2
        let trigger = TriggerId.with("vision-\(station)", 1 + UInt64(number / 80), UInt64(number % 80 / 2))
        if trigger.sequence == 0 { try startSession(trigger, station) }
        try captureFrame(trigger, station)
        if random.chance(0.1) {
            var missed = InspectionMissed()
            missed.partID = trigger.text
            missed.trigger = trigger
            missed.context = context(number / 10)
            missed.reason = "no recipe"
            try inspections[station].write(InspectionRecord.self, [.init(.inspectionMissed(missed))])
            return
        }
        guard !random.chance(0.03) else { return }
        try inspect(trigger, station, number)
    }

    private mutating func startSession(_ trigger: TriggerId, _ station: Int) throws {
        var started = TriggerSessionStarted()
        started.station = trigger.station
        started.session = trigger.session
        started.adapter = "scene"
        try frames[station].write(FrameRecord.self, [.init(.triggerSessionStarted(started))])
    }

    private mutating func captureFrame(_ trigger: TriggerId, _ station: Int) throws {
        if random.chance(0.05) {
            var missed = FrameMissed()
            missed.trigger = trigger
            missed.reason = "dark"
            try frames[station].write(FrameRecord.self, [.init(.frameMissed(missed))])
        } else {
            try frames[station].write(FrameRecord.self, [.init(.frameCaptured(frame(trigger)))])
        }
        if random.chance(0.04) {
            // A second record for the same trigger: named, and not counted.
            try frames[station].write(FrameRecord.self, [.init(.frameCaptured(frame(trigger)))])
        }
        if random.chance(0.1) {
            var missing = EvidenceNotStored()
            missing.trigger = trigger
            missing.pixelsSha256 = Self.hash(trigger)
            missing.reason = "disk full"
            try frames[station].write(FrameRecord.self, [.init(.evidenceNotStored(missing))])
        } else {
            var evidence = EvidenceStored()
            evidence.trigger = trigger
            evidence.pixelsSha256 = Self.hash(trigger)
            evidence.storedSha256 = Self.hash(trigger)
            evidence.lossless = random.chance(0.8)
            evidence.mediaType = random.pick(["image/png", "image/jpeg"])
            evidence.storedBytes = 4711
            try frames[station].write(FrameRecord.self, [.init(.evidenceStored(evidence))])
        }
    }

    private mutating func inspect(_ trigger: TriggerId, _ station: Int, _ number: Int) throws {
        var part = part(trigger, random.below(4))
        if random.chance(0.3) { part.partID = "SN-\(random.below(40))" }
        if random.chance(0.2) {
            var condition = ProductionCondition()
            condition.name = "oven_temperature"
            condition.value = Double(number)
            condition.unit = "CEL"
            part.context.conditions = [condition]
        }
        for _ in 0..<random.below(3) {
            var defect = Defect()
            defect.category = random.pick(["short", "öffnung"])
            defect.score = Float(random.below(100)) / 7
            defect.tool = random.pick(["", "traces"])
            defect.severity = random.pick(["", "critical"])
            part.defects.append(defect)
        }
        var events: [InspectionRecord.Event] = [.init(.partInspected(part))]
        if random.chance(0.15) {
            var hold = HoldPlaced()
            hold.holdID = "H-\(number)"
            hold.subjectKind = .batch
            hold.subjectID = part.context.batchID
            hold.partID = part.partID
            hold.context = part.context
            events.append(.init(.holdPlaced(hold)))
        }
        if random.chance(0.15) {
            var event = RejectNotCommanded()
            event.partID = part.partID
            event.reason = "no output"
            events.append(.init(.rejectNotCommanded(event)))
        }
        if random.chance(0.05) { events.append(InspectionRecord.Event()) }
        try inspections[station].write(
            InspectionRecord.self,
            events,
            subject: part.partID,
            mustUnderstand: random.chance(0.5)
        )
        guard random.chance(0.04) else { return }
        part.verdict = .pass
        try inspections[station].write(InspectionRecord.self, [.init(.partInspected(part))])
        inspections[station].skip(UInt64(random.below(2)))
    }

    private mutating func makeDeliveries(_ number: Int) throws {
        var intent = DeliveryIntended()
        // From few, so that outcomes come first, and intents again.
        intent.intentID = "I-\(random.below(12))"
        intent.peer = "mes"
        intent.businessKey = "order/\(number / 10)"
        if random.chance(0.5) {
            intent.orderYield.orderID = "WO-\(number / 10)"
            intent.orderYield.accepted = UInt64(number)
        } else {
            intent.lotHold.holdID = "H-\(number)"
            intent.lotHold.reason = "why"
        }
        let toErp = random.chance(0.4)
        var events: [DeliveryRecord.Event] = [.init(.deliveryIntended(intent))]
        var confirmed = DeliveryConfirmed()
        confirmed.intentID = random.chance(0.7) ? intent.intentID : "I-\(random.below(12))"
        confirmed.peerReference = "doc-\(number)"
        var refused = DeliveryRefused()
        refused.intentID = intent.intentID
        refused.reason = "closed period"
        var redriven = DeliveryRedriven()
        redriven.intentID = intent.intentID
        var skipped = DeliverySkipped()
        skipped.intentID = intent.intentID
        var lost = PeerLost()
        lost.peer = "mes"
        lost.reason = "connection refused"
        var restored = PeerRestored()
        restored.peer = "mes"
        var counted = PartsCounted()
        counted.orderID = "WO-1"
        counted.accepted = 1
        let outcomes: [DeliveryRecord.Event] = [
            .init(.deliveryConfirmed(confirmed)), .init(.deliveryRefused(refused)), .init(.deliveryRedriven(redriven)),
            .init(.deliverySkipped(skipped)), .init(.peerLost(lost)), .init(.peerRestored(restored)),
            .init(.partsCounted(counted)),
        ]
        for _ in 0..<random.below(4) { events.append(random.pick(outcomes)) }
        for event in events {
            if toErp {
                try erp.write(DeliveryRecord.self, [event])
            } else {
                try mes.write(DeliveryRecord.self, [event])
            }
        }
    }

    private mutating func makeLegalHold(_ number: Int) throws {
        var placed = LegalHoldPlaced()
        placed.legalHoldID = "LH-\(number)"
        placed.subjectIds = ["B-\(number % 7)", "SN-\(random.below(40))"]
        placed.act.personID = "p-50"
        placed.act.reason = "case \(number)"
        var lifted = LegalHoldLifted()
        lifted.legalHoldID = "LH-\(random.below(number + 1))"
        lifted.act.personID = "p-51"
        var events: [DecisionRecord.Event] = [.init(.legalHoldPlaced(placed))]
        if random.chance(0.5) { events.append(.init(.legalHoldLifted(lifted))) }
        if random.chance(0.2) { events.append(DecisionRecord.Event()) }
        try decisions.write(
            DecisionRecord.self,
            events,
            subject: placed.legalHoldID,
            mustUnderstand: random.chance(0.5)
        )
    }

    private mutating func makeModel(_ number: Int) throws {
        var trained = ModelTrained()
        trained.modelSha256 = "model-\(number)"
        trained.tool = "anomaly"
        trained.pictures = UInt64(random.below(500))
        trained.strata = ["PCB-7, vision-1, early"]
        trained.figures.good = 40
        trained.figures.auroc = Double(random.below(100)) / 100
        if random.chance(0.5) {
            trained.activeSha256 = "model-\(random.below(number + 1))"
            trained.activeFigures.escapes = UInt32(random.below(9))
        }
        trained.act.personID = "p-52"
        var reviewed = PerformanceReviewed()
        reviewed.subjectSha256 = "model-\(random.below(number + 1))"
        reviewed.toUs = Int64(random.below(5))
        reviewed.reportSha256 = "report-\(random.below(3))"
        reviewed.conclusion = random.chance(0.5) ? "keep" : "retrain"
        try decisions.write(
            DecisionRecord.self,
            [.init(.modelTrained(trained)), .init(.performanceReviewed(reviewed))],
            subject: trained.modelSha256
        )
    }

    private mutating func makeAlarm(_ number: Int) throws {
        var raised = AlarmRaised()
        raised.alarmID = "A-\(number)"
        raised.kind = "station-silent"
        raised.priority = .high
        try alarms.write(AlarmRecord.self, [.init(.alarmRaised(raised))])
        guard random.chance(0.5) else { return }
        var returned = AlarmReturnedToNormal()
        returned.alarmID = raised.alarmID
        returned.kind = raised.kind
        try alarms.write(AlarmRecord.self, [.init(.alarmReturnedToNormal(returned))])
    }
}

extension TriggerId {
    static func with(_ station: String, _ session: UInt64, _ sequence: UInt64) -> TriggerId {
        var trigger = TriggerId()
        trigger.station = station
        trigger.session = session
        trigger.sequence = sequence
        return trigger
    }

    var text: String { "\(station)/\(session)/\(sequence)" }
}
