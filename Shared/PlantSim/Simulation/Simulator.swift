import EventLog
import PlantCore
import PlantEvents
import ReadModel
import SeededRandom
import SwiftProtobuf

/// What came of one seed.
package struct SeedReport: Sendable {
    package struct Failure: Sendable {
        package let invariant: Invariant
        package let subject: String
        package let text: String
    }

    package let seed: UInt64
    package let failure: Failure?
    /// World events about the failure's subject, the newest; empty unless traced.
    package let trace: [String]
    /// All world events; empty unless traced.
    package let allEvents: [String]
    /// The same for the same seed and the same build, whatever else runs.
    package let traceHash: UInt64
    package let steps: Int
    package let records: Int
    /// How often each fault struck.
    package let faults: [Fault: Int]
}

/// The whole plant in one deterministic loop: the real cores under simulated time, log, disks, network and peers.
///
/// Phase 1 goes on until the cameras have seen everything or long enough, with this seed's faults; phase 2 without faults
/// must come to rest in a bounded number of steps. Then everything is checked, started anew without snapshots, and checked
/// again: nothing may happen twice.
package enum Simulator {
    /// Lines of the trace that a failure shows.
    static let shortTrace = 30

    /// - Parameters:
    ///   - hours: simulated plant time, which sets the number of parts.
    ///   - modelPath: new file for the live read model; the caller removes it, and what SQLite puts beside it, after.
    package static func run(
        seed: UInt64,
        mutation: Mutation? = nil,
        hours: Double = 0.1,
        modelPath: String,
        isTracing: Bool = false
    ) throws -> SeedReport {
        let world = World(seed: seed, mutation: mutation, hours: hours, isTracing: isTracing)
        let crew = Crew(world, modelPath: modelPath)
        var failure: Violation?
        do {
            try crew.run()
        } catch let violation as Violation {
            failure = violation
            world.note("checker", "\(violation.invariant.rawValue) violated: \(violation.text)")
        }
        let trace: [String]
        if let failure, isTracing {
            let about = world.trace.filter { $0.contains(failure.subject) }
            trace = Array((about.count > 2 ? about : world.trace).suffix(shortTrace))
        } else {
            trace = []
        }
        return SeedReport(
            seed: seed,
            failure: failure.map { .init(invariant: $0.invariant, subject: $0.subject, text: $0.text) },
            trace: trace,
            allEvents: world.trace,
            traceHash: world.hash,
            steps: world.steps,
            records: world.log.places.reduce(0) { $0 + Int(world.log.end(of: $1)) },
            faults: Dictionary(uniqueKeysWithValues: zip(Fault.allCases, world.faults.struck))
        )
    }
}

/// The processes of the plant: who serves, who sleeps, who is started again.
final class Crew {
    private let world: World
    private let modelPath: String
    private var serving: [Role: any SimProcess] = [:]
    /// Instances that were replaced while they slept or raced.
    private var others: [(process: any SimProcess, wakesAtStep: Int)] = []
    private var restartsAtStep: [Role: Int] = [:]
    private var starts = 0
    /// Whose turn it may be: parts come slowly enough for orders to change while they are inspected.
    private let turns: [Role]

    init(_ world: World, modelPath: String) {
        self.world = world
        self.modelPath = modelPath
        turns =
            world.roles + [
                .inspector(0), .inspector(1), .mesBridge, .mesBridge, .mesBridge, .mesBridge, .erpBridge, .erpBridge,
            ]
    }

    func run() throws {
        for role in world.roles { try start(role) }
        // Phase 1.
        let longest = 400 + 60 * world.plant.itemsPerStation
        while world.steps < longest {
            try turn()
            if world.steps.isMultiple(of: 64) { try checkBounds() }
        }
        world.note("world", "no more faults")
        world.faults.isOver = true
        try settle()
        let first = world.readLedger()
        try Checks(world, first, projector).run()
        try checkRestart(first)
    }

    private var projector: ProjectorProcess? { serving[.projector] as? ProjectorProcess }

