import PlantEvents
import SwiftProtobuf

extension DeliveryCore {
    /// Counts the parts and places what the record's holds ask for.
    func decide(on record: InspectionRecord) -> Step<DeliveryRecord>? {
        var kinds: [Kind] = []
        var counts: [String: PartsCounted] = [:]
        for event in record.events {
            switch event.kind {
            case .partInspected(let part):
                count(part.context, part.verdict, into: &counts)
            case .inspectionMissed(let missed):
                count(missed.context, .unspecified, into: &counts)
            case .holdPlaced(let hold):
                kinds += dialect.intents(for: hold).map(Kind.deliveryIntended)
            case .writerTookOver, .contextAdopted, .recipeActivated, .recipeRefused, .rejectNotCommanded,
                .sourceInspected, .featuresMeasured, .stopRequested, .recipeReleaseAdopted, .recipeRetirementAdopted,
                nil:
                break
            }
        }
        for (_, counted) in counts.sorted(by: { $0.key < $1.key }) {
            kinds.append(.partsCounted(counted))
            if let report = report(of: counted) { kinds.append(.deliveryIntended(report)) }
        }
        guard let first = kinds.first else { return nil }
        return step(
            "\(dialect.peer):\(record.meta.recordID)",
            kinds,
            key: first.businessKey,
            line: record.meta.place.workCenter,
            atUs: record.meta.occurredAtUs
        )
    }

    /// Notes that orders were completed, which makes their final counts due.
    func decide(on record: ProductionRecord) -> Step<DeliveryRecord>? {
        var kinds: [Kind] = []
        for event in record.events {
            guard case .orderCompleted(let completed)? = event.kind else { continue }
            var counted = state.orders[completed.orderID]?.counted.message ?? .with { $0.orderID = completed.orderID }
            guard !counted.isCompleted else { continue }
            counted.isCompleted = true
            kinds.append(.partsCounted(counted))
            if let report = report(of: counted) { kinds.append(.deliveryIntended(report)) }
        }
        guard let first = kinds.first else { return nil }
        return step(
            "\(dialect.peer):\(record.meta.recordID)",
            kinds,
            key: first.businessKey,
            line: record.meta.place.workCenter,
            atUs: record.meta.occurredAtUs
        )
    }

    /// Closes or blocks the intent; a report that is behind by now is followed by the next.
    func decide(on outcome: Outcome, of intentID: String, nowUs: Int64) -> Step<DeliveryRecord>? {
        guard let open = state.intents[intentID], open.refusal == nil else { return nil }
        let intent = open.intent.message
        var kinds: [Kind] = []
        switch outcome {
        case .refused(let reason):
            kinds.append(
                .deliveryRefused(
                    .with {
                        $0.intentID = intentID
                        $0.reason = reason
                    }
                )
            )
        case .confirmed(let reference, let foundByLookUp):
            kinds.append(
                .deliveryConfirmed(
                    .with {
                        $0.intentID = intentID
                        $0.peerReference = reference
                        $0.foundByLookUp = foundByLookUp
                    }
                )
            )
            kinds += nextReport(closing: intent)
        }
        return step("outcome:\(intentID)/\(nowUs)", kinds, key: intent.businessKey, atUs: nowUs)
    }

    /// After a report comes the next one, where more was counted since.
    func nextReport(closing intent: DeliveryIntended) -> [Kind] {
        guard let reported = intent.reportedOrder, let order = state.orders[reported] else { return [] }
        return report(of: order.counted.message, closing: intent.intentID).map { [.deliveryIntended($0)] } ?? []
    }

    private func count(_ context: ProductionContext, _ verdict: Verdict, into counts: inout [String: PartsCounted]) {
        guard !context.orderID.isEmpty else { return }
        var counted =
            counts[context.orderID] ?? state.orders[context.orderID]?.counted.message
            ?? .with { $0.orderID = context.orderID }
        // An order's completion may have been noted before its first part.
        counted.sku = context.sku
        counted.batchID = context.batchID
        switch verdict {
        case .pass: counted.accepted += 1
        case .fail: counted.rejected += 1
        case .uncertain: counted.uncertain += 1
        case .unspecified, .UNRECOGNIZED: counted.missed += 1
        }
        counts[context.orderID] = counted
    }

    /// The report of an order's counts, where one is due: reports of one order follow each other, so that however fast
    /// parts come, one is under way and the next one says everything since.
    private func report(of counted: PartsCounted, closing closed: String? = nil) -> DeliveryIntended? {
        let queue = state.queues[DeliveryDialect.orderKey(counted.orderID)] ?? []
        let isUnderWay = queue.contains { $0 != closed && state.intents[$0]?.intent.message.reportedOrder != nil }
        guard !isUnderWay, state.orders[counted.orderID]?.lastIntended?.message.total != counted.total else {
            return nil
        }
        return dialect.report(of: counted)
    }

    /// Remembers what a report said.
    mutating func noteReport(_ intent: DeliveryIntended) {
        guard let order = intent.reportedOrder else { return }
        let counted = state.orders[order]?.counted
        state.orders[order]?.lastIntended = counted
    }
}

extension PartsCounted {
    /// All parts, whatever came of them.
    package var total: UInt64 { accepted + rejected + uncertain + missed }
}

extension DeliveryIntended {
    /// The order whose counts the intent reports; nil for other effects.
    var reportedOrder: String? {
        switch effect {
        case .orderYield(let report): report.orderID
        case .orderConfirmation(let report): report.orderID
        case .lotHold, .orderQualityStatus, .qualityNotification, .stockBlock, nil: nil
        }
    }
}

extension DeliveryCore.Kind {
    fileprivate var businessKey: String {
        switch self {
        case .deliveryIntended(let intent): intent.businessKey
        case .partsCounted(let counted): DeliveryDialect.orderKey(counted.orderID)
        case .writerTookOver, .deliveryConfirmed, .deliveryRefused, .deliveryRedriven, .deliverySkipped, .peerLost,
            .peerRestored:
            ""
        }
    }
}
