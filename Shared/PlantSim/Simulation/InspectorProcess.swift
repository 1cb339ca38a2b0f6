import EventLog
import PlantCore
import PlantEvents
import SeededRandom
import SwiftProtobuf

/// inspector for the stations of one line: `InspectionLoop` with a synthetic judge.
final class InspectorProcess: SimProcess {
    let role: Role
    let instance: String
    let host: Int
    private unowned let world: World
    private let stations: [SimPlant.Station]
    private let decider: SimHost<InspectionCore>
    private var intake: SimIntake?
    /// Content of the recipe that each station's judge has loaded, and the one before.
    private var judges: [String: String] = [:]
    private var formerJudges: [String: String] = [:]
    /// Positions to note once everything decided is durable.
    private var handling: IntakePositions?

    init(_ world: World, _ role: Role, instance: String, host: Int) {
        self.world = world
        self.role = role
        self.instance = instance
        self.host = host
        stations = world.plant.stations(of: role.partition)
        decider = SimHost(
            InspectionCore(lines: world.plant.lines(of: role.partition)),
            world,
            topic: .inspections,
            partition: role.partition,
            service: role.service,
            instance: instance,
            host: host
        )
    }

    func step() throws {
        guard decider.isReady else {
            try decider.stepTakeover()
            return
        }
        guard let intake else {
            intake = SimIntake(world, role, instance: instance, host: host, from: decider.inputs)
            for station in stations { loadWanted(station.id) }
            return
        }
        if let handling {
            try decider.flush()
            if decider.pendingCount == 0 {
                decider.inputs = handling
                self.handling = nil
            }
            return
        }
        switch world.random.below(6) {
        case 0: try decider.flush()
        case 1 where world.random.once(in: 6): decider.takeSnapshot()
        default:
            guard decider.hasRoom else { return try decider.flush() }
            let records = try intake.next(max: 1 + world.random.below(16))
            if world.mutation == .positionsAheadOfState {
                decider.inputs = intake.positions
                if world.random.once(in: 4) { return decider.takeSnapshot() }
            }
            var mustWait = false
            for record in records {
                switch record {
                case .production(let record): adopt(record)
                case .frames(let record): mustWait = inspect(record) || mustWait
                case .decisions(let record): adopt(record)
                case .inspections, .materials, .deliveries, .alarms, .parked: break
                }
            }
            if mustWait { handling = intake.positions } else { decider.inputs = intake.positions }
        }
    }

    private func adopt(_ record: ProductionRecord) {
        guard decider.submit(.production(record), cause: record.meta.origin) != nil else { return }
        for station in stations { loadWanted(station.id) }
    }

    private func adopt(_ record: DecisionRecord) {
        guard decider.submit(.decisions(record), cause: record.meta.origin) != nil else { return }
        for station in stations { loadWanted(station.id) }
    }

    private func loadWanted(_ station: String) {
        let core = decider.core
        if let refused = core.refusal(of: station) {
            judges[station] = nil
            decider.submit(.recipeRefused(refused))
            return
        }
        guard let wish = core.wantedRecipe(of: station) ?? missingJudge(core, station) else { return }
        let recipe = wish.recipeID.isEmpty ? SimPlant.defaultRecipe : wish.recipeID
        let sha256 = wish.recipeSHA256.isEmpty ? SimPlant.sha256(of: recipe) : wish.recipeSHA256
        let isThere = SimPlant.recipes.contains(recipe) && !world.strikes(.recipeMissing, in: 10)
        guard isThere, SimPlant.contents[sha256] == recipe, !core.isRetired(sha256) else {
            judges[station] = nil
            decider.submit(
                .recipeRefused(
                    .with {
                        $0.station = station
                        $0.recipeID = wish.recipeID
                        $0.recipeSha256 = wish.recipeSHA256
                        $0.reason = "no such recipe here"
                    }
                )
            )
            return
        }
        if let former = judges[station], former != sha256 { formerJudges[station] = former }
        judges[station] = sha256
        let activated = RecipeActivated.with {
            $0.station = station
            $0.recipeID = recipe
            $0.revision = "1"
            $0.recipeSha256 = sha256
            $0.reactionPlan = SimPlant.plan(of: sha256)
            $0.controlPlanRevision = SimPlant.controlPlan(of: sha256)
        }
        if core.activeRecipe(of: station) != activated { decider.submit(.recipeLoaded(activated)) }
    }

    private func missingJudge(_ core: InspectionCore, _ station: String) -> RecipeWish? {
        guard judges[station] == nil, let active = core.activeRecipe(of: station) else { return nil }
        return RecipeWish(recipeID: active.recipeID, recipeSHA256: active.recipeSha256)
    }

    /// Whether a verdict must be durable before the next batch.
    private func inspect(_ record: FrameRecord) -> Bool {
        var isJudged = false
        for event in record.events {
            switch event.kind {
            case .frameCaptured(let frame):
                isJudged = true
                if decider.decider.handled.covers(record.meta.origin) { continue }
                decider.submit(judge(frame, record.meta.origin), cause: record.meta.origin)
            case .frameMissed(let gap): decider.submit(.frameMissed(gap), cause: record.meta.origin)
            case .sourceExhausted(let exhausted): decider.submit(.exhausted(exhausted), cause: record.meta.origin)
            case .writerTookOver, .triggerSessionStarted, .evidenceStored, .evidenceNotStored, .evidenceExpired,
                .processImageStored, .cameraConfigured, .cameraLost, .cameraReturned, .pictureQualityDegraded,
                .pictureQualityRestored, .clockSkewEstimated, .frameRepeated, .frameUnmatched, nil:
                break
            }
        }
        return isJudged
    }

    private func judge(_ frame: FrameCaptured, _ origin: Origin) -> InspectionCore.Input {
        let station = frame.trigger.station
        guard var recipe = judges[station] else { return .unjudged(frame, reason: "no usable recipe") }
        if world.strikes(.pixelsGone, in: 12) { return .unjudged(frame, reason: "pixels are gone") }
        let former = formerJudges[station] ?? SimPlant.sha256(of: world.random.pick(SimPlant.recipes))
        if former != recipe, world.strikes(.staleJudge, in: 10) { recipe = former }
        return .judged(frame, frame: origin, SimPlant.judgement(of: frame.pixelsSha256, by: recipe))
    }

    func stop() {
        decider.takeSnapshot()
    }

    var isQuiet: Bool { intake?.isAtEnd == true && handling == nil && decider.pendingCount == 0 }

    func checkBounds() throws {
        try decider.checkBounds(role)
    }
}
