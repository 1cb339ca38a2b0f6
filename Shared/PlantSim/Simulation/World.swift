import EventLog
import PlantCore
import PlantEvents
import SeededRandom
import SwiftProtobuf

/// Everything outside the simulated processes: time, log, disks, network, peers, truth; and the list of what goes wrong.
///
/// One thread, one order of events: all of it follows from the seed.
final class World {
    let seed: UInt64
    let mutation: Mutation?
    let plant: SimPlant
    var random: SplitMix64
    var faults: FaultPlan
    /// Simulated time that nobody sets, microseconds.
    private(set) var elapsedUs: Int64 = 0
    private(set) var steps = 0
    var log: SimLog
    /// What each host's clock shows beside the true time.
    private var skewUs: [Int64]
    /// Snapshots and stores by host and name; a process' own memory is not here.
    var disks: [[String: any Sendable]]
    var evidence: Set<String> = []
    var mes: SimPeer
    var erp: SimPeer
    var network = SimNetwork()
    var ledger: Ledger
    /// Requests that people have sent so far.
    var requests = 0
    /// Instances that hold their role now.
    var serving: Set<String> = []
    /// Records that a writer was told are in the log for good.
    private(set) var acknowledged: [TopicPartition: [Acknowledged]] = [:]
    private(set) var poisoned: [(place: TopicPartition, offset: Int64)] = []
    private(set) var damaged: [(place: TopicPartition, offset: Int64)] = []
    /// True while a process reads its own history or a model is rebuilt: nothing may be said to a peer (I10).
    var isReplaying = false
    private let isTracing: Bool
    private(set) var trace: [String] = []
    private(set) var hash: UInt64
    /// Found where nothing can be thrown; the next turn throws it.
    private(set) var found: Violation?

    struct Acknowledged {
        let epoch: UInt64
        let sequence: UInt64
        let instance: String
        let recordID: String
    }

    static let hosts = 3
    static let startUs: Int64 = 1_760_000_000_000_000

    init(seed: UInt64, mutation: Mutation?, hours: Double, isTracing: Bool) {
        self.seed = seed
        self.mutation = mutation
        self.isTracing = isTracing
        hash = SplitMix64.mixed(seed)
        random = SplitMix64(seed: SplitMix64.mixed(seed))
        faults = FaultPlan(seed: seed, &random)
        plant = SimPlant(seed: seed, hours: hours, faults: faults, &random)
        log = SimLog(plant.places)
        disks = Array(repeating: [:], count: Self.hosts)
        let fiveMinutesUs: Int64 = 300_000_000
        skewUs = (0..<Self.hosts).map { _ in 0 }
        mes = SimPeer(.mes(plant), isForgetful: faults.has(.peerForgetful))
        erp = SimPeer(.erp(plant), isForgetful: faults.has(.peerForgetful))
        ledger = Ledger(places: plant.places)
        if faults.has(.clockSkew) {
            for host in skewUs.indices {
                skewUs[host] = random.below(us: 2 * fiveMinutesUs) - fiveMinutesUs
                faults.note(.clockSkew)
            }
        }
        if faults.has(.peerForgetful) { faults.note(.peerForgetful) }
        note("world", "faults: \(faults.enabled.map(\.rawValue).sorted().joined(separator: " "))")
    }

    /// What the clock of `host` shows.
    func wallUs(_ host: Int) -> Int64 { Self.startUs + elapsedUs + skewUs[host] }
    var trueUs: Int64 { Self.startUs + elapsedUs }

    func advance() {
        steps += 1
        elapsedUs += 1_000 + random.below(us: 80_000)
        hash = SplitMix64.mixed(hash ^ random.state ^ log.hash)
        if faults.strikes(.clockStep, in: 400, &random) {
            let host = random.below(Self.hosts)
            skewUs[host] = random.below(us: 600_000_000) - 300_000_000
            note("host-\(host)", "clock set to \(skewUs[host] / 1_000_000) s beside true time")
        }
    }

