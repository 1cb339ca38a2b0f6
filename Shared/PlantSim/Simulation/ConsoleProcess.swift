import PlantCore
import PlantEvents
import SeededRandom
import SwiftProtobuf

/// console: people who submit, test, approve, release and retire recipes while the line runs, well and badly.
final class ConsoleProcess: SimProcess {
    private static let people = ["ada", "ben", "cleo"]

    let role = Role.console
    let instance: String
    let host: Int
    private unowned let world: World
    private let decider: SimHost<DecisionCore>

    init(_ world: World, instance: String, host: Int) {
        self.world = world
        self.instance = instance
        self.host = host
        decider = SimHost(
            DecisionCore(),
            world,
            topic: .decisions,
            partition: 0,
            service: role.service,
            instance: instance,
            host: host
        )
    }

    func step() throws {
        guard decider.isReady else { return try decider.stepTakeover() }
        switch world.random.below(6) {
        case 0 where world.random.once(in: 6): decider.takeSnapshot()
        case 0, 1, 2: try decider.flush()
        default:
            guard decider.hasRoom, !world.faults.isOver else { return try decider.flush() }
            act()
        }
    }

    /// Somebody asks for something: mostly what comes next in a recipe's life, sometimes anything; some ask twice.
    private func act() {
        let recipe = world.random.pick(SimPlant.recipes)
        let sha256 = SimPlant.sha256(of: recipe, revision: 1 + world.random.below(SimPlant.revisions))
        let known = decider.core.state.recipes[sha256]
        let stages: [RecipeLife.Stage?] = [nil, .draft, .tested, .returned, .approved, .active, .retired]
        let stage = world.random.once(in: 4) ? world.random.pick(stages) : known?.stage
        let isAgain = world.random.once(in: 10)
        if !isAgain { world.requests += 1 }
        let act = HumanAct.with {
            $0.personID = world.random.pick(Self.people)
            $0.requestID = "r-\(world.requests)"
            $0.reason = "simulated"
            $0.authentication = .systemUser
        }
        let decision = decision(after: stage, recipe, sha256, report: known?.report ?? "")
        if decider.submit(.init(act: act, decision: decision)) != nil { world.faults.note(.recipeChanged) }
    }

    private func decision(
        after stage: RecipeLife.Stage?,
        _ recipe: String,
        _ sha256: String,
        report: String
    ) -> DecisionCore.Decision {
        switch stage {
        case nil: .submit(submission(recipe, sha256))
        case .draft, .returned: .test(tested(sha256))
        case .tested where world.random.once(in: 6): .sendBack(.with { $0.recipeSha256 = sha256 })
        case .tested:
            .approve(
                .with {
                    $0.recipeSha256 = sha256
                    $0.reportSha256 = report
                }
            )
        case .approved, .retired: .release(.with { $0.recipeSha256 = sha256 })
        case .active where world.random.once(in: 2):
            .release(
                .with {
                    $0.recipeSha256 = sha256
                    $0.skus = [world.random.pick(SimPlant.skus)]
                }
            )
        case .active: .retire(.with { $0.recipeSha256 = sha256 })
        }
    }

    private func submission(_ recipe: String, _ sha256: String) -> RecipeSubmitted {
        let dice = SplitMix64.hash(sha256, world.seed)
        return .with {
            $0.recipeID = recipe
            $0.recipeSha256 = sha256
            $0.revision = "1"
            $0.station = world.plant.stations[Int(dice % UInt64(world.plant.stations.count))].id
            $0.skus = SimPlant.skus.enumerated().filter { dice >> UInt64(8 + $0.offset) & 1 == 1 }.map(\.element)
            if $0.skus.isEmpty { $0.skus = SimPlant.skus }
        }
    }

    private func tested(_ sha256: String) -> RecipeTested {
        .with {
            $0.recipeSha256 = sha256
            $0.setSha256 = SplitMix64.digest("set", world.seed)
            $0.pictures = 100
            $0.reportSha256 = SplitMix64.digest("report", UInt64(world.requests))
            $0.challengePieces = 2
            $0.challengesMissed = world.random.once(in: 6) ? 1 : 0
        }
    }

    func stop() {
        decider.takeSnapshot()
    }

    var isQuiet: Bool { decider.isReady && decider.pendingCount == 0 }

    func checkBounds() throws {
        try decider.checkBounds(role)
    }
}
