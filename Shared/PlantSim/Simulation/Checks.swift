import EventLog
import PlantEvents
import ReadModel
import SeededRandom
import SwiftProtobuf

/// Compares the log, the books and the model with the plant. Nothing here calls a core: what must follow from what is
/// written down a second time, from the design.
struct Checks {
    let world: World
    let ledger: Ledger
    let projector: ProjectorProcess?

    init(_ world: World, _ ledger: Ledger, _ projector: ProjectorProcess?) {
        self.world = world
        self.ledger = ledger
        self.projector = projector
    }

    func run() throws {
        try checkAcknowledged()
        try checkUnreadable()
        try checkModel()
        // Damage took information away for good: what the plant did cannot be told from the log any more.
        guard world.damaged.isEmpty else { return }
        try checkRecords()
        try checkFrames()
        try checkDecisions()
        let contexts = try checkProduction()
        try checkMaterials()
        try checkInspections(contexts)
        try checkDeliveries(isMes: true)
        try checkDeliveries(isMes: false)
        try checkAlarms()
    }

    // MARK: Records

    private struct Name: Hashable {
        let epoch: UInt64
        let sequence: UInt64
        let run: String
    }

    /// I7, I12: what a writer was told is in the log counts there, and numbers have no holes; where a disk lost records,
    /// the hole is named.
    private func checkAcknowledged() throws {
        for place in world.log.places {
            guard let page = ledger.pages[place] else { continue }
            let counted = Set(
                page.entries.map {
                    Name(epoch: $0.meta.origin.epoch, sequence: $0.meta.origin.sequence, run: $0.meta.producer.instance)
                }
            )
            let lost = world.damaged.filter { $0.place == place }
            let missing = (world.acknowledged[place] ?? []).filter {
                !counted.contains(Name(epoch: $0.epoch, sequence: $0.sequence, run: $0.instance))
            }
            if lost.isEmpty, let first = missing.first {
                throw Violation(
                    .acknowledgedSurvives,
                    first.recordID,
                    "\(first.recordID) (\(place), epoch \(first.epoch), number \(first.sequence) of \(first.instance)) was "
                        + "acknowledged and does not count"
                )
            }
            try require(
                Set(missing.map(\.recordID)).count <= lost.count || !world.damaged.isEmpty,
                .acknowledgedSurvives,
                "\(place)",
                "\(missing.count) acknowledged records are gone, the disk lost \(lost.count)"
            )
            if world.damaged.isEmpty, let gap = page.gaps.first {
                throw Violation(
                    .gapsAreNamed,
                    "\(place)",
                    "\(place): numbers \(gap.expected)..<\(gap.found) of epoch \(gap.epoch) never came, and nothing was lost"
                )
            }
            for (_, offset) in lost {
                try require(
                    page.unreadable.contains(offset),
                    .damageIsNamed,
                    "\(place)",
                    "damage at \(offset) not seen"
                )
            }
        }
    }

    /// M19, I8: each reader parked each unreadable record once, whole, and nothing else.
    private func checkUnreadable() throws {
        for role in Role.all where role.parks {
            let shelf = TopicPartition(SimPlant.parked(role.service), role.partition)
            var parked: [String: Int] = [:]
            for entry in ledger.pages[shelf]?.entries ?? [] {
                guard case .parked(let record) = entry.content else { continue }
                for event in record.events {
                    guard case .recordParked(let event)? = event.kind else { continue }
                    let place = TopicPartition(event.sourceTopic, Int32(event.sourcePartition))
                    parked["\(place)/\(event.sourceOffset)", default: 0] += 1
                    let source = world.log.read(place, from: event.sourceOffset, max: 1).first
                    try require(
                        ledger.pages[place]?.unreadable.contains(event.sourceOffset) == true,
                        .damageIsNamed,
                        "\(place)",
                        "\(role.name) parked offset \(event.sourceOffset) of \(place), which is sound"
                    )
                    try require(
                        source.map { Array(event.value) == $0.record.value } == true || !world.damaged.isEmpty,
                        .damageIsNamed,
                        "\(place)",
                        "\(role.name) parked offset \(event.sourceOffset) of \(place) with other bytes"
                    )
                    try require(!event.reason.isEmpty, .damageIsNamed, "\(place)", "parked without a reason")
                }
            }
            for place in role.places(in: world.plant) {
                for offset in ledger.pages[place]?.unreadable ?? [] {
                    let times = parked["\(place)/\(offset)"] ?? 0
                    try require(
                        times == 1 || !world.damaged.isEmpty,
                        .damageIsNamed,
                        "\(place)/\(offset)",
                        "\(role.name) parked offset \(offset) of \(place) \(times) times; expected once"
                    )
                }
            }
        }
    }

    /// What every record carries, whatever it says.
    private func checkRecords() throws {
        let repeatable = ["inspected:", "exhausted:"]
        for topic in Topic.written {
            var ids: Set<String> = []
            for partition in [Int32(0), 1] {
                for entry in ledger[topic, partition] {
                    let meta = entry.meta
                    let isRepeatable = repeatable.contains { meta.recordID.hasPrefix($0) }
                    try require(
                        ids.insert(meta.recordID).inserted || isRepeatable,
                        .truth,
                        meta.recordID,
                        "two records of \(topic.rawValue) have the id \(meta.recordID)"
                    )
                    guard entry.kinds != ["writer_took_over"] else { continue }
                    try require(
                        meta.place.site == SimPlant.site && meta.place.enterprise == "acme" && !meta.subject.isEmpty
                            && !meta.correlationID.isEmpty && meta.occurredAtUs > 0 && !meta.actor.isEmpty
                            && meta.actor == meta.producer.service,
                        .truth,
                        meta.recordID,
                        "\(meta.recordID) does not say where, when, what about or by whom: \(meta.textFormatString())"
                    )
                }
            }
        }
    }