    func report(_ invariant: Invariant, _ subject: String, _ text: String) {
        found = found ?? Violation(invariant, subject, text)
    }

    /// Who runs in this plant.
    var roles: [Role] { Role.all + (faults.has(.recipeChanged) ? [.console] : []) }

    func isServing(_ instance: String) -> Bool { serving.contains(instance) }

    func strikes(_ fault: Fault, in count: Int) -> Bool { faults.strikes(fault, in: count, &random) }

    func note(_ who: String, _ text: @autoclosure () -> String) {
        guard isTracing else { return }
        let seconds = elapsedUs / 1_000_000
        let fraction = String(elapsedUs % 1_000_000 / 1_000 + 1_000).dropFirst()
        trace.append("\(steps) \(seconds).\(fraction)s \(who): \(text())")
    }

    // MARK: Log

    /// Appends as the log does it today: at once, not at all, in part, or later.
    func append(_ records: [LogRecord], to place: TopicPartition, by writer: String) throws(LogFailure) -> Int64 {
        log.land(at: place, writer: writer, nowUs: trueUs)
        if strikes(.logFull, in: 40) {
            note(writer, "append to \(place) finds the disk full")
            throw .full("simulated: no space left")
        }
        if strikes(.logDown, in: 25) {
            note(writer, "append to \(place) finds no log")
            throw .unavailable("simulated: no connection")
        }
        if strikes(.lateLanding, in: 30) {
            log.delay(records, to: place, writer: writer)
            note(writer, "append of \(records.count) to \(place) times out, and lands later")
            throw .unavailable("simulated: timed out")
        }
        if strikes(.lostAcknowledgement, in: 20) {
            let landed = random.below(records.count + 1)
            _ = log.append(records.prefix(landed), to: place, nowUs: trueUs)
            note(writer, "append to \(place) lands \(landed) of \(records.count), and is reported as failed")
            throw .unavailable("simulated: answer lost")
        }
        let first = log.append(records, to: place, nowUs: trueUs)
        note(writer, "appends \(records.count) to \(place) at \(first)")
        return first
    }

    func read(_ place: TopicPartition, from offset: Int64, max: Int) throws(LogFailure) -> ArraySlice<StoredRecord> {
        if strikes(.readFailure, in: 60) { throw .unavailable("simulated: read timed out") }
        return log.read(place, from: offset, max: max)
    }

    func acknowledge<Record: TopicRecord>(_ record: Record, at place: TopicPartition) {
        acknowledged[place, default: []].append(
            Acknowledged(
                epoch: record.meta.origin.epoch,
                sequence: record.meta.origin.sequence,
                instance: record.meta.producer.instance,
                recordID: record.meta.recordID
            )
        )
    }

    /// What nobody's writer is to blame for.
    func disturbLog() {
        let place = random.pick(log.places)
        if random.once(in: 3) { log.land(at: place, writer: nil, nowUs: trueUs) }
        if strikes(.poison, in: 60) {
            let bytes = (0..<random.below(40)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            let offset = log.append([LogRecord(key: [], value: bytes)], to: place, nowUs: trueUs)
            poisoned.append((place, offset))
            note("stranger", "puts \(bytes.count) bytes into \(place) at \(offset)")
        }
        let end = log.end(of: place)
        if end > 4, strikes(.damage, in: 200) {
            let offset = random.below(us: end)
            guard !damaged.contains(where: { $0 == (place, offset) }) else { return }
            log.damage(place, offset)
            damaged.append((place, offset))
            note("disk", "loses record \(offset) of \(place)")
        }
    }
}

extension World {
    var producerBuild: String { "simulated" }

    func producer(_ service: String, _ instance: String) -> Producer {
        .with {
            $0.service = service
            $0.instance = instance
            $0.build = producerBuild
        }
    }
}