    // MARK: Phases

    private func turn() throws {
        world.advance()
        if let found = world.found { throw found }
        try world.network.pass(world)
        world.disturbLog()
        try disturbCrew()
        for role in world.roles where restartsAtStep[role].map({ $0 <= world.steps }) ?? false { try start(role) }
        if !others.isEmpty, world.random.once(in: 4) {
            let index = world.random.below(others.count)
            if others[index].wakesAtStep <= world.steps { try step(others[index].process) }
        }
        var role = world.random.pick(turns)
        if world.faults.isOver {
            // Those with nothing to do are passed over, mostly.
            for _ in 0..<4 where serving[role]?.isQuiet == true { role = world.random.pick(turns) }
        }
        if let process = serving[role] { try step(process) }
    }

    /// Phase 2: without faults everything must come to rest.
    private func settle() throws {
        let longest = world.steps + 6_000 + 400 * world.plant.itemsPerStation
        let awake = world.steps + 600
        for place in world.log.places { world.log.land(at: place, writer: nil, nowUs: world.trueUs) }
        while world.steps < longest {
            try turn()
            if world.steps.isMultiple(of: 5) { try attend() }
            if world.steps == awake { others = [] }
            if world.steps.isMultiple(of: 16), isQuiet { return }
        }
        let busy = world.roles.filter { serving[$0]?.isQuiet != true }.map(\.name).joined(separator: ", ")
        throw Violation(.converges, busy, "not at rest after \(world.steps) steps: \(busy)")
    }

    private var isQuiet: Bool {
        others.isEmpty && world.network.isEmpty && world.roles.allSatisfy { serving[$0]?.isQuiet == true }
    }

    /// Starts everything again without snapshots: histories and inputs are read from the beginning, and nothing may come
    /// of it but takeovers and new trigger sessions (I4, I10).
    private func checkRestart(_ before: Ledger) throws {
        guard world.damaged.isEmpty else { return }
        world.note("world", "everything starts again without snapshots")
        let effects = (world.mes.effects.count, world.erp.effects.count)
        let active = Set(Checks.openAlarms(before)).filter { !$0.hasPrefix("recipe-refused") }
        for host in world.disks.indices { world.disks[host] = [:] }
        for role in world.roles where role != .projector { try start(role) }
        try settle()
        let after = world.readLedger()
        try require(
            effects == (world.mes.effects.count, world.erp.effects.count),
            .replayIsQuiet,
            "replay",
            "a restart without snapshots made peers do \(world.mes.effects.count - effects.0) and "
                + "\(world.erp.effects.count - effects.1) things"
        )
        for place in world.log.places {
            let old = before.pages[place]?.entries.count ?? 0
            for entry in (after.pages[place]?.entries ?? []).dropFirst(old) {
                let kinds = entry.kinds
                // A timer's alarm depends on clocks; whether it stays open is asked below. A recipe that could not be
                // had is looked for again at a start.
                let isTimers =
                    entry.meta.recordID.contains(":station-silent:")
                    || entry.meta.recordID.hasPrefix("returned:recipe-refused:")
                let isExpected =
                    isTimers
                    || kinds.allSatisfy {
                        [
                            "writer_took_over", "trigger_session_started", "source_exhausted", "source_inspected",
                            "recipe_activated",
                        ]
                        .contains($0)
                    }
                try require(
                    isExpected,
                    .replayIsQuiet,
                    entry.meta.recordID,
                    "a restart without snapshots led to \(entry.meta.recordID) (\(kinds.joined(separator: ", ")))"
                )
            }
        }
        try require(
            active == Set(Checks.openAlarms(after)).filter { !$0.hasPrefix("recipe-refused") },
            .truth,
            "alarm",
            "alarms open before the restart \(active.sorted()), after it \(Checks.openAlarms(after).sorted())"
        )
    }

    // MARK: Processes

