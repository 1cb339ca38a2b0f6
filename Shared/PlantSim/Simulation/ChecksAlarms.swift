import EventLog
import PlantCore
import PlantEvents
import SwiftProtobuf

extension Checks {
    /// Alarms raised and not returned, as `kind subject`, in a ledger.
    static func openAlarms(_ ledger: Ledger) -> [String] {
        var open: Set<String> = []
        for entry in ledger[.alarms] {
            guard case .alarms(let record) = entry.content else { continue }
            for event in record.events {
                switch event.kind {
                case .alarmRaised(let raised): open.insert("\(raised.kind) \(raised.subject)")
                case .alarmReturnedToNormal(let returned): open.remove("\(returned.kind) \(returned.subject)")
                case .writerTookOver, nil: break
                }
            }
        }
        return Array(open)
    }

    /// Every alarm was raised and returned when the records it follows from say so (ISA-18.2), once each.
    func checkAlarms() throws {
        var found: [String: [String]] = [:]
        var ids: [String: String] = [:]
        for entry in ledger[.alarms] {
            guard case .alarms(let record) = entry.content else { continue }
            for event in record.events {
                switch event.kind {
                case .alarmRaised(let raised):
                    let key = "\(raised.kind) \(raised.subject)"
                    found[key, default: []].append("raised \(entry.meta.cause.text)")
                    ids[key] = raised.alarmID
                    try require(
                        !raised.text.isEmpty && !raised.response.isEmpty && raised.priority != .unspecified,
                        .truth,
                        key,
                        "alarm \(key) says not what to do"
                    )
                case .alarmReturnedToNormal(let returned):
                    let key = "\(returned.kind) \(returned.subject)"
                    found[key, default: []].append("returned \(entry.meta.cause.text)")
                    try require(ids[key] == returned.alarmID, .truth, key, "alarm \(returned.alarmID) was not raised")
                case .writerTookOver, nil: break
                }
            }
        }
        var expected = expectedAlarms()
        for (key, course) in found where key.hasPrefix("station-silent") {
            // A timer's: when it fires depends on clocks; that it alternates and ends does not.
            let words = course.map { $0.split(separator: " ").first.map(String.init) ?? "" }
            let alternates = words.enumerated().allSatisfy { $1 == ($0.isMultiple(of: 2) ? "raised" : "returned") }
            try require(
                alternates && words.count.isMultiple(of: 2),
                .truth,
                key,
                "\(key): \(words.joined(separator: ", ")); expected raised and returned in turn, none open at rest"
            )
            expected[key] = course
        }
        for key in Set(found.keys).union(expected.keys).sorted() {
            try require(
                found[key] ?? [] == expected[key] ?? [],
                .truth,
                key,
                "alarm \(key): \(found[key] ?? []); expected \(expected[key] ?? [])"
            )
        }
    }

    private func expectedAlarms() -> [String: [String]] {
        var courses: [String: [String]] = [:]
        var active: Set<String> = []
        func raise(_ key: String, _ meta: Meta) {
            if active.insert(key).inserted { courses[key, default: []].append("raised \(meta.origin.text)") }
        }
        func clear(_ key: String, _ meta: Meta) {
            if active.remove(key) != nil { courses[key, default: []].append("returned \(meta.origin.text)") }
        }
        for partition in [Int32(0), 1] {
            for entry in ledger[.frames, partition] {
                guard case .frames(let record) = entry.content else { continue }
                for event in record.events {
                    switch event.kind {
                    case .cameraLost(let lost): raise("camera-lost \(lost.station)", entry.meta)
                    case .cameraReturned(let returned): clear("camera-lost \(returned.station)", entry.meta)
                    default: break
                    }
                }
            }
        }
        for topic in [Topic.mesDeliveries, .erpDeliveries] {
            for entry in ledger[topic] {
                guard case .deliveries(let record) = entry.content else { continue }
                for event in record.events {
                    switch event.kind {
                    case .peerLost(let lost): raise("peer-lost \(lost.peer)", entry.meta)
                    case .peerRestored(let restored): clear("peer-lost \(restored.peer)", entry.meta)
                    case .deliveryRefused(let refused): raise("delivery-refused \(refused.intentID)", entry.meta)
                    case .deliveryRedriven(let event): clear("delivery-refused \(event.intentID)", entry.meta)
                    case .deliverySkipped(let event): clear("delivery-refused \(event.intentID)", entry.meta)
                    default: break
                    }
                }
            }
        }
        var failures: [String: [Bool]] = [:]
        for partition in [Int32(0), 1] {
            for entry in ledger[.inspections, partition] {
                guard case .inspections(let record) = entry.content else { continue }
                for event in record.events {
                    switch event.kind {
                    case .recipeRefused(let refused): raise("recipe-refused \(refused.station)", entry.meta)
                    case .recipeActivated(let activated): clear("recipe-refused \(activated.station)", entry.meta)
                    case .holdPlaced(let hold): raise("hold-placed \(hold.holdID)", entry.meta)
                    case .partInspected(let part):
                        let station = part.trigger.station
                        clear("recipe-refused \(station)", entry.meta)
                        let limits = AlertingProcess.limits
                        let recent = (failures[station] ?? []) + [part.verdict == .fail]
                        failures[station] = recent.suffix(limits.burstWindow)
                        let failed = recent.suffix(limits.burstWindow).count { $0 }
                        if failed >= limits.burstFailures {
                            raise("defect-burst \(station)", entry.meta)
                        } else if failed * 2 <= limits.burstFailures {
                            clear("defect-burst \(station)", entry.meta)
                        }
                    default: break
                    }
                }
            }
        }
        return courses
    }
}
