package import PlantEvents

/// What alerting's own topic says was appended before: so that nothing is raised twice when the state is built anew, and
/// nothing that a timer raised stays open.
package struct AlarmHistory: Sendable {
    /// Newest records remembered by id, to recognise those of timers and of an interrupted append.
    package static let idsKept = 10_000

    /// Inputs up to here led to alarms that are in the log already.
    private var causes = HighWater()
    private var ids: Set<String> = []
    private var order: [String] = []
    private var open: [String: AlarmRaised] = [:]

    package init() {}

    /// Alarms of timers that the log shows raised and not returned and of which the state as it was kept knows nothing,
    /// besides those that `waiting` drafts will return.
    package func openTimers(unknownTo fold: AlarmFold, besides waiting: [AlarmFold.Draft]) -> [AlarmRaised] {
        let active = fold.activeAlarms
        var open = open.filter { active[$0.key] == nil }
        for draft in waiting {
            guard case .alarmReturnedToNormal(let returned)? = draft.kind.message.kind else { continue }
            open["\(returned.kind) \(returned.subject)"] = nil
        }
        return open.sorted { $0.key < $1.key }.map(\.value)
    }

    package mutating func take(_ record: AlarmRecord) {
        if record.meta.hasCause { causes.raise(to: record.meta.cause) }
        if ids.insert(record.meta.recordID).inserted { order.append(record.meta.recordID) }
        if order.count > 2 * Self.idsKept {
            ids.subtract(order.prefix(Self.idsKept))
            order.removeFirst(Self.idsKept)
        }
        for event in record.events {
            switch event.kind {
            case .alarmRaised(let raised):
                open["\(raised.kind) \(raised.subject)"] = record.meta.hasCause ? nil : raised
            case .alarmReturnedToNormal(let returned): open["\(returned.kind) \(returned.subject)"] = nil
            case .writerTookOver, nil: break
            }
        }
    }

    package func contains(_ recordID: String) -> Bool { ids.contains(recordID) }

    /// Whether the draft is in the log. One record may lead to several alarms, of which an interrupted append left the
    /// first ones only: for the newest cause the ids decide.
    ///
    /// - Parameter late: records that were re-driven; what they lead to is new, however far their streams have come.
    package func contains(_ draft: AlarmFold.Draft, late: Set<Origin> = []) -> Bool {
        guard let cause = draft.cause?.message, !late.contains(cause), causes.covers(cause),
            causes.marks[cause.stream] != cause.mark
        else { return ids.contains(draft.recordID) }
        return true
    }
}