    private func start(_ role: Role) throws {
        restartsAtStep[role] = nil
        starts += 1
        let host = role.moves ? world.random.below(World.hosts) : 0
        let process = try make(role, instance: "\(role.name)@\(starts)", host: host)
        if let old = serving[role] { world.serving.remove(old.instance) }
        serving[role] = process
        world.serving.insert(process.instance)
        world.note(process.instance, "starts on host-\(host)")
    }

    private func make(_ role: Role, instance: String, host: Int) throws -> any SimProcess {
        switch role {
        case .capture: return CaptureProcess(world, role, instance: instance, host: host)
        case .inspector: return InspectorProcess(world, role, instance: instance, host: host)
        case .alerting: return AlertingProcess(world, instance: instance, host: host)
        case .console: return ConsoleProcess(world, instance: instance, host: host)
        case .projector: return try ProjectorProcess(world, instance: instance, host: host, path: modelPath)
        case .mesBridge:
            return BridgeProcess(
                world,
                role,
                instance: instance,
                host: host,
                core: ProductionCore(),
                topic: .production,
                cursor: { $0.cursor(of: "mes") },
                input: {
                    .init(
                        adopted: $0.adopted(from: "mes"),
                        kinds: $0.production,
                        subject: $0.subject,
                        occurredAtUs: $0.occurredAtUs
                    )
                }
            )
        case .erpBridge:
            return BridgeProcess(
                world,
                role,
                instance: instance,
                host: host,
                core: MaterialsCore(),
                topic: .materials,
                cursor: { $0.cursor(of: "erp") },
                input: {
                    .init(
                        adopted: $0.adopted(from: "erp"),
                        kinds: $0.materials,
                        subject: $0.subject,
                        occurredAtUs: $0.occurredAtUs
                    )
                }
            )
        }
    }

    private func step(_ process: any SimProcess) throws {
        do {
            try process.step()
        } catch let failure as LogFailure {
            world.note(process.instance, "ends: \(failure)")
            end(process)
        }
    }

    private func end(_ process: any SimProcess) {
        world.serving.remove(process.instance)
        others.removeAll { $0.process === process }
        guard serving[process.role] === process else { return }
        serving[process.role] = nil
        if process.role == .projector { process.stop() }
        restartsAtStep[process.role] = world.steps + 1 + world.random.below(40)
    }

    private func disturbCrew() throws {
        let role = world.random.pick(world.roles)
        guard let process = serving[role] else { return }
        let isExclusive = role.isBridge && world.faults.has(.peerForgetful)
        if world.strikes(.crash, in: 60) {
            world.note(process.instance, "is killed")
            end(process)
        } else if role.moves, !isExclusive, world.strikes(.zombie, in: 120) {
            world.note(process.instance, "falls asleep")
            others.append((process, world.steps + 20 + world.random.below(300)))
            serving[role] = nil
            world.serving.remove(process.instance)
            try start(role)
        } else if role.moves, world.strikes(.move, in: 120) {
            world.note(process.instance, "moves")
            process.stop()
            try start(role)
        } else if role.moves, !isExclusive, world.strikes(.duel, in: 160) {
            world.note(process.instance, "is replaced by two at once")
            try start(role)
            if let first = serving[role] { others.append((first, world.steps)) }
            try start(role)
        } else if role.isBridge, world.faults.has(.peerRefuses), world.random.once(in: 6) {
            try attend(process, skips: world.random.once(in: 2))
        }
        if others.count > 4 { others.removeFirst() }
    }

    /// People look after what peers refused.
    private func attend() throws {
        for role in [Role.mesBridge, .erpBridge] {
            if let process = serving[role] { try attend(process, skips: world.random.once(in: 4)) }
        }
    }

    private func attend(_ process: any SimProcess, skips: Bool) throws {
        if let bridge = process as? BridgeProcess<ProductionCore> { try bridge.attend(skips: skips) }
        if let bridge = process as? BridgeProcess<MaterialsCore> { try bridge.attend(skips: skips) }
    }

    private func checkBounds() throws {
        for role in world.roles { try serving[role]?.checkBounds() }
    }
}