    // MARK: Model

    /// I5, I12: live model and two rebuilds that read in other orders agree, and folded exactly what counts.
    private func checkModel() throws {
        guard let live = projector?.model else { throw Violation(.converges, "projector", "no projector runs") }
        let places = world.plant.places(of: Topic.written)
        let (first, applied) = try rebuilt(places, chunk: 1_000_000)
        let (second, _) = try rebuilt(places.reversed(), chunk: 7)
        let digest = try first.digest()
        try require(
            try second.digest() == digest,
            .sameDigest,
            "rebuild",
            "two rebuilds differ: \(try difference(first, second))"
        )
        let pages = places.compactMap { ledger.pages[$0] }
        let expected = (
            pages.reduce(0) { $0 + $1.entries.count }, pages.reduce(0) { $0 + $1.voids },
            pages.reduce(0) { $0 + $1.unreadable.count }
        )
        try require(
            (applied.applied, applied.void + applied.repeats, applied.parked.count) == expected,
            .truth,
            "rebuild",
            "a rebuild folded \(applied.applied), skipped \(applied.void + applied.repeats) and parked "
                + "\(applied.parked.count) records; expected \(expected)"
        )
        let gaps = pages.reduce(0) { $0 + $1.gaps.count }
        try require(
            applied.gaps.count == gaps,
            .gapsAreNamed,
            "rebuild",
            "a rebuild named \(applied.gaps.count) gaps; there are \(gaps)"
        )
        guard world.damaged.isEmpty else { return }
        try require(
            try live.digest() == digest,
            .sameDigest,
            "projector",
            "live model and rebuild differ: \(try difference(live, first))"
        )
        try checkBalance()
    }

    private func rebuilt(_ places: [TopicPartition], chunk: Int) throws -> (ReadModel, Applied) {
        let model = try ReadModel(path: ":memory:", site: SimPlant.site)
        if chunk > 1_000 {
            let all = places.flatMap { world.log.read($0, from: 0, max: chunk) }
            return (model, try model.apply(all, nowUs: world.trueUs))
        }
        var random = SplitMix64(seed: world.seed)
        var next: [TopicPartition: Int64] = [:]
        var open = places
        var last = try model.apply([], nowUs: world.trueUs)
        while !open.isEmpty {
            var batch: [StoredRecord] = []
            for _ in 0..<20 where !open.isEmpty {
                let place = random.pick(open)
                let records = world.log.read(place, from: next[place] ?? 0, max: 1 + random.below(chunk))
                next[place, default: 0] += Int64(records.count)
                if records.isEmpty { open.removeAll { $0 == place } }
                batch += records
            }
            last = try model.apply(batch, nowUs: world.trueUs)
        }
        return (model, last)
    }

    private func difference(_ one: ReadModel, _ other: ReadModel) throws -> String {
        zip(try one.tableDigests(), try other.tableDigests()).filter { $0 != $1 }
            .map { "\($0.table) (\($0.rows) and \($1.rows) rows)" }.joined(separator: ", ")
    }

    /// The model's own balance against the log: every trigger has its end.
    private func checkBalance() throws {
        guard let path = projector?.path else { return }
        let balance = try Queries(path: path).balance()
        var frames = 0
        var missed = 0
        var verdicts = 0
        var gaps = 0
        for partition in [Int32(0), 1] {
            for entry in ledger[.frames, partition] {
                frames += entry.kinds.count { $0 == "frame_captured" }
                missed += entry.kinds.count { $0 == "frame_missed" }
            }
            for entry in ledger[.inspections, partition] {
                verdicts += entry.kinds.count { $0 == "part_inspected" }
                gaps += entry.kinds.count { $0 == "inspection_missed" }
            }
        }
        let found = (balance.frames, balance.framesMissed, balance.verdicts, balance.gaps)
        try require(
            found == (Int64(frames), Int64(missed), Int64(verdicts), Int64(gaps)) && balance.open == 0,
            .everyTriggerEnds,
            "balance",
            "the model's balance has frames, missed, verdicts, gaps \(found) and \(balance.open) open; the log has "
                + "\((frames, missed, verdicts, gaps))"
        )
    }
}

extension Ledger.Entry {
    var kinds: [String] {
        switch content {
        case .frames(let record): record.events.map(\.kindName)
        case .inspections(let record): record.events.map(\.kindName)
        case .production(let record): record.events.map(\.kindName)
        case .materials(let record): record.events.map(\.kindName)
        case .deliveries(let record): record.events.map(\.kindName)
        case .alarms(let record): record.events.map(\.kindName)
        case .decisions(let record): record.events.map(\.kindName)
        case .parked(let record): record.events.map(\.kindName)
        }
    }

    var isUnknown: Bool { kinds == ["unknown"] }
}
